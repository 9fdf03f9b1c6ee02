//! One event: what happened, to which release, under which app.
//!
//! It names no device and no person. Its id is drawn for it alone, so that a server can tell a
//! repetition from a second event and two events of one device from nothing.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::line::Line;
use crate::boot::Reason;
use crate::id::{BundleId, Channel, EventId};
use crate::native::Native;
use crate::time::UnixTime;

/// Something that happened, as it is kept and as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Line")]
pub struct Event {
    /// Drawn for this event; the same however often it is sent.
    pub id: EventId,
    /// When, by the device's own clock.
    pub at: UnixTime,
    /// The native app.
    pub native: App,
    /// The channel that was followed.
    pub channel: Channel,
    /// The release that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<About>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// The native app that an event happened in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct App {
    /// Platform and build.
    #[serde(flatten)]
    pub native: Native,
    /// Version as people read it.
    pub version: String,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// SHA-256 of its manifest.
    pub id: BundleId,
    /// Its sequence, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Its version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What a step took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Bytes of answers that travelled, wasted ones included.
    pub bytes: u64,
    /// Requests.
    pub requests: u64,
    /// Duration. Time that the device slept may be missing.
    pub milliseconds: u64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum What {
    /// The repository was asked what is new.
    Checked {
        /// The outcome: a status as `docs/errors.md` lists them.
        status: Cow<'static, str>,
        /// What it took.
        #[serde(flatten)]
        effort: Effort,
    },
    /// A release was fetched, verified and committed.
    Downloaded {
        /// How: `local`, `ranges`, `pack` and so on.
        via: Cow<'static, str>,
        /// Why a cheaper way was left for this one, as an error's code.
        #[serde(skip_serializing_if = "Option::is_none")]
        fallback: Option<Cow<'static, str>>,
        /// What it took.
        #[serde(flatten)]
        effort: Effort,
    },
    /// A release waits.
    Staged {
        /// `staged` for the next start, `held` for the app's word.
        status: Cow<'static, str>,
    },
    /// A release is launched that has not yet said it is ready.
    Trial,
    /// It said so.
    Confirmed {
        /// Time from its launch to its word, where both were in one process.
        #[serde(skip_serializing_if = "Option::is_none")]
        milliseconds: Option<u64>,
    },
    /// It was given up.
    RolledBack {
        /// Why.
        reason: Reason,
    },
    /// A confirmed release's renderer died soon after its launch.
    EarlyCrash,
    /// What came from the repository was refused.
    Refused {
        /// In which part of the work.
        stage: Stage,
        /// The error's code.
        code: Cow<'static, str>,
        /// The TUF role whose metadata it was, if it was metadata.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The attack that the broken rule stops, by TUF's name for it, if it may have been one.
        #[serde(skip_serializing_if = "Option::is_none")]
        attack: Option<Cow<'static, str>>,
        /// What it took.
        #[serde(flatten)]
        effort: Effort,
    },
    /// Something else did not work, such as the network or the disk.
    Failed {
        /// In which part of the work.
        stage: Stage,
        /// The error's code.
        code: Cow<'static, str>,
        /// The server's answer, if it was that.
        #[serde(skip_serializing_if = "Option::is_none")]
        http_status: Option<u16>,
        /// What it took.
        #[serde(flatten)]
        effort: Effort,
    },
}

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Asking what is new.
    Check,
    /// Fetching a release and making a bundle of it.
    Download,
}

impl Event {
    /// Whether it tells nothing that `last`, the event before it, did not: a check with the same
    /// outcome, or the same failure once more.
    #[must_use]
    pub fn repeats(&self, last: &Self) -> bool {
        let same = match (&self.what, &last.what) {
            (What::Checked { status, .. }, What::Checked { status: before, .. }) => {
                status == before
            }
            (
                What::Refused { stage, code, role, .. },
                What::Refused { stage: at, code: before, role: whose, .. },
            ) => (stage, code, role) == (at, before, whose),
            (
                What::Failed { stage, code, http_status, .. },
                What::Failed { stage: at, code: before, http_status: answer, .. },
            ) => (stage, code, http_status) == (at, before, answer),
            _ => false,
        };
        same && (&self.native, &self.channel, &self.release)
            == (&last.native, &last.channel, &last.release)
    }
}
