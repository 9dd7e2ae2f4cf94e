//! The protocol between the client and the coordinator.
