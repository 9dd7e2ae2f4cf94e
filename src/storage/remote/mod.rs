//! Remote tiers: caches that several machines share. `backend.rs` is the one small trait that each kind of server
//! implements; `breaker.rs` decides when a remote is left alone; `bundle.rs` is the form of what lies there.
//!
//! Absent on purpose: actors, threads, clocks (time is passed in), settings, and any belief in what a remote answers.

pub mod backend;
pub mod breaker;
pub mod bundle;
