//! The thin program that stands in front of the compiler: sends the call to the coordinator, puts the outputs of
//! a hit in place, runs the compiler on a miss, and becomes the compiler whenever in doubt. Absent on purpose:
//! settings files, keys, entries, async code, and every package but `wire`.

mod attend;
pub mod build_script;
mod bypass;
mod call;
mod compile;
mod connect;
mod image;
mod narrow;
mod out_dir;
mod place;
mod prepare;
pub mod process;
mod relay;
mod replay;
mod signals;
pub mod start;
#[cfg(test)]
mod tests;

pub use call::{early, main, panicked};
