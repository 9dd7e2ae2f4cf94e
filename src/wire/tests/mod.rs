//! Messages and their bytes, frames and descriptors on real sockets, the table of places.

mod env_block;
mod folders;
mod frames;
mod messages;
mod places;
mod sockets;
