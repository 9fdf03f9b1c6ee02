//! Networks that fail: cut connections, stalls, wrong bytes, servers that know no ranges, mirrors
//! that disagree. Real HTTP on this machine, real files, a clock that the test moves.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at a surprise and prints its counts; not all of the support is used"
)]

mod answers;
mod checks;
#[path = "../attacks/forge.rs"]
mod forge;
mod lossy;
mod mirrors;
mod patience;
#[path = "../attacks/phone.rs"]
mod phone;
mod ranges;
mod resume;
#[path = "../attacks/site.rs"]
mod site;
mod update;
mod wholes;
