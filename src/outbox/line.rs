//! An event as its line reads: the fields of all that can happen, side by side.
//!
//! Enters: one JSON object, whose `event` says which fields it has. Leaves: the [`Event`]. Refuses: events
//! that are not known, and those that lack a field. It is spelt out here because what serde makes of tags
//! and flattened fields is several times as large, and every app carries it.

use serde::Deserialize;
use serde_json::Value;

use super::event::{About, App, Effort, Event, Stage, What};
use crate::boot::Reason;
use crate::id::{Channel, EventId};
use crate::native::{Native, Told};
use crate::time::UnixTime;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    id: EventId,
    at: UnixTime,
    native: ToldApp,
    channel: Channel,
    release: Option<About>,
    event: String,
    status: Option<String>,
    via: Option<String>,
    fallback: Option<String>,
    reason: Option<Reason>,
    stage: Option<Stage>,
    code: Option<String>,
    role: Option<String>,
    attack: Option<String>,
    http_status: Option<u16>,
    bytes: Option<u64>,
    requests: Option<u64>,
    milliseconds: Option<u64>,
}

#[derive(Deserialize)]
struct ToldApp {
    platform: String,
    build: Value,
    version: String,
}

impl Line {
    fn effort(&self) -> Option<Effort> {
        let (bytes, requests) = (self.bytes?, self.requests?);
        Some(Effort { bytes, requests, milliseconds: self.milliseconds? })
    }

    /// What happened, if that is known and has its fields.
    fn what(&mut self) -> Option<What> {
        let effort = self.effort();
        Some(match self.event.as_str() {
            "checked" => What::Checked { status: self.status.take()?.into(), effort: effort? },
            "downloaded" => What::Downloaded {
                via: self.via.take()?.into(),
                fallback: self.fallback.take().map(Into::into),
                effort: effort?,
            },
            "staged" => What::Staged { status: self.status.take()?.into() },
            "trial" => What::Trial,
            "confirmed" => What::Confirmed { milliseconds: self.milliseconds },
            "rolled-back" => What::RolledBack { reason: self.reason? },
            "early-crash" => What::EarlyCrash,
            "refused" => What::Refused {
                stage: self.stage?,
                code: self.code.take()?.into(),
                role: self.role.take(),
                attack: self.attack.take().map(Into::into),
                effort: effort?,
            },
            "failed" => What::Failed {
                stage: self.stage?,
                code: self.code.take()?.into(),
                http_status: self.http_status,
                effort: effort?,
            },
            _ => return None,
        })
    }
}

impl TryFrom<Line> for Event {
    type Error = &'static str;

    fn try_from(mut line: Line) -> Result<Self, Self::Error> {
        let what = line.what().ok_or("no event that is known, or without one of its fields")?;
        let Line { id, at, native, channel, release, .. } = line;
        let ToldApp { platform, build, version } = native;
        let native = App { native: Native::try_from(Told { platform, build })?, version };
        Ok(Self { id, at, native, channel, release, what })
    }
}
