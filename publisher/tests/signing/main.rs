//! Several people sign: what waits, who may add a signature, and what nobody gets signed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod keys;
mod refused;
mod shown;
#[path = "../support/mod.rs"]
mod support;
mod team;
mod waits;
