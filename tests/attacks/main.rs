//! Attacks on the whole client: real HTTP to a server on this machine, real files, repositories
//! signed here by keys that the attacker of each test is said to hold.
//!
//! Names begin with the number under which `docs/security.md` lists the attack. After every one of
//! them the phone shows what it showed before.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise"
)]

mod bytes;
mod channels;
mod delegations;
mod device;
#[allow(dead_code, reason = "tests/networks uses the rest")]
mod forge;
mod freeze;
mod offers;
mod patches;
#[allow(dead_code, reason = "tests/networks uses the rest")]
mod phone;
mod recovery;
mod rollback;
mod sealed;
mod signatures;
#[allow(dead_code, reason = "tests/networks uses the rest")]
mod site;
mod thieves;
