//! The protocol between the client and the coordinator: messages, framing, descriptor passing, where the
//! socket is. Absent on purpose: settings files, keys, entries, async code, and any dependency but the C binding.

mod codec;
mod env_block;
pub mod fd;
pub mod folder;
pub mod frame;
pub mod message;
pub mod reply;
pub mod socket;
#[cfg(test)]
mod tests;

pub use env_block::EnvBlock;
pub use frame::{BUILD_ID, WireError};
pub use message::{Admin, CompileRequest, Ending, Message, Report};
pub use reply::{AdminReply, Existing, HitReply, OutputBody, PlacedOutput, Plan, Reply, Stub};
