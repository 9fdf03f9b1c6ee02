//! Unpack.
