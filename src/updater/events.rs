//! What the conductor tells of: which events there are when, and their way to the server.
//!
//! Enters: what came of each step. Leaves: an event in the outbox, if the app turned that on, and
//! batches at its server when the host says so. Nothing here can make a step fail.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::story::{Happened, about, milliseconds};
use super::{Release, Updater};
use crate::boot::{Undone, Which};
use crate::error::{Error, Result};
use crate::fetch::Sink;
use crate::host::Stopwatch;
use crate::id::{BundleId, EventId};
use crate::limits;
use crate::outbox::{About, App, Event, Outbox, Waiting, What, acknowledged, batch, is_due};
use crate::progress::Cancel;

/// Characters of the native app's version that an event keeps.
const VERSION: usize = 64;

/// Where events go, if the app turned them on.
pub(super) struct Events {
    sink: Arc<dyn Sink>,
    /// Runs since this process launched the bundle that is on trial.
    launched: Mutex<Option<Stopwatch>>,
}

/// How sending went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Events that the server has now.
    pub acknowledged: u64,
    /// Events that wait for another time.
    pub waiting: u64,
}

impl Updater {
    /// Turns events on: from now on what happens is recorded, and [`Updater::send_events`] posts it
    /// to `sink`. Without this nothing is recorded, and the next sync removes what was.
    #[must_use]
    pub fn with_events(mut self, sink: Arc<dyn Sink>) -> Self {
        self.events = Some(Events { sink, launched: Mutex::new(None) });
        self
    }

    /// Events that wait to be sent. Reads one small file.
    ///
    /// # Errors
    /// Storage errors.
    pub fn waiting_events(&self) -> Result<Waiting> {
        self.outbox().waiting()
    }

    /// Posts what waits, if it is worth a request: anything but checks without news, or a check
    /// that has waited an hour. Does nothing where events are off. Blocks; call it from the
    /// background, after a sync, a `ready` or a start.
    ///
    /// # Errors
    /// [`Error::TooEarly`] where the server asked for patience; [`Error::Busy`] where another sends;
    /// network and storage errors. What was not acknowledged stays and is sent another time.
    pub fn send_events(&self, cancel: &Cancel) -> Result<Sent> {
        let mut sent = Sent::default();
        let Some(events) = &self.events else { return Ok(sent) };
        let outbox = self.outbox();
        let mut waiting = outbox.waiting()?;
        sent.waiting = waiting.events.len() as u64;
        if !is_due(&waiting, self.clock.now()) {
            return Ok(sent);
        }
        if let Some(seconds) = outbox.quiet_for(self.clock.now()) {
            return Err(Error::TooEarly { seconds, why: "the server asks for patience" });
        }
        let _sending = outbox.begin_sending()?;
        // What another process sent meanwhile is not sent again.
        waiting = outbox.waiting()?;
        while !waiting.events.is_empty() {
            let (bytes, count) = batch(&self.config.app, self.clock.now(), &waiting)?;
            let answer = events.sink.post(&bytes, limits::BATCH_ANSWER, cancel);
            if let Err(Error::Http { retry_after: Some(seconds), .. }) = &answer {
                outbox.keep_quiet(self.clock.now(), *seconds);
            }
            let named = acknowledged(&answer?)?;
            let posted = waiting.events.iter().take(count).map(|event| &event.id);
            let known: Vec<EventId> = posted.filter(|id| named.contains(id)).cloned().collect();
            if known.is_empty() {
                break;
            }
            outbox.remove(&known, waiting.lost)?;
            sent.acknowledged += known.len() as u64;
            let partly = known.len() < count;
            waiting = outbox.waiting()?;
            // The server does not want the rest now; asking on would ask for ever.
            if partly {
                break;
            }
        }
        sent.waiting = waiting.events.len() as u64;
        Ok(sent)
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(self.store.disk().clone())
    }

    /// Removes what a crash left in the outbox; all of it where events are off.
    pub(super) fn tidy_outbox(&self) {
        let outbox = self.outbox();
        let done = if self.events.is_some() { outbox.tidy() } else { outbox.forget() };
        if let Err(error) = done {
            log::warn!("{error}");
        }
    }

    /// A start was decided.
    pub(super) fn tell_launched(&self, which: Which, on_trial: bool, undone: Option<Undone>) {
        let Some(events) = &self.events else { return };
        let trial = match which {
            Which::Bundle(id) if on_trial => Some(id),
            _ => None,
        };
        let watch = trial.map(|_| self.clock.stopwatch());
        *events.launched.lock().unwrap_or_else(PoisonError::into_inner) = watch;
        let undone =
            undone.map(|undone| (What::RolledBack { reason: undone.reason }, Some(undone.id)));
        let trial = trial.map(|id| (What::Trial, Some(id)));
        self.record_about(undone.into_iter().chain(trial));
    }

    /// The bundle on trial said that it is ready.
    pub(super) fn tell_confirmed(&self, which: Which) {
        let Some(events) = &self.events else { return };
        let watch = events.launched.lock().unwrap_or_else(PoisonError::into_inner).take();
        let what = What::Confirmed { milliseconds: watch.map(|watch| milliseconds(watch())) };
        self.record_about([(what, bundle(which))]);
    }

    /// The bundle on trial was given up.
    pub(super) fn tell_undone(&self, undone: Option<Undone>) {
        let undone =
            undone.map(|undone| (What::RolledBack { reason: undone.reason }, Some(undone.id)));
        self.record_about(undone);
    }

    /// The confirmed bundle's renderer died soon.
    pub(super) fn tell_early_crash(&self, which: Which) {
        self.record_about([(What::EarlyCrash, bundle(which))]);
    }

    /// Records events about bundles, whose manifests say what they are. Reads nothing where events
    /// are off.
    fn record_about(&self, happened: impl IntoIterator<Item = (What, Option<BundleId>)>) {
        if self.events.is_none() {
            return;
        }
        let release = |id| match self.store.manifest(&id) {
            Some(manifest) => about(&Release::of(id, &manifest)),
            None => About { id, sequence: None, version: None },
        };
        self.record(happened.into_iter().map(|(what, id)| (what, id.map(release))));
    }

    /// Records events; where that fails they are lost, which is no reason to fail.
    pub(super) fn record(&self, happened: impl IntoIterator<Item = Happened>) {
        if self.events.is_none() {
            return;
        }
        let events: Result<Vec<_>> =
            happened.into_iter().map(|(what, release)| self.event(what, release)).collect();
        let recorded = events.and_then(|events| match events.as_slice() {
            [] => Ok(()),
            events => self.outbox().record(events),
        });
        if let Err(error) = recorded {
            log::warn!("an event is lost: {error}");
        }
    }

    fn event(&self, what: What, release: Option<About>) -> Result<Event> {
        let random = self.random.bytes().ok_or_else(|| {
            Error::storage("an event's id", std::io::Error::other("no randomness"))
        })?;
        let version = self.config.native_version.chars().take(VERSION).collect();
        Ok(Event {
            id: EventId::from_random(random),
            at: self.clock.now(),
            native: App { native: self.config.native.clone(), version },
            channel: self.channel()?,
            release,
            what,
        })
    }
}

fn bundle(which: Which) -> Option<BundleId> {
    match which {
        Which::Bundle(id) => Some(id),
        Which::Builtin => None,
    }
}
