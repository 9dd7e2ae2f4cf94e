//! Where entries are kept: the local disk store and, later, remote backends.
