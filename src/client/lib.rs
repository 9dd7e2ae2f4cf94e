//! The client. To come: connect, place, compile, bypass.

pub mod process;
pub mod start;
