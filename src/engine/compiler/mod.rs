//! One file per compiler family: what its command line means.

pub mod build_script;
mod cargo;
pub mod gnu;
pub mod rustc;
