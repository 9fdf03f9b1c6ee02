//! Stands in for the native shell of a Capacitor app, where there is no phone: the real core built
//! for this machine, Capacitor's real bridge script, the plugin's real page script, real web apps, in
//! Chromium.
//!
//! Enters: an app (platform, configuration, built-in bundle) and a page of Chromium by the DevTools
//! protocol. Leaves: that page, served and answered as Android or iOS would, and a line for every
//! step on the way. The policy is the core's own ([`farad::pilot`]); what stands in is the web view,
//! its routing rules, Capacitor's bridge, threads and timers.
//!
//! The app is a process of its own (`src/main.rs`), so that it can be killed between any two steps.
//! `tests/journey` is the user, the publisher and the attacker.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a program of tests stops at a surprise"
)]

pub mod app;
pub mod bridge;
pub mod devtools;
pub mod files;
pub mod link;
pub mod routes;
pub mod scripts;
pub mod server;
pub mod settings;
pub mod shell;
pub mod webview;
