//! Events that wait to be sent: what this device did with releases, for those who make them.
//!
//! Enters: events, as they happen. Leaves: the same, oldest first, until a server acknowledges them
//! by their ids. Refuses: more than [`limits::EVENTS`] of them (the oldest go, and how many went is
//! told), and any that is longer than an event can be. Recording is durable when it returns, and a
//! crash loses at most the event that was being recorded; one that was sent but not yet removed is
//! sent again under the same id. `docs/events.md` has the format that travels.
//!
//! `outbox/events` has one JSON object a line, the first 16 hex digits of its SHA-256 in front: an
//! event, or in the first line how many were lost. A line that is torn or damaged loses only itself.

mod batch;
mod event;
mod line;

use std::io::{self, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use batch::{acknowledged, batch, is_due};
pub use event::{About, App, Effort, Event, Stage, What};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::EventId;
use crate::store::disk::{Entry, TEMPORARY, lock_soon, replace};
use crate::store::{Disk, Held};
use crate::time::UnixTime;
use crate::{json, limits};

const FOLDER: &str = "outbox";
const FILE: &str = "events";
const QUIET: &str = "quiet";
const LOCK: &str = "outbox/lock";
const SENDING: &str = "outbox/sending";
/// Hex digits in front of a line.
const SUM: usize = 16;
/// Nobody is kept quiet for longer, seconds.
const LONGEST_QUIET: u64 = 86_400;

/// Events on a disk. Calls may come from several threads and processes.
pub struct Outbox {
    disk: Arc<dyn Disk>,
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Older ones that had to go.
    pub lost: u64,
}

/// The first line, where there is something to say.
#[derive(Serialize, Deserialize)]
struct Lost {
    lost: u64,
}

impl Outbox {
    /// The outbox on `disk`. Reads nothing yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    /// Records events; durable when it returns. One that says the same as the one before it, such
    /// as another check without news, is left out.
    ///
    /// # Errors
    /// [`Error::Busy`] where another process holds the file for too long; storage errors. What was
    /// recorded before is still there.
    pub fn record(&self, events: &[Event]) -> Result<()> {
        let recording = |error| Error::storage("recording events", error);
        let disk = &*self.disk;
        disk.create_folder(FOLDER).map_err(recording)?;
        let _lock = lock_soon(disk, LOCK).map_err(recording)?.ok_or(Error::Busy("outbox"))?;
        let (mut waiting, sound) = self.read().map_err(recording)?;
        let mut lines = Vec::new();
        for event in events {
            let line = line(event).map_err(recording)?;
            if line.len() as u64 > limits::EVENT {
                log::warn!("an event of {} bytes is left out", line.len());
            } else if !waiting.events.last().is_some_and(|last| event.repeats(last)) {
                waiting.events.push(event.clone());
                lines.extend(line);
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let over = waiting.events.len().saturating_sub(limits::EVENTS);
        if over > 0 || !sound {
            waiting.events.drain(..over);
            waiting.lost = waiting.lost.saturating_add(over as u64);
            self.write(&waiting).map_err(recording)?;
        } else {
            self.append(&lines).map_err(recording)?;
        }
        disk.sync_folder("").map_err(recording)
    }

    /// What waits to be sent. Reads one small file.
    ///
    /// # Errors
    /// Storage errors.
    pub fn waiting(&self) -> Result<Waiting> {
        let read = self.read().map_err(|error| Error::storage("reading events", error));
        read.map(|(waiting, _)| waiting)
    }

    /// Removes what a server has: these events, and that so many were `lost`. Durable when it
    /// returns; ids that are not there are fine.
    ///
    /// # Errors
    /// As [`Outbox::record`]; what is not removed is sent again.
    pub fn remove(&self, ids: &[EventId], lost: u64) -> Result<()> {
        let removing = |error| Error::storage("removing events", error);
        let _lock = lock_soon(&*self.disk, LOCK).map_err(removing)?.ok_or(Error::Busy("outbox"))?;
        let (mut waiting, _) = self.read().map_err(removing)?;
        waiting.events.retain(|event| !ids.contains(&event.id));
        waiting.lost = waiting.lost.saturating_sub(lost);
        self.write(&waiting).map_err(removing)
    }

    /// Removes what a write that a crash cut short left behind.
    ///
    /// # Errors
    /// As [`Outbox::record`].
    pub fn tidy(&self) -> Result<()> {
        let tidying = |error| Error::storage("tidying events up", error);
        let disk = &*self.disk;
        let files = || disk.list(FOLDER).map_err(tidying);
        let is_left = |entry: &Entry| entry.name.ends_with(TEMPORARY);
        if !files()?.iter().any(is_left) {
            return Ok(());
        }
        // Somebody may be writing them just now.
        let _lock = lock_soon(disk, LOCK).map_err(tidying)?.ok_or(Error::Busy("outbox"))?;
        for file in files()?.iter().filter(|entry| is_left(entry)) {
            disk.remove_file(&format!("{FOLDER}/{}", file.name)).map_err(tidying)?;
        }
        Ok(())
    }

    /// Removes everything: the app turned events off.
    ///
    /// # Errors
    /// Storage errors.
    pub fn forget(&self) -> Result<()> {
        let forgetting = |error| Error::storage("forgetting events", error);
        if self.disk.list("").map_err(forgetting)?.iter().any(|entry| entry.name == FOLDER) {
            self.disk.remove_folder(FOLDER).map_err(forgetting)?;
        }
        Ok(())
    }

    /// Takes the right to send, held until the guard is dropped, so that two do not send the same.
    ///
    /// # Errors
    /// [`Error::Busy`] where another is sending; storage errors.
    pub(crate) fn begin_sending(&self) -> Result<Box<dyn Held>> {
        let locking = |error| Error::storage(SENDING, error);
        self.disk.create_folder(FOLDER).map_err(locking)?;
        self.disk.lock(SENDING, true).map_err(locking)?.ok_or(Error::Busy("sending of events"))
    }

    /// Seconds that the server does not want to be asked for yet.
    pub(crate) fn quiet_for(&self, now: UnixTime) -> Option<u64> {
        let kept = self.disk.read(&format!("{FOLDER}/{QUIET}"), 20).ok()??;
        let until: u64 = std::str::from_utf8(&kept).ok()?.parse().ok()?;
        let left = until.saturating_sub(now.seconds());
        // More than anybody is kept quiet for means that the clock went back.
        (1..=LONGEST_QUIET).contains(&left).then_some(left)
    }

    /// Keeps that the server does not want to be asked for so many seconds. A hint: where it is not
    /// to be kept, the server is asked too early.
    pub(crate) fn keep_quiet(&self, now: UnixTime, seconds: u64) {
        let until = now.plus(seconds.min(LONGEST_QUIET)).seconds().to_string();
        if let Err(error) = replace(&*self.disk, FOLDER, QUIET, until.as_bytes()) {
            log::warn!("the events' server asks for patience, which is not kept: {error}");
        }
    }

    /// What waits, and whether that is all that the file holds.
    fn read(&self) -> io::Result<(Waiting, bool)> {
        let limit = limits::EVENT.saturating_mul(limits::EVENTS as u64 + 1);
        let file = match self.disk.read(&format!("{FOLDER}/{FILE}"), limit) {
            // Longer than it can be: damage.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Ok((Waiting::default(), false));
            }
            read => read?.unwrap_or_default(),
        };
        let mut waiting = Waiting::default();
        let mut sound = file.is_empty() || file.ends_with(b"\n");
        for line in file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match object(line) {
                Some(Object::Event(event)) => waiting.events.push(*event),
                Some(Object::Lost(lost)) => waiting.lost = waiting.lost.saturating_add(lost.lost),
                None => sound = false,
            }
        }
        Ok((waiting, sound))
    }

    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut file = self.disk.append(&format!("{FOLDER}/{FILE}"))?;
        file.write_all(lines)?;
        file.sync()?;
        // Each time: a process that was killed may have made the file and not come to this.
        self.disk.sync_folder(FOLDER)
    }

    fn write(&self, waiting: &Waiting) -> io::Result<()> {
        let mut bytes = Vec::new();
        if waiting.lost > 0 {
            bytes.extend(line(&Lost { lost: waiting.lost })?);
        }
        for event in &waiting.events {
            bytes.extend(line(event)?);
        }
        replace(&*self.disk, FOLDER, FILE, &bytes)
    }
}

/// What a line may hold.
enum Object {
    Event(Box<Event>),
    Lost(Lost),
}

fn line(object: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = json::compact(object).map_err(io::Error::other)?;
    let sum: String = Digest::of(&body).to_string().chars().take(SUM).collect();
    Ok([sum.as_bytes(), b" ", &body, b"\n"].concat())
}

fn object(line: &[u8]) -> Option<Object> {
    let (sum, rest) = line.split_at_checked(SUM)?;
    let body = rest.strip_prefix(b" ")?;
    let sound = Digest::of(body).to_string().as_bytes().starts_with(sum);
    if !sound {
        return None;
    }
    let event = json::parse_as(body).map(|event| Object::Event(Box::new(event)));
    event.or_else(|_| json::parse_as(body).map(Object::Lost)).ok()
}

#[cfg(test)]
mod tests;
