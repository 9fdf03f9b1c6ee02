//! Which bundle a start shows: the state machine, as pure functions.
//!
//! Enters: the [`Record`], an [`Event`], and [`Facts`] about the device. Leaves: the next record
//! and the [`Effect`]s to carry out, in that order. Refuses: to launch anything that is revoked,
//! below the floor, incomplete, out of attempts, or not counted on disk first. No I/O, no clock, no
//! randomness; `docs/boot.md` has the rules as a table.

mod record;
mod select;
mod start;
mod step;
#[cfg(test)]
mod tests;

pub use record::{NativeIdentity, Record, Token, Trial, Which};
pub use select::Stable;
pub use start::{Launch, Plan, Undone, start};
pub use step::{Event, Outcome, Refusal, step};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{BundleId, Channel};

/// Early crashes in a row after which a confirmed bundle is suspended.
pub const EARLY_CRASHES: u32 = 3;

/// What the machine knows of the device besides its record.
pub struct Facts<'a> {
    /// The native app that is running.
    pub native: NativeIdentity,
    /// The channel that is followed.
    pub channel: Channel,
    /// The built-in bundle.
    pub builtin: BuiltinFacts,
    /// Bundles on the device, whole or not.
    pub bundles: BTreeMap<BundleId, BundleFacts>,
    /// Launches that a bundle gets to say it is ready.
    pub max_attempts: u32,
    /// A fresh token, should a trial be launched.
    pub token: Token,
    /// What is known of this start, and of the end of the last run.
    pub circumstances: Circumstances,
    /// Whether a bundle is complete and, as far as a start can tell, undamaged. Asked only for
    /// what may be launched, since it reads the disk.
    pub sound: &'a dyn Fn(&BundleId) -> bool,
}

/// What a shell knows of a start. By default nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// It was the user or the system that ended the last run.
    pub excused: bool,
    /// Nobody says what ended it: a launch that was out of sight then is excused.
    pub by_sight: bool,
    /// Nobody sees what this start shows (a push message began it, say): it tries nothing.
    pub unseen: bool,
}

/// The built-in bundle, as the machine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinFacts {
    /// Its sequence in the channel that is followed, if it is a release of that channel.
    pub sequence: Option<u64>,
    /// What the policies say: that of its own channel and, where another one is followed, the stricter
    /// of the two.
    pub standing: Standing,
}

/// What a channel's policy says of a bundle, the stricter the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It may run.
    Allowed,
    /// It lies below the floor: never moved to.
    BelowFloor,
    /// Never launched.
    Revoked,
}

/// One bundle on the device, as the machine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFacts {
    /// Channel it is a release of.
    pub channel: Channel,
    /// Sequence in that channel.
    pub sequence: u64,
    /// Whether its native range covers the running app.
    pub native_fits: bool,
    /// What its channel's policy says.
    pub standing: Standing,
    /// Launches counted on disk that were not followed by `ready`.
    pub launches: u32,
    /// One of them was given back. Kept with the count, so that no detour gives back a second.
    pub excused: bool,
    /// Its last launch was out of sight when it was last heard of.
    pub away: bool,
    /// It has a tombstone.
    pub blocked: bool,
}

/// Why a bundle on trial was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It did not say in time that it was ready, or its process died before it could.
    NotReady,
    /// Its renderer died.
    RendererGone,
    /// It reported a failure itself.
    Reported,
}

/// Something to be done on disk. Each is durable before the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Forget the blocks and marks that came from starts under another native app.
    ForgetNative,
    /// Block a bundle on this device.
    Block(BundleId, Reason),
    /// Count one more launch of a bundle.
    Mark(BundleId),
    /// Give one counted launch back, once and for all.
    Excuse(BundleId),
    /// Note that a bundle's last launch went out of sight, or came back.
    Sight(BundleId, bool),
    /// Forget the launches of a bundle.
    ForgetMarks(BundleId),
    /// Forget every block of this device, and what was counted of the blocked bundles.
    ForgetBlocks,
    /// Write the record.
    Write,
    /// Remove bundles that nothing names.
    Collect,
}
