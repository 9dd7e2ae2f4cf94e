//! The protocol between the client and the coordinator: messages, framing, descriptor passing, where the
//! socket is. Absent on purpose: settings files, keys, entries, async code, and any dependency but the C binding.

mod codec;
mod env_block;
pub mod fd;
pub mod frame;
pub mod message;
pub mod socket;
#[cfg(test)]
mod tests;

pub use frame::{BUILD_ID, WireError};
pub use message::{
    Admin, AdminReply, CompileRequest, Ending, EnvBlock, Existing, HitReply, Message, OutputBody,
    PlacedOutput, Plan, Reply, Report,
};
