//! What is kept on the device.

pub mod disk;

pub use disk::{Disk, Entry, Held, NewFile};
