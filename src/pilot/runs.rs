//! Syncs and checks: who shares a run, what is told of it, and when what it left takes over.

use std::time::Duration;

use super::api::{self, Found, LastError, Stage, Told};
use super::call::Apply;
use super::event::{CallId, Effect, Job, Now};
use super::machine::Machine;
use super::timers::Timer;
use crate::error::Result;
use crate::progress::Progress;
use crate::updater::Status;

/// Progress is told at most this often.
pub(super) const PROGRESS: Duration = Duration::from_millis(100);

/// A sync that runs or waits to.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) calls: Vec<CallId>,
    /// How often runs had been cancelled when it began: what is asked for after the next time is no part
    /// of it, although it may take a while to end.
    cancels: u64,
    apply: Apply,
    /// It only looks where the network is metered.
    spares: bool,
    downloading: bool,
    told: Option<Duration>,
}

impl Machine {
    pub(super) fn plan(&mut self, now: Now, resumed: bool) {
        if !self.active || self.timers.is_set(Timer::Sync) {
            return;
        }
        if let Some(wait) = self.schedule.next(now.wall, resumed) {
            self.set(Timer::Sync, wait);
        }
    }

    pub(super) fn is_syncing(&self) -> bool {
        !self.syncs.is_empty() || !self.checks.is_empty()
    }

    /// Ends what runs. What is asked for from now on runs after it.
    pub(super) fn cancel(&mut self) {
        if self.is_syncing() {
            self.cancels += 1;
            self.effects.push(Effect::Cancel);
        }
    }

    /// Joins the check that runs or begins one.
    pub(super) fn ask_for_check(&mut self, call: CallId) {
        let runs = self.checks.last().is_some_and(|(_, cancels)| *cancels == self.cancels);
        self.checks.push((call, self.cancels));
        if !runs {
            self.run(Job::Check);
        }
    }

    /// Joins the sync that runs or begins one.
    pub(super) fn ask_for_sync(&mut self, call: Option<CallId>, apply: Apply) {
        match self.syncs.back_mut() {
            Some(run) if run.cancels == self.cancels => {
                run.calls.extend(call);
                run.apply = run.apply.sooner(apply);
            }
            _ => {
                let spares = call.is_none() && !self.allow_metered;
                self.begin_sync(call.into_iter().collect(), apply, spares);
                self.tell_state();
            }
        }
    }

    fn begin_sync(&mut self, calls: Vec<CallId>, apply: Apply, spares: bool) {
        let cancels = self.cancels;
        self.syncs.push_back(Run { calls, cancels, apply, spares, downloading: false, told: None });
        self.run(Job::Sync { hold: apply == Apply::Manual, spare_metered: spares });
    }

    pub(super) fn found(&mut self, found: &Found) {
        if let Some(run) = self.syncs.front_mut() {
            run.downloading = true;
        }
        self.effects.push(Effect::Tell(Told::available(found)));
    }

    pub(super) fn progressed(&mut self, progress: Progress, now: Now) {
        let Some(run) = self.syncs.front_mut() else { return };
        run.downloading = true;
        let early = run.told.is_some_and(|told| now.ticks.saturating_sub(told) < PROGRESS);
        if early && progress.bytes < progress.total {
            return;
        }
        run.told = Some(now.ticks);
        self.effects.push(Effect::Tell(Told::progress(progress)));
    }

    pub(super) fn synced(&mut self, outcome: Result<Found>, now: Now) {
        let Some(run) = self.syncs.pop_front() else { return };
        let stage = if run.downloading { Stage::Download } else { Stage::Check };
        self.note_outcome(&outcome, stage, now);
        match outcome {
            Err(error) => {
                for call in run.calls {
                    self.reject(call, &error, stage);
                }
            }
            // It only looked. Who asked meanwhile wants it fetched.
            Ok(found) if run.spares && found.status == Status::Available => {
                if !run.calls.is_empty() {
                    return self.begin_sync(run.calls, run.apply, false);
                }
                self.effects.push(Effect::Tell(Told::available(&found)));
            }
            Ok(found) => {
                if found.via.is_some() {
                    self.effects.push(Effect::Tell(Told::staged(&found)));
                }
                let answer = api::synced(Some(&found));
                let asked = !run.calls.is_empty();
                for call in run.calls {
                    self.resolve(call, answer.clone());
                }
                self.let_take_over(&found, run.apply, asked);
            }
        }
        self.tell_state();
        self.send_events();
        self.plan(now, false);
    }

    /// Decides when what a sync left waiting takes over.
    pub(super) fn let_take_over(&mut self, found: &Found, apply: Apply, asked: bool) {
        let waits = match found.status {
            Status::Staged => true,
            // What an earlier call held stays so until a page asks for something else.
            Status::Held => apply != Apply::Manual && (asked || found.via.is_some()),
            _ => false,
        };
        // The publisher's word that nobody should go on without it ends no hold and no "by hand".
        let apply = match apply {
            Apply::NextStart | Apply::Background if found.mandatory => Apply::Now,
            apply => apply,
        };
        match apply {
            Apply::Background | Apply::Now if waits => self.take_over(apply),
            // Held by a call that another one joined: let the next start have it.
            Apply::NextStart if waits && found.status == Status::Held => {
                self.run(Job::Release);
            }
            _ => {}
        }
    }

    pub(super) fn checked(&mut self, outcome: &Result<Found>, now: Now) {
        self.note_outcome(outcome, Stage::Check, now);
        let ended = self.checks.first().map(|(_, cancels)| *cancels);
        let joined = self.checks.iter().take_while(|(_, cancels)| Some(*cancels) == ended).count();
        let calls: Vec<_> = self.checks.drain(..joined).map(|(call, _)| call).collect();
        match outcome {
            Err(error) => {
                for call in calls {
                    self.reject(call, error, Stage::Check);
                }
            }
            Ok(found) => {
                if found.status == Status::Available {
                    self.effects.push(Effect::Tell(Told::available(found)));
                }
                for call in calls {
                    self.resolve(call, api::checked(Some(found)));
                }
            }
        }
        self.tell_state();
        self.send_events();
    }

    pub(super) fn note_outcome(&mut self, outcome: &Result<Found>, stage: Stage, now: Now) {
        match outcome {
            Ok(found) => {
                (self.last_check, self.last_error) = (Some(now.wall), None);
                if found.status == Status::Incompatible {
                    self.effects.push(Effect::Tell(Told::native_update(found)));
                }
            }
            Err(error) => {
                let failed = LastError { code: error.code(), stage };
                self.effects.push(Effect::Tell(Told::failed(&failed)));
                self.last_error = Some(failed);
            }
        }
    }
}
