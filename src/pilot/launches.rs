//! Launches: what a start decides, how one bundle takes over from another, the time a launch has to
//! say that it is ready, and how it ends.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{Bundle, Stage};
use super::call::Apply;
use super::confirm::{FIRST_WAIT, TRIES};
use super::deadline::Deadline;
use super::event::{CallId, Decided, Effect, Job, Now, Switch};
use super::exit::{Exit, Note};
use super::machine::Machine;
use super::timers::Timer;
use crate::boot::{Circumstances, Reason, Which};
use crate::error::{Error, Result};

/// A renderer that dies sooner than this after a launch is the bundle's fault.
const EARLY: Duration = Duration::from_secs(10);
/// What a page gets between `beforeReload` and its end.
const GRACE: Duration = Duration::from_millis(200);

/// What runs.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) number: u64,
    pub(super) which: Which,
    pub(super) bundle: Bundle,
    folder: Option<PathBuf>,
    /// It comes instead of one that failed, perhaps at the route that it was on.
    fresh: bool,
    /// Until it is confirmed or given up.
    pub(super) token: Option<String>,
    /// `ready()` came, and is being written down.
    pub(super) confirming: bool,
    /// How often that met another change of state.
    pub(super) tries: u32,
    /// Nobody sees it, as far as the store was told.
    away: bool,
    /// Whether its files are to be hashed again; nothing before it is ready.
    pub(super) recheck: Option<bool>,
    pub(super) deadline: Option<Deadline>,
    begun: Duration,
}

impl Machine {
    // Starts and switches.

    pub(super) fn start(&mut self, exit: Option<&Exit>, seen: bool) {
        // Within a process nothing that ended says anything.
        let exit = exit.filter(|_| self.launches == 0);
        // A launch whose page never came, since the one before it went with its web view; or whose
        // web view the system took, with nothing held against the page.
        let unshown = !self.pages.is_shown();
        let taken = self.launch.as_ref().is_some_and(|launch| launch.token.is_some());
        self.stop(Timer::Show);
        self.decide();
        // What a page asked for went with it.
        self.hold = None;
        (self.background, self.unseen) = (!seen, !seen);
        self.run(Job::Start {
            circumstances: Circumstances {
                excused: unshown || taken || exit.is_some_and(Exit::excuses),
                by_sight: self.launches == 0 && !exit.is_some_and(Exit::is_crash),
                unseen: !seen,
            },
            crashed: exit.and_then(Exit::crashed_early),
        });
    }

    /// The start that whatever waits has waited for, where the one that began the process was not seen.
    pub(super) fn begin_seen(&mut self) {
        if !std::mem::take(&mut self.unseen) {
            return;
        }
        if self.hold.is_some() || self.is_deciding() {
            self.pending = Some(Apply::Now);
        } else {
            let shown = self.launch.as_ref().map_or(Which::Builtin, |launch| launch.which);
            self.switch(Switch::Seen { shown, wanted: self.pending.is_some() });
        }
    }

    /// Has it written down whether anybody sees the launch on trial: its process may end without a word.
    pub(super) fn tell_sight(&mut self) {
        let away = self.background;
        let told = self.launch.as_mut().and_then(|launch| {
            let token = launch.token.clone().filter(|_| launch.away != away)?;
            launch.away = away;
            Some(token)
        });
        if let Some(token) = told {
            self.run(Job::Sight { token, away });
        }
    }

    /// A decision begins: whatever waits is its own to take.
    fn decide(&mut self) {
        self.deciding += 1;
        self.pending = None;
        self.stop(Timer::Switch);
    }

    /// Takes in what was decided, unless a later decision was heard of before it: the store goes by that
    /// one, and no page could vouch for this one's launch. Whether it is what runs now.
    fn take_in(&mut self, decided: Decided, now: Now) -> bool {
        let holds = self.launch.is_none() || decided.number > self.decided;
        if holds {
            self.decided = decided.number;
            self.launch(decided, now);
        } else {
            self.notice = self.notice.take().or(decided.notice);
        }
        holds
    }

    fn launch(&mut self, decided: Decided, now: Now) {
        self.launches += 1;
        self.stop(Timer::Ready);
        self.stop(Timer::Recheck);
        self.refuse_unwritten();
        self.failing = false;
        self.notice = decided.notice.or(self.notice.take());
        let deadline = decided.token.as_ref().and(self.ready_timeout).map(Deadline::new);
        let note = Note {
            shows: decided.which,
            on_trial: decided.token.is_some(),
            since: now.wall.seconds().saturating_mul(1000),
        };
        self.effects.push(Effect::Note(note.to_text()));
        self.launch = Some(Launch {
            number: self.launches,
            which: decided.which,
            bundle: decided.bundle,
            folder: decided.folder,
            fresh: false,
            token: decided.token,
            confirming: false,
            tries: 0,
            away: false,
            recheck: None,
            deadline,
            begun: now.ticks,
        });
        self.tell_sight();
    }

    pub(super) fn started(&mut self, decided: Decided, now: Now) {
        self.deciding = self.deciding.saturating_sub(1);
        if !self.take_in(decided, now) {
            // The web view begins with what came after.
            self.stop(Timer::Show);
        }
        self.pages.begin(self.launches);
        let folder = self.launch.as_ref().and_then(|launch| launch.folder.clone());
        self.effects.push(Effect::Begin(folder));
        self.tell_rolled_back();
        self.count(now);
        if let Some(wait) = self.schedule.started() {
            self.set(Timer::Sync, wait);
        }
    }

    pub(super) fn switched(&mut self, why: Switch, decided: Result<Option<Decided>>, now: Now) {
        self.deciding = self.deciding.saturating_sub(1);
        let decided = match decided {
            Ok(decided) => decided,
            Err(error) => {
                match why {
                    Switch::Asked(call) | Switch::Reset(call) => {
                        self.reject(call, &error, Stage::Apply);
                    }
                    Switch::Apply(apply) => {
                        self.log(format!("nothing is switched: {error}"));
                        if matches!(error, Error::Busy(_)) {
                            self.switch_later(apply);
                        }
                    }
                    Switch::Seen { .. } if matches!(error, Error::Busy(_)) => {
                        self.switch_later(Apply::Now);
                    }
                    Switch::Failed | Switch::Seen { .. } => {
                        self.log(format!("nothing is switched: {error}"));
                    }
                }
                return self.undo();
            }
        };
        self.switch_tries = 0;
        let applying = decided.is_some();
        if decided.is_some_and(|decided| self.take_in(decided, now)) {
            if let Some(launch) = &mut self.launch {
                launch.fresh = why == Switch::Failed;
            }
            self.pages.switch(self.launches);
            self.tell_before_reload();
            self.set(Timer::Show, GRACE);
        }
        match why {
            Switch::Asked(call) => self.resolve(call, json!({ "applying": applying })),
            Switch::Reset(call) => self.resolve(call, Value::Null),
            Switch::Apply(_) | Switch::Failed | Switch::Seen { .. } => {}
        }
        self.tell_state();
        self.undo();
        // A sync may have ended while this was being decided.
        self.take_up_pending();
    }

    pub(super) fn show(&mut self) {
        if let Some(launch) = &self.launch {
            self.effects.push(Effect::Show {
                folder: launch.folder.clone(),
                keep_route: self.keep_route && !launch.fresh,
                launch: launch.number,
            });
        }
    }

    /// Starts what waits, if nothing forbids it now.
    pub(super) fn switch(&mut self, why: Switch) {
        self.decide();
        self.run(Job::Switch(why));
    }

    /// Another change of state was under way: what waits still does. After some tries it waits for the
    /// next occasion.
    fn switch_later(&mut self, apply: Apply) {
        self.pending = Some(self.pending.map_or(apply, |pending| pending.sooner(apply)));
        if self.switch_tries < TRIES {
            self.set(Timer::Switch, FIRST_WAIT * 2_u32.pow(self.switch_tries));
            self.switch_tries += 1;
        } else {
            self.switch_tries = 0;
        }
    }

    /// What waits takes over, as soon as it may.
    pub(super) fn take_over(&mut self, apply: Apply) {
        let in_sight = apply == Apply::Background && !self.background;
        if in_sight || self.unseen || self.hold.is_some() || self.is_deciding() {
            self.pending = Some(self.pending.map_or(apply, |pending| pending.sooner(apply)));
        } else {
            self.switch(Switch::Apply(apply));
        }
    }

    /// Something that kept a bundle waiting is over.
    pub(super) fn take_up_pending(&mut self) {
        if let Some(apply) = self.pending.take() {
            self.take_over(apply);
        }
    }

    // How a launch ends.

    pub(super) fn renderer_gone(&mut self, now: Now) {
        self.stop(Timer::Ready);
        self.stop(Timer::Show);
        // What comes instead begins with a start.
        self.failing = false;
        // While the page before it stands, its death is no doing of the launch's.
        if let Some(launch) = self.launch.as_mut().filter(|_| self.pages.is_shown()) {
            let early = now.ticks.saturating_sub(launch.begun) < EARLY;
            match launch.token.take() {
                Some(token) if !launch.confirming => {
                    let reason = Reason::RendererGone;
                    self.run(Job::Fail { token, reason, call: None });
                }
                _ => {
                    if let (Which::Bundle(id), true) = (launch.which, early) {
                        self.run(Job::EarlyCrash(id));
                    }
                }
            }
        }
        self.effects.push(Effect::Recreate);
    }

    // The ready deadline.

    pub(super) fn deadline(&mut self) -> Option<&mut Deadline> {
        let launch = self.launch.as_mut().filter(|launch| !launch.confirming)?;
        launch.token.as_ref()?;
        launch.deadline.as_mut()
    }

    /// Counts on, if the app is active and something is on trial.
    pub(super) fn count(&mut self, now: Now) {
        // Nothing is owed while an old page is there.
        if !self.active || !self.pages.is_shown() {
            return;
        }
        if let Some(wait) = self.deadline().map(|deadline| deadline.run(now.ticks)) {
            self.set(Timer::Ready, wait);
        }
    }

    pub(super) fn ready_timer(&mut self, now: Now) {
        let Some(deadline) = self.deadline() else { return };
        deadline.pause(now.ticks);
        if deadline.is_over() {
            self.give_up(Reason::NotReady, None);
        } else {
            self.count(now);
        }
    }

    /// The launch on trial failed: whoever waits for it is told, and the store decides what runs.
    pub(super) fn give_up(&mut self, reason: Reason, call: Option<CallId>) {
        let token = self.launch.as_mut().and_then(|launch| launch.token.take());
        if let Some(token) = token {
            self.stop(Timer::Ready);
            self.failing = true;
            self.run(Job::Fail { token, reason, call });
        }
    }

    /// Replaces the page of a launch that failed, unless a switch is under way that does. One that
    /// replaces nothing comes here when it ends. Ordered after [`Job::Fail`], it runs after it.
    pub(super) fn undo(&mut self) {
        if self.failing && self.deciding == 0 {
            self.failing = false;
            self.deciding += 1;
            self.run(Job::Switch(Switch::Failed));
        }
    }

    /// A decision is under way; the next one waits for it.
    pub(super) fn is_deciding(&self) -> bool {
        self.deciding > 0 || self.failing
    }
}
