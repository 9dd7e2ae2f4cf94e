//! Where entries are kept: the local disk store and, later, remote backends. Absent on purpose: actors,
//! compilers, jobs beyond the role of an output, and the protocol between client and coordinator.

pub mod error;
pub mod local;
pub mod recent;
pub mod remote;
