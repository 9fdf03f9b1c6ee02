//! A launch that came up: `ready()`, what becomes of it, and the look at the bundle's files after it.
//!
//! Enters: a `ready()` of a page that may say so, and how its confirmation ended. Leaves: jobs and
//! the answer. A confirmation that meets another change of state (a sync that removes old bundles, say)
//! is tried again for some seconds: the bundle did its part, and must not lose a launch for that.

use std::time::Duration;

use serde_json::json;

use super::api::{ReadyResult, Stage};
use super::event::{Asked, CallId, Effect, Job, Now, Stored};
use super::exit::Note;
use super::machine::Machine;
use super::timers::Timer;
use crate::boot::Which;
use crate::error::{Error, Result};

/// Waits before what met another change of state is tried again: 100 ms, and twice as long each time.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(100);
/// So often: 6.3 s in all.
pub(super) const TRIES: u32 = 6;
/// What the start of an app gets before its files are read again.
const AFTER_READY: Duration = Duration::from_secs(30);

/// A `ready()` that was not written down yet, since the store was busy.
#[derive(Debug)]
pub(super) struct Unwritten {
    call: CallId,
    launch: u64,
    token: String,
}

impl Machine {
    pub(super) fn ready(&mut self, call: CallId, now: Now) {
        let confirm = self.launch.as_mut().and_then(|launch| {
            let token = launch.token.clone().filter(|_| !launch.confirming)?;
            if let Some(deadline) = &mut launch.deadline {
                deadline.pause(now.ticks);
            }
            launch.confirming = true;
            launch.tries = 0;
            Some(Job::Confirm { call: call.clone(), launch: launch.number, token })
        });
        self.stop(Timer::Ready);
        self.run(confirm.unwrap_or(Job::Read(Asked::Ready(call))));
    }

    pub(super) fn confirmed(
        &mut self,
        call: CallId,
        number: u64,
        stored: Result<Stored>,
        now: Now,
    ) {
        let launch = self.launch.as_mut().filter(|launch| launch.number == number);
        match (stored, launch) {
            (Ok(stored), Some(launch)) => {
                launch.token = None;
                launch.confirming = false;
                let note = Note {
                    shows: launch.which,
                    on_trial: false,
                    since: now.wall.seconds().saturating_mul(1000),
                };
                self.effects.push(Effect::Note(note.to_text()));
                self.answer_ready(call, &stored);
                self.tell_state();
                self.send_events();
            }
            (Err(Error::Busy(_)), Some(launch))
                if launch.tries < TRIES && launch.token.is_some() =>
            {
                let token = launch.token.clone().unwrap_or_default();
                let wait = FIRST_WAIT * 2_u32.pow(launch.tries);
                launch.tries += 1;
                self.unwritten = Some(Unwritten { call, launch: number, token });
                self.set(Timer::Confirm, wait);
            }
            (Err(error), launch) => {
                // The bundle did its part: it may say so again, and has the rest of its time.
                if let Some(launch) = launch {
                    launch.confirming = false;
                }
                self.reject(call, &error, Stage::Apply);
                self.count(now);
            }
            // Confirmed, and replaced since.
            (Ok(stored), None) => self.answer_ready(call, &stored),
        }
    }

    /// The time between two tries is over.
    pub(super) fn confirm_again(&mut self) {
        if let Some(Unwritten { call, launch, token }) = self.unwritten.take() {
            self.run(Job::Confirm { call, launch, token });
        }
    }

    /// The launch is over before what its page said was written down.
    pub(super) fn refuse_unwritten(&mut self) {
        self.stop(Timer::Confirm);
        if let Some(Unwritten { call, .. }) = self.unwritten.take() {
            self.reject(call, &Error::Busy("change of state"), Stage::Apply);
        }
    }

    pub(super) fn answer_ready(&mut self, call: CallId, stored: &Stored) {
        let notice = self.notice.take();
        if notice.is_some() {
            self.run(Job::ForgetNotice);
        }
        let answer = ReadyResult {
            current: self.current(),
            previous: self.fallback(stored),
            rolled_back: notice.as_ref().map(|notice| notice.from.clone()),
            reason: notice.map(|notice| notice.reason),
        };
        self.resolve(call, json!(answer));
        if let Some(launch) = &mut self.launch
            && launch.recheck.is_none()
        {
            launch.recheck = Some(launch.which != Which::Builtin);
            self.plan_recheck();
        }
    }

    /// Has the files of what runs hashed again, once in a launch: some time after it is ready, with the
    /// app in sight.
    pub(super) fn plan_recheck(&mut self) {
        let due = self.launch.as_ref().is_some_and(|launch| launch.recheck == Some(true));
        if due && !self.background && !self.timers.is_set(Timer::Recheck) {
            self.set(Timer::Recheck, AFTER_READY);
        }
    }

    pub(super) fn recheck(&mut self) {
        if let Some(launch) = &mut self.launch {
            launch.recheck = Some(false);
        }
        // On a lane of its own: a process that ends while a sync holds up the other one stayed up too.
        self.run(Job::StayedUp);
        self.run(Job::Recheck);
    }
}
