//! Keys, manifests, entries, statistics and the knowledge about compilers. Pure functions: same input, same
//! answer. Absent on purpose: sockets, threads, async code, files, the clock, and where entries are stored.

pub mod bases;
pub mod compiler;
pub mod depfile;
pub mod digest;
pub mod entry;
pub mod envelope;
pub mod job;
pub mod key;
pub mod manifest;
pub mod narrow;
pub mod observed;
pub mod options;
pub mod scan;
pub mod stats;

#[cfg(test)]
mod tests;
