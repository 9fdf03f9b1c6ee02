//! The record: all that a start remembers of earlier ones, except what must survive its loss.
//!
//! Marks and tombstones are not in here, on purpose: losing the record must not forget that a
//! bundle kills the app. Neither are floors or revocations: those are trust's.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{BundleId, Channel};
use crate::native::Native;

/// What a start remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Rises with every write.
    pub generation: u64,
    /// The native app that the rest is about.
    pub native: NativeIdentity,
    /// The channel that is followed.
    pub channel: Channel,
    /// What said it was ready last: runs unless something is on trial.
    pub confirmed: Which,
    /// A bundle that has yet to say it is ready.
    pub trial: Option<Trial>,
    /// What the next start tries.
    pub next: Option<Which>,
    /// Downloaded, waiting for the app's word.
    pub held: Option<BundleId>,
    /// What was confirmed before, as a fallback.
    pub previous: Option<BundleId>,
    /// Early crashes of the confirmed bundle in a row.
    pub early_crashes: u32,
    /// The confirmed bundle crashed early too often: not launched until the next sync.
    pub suspended: bool,
}

/// A bundle: the one in the native app, or one that was downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// The one in the native app.
    Builtin,
    /// A downloaded one.
    Bundle(BundleId),
}

/// A bundle on trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Which.
    pub id: BundleId,
    /// Launches so far; the mark on disk may know of more.
    pub attempts: u32,
    /// The token of its latest launch.
    pub token: Token,
}

/// Proves that whoever says `ready` was started by the launch that got it: 128 random bits, hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The token that spells `random`.
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(crate::hex::encode(&random))
    }

    /// A token as it was handed out. Anything else is simply no launch's token.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What makes two native apps the same: platform and build, version, and the release inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeIdentity {
    /// Platform and build.
    pub native: Native,
    /// Version as people read it.
    pub version: String,
    /// Digest of the embedded release's manifest.
    pub embed: Option<Digest>,
}

impl Record {
    /// The record of a device that was never started, or whose record is lost.
    #[must_use]
    pub fn new(native: NativeIdentity, channel: Channel) -> Self {
        Self {
            generation: 0,
            native,
            channel,
            confirmed: Which::Builtin,
            trial: None,
            next: None,
            held: None,
            previous: None,
            early_crashes: 0,
            suspended: false,
        }
    }

    /// What the device is heading for: what it will try, is trying, or runs.
    #[must_use]
    pub fn heading(&self) -> Which {
        let held = self.held.map(Which::Bundle);
        let trial = self.trial.as_ref().map(|trial| Which::Bundle(trial.id));
        self.next.or(held).or(trial).unwrap_or(self.confirmed)
    }

    /// Bundles that must stay on the device.
    #[must_use]
    pub fn named(&self) -> Vec<BundleId> {
        let bundle = |which: Which| match which {
            Which::Bundle(id) => Some(id),
            Which::Builtin => None,
        };
        [
            bundle(self.confirmed),
            self.trial.as_ref().map(|trial| trial.id),
            self.next.and_then(bundle),
            self.held,
            self.previous,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
