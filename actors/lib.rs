//! The coordinator: actors on actix around the engine and the storage.
pub mod inputs;
