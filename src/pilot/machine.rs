//! What the plugin does when: the policy, as a pure state machine.
//!
//! Enters: [`Event`]s (starts, life-cycle, navigations, calls of pages, timers, how jobs ended) with
//! the time they happened at. Leaves: [`Effect`]s, to be carried out in that order. Refuses: a
//! `ready()` of a page that does not belong to the running launch, to replace a page during a hold,
//! to do anything at all while the plugin is idle. No I/O, no clock, no randomness, no threads; what
//! the tests and the phone drive is the same.
//!
//! Here are what the machine is and where each event goes; what becomes of launches is in `launches`,
//! of `ready()` in `confirm`, of syncs and checks in `runs`, of calls in `calls`.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{About, Bundle, Failure, LastError, Notice, Stage, StateResult, Told};
use super::call::{Apply, Hold};
use super::confirm::Unwritten;
use super::event::{Asked, CallId, Done, Effect, Event, Job, Now, Stored};
use super::launches::Launch;
use super::page::Pages;
use super::runs::Run;
use super::schedule::Schedule;
use super::settings::Settings;
use super::timers::{Timer, Timers};
use crate::error::{Error, Result};
use crate::time::UnixTime;

/// Why the plugin does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idle {
    /// The app is served by live reload.
    LiveReload,
    /// The configuration says so.
    Disabled,
    /// The configuration cannot work; every call is told so.
    Invalid(String),
    /// The store cannot be opened: a full disk, a phone that was never unlocked. Every call is told so, and
    /// the next process tries again.
    NoStore {
        /// What was being done.
        doing: String,
        /// Why it failed.
        kind: io::ErrorKind,
    },
}

/// What the machine is made of.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The configuration; of no use while idle.
    pub settings: Option<Settings>,
    /// Why the plugin does nothing, if so.
    pub idle: Option<Idle>,
    /// The native app.
    pub about: About,
    /// Keeps phones apart.
    pub seed: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    pub(super) idle: Option<Idle>,
    pub(super) about: About,
    pub(super) apply: Apply,
    pub(super) ready_timeout: Option<Duration>,
    pub(super) allow_metered: bool,
    /// Events go somewhere.
    events: bool,
    /// They are being sent, or will be.
    sending: bool,
    pub(super) keep_route: bool,

    pub(super) launch: Option<Launch>,
    pub(super) launches: u64,
    pub(super) pages: Pages,
    pub(super) notice: Option<Notice>,

    pub(super) active: bool,
    pub(super) background: bool,
    /// Nobody has seen the app since its last start, which tried nothing.
    pub(super) unseen: bool,
    pub(super) hold: Option<Hold>,
    /// A bundle waits to take over within this process.
    pub(super) pending: Option<Apply>,
    /// Starts and switches that are being decided: a web view may be made anew while one is.
    pub(super) deciding: u32,
    /// The newest decision that was taken in.
    pub(super) decided: u64,
    /// How often a switch met another change of state.
    pub(super) switch_tries: u32,
    /// The launch failed, and its page still stands.
    pub(super) failing: bool,
    /// A `ready()` that met another change of state.
    pub(super) unwritten: Option<Unwritten>,

    pub(super) schedule: Schedule,
    /// The first one runs, unless a check does; the others wait for it.
    pub(super) syncs: VecDeque<Run>,
    /// Who wants a check, and how often runs had been cancelled by then.
    pub(super) checks: Vec<(CallId, u64)>,
    pub(super) cancels: u64,
    pub(super) last_check: Option<UnixTime>,
    pub(super) last_error: Option<LastError>,
    telling: bool,

    pub(super) timers: Timers,
    pub(super) effects: Vec<Effect>,
}

impl Machine {
    /// A machine that waits for its first start.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        let Setting { settings, idle, about, seed } = setting;
        let auto = settings.as_ref().map(|settings| settings.auto_sync);
        Self {
            idle,
            about,
            apply: settings.as_ref().map(|settings| settings.apply).unwrap_or_default(),
            ready_timeout: settings.as_ref().and_then(|settings| settings.ready_timeout),
            allow_metered: settings.as_ref().is_none_or(|settings| settings.allow_metered),
            events: settings.as_ref().is_some_and(|settings| settings.events_url.is_some()),
            sending: false,
            keep_route: settings.as_ref().is_some_and(|settings| settings.keep_route),
            launch: None,
            launches: 0,
            pages: Pages::default(),
            notice: None,
            active: false,
            background: false,
            unseen: false,
            hold: None,
            pending: None,
            deciding: 0,
            decided: 0,
            switch_tries: 0,
            failing: false,
            unwritten: None,
            schedule: Schedule::new(auto.unwrap_or_default(), seed),
            syncs: VecDeque::new(),
            checks: Vec::new(),
            cancels: 0,
            last_check: None,
            last_error: None,
            telling: false,
            timers: Timers::default(),
            effects: Vec::new(),
        }
    }

    /// Decides what an event does.
    pub fn on(&mut self, event: Event, now: Now) -> Vec<Effect> {
        match event {
            Event::Call(id, call) => self.call(id, call, now),
            _ if self.idle.is_some() => {
                if matches!(event, Event::Start { .. }) {
                    self.effects.push(Effect::Begin(None));
                }
            }
            Event::Start { exit, seen } => self.start(exit.as_ref(), seen),
            Event::Navigated => {
                // Not before: the page that is being replaced would be told, and nobody else.
                if self.pages.navigated() {
                    self.tell_rolled_back();
                }
            }
            Event::Shown { launch, alone } => {
                if self.pages.shown(launch, alone) {
                    self.count(now);
                }
            }
            Event::Active => self.activate(now),
            Event::Inactive => self.deactivate(now),
            Event::Background => self.go_to_background(now),
            Event::RendererGone => self.renderer_gone(now),
            Event::Timer(timer) => self.fired(timer, now),
            Event::Found(found) => self.found(&found),
            Event::Progress(progress) => self.progressed(progress, now),
            Event::Done(done) => self.done(done, now),
        }
        std::mem::take(&mut self.effects)
    }

    // The life of the app.

    fn activate(&mut self, now: Now) {
        (self.active, self.background) = (true, false);
        self.tell_sight();
        self.begin_seen();
        self.count(now);
        self.plan(now, true);
        self.plan_recheck();
    }

    fn deactivate(&mut self, now: Now) {
        self.active = false;
        self.stop(Timer::Ready);
        if let Some(deadline) = self.deadline() {
            deadline.pause(now.ticks);
        }
    }

    fn go_to_background(&mut self, now: Now) {
        self.deactivate(now);
        self.background = true;
        self.tell_sight();
        // Nobody is there to see it, and the system would not let it come to its end.
        self.stop(Timer::Sync);
        self.stop(Timer::Recheck);
        if self.hold == Some(Hold::Background) {
            self.hold = None;
        }
        self.take_up_pending();
    }

    // Timers.

    fn fired(&mut self, timer: u64, now: Now) {
        let Some(which) = self.timers.fired(timer) else { return };
        match which {
            Timer::Ready => self.ready_timer(now),
            Timer::Show => self.show(),
            Timer::Confirm => self.confirm_again(),
            Timer::Switch => self.take_up_pending(),
            Timer::Recheck => self.recheck(),
            Timer::Sync => {
                self.schedule.begun(now.wall);
                self.ask_for_sync(None, self.apply);
            }
        }
    }

    pub(super) fn set(&mut self, timer: Timer, wait: Duration) {
        self.stop(timer);
        let number = self.timers.set(timer);
        self.effects.push(Effect::SetTimer(number, wait));
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.effects.extend(self.timers.stop(timer).map(Effect::StopTimer));
    }

    // Jobs.

    fn done(&mut self, done: Done, now: Now) {
        match done {
            Done::Started(decided) => self.started(decided, now),
            Done::Switched { why, decided } => self.switched(why, decided, now),
            Done::Failed(call) => {
                if let Some(call) = call {
                    self.resolve(call, Value::Null);
                }
                // A dead web view begins with a start of its own.
                self.undo();
            }
            Done::Confirmed(call, launch, stored) => self.confirmed(call, launch, stored, now),
            Done::Synced(outcome) => self.synced(outcome, now),
            Done::Checked(outcome) => self.checked(&outcome, now),
            Done::Read(asked, stored) => self.read(asked, stored),
            Done::Released(Ok(())) => self.tell_state(),
            Done::Released(Err(error)) => self.log(format!("what is held stays so: {error}")),
            Done::Noted => {}
            Done::Sent => self.sending = false,
            Done::Answer(call, Ok(answer)) => self.resolve(call, answer),
            Done::Answer(call, Err(error)) => self.reject(call, &error, Stage::Call),
            Done::ChannelSet(call, Ok(())) => {
                self.resolve(call, Value::Null);
                self.tell_state();
            }
            Done::ChannelSet(call, Err(error)) => self.reject(call, &error, Stage::Call),
        }
    }

    fn read(&mut self, asked: Asked, stored: Result<Stored>) {
        let stored = match (stored, asked) {
            (Ok(stored), asked) => (stored, asked),
            (Err(error), Asked::Listeners) => {
                self.telling = false;
                return self.log(format!("the state cannot be told: {error}"));
            }
            (Err(error), Asked::Ready(call) | Asked::State(call) | Asked::Channel(call)) => {
                return self.reject(call, &error, Stage::Call);
            }
        };
        match stored {
            (stored, Asked::Ready(call)) => self.answer_ready(call, &stored),
            (stored, Asked::State(call)) => {
                let state = self.state(stored);
                self.resolve(call, json!(state));
            }
            (stored, Asked::Channel(call)) => {
                self.resolve(call, json!({ "channel": stored.channel }));
            }
            (stored, Asked::Listeners) => {
                self.telling = false;
                let state = self.state(stored);
                self.effects.push(Effect::Tell(Told::state_changed(&state)));
            }
        }
    }

    // What is told.

    pub(super) fn current(&self) -> Bundle {
        self.launch.as_ref().map_or_else(Bundle::builtin, |launch| launch.bundle.clone())
    }

    /// What the running bundle would fall back to, if that is not the built-in one.
    pub(super) fn fallback(&self, stored: &Stored) -> Option<Bundle> {
        let current = self.current();
        let on_trial = stored.confirmed.id != current.id;
        let fallback =
            if on_trial { Some(stored.confirmed.clone()) } else { stored.previous.clone() };
        fallback.filter(|fallback| fallback.id != Bundle::builtin().id)
    }

    pub(super) fn state(&self, stored: Stored) -> StateResult {
        StateResult {
            current: self.current(),
            previous: self.fallback(&stored),
            builtin: stored.builtin,
            next: stored.next,
            held: stored.held,
            blocked: stored.blocked,
            channel: Some(stored.channel),
            syncing: self.is_syncing(),
            last_check: self.last_check.map(|time| time.to_string()),
            last_error: self.last_error.clone(),
            below_floor: stored.below_floor,
        }
    }

    pub(super) fn tell_rolled_back(&mut self) {
        if let (Some(notice), Some(launch)) = (&self.notice, &self.launch) {
            self.effects.push(Effect::Tell(Told::rolled_back(notice, &launch.bundle)));
        }
    }

    pub(super) fn tell_before_reload(&mut self) {
        self.effects.push(Effect::Tell(Told::before_reload(&self.current())));
    }

    /// The state is read and told once for all that changed until then.
    pub(super) fn tell_state(&mut self) {
        if !self.telling {
            self.telling = true;
            self.run(Job::Read(Asked::Listeners));
        }
    }

    /// Has the events that wait posted, if the app wants that. What happens after this job has begun
    /// waits for the next one.
    pub(super) fn send_events(&mut self) {
        if self.events && !self.sending {
            self.sending = true;
            self.run(Job::SendEvents);
        }
    }

    /// Not with the log's own macros: whoever listens may call the machine again.
    pub(super) fn log(&mut self, text: String) {
        self.effects.push(Effect::Log(text));
    }

    pub(super) fn run(&mut self, job: Job) {
        self.effects.push(Effect::Run(job));
    }

    pub(super) fn resolve(&mut self, call: CallId, answer: Value) {
        self.effects.push(Effect::Resolve(call, answer));
    }

    pub(super) fn reject(&mut self, call: CallId, error: &Error, stage: Stage) {
        self.effects.push(Effect::Reject(call, Failure::new(error, stage)));
    }
}
