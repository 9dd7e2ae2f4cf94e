//! The thin program that stands in front of the compiler.
