//! Built-in bundle.
