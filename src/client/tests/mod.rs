//! Placing outputs, passing streams on, attending to a compiler. Signals belong to a whole process, so what needs them
//! runs in processes of its own: this test program, started anew for one test.

mod attend;
mod bypass;
mod place;
mod relay;
