//! Remote tiers: caches that several machines share. `backend.rs` is the one small trait that each kind of server
//! implements, in one file each and behind the Cargo feature of its name (`folder.rs` is always there); `http/` is what several of
//! them share. `breaker.rs` decides when a remote is left alone; `bundle.rs` is the form of what lies there, which
//! `sink.rs` and `unpack.rs` read as it comes.
//!
//! Absent on purpose: actors, settings, retries, and any belief in what a remote answers.

#[cfg(feature = "s3")]
pub mod aws_credentials;
#[cfg(feature = "s3")]
mod aws_services;
#[cfg(feature = "azure")]
pub mod azure;
pub mod backend;
pub mod blobs;
pub mod breaker;
pub mod bundle;
pub mod folder;
#[cfg(feature = "gcs")]
pub mod gcs;
#[cfg(feature = "gcs")]
mod gcs_token;
pub mod guard;
// Each kind of remote uses a part of it.
#[cfg(feature = "http")]
#[cfg_attr(
    not(all(feature = "s3", feature = "webdav", feature = "azure", feature = "gcs")),
    allow(dead_code)
)]
pub mod http;
#[cfg(feature = "memcached")]
pub mod memcached;
#[cfg(feature = "memcached")]
mod memcached_server;
pub mod packing;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "redis")]
mod redis_url;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "s3")]
mod sigv4;
pub mod sink;
mod unpack;
#[cfg(feature = "webdav")]
pub mod webdav;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod words;
