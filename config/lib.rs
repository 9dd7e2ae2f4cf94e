//! Typed settings of cachepot and the layers they come from.
