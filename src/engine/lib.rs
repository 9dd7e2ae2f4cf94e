//! Keys, manifests, entries and the knowledge about compilers: pure functions, no I/O.
