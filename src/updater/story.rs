//! What a check or a sync has to tell, gathered while it runs and written down at its end.
//!
//! Enters: what was found, what was taken, the error that ended it. Leaves: events without their
//! ids. A run that is begun again within one call tells of its last try alone.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use super::remote::Remote;
use super::{Release, Status, Synced};
use crate::error::Error;
use crate::host::{Clock, Stopwatch};
use crate::outbox::{About, Effort, Stage, What};

/// What happened, and to which release.
pub(super) type Happened = (What, Option<About>);

/// The events of one run.
pub(super) struct Story<'a> {
    clock: &'a dyn Clock,
    stage: Stage,
    /// The release that was found.
    release: Option<About>,
    events: Vec<Happened>,
    /// What the stage began with.
    bytes: u64,
    requests: u64,
    watch: Stopwatch,
}

impl<'a> Story<'a> {
    pub(super) fn new(clock: &'a dyn Clock) -> Self {
        Self {
            clock,
            stage: Stage::Check,
            release: None,
            events: Vec::new(),
            bytes: 0,
            requests: 0,
            watch: clock.stopwatch(),
        }
    }

    /// The repository said what is new.
    pub(super) fn checked(&mut self, found: &Synced, remote: &Remote<'_>) {
        self.release = found.release.as_ref().map(about);
        let effort = self.effort(remote);
        self.events
            .push((What::Checked { status: code(&found.status), effort }, self.release.clone()));
        self.stage = Stage::Download;
        (self.bytes, self.requests) = (remote.bytes(), remote.requests);
        self.watch = self.clock.stopwatch();
    }

    /// What was found was taken: fetched, or found on the device.
    pub(super) fn taken(&mut self, done: &Synced, remote: &Remote<'_>) {
        let effort = self.effort(remote);
        if let Some(via) = &done.via {
            let (via, fallback) = (code(via), done.fallback.map(Cow::Borrowed));
            let what = What::Downloaded { via, fallback, effort };
            self.events.push((what, self.release.clone()));
        }
        if matches!(done.status, Status::Staged | Status::Held) {
            self.events.push((What::Staged { status: code(&done.status) }, self.release.clone()));
        }
    }

    /// The run ended.
    pub(super) fn failed(&mut self, error: &Error, remote: &Remote<'_>) {
        let (stage, effort) = (self.stage, self.effort(remote));
        let code = Cow::Borrowed(error.code());
        let what = match error {
            // Nobody else's doing.
            Error::Cancelled
            | Error::Busy(_)
            | Error::TooEarly { .. }
            | Error::StaleToken
            | Error::Argument(_) => return,
            Error::Trust(refused) => What::Refused {
                stage,
                code,
                role: Some(refused.role.clone()),
                attack: refused.kind.attack().map(Cow::Borrowed),
                effort,
            },
            Error::Document { .. }
            | Error::Digest { .. }
            | Error::TooLarge { .. }
            | Error::Seal => What::Refused { stage, code, role: None, attack: None, effort },
            Error::Http { status, .. } => {
                What::Failed { stage, code, http_status: Some(*status), effort }
            }
            _ => What::Failed { stage, code, http_status: None, effort },
        };
        self.events.push((what, self.release.clone()));
    }

    /// What there is to tell so far; told once.
    pub(super) fn take(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.events)
    }

    fn effort(&self, remote: &Remote<'_>) -> Effort {
        Effort {
            bytes: remote.bytes().saturating_sub(self.bytes),
            requests: remote.requests.saturating_sub(self.requests),
            milliseconds: milliseconds((self.watch)()),
        }
    }
}

/// A release as events name it.
pub(super) fn about(release: &Release) -> About {
    let (sequence, version) = (Some(release.sequence), Some(release.version.clone()));
    About { id: release.id, sequence, version }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The kebab-case name that a status or a way is known by.
fn code(name: &impl Serialize) -> Cow<'static, str> {
    let text = serde_json::to_value(name).ok();
    text.as_ref().and_then(|text| text.as_str()).unwrap_or_default().to_owned().into()
}
