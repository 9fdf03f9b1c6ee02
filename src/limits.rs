//! How much of anything the client takes from outside. The publisher refuses at half of each.
//!
//! `docs/format.md` lists them for second implementations.

/// `timestamp.json`, bytes.
pub const TIMESTAMP: u64 = 16 << 10;
/// A root file, bytes.
pub const ROOT: u64 = 64 << 10;
/// Any other TUF role's file, rollout and policy, bytes.
pub const ROLE: u64 = 256 << 10;
/// A release manifest, bytes.
pub const MANIFEST: u64 = 64 << 10;
/// An index or layout, as it travels and decoded, bytes.
pub const INDEX: u64 = 8 << 20;
/// Files in a bundle.
pub const FILES: usize = 20_000;
/// A file's path, bytes.
pub const PATH: usize = 512;
/// A bundle, unpacked, bytes.
pub const BUNDLE: u64 = 1 << 30;
/// One piece of a pack, bytes; a sealed one has its tag besides.
pub const PIECE: u64 = 64 << 10;
/// zstd window, as a power of two: 8 MiB.
pub const WINDOW_LOG: u32 = 23;
/// Patches that lead to one release.
pub const PATCHES: usize = 64;
/// One group of a patch, all that is held at once: names, parts of old files, frame, new bytes.
pub const GROUP: u64 = 24 << 20;
/// Parts of old files that all groups of a patch draw on. Its groups, and the files that it adds, are no
/// more than [`FILES`].
pub const PARTS: usize = 200_000;
/// Roots in a row that one refresh follows.
pub const ROOT_ROTATIONS: u64 = 256;
/// Delegated roles that one search visits.
pub const DELEGATIONS: usize = 32;
/// Nesting of JSON.
pub const JSON_DEPTH: usize = 32;
/// Offers in a rollout.
pub const OFFERS: usize = 16;
/// Allowed install ids in a rollout, all offers together.
pub const ALLOWED: usize = 200;
/// Revoked sequences in a policy.
pub const REVOKED: usize = 1000;
/// A version or any other short text of ours, bytes.
pub const TEXT: usize = 128;
/// Events that wait to be sent.
pub const EVENTS: usize = 200;
/// One event as it is kept, bytes.
pub const EVENT: u64 = 1 << 10;
/// Events in one batch: 64 KiB at most, with what stands around them.
pub const BATCH: usize = 50;
/// A server's answer to a batch, bytes.
pub const BATCH_ANSWER: u64 = 64 << 10;
/// Notes and custom values of a release, bytes.
pub const INFO: u64 = 64 << 10;
/// Recipients of a sealed release.
pub const RECIPIENTS: usize = 32;
