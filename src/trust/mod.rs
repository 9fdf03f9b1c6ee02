//! Trust: The Update Framework (TUF 1.0), client side, without I/O of its own.

pub mod key;
pub mod metadata;
#[cfg(feature = "publish")]
pub mod sign;
