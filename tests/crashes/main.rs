//! Phones on disks that fail, fill up, forget and lie: the whole client on the in-memory disk.
//!
//! Every journey of a phone is cut at every operation that changes its disk; after each cut the
//! phone must do what `docs/boot.md` asks for. `FARAD_SWEEP=all` tries everything, without it a
//! share that takes a minute; `FARAD_SEED` and `FARAD_RUNS` set the seeded runs of several faults.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at a surprise, and prints what it counted"
)]

mod collector;
mod events;
#[allow(dead_code, reason = "shared with the attacks, which use more of it")]
#[path = "../attacks/forge.rs"]
mod forge;
mod journeys;
mod phone;
mod room;
mod several;
mod sweep;
mod trouble;
mod verdict;
mod world;
