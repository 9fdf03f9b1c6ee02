//! What is done to bytes from outside, as functions of them: one for each parser.
//!
//! `fuzz_targets/` calls them with what libFuzzer finds, `tests/parsers.rs` with the corpora. Each
//! says whether its parser took the bytes, and panics where that led to something it must not.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a parser under test stops at a surprise"
)]

pub mod documents;
pub mod pieces;
pub mod storage;
pub mod trust;

/// A parser's function; its name is that of its target and of its corpus.
pub type Target = fn(&[u8]) -> bool;

/// Every target.
pub const TARGETS: &[(&str, Target)] = &[
    ("apk", storage::apk),
    ("blob", pieces::blob),
    ("call", documents::call),
    ("draft", trust::draft),
    ("embed", documents::embed),
    ("envelope", trust::envelope),
    ("index", pieces::index),
    ("json", documents::json),
    ("kept", trust::kept),
    ("key", trust::key),
    ("layout", pieces::layout),
    ("manifest", documents::manifest),
    ("marks", storage::marks),
    ("metadata", trust::metadata),
    ("names", documents::names),
    ("patch", pieces::patch),
    ("path", pieces::path),
    ("pattern", trust::pattern),
    ("policy", documents::policy),
    ("record", storage::record),
    ("repository", trust::repository),
    ("rollout", documents::rollout),
    ("seal", documents::seal),
    ("sealed", pieces::sealed),
    ("settings", documents::settings),
];

/// The app and channel that every document of a corpus is about.
pub const APP: &str = "com.example.shop";
/// See [`APP`].
pub const CHANNEL: &str = "production";
