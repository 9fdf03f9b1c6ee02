//! What travels: events in batches, and the answer that acknowledges them.

use serde::{Deserialize, Serialize};

use super::{Event, Waiting, What};
use crate::error::{Error, Result};
use crate::id::{AppId, EventId};
use crate::time::UnixTime;
use crate::{json, limits};

const SCHEMA: u32 = 1;
/// Checks without news wait this long for company, seconds.
const PATIENCE: u64 = 3_600;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    schema: u32,
    app: &'a AppId,
    client: &'a str,
    sent_at: UnixTime,
    lost: u64,
    events: &'a [Event],
}

#[derive(Deserialize)]
struct Answer {
    acknowledged: Vec<EventId>,
}

/// The bytes to post for the oldest of what waits, and how many events that are; at most
/// [`limits::BATCH`].
///
/// # Errors
/// Where it cannot be written as JSON, which would be a mistake here.
pub fn batch(app: &AppId, now: UnixTime, waiting: &Waiting) -> Result<(Vec<u8>, usize)> {
    let count = waiting.events.len().min(limits::BATCH);
    let batch = Batch {
        schema: SCHEMA,
        app,
        client: env!("CARGO_PKG_VERSION"),
        sent_at: now,
        lost: waiting.lost,
        events: waiting.events.get(..count).unwrap_or_default(),
    };
    let bytes = json::compact(&batch).map_err(|error| Error::document("events", error))?;
    Ok((bytes, count))
}

/// The events that a server's answer says it has.
///
/// # Errors
/// [`Error::Network`] where it is no such answer: something else than the server spoke, and nothing
/// may be removed.
pub fn acknowledged(answer: &[u8]) -> Result<Vec<EventId>> {
    let answer: Answer = json::parse_as(answer)
        .map_err(|_| Error::Network("events: the answer acknowledges nothing".to_owned()))?;
    Ok(answer.acknowledged)
}

/// Whether it is worth a request to send what waits: anything but a check is, and a check once it
/// has waited an hour.
#[must_use]
pub fn is_due(waiting: &Waiting, now: UnixTime) -> bool {
    let news = waiting.events.iter().any(|event| !matches!(event.what, What::Checked { .. }));
    let oldest = waiting.events.first().map(|event| event.at);
    // A clock that went back is no reason to wait until it is there again.
    let waited = oldest.is_some_and(|at| at > now || now.seconds() - at.seconds() >= PATIENCE);
    news || waited || waiting.lost > 0
}
