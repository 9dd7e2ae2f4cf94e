//! One file per compiler family: what its command line means.

mod cargo;
pub mod gnu;
pub mod rustc;
