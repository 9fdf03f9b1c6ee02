//! Secure over-the-air updates for Capacitor apps: the client library.
//!
//! Modules in layers, imports only downwards: pilot ([`pilot`]), conductor ([`updater`]), effects
//! ([`fetch`], [`unpack`], [`store`], [`outbox`], [`builtin`]), rules ([`trust`], [`release`],
//! [`patch`], [`rollout`], [`seal`], [`boot`]), values (the rest). `docs/architecture.md` has the
//! picture.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::cast_possible_truncation,
        clippy::needless_pass_by_value,
        clippy::type_complexity
    )
)]

pub mod boot;
pub mod builtin;
pub mod config;
pub mod digest;
pub mod error;
pub mod fetch;
#[cfg(feature = "ffi")]
pub mod ffi;
pub mod hex;
pub mod host;
pub mod id;
pub mod json;
pub mod limits;
pub mod native;
pub mod outbox;
pub mod patch;
pub mod pilot;
pub mod progress;
pub mod release;
pub mod rollout;
pub mod seal;
pub mod store;
pub mod time;
pub mod trust;
pub mod unpack;
pub mod updater;
mod wire;

#[cfg(feature = "ffi")]
#[doc(hidden)]
pub use ffi::UniFfiTag;

pub use error::{Error, Result, TrustError, TrustKind};
