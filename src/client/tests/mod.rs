//! Placing outputs, also those that are still coming, passing streams on, attending to a compiler. Signals belong to a whole process, so what needs them
//! runs in processes of its own: this test program, started anew for one test.

mod attend;
mod bypass;
mod coming;
mod out_dir;
mod place;
mod relay;
mod scripted;
