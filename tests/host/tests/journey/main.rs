//! Journeys through the whole client: a publisher's command, the real core, Capacitor's bridge, the
//! plugin's script and web apps in Chromium, by Android's rules and by iOS's. `cargo xtask journey`
//! runs them; pictures of the way are left in `target/journey`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise"
)]

mod browser;
mod calls;
mod guide;
mod kills;
mod limits;
mod pages;
mod phone;
mod publisher;
mod undo;
mod update;
mod web;
mod worker;
