//! End-to-end tests: the real programs, each test in a sandbox of its own.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod commands;
mod driver;
mod elsewhere;
mod faults;
mod harness;
mod hit;
mod identity;
mod languages;
mod lifecycle;
mod lookup;
mod masquerade;
mod outputs;
mod refused;
mod remote;
mod rust;
mod settings;
mod texts;
mod user_headers;
