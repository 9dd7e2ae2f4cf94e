//! One file per compiler family: what its command line means.

pub mod gnu;
pub mod rustc;
