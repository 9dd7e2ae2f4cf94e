//! Remote tiers: caches that several machines share. `backend.rs` is the one small trait that each kind of server
//! implements; `breaker.rs` decides when a remote is left alone; `bundle.rs` is the form of what lies there.
//!
//! Each kind of server has a file and a Cargo feature of its own; `folder.rs` is always there.
//!
//! Absent on purpose: actors, clocks (time is passed in), settings, retries, and any belief in what a remote answers.

pub mod backend;
pub mod breaker;
pub mod bundle;
pub mod folder;
#[cfg(feature = "memcached")]
pub mod memcached;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "redis")]
mod tls;
