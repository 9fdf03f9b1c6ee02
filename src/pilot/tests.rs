//! The machine, driven by hand and at random over a shell and a device that are made up.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::boot::{Reason, Which};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::BundleId;
use crate::time::UnixTime;
use crate::updater::{Status, Via};

const BUILTIN: u8 = 0;

fn bundle(number: u8) -> Bundle {
    let which = which(number);
    let mut bundle = Bundle::new(which, None);
    bundle.version = Some(format!("1.{number}.0"));
    bundle
}

fn which(number: u8) -> Which {
    if number == BUILTIN { Which::Builtin } else { Which::Bundle(BundleId(Digest::of(&[number]))) }
}

/// A device that knows bundles by number; a higher one is newer.
#[derive(Debug, Default)]
struct Device {
    confirmed: u8,
    trial: Option<(u8, u32, String)>,
    /// A launch was given back.
    excused: bool,
    next: Option<u8>,
    held: Option<u8>,
    previous: Option<u8>,
    blocked: Vec<u8>,
    offered: Option<u8>,
    mandatory: bool,
    notice: Option<(u8, Reason)>,
    tokens: u32,
    /// How often events were sent.
    sendings: u32,
    /// The next job fails with this.
    failing: Option<Error>,
}

impl Device {
    fn boot(&mut self) -> Decided {
        if let Some(next) = self.next.take() {
            if next == BUILTIN {
                (self.confirmed, self.trial, self.previous) = (BUILTIN, None, None);
            } else {
                self.trial = Some((next, 0, String::new()));
            }
        }
        if let Some((number, launches, _)) = self.trial.take() {
            if launches >= 2 {
                self.give_up(number, Reason::NotReady);
            } else {
                self.tokens += 1;
                self.trial = Some((number, launches + 1, format!("token {}", self.tokens)));
            }
        }
        let shown = self.trial.as_ref().map_or(self.confirmed, |trial| trial.0);
        Decided {
            which: which(shown),
            bundle: bundle(shown),
            folder: (shown != BUILTIN).then(|| PathBuf::from(format!("/{shown}"))),
            token: self.trial.as_ref().map(|trial| trial.2.clone()),
            notice: self.notice.map(|(number, reason)| Notice { from: bundle(number), reason }),
        }
    }

    fn give_up(&mut self, number: u8, reason: Reason) {
        self.trial = None;
        self.blocked.push(number);
        self.notice = Some((number, reason));
    }

    fn stored(&self) -> Stored {
        Stored {
            builtin: bundle(BUILTIN),
            confirmed: bundle(self.confirmed),
            next: self.next.map(bundle),
            held: self.held.map(bundle),
            previous: self.previous.map(bundle),
            blocked: Vec::new(),
            channel: "production".parse().unwrap(),
            below_floor: false,
        }
    }

    fn look(&self) -> Found {
        let heading = self.next.or(self.held).or(self.trial.as_ref().map(|trial| trial.0));
        let heading = heading.unwrap_or(self.confirmed);
        let status = match self.offered {
            Some(offered) if self.blocked.contains(&offered) => Status::Blocked,
            Some(offered) if offered != heading => Status::Available,
            _ if self.held.is_some() => Status::Held,
            _ if self.next.is_some() => Status::Staged,
            _ => Status::UpToDate,
        };
        let release = Some(bundle(self.offered.unwrap_or(heading)));
        let mandatory = self.mandatory;
        Found { status, release, bytes: 100, via: None, mandatory, notes: None }
    }

    fn work(&mut self, job: Job, metered: bool) -> (Vec<Event>, Done) {
        let failing = self.failing.take();
        let or = |done: Done| (Vec::new(), done);
        match job {
            Job::Start { excused, .. } => {
                if let Some((_, launches, _)) = &mut self.trial
                    && excused
                    && !self.excused
                {
                    *launches -= 1;
                    self.excused = true;
                }
                or(Done::Started(self.boot()))
            }
            Job::Switch(why) => {
                let waits = match &why {
                    Switch::Apply | Switch::Asked(_) => {
                        self.next = self.held.take().or(self.next);
                        self.next.is_some()
                    }
                    Switch::Reset(_) => {
                        self.next = Some(BUILTIN);
                        true
                    }
                    Switch::Failed => true,
                };
                let decided = failing.map_or_else(|| Ok(waits.then(|| self.boot())), Err);
                or(Done::Switched { why, decided })
            }
            Job::Fail { token, reason, call } => {
                match self.trial.clone() {
                    Some((number, launches, known)) if known == token && launches >= 2 => {
                        self.give_up(number, reason);
                    }
                    _ => {}
                }
                or(Done::Failed(call))
            }
            Job::EarlyCrash => or(Done::Noted),
            Job::ForgetNotice => {
                self.notice = None;
                or(Done::Noted)
            }
            Job::Confirm { call, launch, token } => {
                let trial = self.trial.clone().filter(|(_, _, known)| *known == token);
                let outcome = match (failing, trial) {
                    (Some(error), _) => Err(error),
                    (None, None) => Err(Error::StaleToken),
                    (None, Some((number, ..))) => {
                        self.previous = (self.confirmed != BUILTIN).then_some(self.confirmed);
                        (self.confirmed, self.trial) = (number, None);
                        Ok(self.stored())
                    }
                };
                or(Done::Confirmed(call, launch, outcome))
            }
            Job::Sync { hold, spare_metered } => {
                let found = self.look();
                if let Some(error) = failing {
                    return or(Done::Synced(Err(error)));
                }
                if found.status != Status::Available || (spare_metered && metered) {
                    return or(Done::Synced(Ok(found)));
                }
                let offered = self.offered;
                (self.held, self.next) = if hold { (offered, None) } else { (None, offered) };
                let progress = |bytes| Event::Progress(Progress { bytes, total: 4 });
                let mut events = vec![Event::Found(found.clone())];
                events.extend((1..=4).map(progress));
                let status = if hold { Status::Held } else { Status::Staged };
                (events, Done::Synced(Ok(Found { status, via: Some(Via::Pack), ..found })))
            }
            Job::Check => or(Done::Checked(failing.map_or_else(|| Ok(self.look()), Err))),
            Job::Read(asked) => or(Done::Read(asked, Ok(self.stored()))),
            Job::Release => {
                self.next = self.held.take().or(self.next);
                or(Done::Released(Ok(())))
            }
            Job::DeviceInfo(call, _) => or(Done::Answer(call, Ok(json!({})))),
            Job::SendEvents => {
                self.sendings += 1;
                or(Done::Sent)
            }
            Job::SetChannel(call, _) => or(Done::ChannelSet(call, Ok(()))),
        }
    }
}

/// A shell that does at once what it is told, unless a test holds its hands.
struct Shell {
    machine: Machine,
    device: Device,
    ticks: Duration,
    timers: BTreeMap<u64, Duration>,
    jobs: VecDeque<Job>,
    /// Jobs wait for [`Shell::work`].
    slow: bool,
    metered: bool,
    calls: u32,
    answers: BTreeMap<String, Result<Value, &'static str>>,
    told: Vec<(&'static str, Value)>,
    shown: Vec<Option<PathBuf>>,
    recreated: u32,
    /// Loads the page that was shown, as a web view does.
    navigates: bool,
    /// What is to be shown once the old page is gone.
    waits: Option<(u64, Option<PathBuf>)>,
    /// Old pages go at once.
    blanks: bool,
}

impl Shell {
    fn new(settings: Value) -> Self {
        let mut all = json!({ "url": "https://example.com", "channel": "production" });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let settings = Settings::parse(&all.to_string(), "com.example.shop").unwrap();
        Self::with(Some(settings), None)
    }

    fn with(settings: Option<Settings>, idle: Option<Idle>) -> Self {
        let about = About {
            platform: "android",
            app_id: "com.example.shop".to_owned(),
            native_version: "1.0".to_owned(),
            native_build: "1".to_owned(),
        };
        Self {
            machine: Machine::new(Setting { settings, idle, about, seed: 7 }),
            device: Device::default(),
            ticks: Duration::ZERO,
            timers: BTreeMap::new(),
            jobs: VecDeque::new(),
            slow: false,
            metered: false,
            calls: 0,
            answers: BTreeMap::new(),
            told: Vec::new(),
            shown: Vec::new(),
            recreated: 0,
            navigates: true,
            waits: None,
            blanks: true,
        }
    }

    fn on(&mut self, event: Event) {
        let wall = UnixTime::from_seconds(1_800_000_000 + self.ticks.as_secs());
        let effects = self.machine.on(event, Now { ticks: self.ticks, wall });
        for effect in effects {
            match effect {
                Effect::Begin(folder) => {
                    self.waits = None;
                    self.shown.push(folder);
                }
                Effect::Show { folder, launch, .. } => {
                    self.waits = Some((launch, folder));
                    if self.blanks {
                        self.blank();
                    }
                }
                Effect::Reload { .. } => self.on(Event::Navigated),
                Effect::Recreate => self.recreated += 1,
                Effect::SetTimer(timer, after) => {
                    self.timers.insert(timer, self.ticks + after);
                }
                Effect::StopTimer(timer) => {
                    self.timers.remove(&timer);
                }
                Effect::Run(job) => self.jobs.push_back(job),
                Effect::Cancel => self.device.failing = Some(Error::Cancelled),
                Effect::Tell(told) => self.told.push((told.event, told.data)),
                Effect::Resolve(call, answer) => {
                    assert!(self.answers.insert(call, Ok(answer)).is_none(), "answered twice");
                }
                Effect::Reject(call, failure) => {
                    let answer = Err(failure.code);
                    assert!(self.answers.insert(call, answer).is_none(), "answered twice");
                }
                Effect::Note(note) => assert!(note.len() <= 128),
                Effect::Log(text) => assert!(!text.is_empty()),
            }
        }
        if !self.slow {
            self.work();
        }
    }

    /// The old page is gone: what waits for that is shown.
    fn blank(&mut self) {
        let Some((launch, folder)) = self.waits.take() else { return };
        self.shown.push(folder);
        self.on(Event::Shown(launch));
        if self.navigates {
            self.on(Event::Navigated);
        }
    }

    /// Does all jobs that wait.
    fn work(&mut self) {
        while let Some(job) = self.jobs.pop_front() {
            let (events, done) = self.device.work(job, self.metered);
            events.into_iter().for_each(|event| self.on(event));
            self.on(Event::Done(done));
        }
    }

    /// Lets time pass, timers included.
    fn pass(&mut self, milliseconds: u64) {
        let end = self.ticks + Duration::from_millis(milliseconds);
        loop {
            let due = self.timers.iter().min_by_key(|(_, at)| **at);
            let Some((timer, at)) = due.map(|(timer, at)| (*timer, *at)) else { break };
            if at > end {
                break;
            }
            self.timers.remove(&timer);
            self.ticks = self.ticks.max(at);
            self.on(Event::Timer(timer));
        }
        self.ticks = end;
    }

    fn call(&mut self, method: &str, options: Value) -> String {
        self.calls += 1;
        let call = format!("call {}", self.calls);
        let parsed = Call::parse(method, &options.to_string());
        self.on(Event::Call(call.clone(), parsed));
        call
    }

    fn answer(&mut self, method: &str, options: Value) -> Result<Value, &'static str> {
        let call = self.call(method, options);
        self.answers.remove(&call).unwrap_or_else(|| panic!("{method} was not answered"))
    }

    /// Starts, and loads a page that attaches as `nonce`.
    fn start(&mut self, nonce: &str) {
        self.on(Event::Start(None));
        self.on(Event::Active);
        self.answer("attach", json!({ "nonce": nonce })).unwrap();
    }

    fn ready(&mut self, nonce: &str) -> Result<Value, &'static str> {
        self.answer("ready", json!({ "nonce": nonce }))
    }

    fn tells(&self, event: &str) -> usize {
        self.told.iter().filter(|(told, _)| *told == event).count()
    }

    fn shows(&self) -> Option<PathBuf> {
        self.shown.last().unwrap().clone()
    }
}

fn folder(number: u8) -> Option<PathBuf> {
    Some(PathBuf::from(format!("/{number}")))
}

fn off() -> Value {
    json!({ "autoSync": "off" })
}

/// A shell that runs the built-in bundle, with release 1 offered.
fn offered(settings: Value) -> Shell {
    let mut shell = Shell::new(settings);
    shell.device.offered = Some(1);
    shell.start("builtin");
    shell
}

/// A shell on whose trial of release 1 a page attached as `new`.
fn on_trial(settings: Value) -> Shell {
    let mut shell = offered(settings);
    shell.answer("sync", json!({ "apply": "now" })).unwrap();
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    shell.answer("attach", json!({ "nonce": "new" })).unwrap();
    shell
}

#[test]
fn a_sync_is_told_step_by_step_and_waits_for_the_next_start() {
    let mut shell = offered(off());
    let answer = shell.answer("sync", json!({})).unwrap();
    assert_eq!(answer["status"], "staged");
    assert_eq!(answer["release"]["version"], "1.1.0");
    assert_eq!(answer["via"], "pack");
    let order: Vec<_> = shell.told.iter().map(|(event, _)| *event).collect();
    let telling = ["updateAvailable", "downloadProgress", "updateStaged"];
    assert!(telling.iter().all(|event| order.contains(event)), "{order:?}");
    assert_eq!(shell.tells("downloadProgress"), 2, "the first and the last, ten a second");
    shell.pass(60_000);
    assert_eq!(shell.shown.len(), 1);
    let state = shell.answer("getState", json!({})).unwrap();
    assert_eq!(state["next"]["version"], "1.1.0");
    assert_eq!(state["lastCheck"], "2027-01-15T08:00:00Z");
    shell.start("new");
    assert_eq!(shell.shows(), folder(1));
    let ready = shell.ready("new").unwrap();
    assert_eq!(ready["current"]["version"], "1.1.0");
    assert_eq!(shell.device.confirmed, 1);
}

#[test]
fn calls_made_together_share_one_run_and_the_sooner_wish_holds() {
    let mut shell = offered(off());
    shell.slow = true;
    let calls =
        ["manual", "next-start", "now"].map(|apply| shell.call("sync", json!({ "apply": apply })));
    let syncs = shell.jobs.iter().filter(|job| matches!(job, Job::Sync { .. })).count();
    assert_eq!(syncs, 1);
    shell.slow = false;
    shell.work();
    for call in calls {
        assert_eq!(shell.answers[&call].as_ref().unwrap()["release"]["version"], "1.1.0");
    }
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
}

#[test]
fn what_is_held_stays_held_until_a_page_says_otherwise() {
    let mut shell = offered(json!({ "autoSync": "on-resume", "apply": "now" }));
    assert_eq!(shell.answer("sync", json!({ "apply": "manual" })).unwrap()["status"], "held");
    shell.pass(3_000);
    assert_eq!(shell.shown.len(), 1, "the sync of the start leaves it held");
    assert_eq!(shell.answer("apply", json!({})).unwrap(), json!({ "applying": true }));
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    assert_eq!(shell.tells("beforeReload"), 1);
}

#[test]
fn apply_without_anything_to_apply_does_nothing() {
    let mut shell = offered(off());
    assert_eq!(shell.answer("apply", json!({})).unwrap(), json!({ "applying": false }));
    shell.pass(1_000);
    assert_eq!(shell.shown.len(), 1);
}

#[test]
fn a_bundle_takes_over_in_the_background() {
    let mut shell = offered(json!({ "autoSync": "off", "apply": "background" }));
    shell.answer("sync", json!({})).unwrap();
    shell.pass(60_000);
    assert_eq!(shell.shown.len(), 1);
    shell.on(Event::Inactive);
    assert_eq!(shell.shown.len(), 1, "a dialog is not the background");
    shell.on(Event::Background);
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    shell.pass(3_600_000);
    assert!(shell.device.trial.is_some(), "a frozen background is no failure");
}

#[test]
fn a_hold_puts_off_what_would_replace_the_page() {
    for (until, ends) in [("background", Some("background")), ("restart", Some("null"))] {
        let mut shell = offered(json!({ "autoSync": "off", "apply": "now" }));
        shell.answer("setHold", json!({ "until": until })).unwrap();
        assert_eq!(shell.answer("sync", json!({})).unwrap()["status"], "staged");
        assert_eq!(shell.answer("apply", json!({})).unwrap()["applying"], false);
        shell.pass(60_000);
        assert_eq!(shell.shown.len(), 1, "{until}");
        if ends == Some("background") {
            shell.on(Event::Background);
        } else {
            shell.on(Event::Background);
            shell.on(Event::Active);
            shell.pass(1_000);
            assert_eq!(shell.shown.len(), 1, "until the restart means it");
            shell.answer("setHold", json!({ "until": null })).unwrap();
        }
        shell.pass(200);
        assert_eq!(shell.shows(), folder(1), "{until}");
    }
}

#[test]
fn a_mandatory_release_takes_over_now_but_for_a_hold_and_by_hand() {
    let mut shell = offered(off());
    shell.device.mandatory = true;
    shell.answer("sync", json!({ "apply": "next-start" })).unwrap();
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));

    let mut shell = offered(off());
    shell.device.mandatory = true;
    shell.answer("sync", json!({ "apply": "manual" })).unwrap();
    shell.pass(60_000);
    assert_eq!(shell.shown.len(), 1);
}

#[test]
fn the_old_pages_late_ready_confirms_nothing() {
    let mut shell = offered(json!({ "autoSync": "off", "apply": "now" }));
    shell.navigates = false;
    shell.answer("sync", json!({})).unwrap();
    assert_eq!(shell.ready("builtin"), Err("stale-token"), "before it is shown");
    shell.on(Event::Navigated);
    let reload = shell.answer("attach", json!({ "nonce": "a reload of the old page" }));
    assert_eq!(reload, Err("stale-token"));
    shell.pass(200);
    assert_eq!(shell.ready("builtin"), Err("stale-token"), "while its page is asked for");
    shell.on(Event::Navigated);
    assert_eq!(shell.ready("builtin"), Err("stale-token"));
    assert_eq!(shell.ready("a reload of the old page"), Err("stale-token"));
    assert_eq!(shell.answer("ready", json!({})), Err("stale-token"), "code without a page");
    let failure = shell.answer("reportFailure", json!({ "nonce": "builtin" }));
    assert_eq!(failure, Err("stale-token"));
    assert!(shell.device.trial.is_some());
    shell.answer("attach", json!({ "nonce": "new" })).unwrap();
    shell.ready("new").unwrap();
    assert_eq!(shell.device.confirmed, 1);
}

#[test]
fn an_old_page_that_will_not_go_costs_the_new_release_nothing() {
    let mut shell = offered(json!({ "autoSync": "off", "apply": "now" }));
    (shell.navigates, shell.blanks) = (false, false);
    shell.answer("sync", json!({})).unwrap();
    shell.pass(60_000);
    assert_eq!(shell.shown.len(), 1, "it waits for the old page's end");
    shell.on(Event::Navigated);
    let reload = shell.answer("attach", json!({ "nonce": "a reload of the old page" }));
    assert_eq!(reload, Err("stale-token"));
    shell.blank();
    assert_eq!(shell.shows(), folder(1));
    shell.on(Event::Navigated);
    shell.pass(9_500);
    shell.answer("attach", json!({ "nonce": "new" })).unwrap();
    shell.ready("new").unwrap();
    assert_eq!(shell.device.confirmed, 1);
}

#[test]
fn what_is_shown_after_the_next_decision_is_not_the_running_launch() {
    let mut shell = offered(json!({ "autoSync": "off", "apply": "now" }));
    (shell.navigates, shell.blanks) = (false, false);
    shell.answer("sync", json!({})).unwrap();
    shell.pass(200);
    // While the old page goes, it asks for the built-in bundle.
    shell.answer("reset", json!({})).unwrap();
    shell.blank();
    assert_eq!(shell.shows(), folder(1));
    shell.on(Event::Navigated);
    assert_eq!(shell.answer("attach", json!({ "nonce": "1" })), Err("stale-token"));
    shell.pass(200);
    shell.blank();
    assert_eq!(shell.shows(), None);
    shell.on(Event::Navigated);
    assert_eq!(shell.ready("1"), Err("stale-token"));
    shell.answer("attach", json!({ "nonce": "builtin again" })).unwrap();
}

#[test]
fn a_bundle_that_never_gets_ready_is_tried_twice_and_told_once() {
    let mut shell = on_trial(off());
    shell.pass(9_500);
    assert_eq!(shell.shown.len(), 2);
    shell.pass(1_000);
    assert_eq!(shell.shown.len(), 3, "the second launch");
    assert_eq!(shell.shows(), folder(1));
    shell.pass(10_500);
    assert_eq!(shell.shows(), None);
    assert_eq!(shell.device.blocked, [1]);
    let (_, told) = shell.told.iter().rev().find(|(event, _)| *event == "rolledBack").unwrap();
    assert_eq!((&told["from"]["version"], &told["reason"]), (&json!("1.1.0"), &json!("not-ready")));
    shell.answer("attach", json!({ "nonce": "back" })).unwrap();
    let ready = shell.ready("back").unwrap();
    assert_eq!(
        (&ready["rolledBack"]["version"], &ready["reason"]),
        (&json!("1.1.0"), &json!("not-ready"))
    );
    let again = shell.ready("back").unwrap();
    assert_eq!(again["rolledBack"], Value::Null);
    assert_eq!(shell.device.notice, None, "forgotten on disk too");
    let sync = shell.answer("sync", json!({ "apply": "now" })).unwrap();
    assert_eq!(sync["status"], "blocked");
}

#[test]
fn what_was_given_up_is_told_to_the_page_that_comes_instead() {
    let mut shell = on_trial(off());
    shell.pass(20_500);
    let order: Vec<_> = shell.told.iter().map(|(event, _)| *event).collect();
    let last = |name| order.iter().rposition(|event| *event == name);
    assert!(last("rolledBack") > last("beforeReload"), "{order:?}");
    assert_eq!(shell.tells("rolledBack"), 1);
}

#[test]
fn what_was_given_up_is_told_after_a_restart_too() {
    let mut shell = Shell::new(off());
    shell.device.notice = Some((1, Reason::RendererGone));
    shell.start("page");
    assert_eq!(shell.tells("rolledBack"), 1);
    assert_eq!(shell.ready("page").unwrap()["reason"], "renderer-gone");
    let mut again = Shell::new(off());
    again.device = shell.device;
    again.start("page");
    assert_eq!(again.tells("rolledBack"), 0);
}

#[test]
fn time_out_of_sight_costs_no_launch() {
    let mut shell = on_trial(off());
    shell.pass(5_000);
    shell.on(Event::Inactive);
    shell.pass(3_600_000);
    shell.on(Event::Background);
    shell.pass(3_600_000);
    shell.on(Event::Active);
    shell.pass(4_500);
    assert_eq!(shell.shown.len(), 2);
    shell.pass(1_000);
    assert_eq!(shell.shown.len(), 3);
}

#[test]
fn a_process_that_stood_still_loses_a_second() {
    let mut shell = on_trial(off());
    // The timer fires an hour late, as after a freeze nobody told of.
    shell.ticks += Duration::from_secs(3_600);
    shell.pass(8_500);
    assert_eq!(shell.shown.len(), 2);
    shell.pass(1_500);
    assert_eq!(shell.shown.len(), 3);
}

#[test]
fn ready_stops_the_deadline_even_while_it_is_written_down() {
    let mut shell = on_trial(off());
    shell.pass(9_900);
    shell.slow = true;
    let call = shell.call("ready", json!({ "nonce": "new" }));
    shell.pass(60_000);
    shell.slow = false;
    shell.work();
    assert!(shell.answers[&call].is_ok());
    assert_eq!((shell.device.confirmed, shell.shown.len()), (1, 2));
}

#[test]
fn a_ready_that_cannot_be_written_may_be_said_again() {
    let mut shell = on_trial(off());
    shell.device.failing = Some(Error::NoSpace { doing: String::new() });
    assert_eq!(shell.ready("new"), Err("no-space"));
    shell.ready("new").unwrap();
    assert_eq!(shell.device.confirmed, 1);
    let mut shell = on_trial(off());
    shell.device.failing = Some(Error::NoSpace { doing: String::new() });
    assert_eq!(shell.ready("new"), Err("no-space"));
    shell.pass(11_000);
    assert_eq!(shell.shown.len(), 3, "and has the rest of its time for it");
}

#[test]
fn a_dead_renderer_fails_the_launch_and_begins_anew() {
    let mut shell = on_trial(off());
    shell.on(Event::RendererGone);
    assert_eq!(shell.recreated, 1);
    shell.start("second");
    assert_eq!(shell.shows(), folder(1));
    shell.on(Event::RendererGone);
    shell.start("third");
    assert_eq!(shell.shows(), None);
    assert_eq!(shell.device.notice, Some((1, Reason::RendererGone)));
    assert_eq!(shell.ready("third").unwrap()["reason"], "renderer-gone");
}

#[test]
fn a_web_view_that_dies_with_the_old_page_costs_the_new_bundle_nothing() {
    let mut shell = offered(off());
    shell.blanks = false;
    shell.answer("sync", json!({ "apply": "now" })).unwrap();
    shell.pass(200);
    assert_eq!(shell.shows(), None, "the old page stands");
    shell.on(Event::RendererGone);
    assert_eq!(shell.recreated, 1);
    shell.start("first");
    shell.blanks = true;
    shell.on(Event::RendererGone);
    shell.start("second");
    assert_eq!(shell.shows(), folder(1), "both launches are its own");
    shell.on(Event::RendererGone);
    shell.start("third");
    assert_eq!(shell.shows(), None);
    assert_eq!(shell.device.blocked, [1]);
}

#[test]
fn a_web_view_made_anew_before_the_new_page_came_costs_the_new_bundle_nothing() {
    let mut shell = offered(off());
    shell.blanks = false;
    shell.answer("sync", json!({ "apply": "now" })).unwrap();
    shell.pass(200);
    for nonce in ["first", "second"] {
        shell.start(nonce);
        assert_eq!(shell.shows(), folder(1));
    }
    shell.start("third");
    assert_eq!(shell.shows(), None);
}

#[test]
fn a_page_may_report_its_own_bundle() {
    let mut shell = on_trial(off());
    shell.answer("reportFailure", json!({ "nonce": "new", "message": "no data" })).unwrap();
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1), "the second launch");
    shell.answer("attach", json!({ "nonce": "second" })).unwrap();
    shell.answer("reportFailure", json!({ "nonce": "second" })).unwrap();
    shell.pass(200);
    assert_eq!(shell.shows(), None);
    assert_eq!(shell.device.notice, Some((1, Reason::Reported)));
}

#[test]
fn reset_shows_the_built_in_bundle() {
    let mut shell = on_trial(off());
    shell.ready("new").unwrap();
    assert_eq!(shell.answer("reset", json!({})).unwrap(), Value::Null);
    shell.pass(200);
    assert_eq!(shell.shows(), None);
    let mut shell = on_trial(off());
    shell.device.failing = Some(Error::NotAllowed("the bundle may not run"));
    assert_eq!(shell.answer("reset", json!({})), Err("not-allowed"));
    assert_eq!(shell.shows(), folder(1));
}

#[test]
fn syncs_come_by_themselves_as_configured() {
    let run = |auto: Value| {
        let mut shell = offered(json!({ "autoSync": auto }));
        let mut syncs = Vec::new();
        let mut note = |shell: &Shell| syncs.push(shell.device.next.is_some());
        shell.pass(3_000);
        note(&shell);
        shell.device.next = None;
        shell.on(Event::Background);
        shell.pass(600_000);
        note(&shell);
        shell.on(Event::Active);
        shell.pass(3_000);
        note(&shell);
        shell.device.next = None;
        shell.pass(40 * 60_000);
        note(&shell);
        syncs
    };
    assert_eq!(run(json!("off")), [false, false, false, false]);
    assert_eq!(run(json!("on-start")), [true, false, false, false]);
    assert_eq!(run(json!("on-resume")), [true, false, true, false]);
    assert_eq!(run(json!(30)), [true, false, false, true]);
}

#[test]
fn a_metered_network_is_spared_only_by_syncs_nobody_asked_for() {
    let mut shell = offered(json!({ "allowMetered": false }));
    shell.metered = true;
    shell.pass(3_000);
    assert_eq!(shell.device.next, None);
    assert_eq!(shell.answer("sync", json!({})).unwrap()["status"], "staged");
}

#[test]
fn failures_are_told_and_remembered() {
    let mut shell = offered(off());
    shell.device.failing = Some(Error::Network("gone".to_owned()));
    assert_eq!(shell.answer("sync", json!({})), Err("network"));
    let told = &shell.told.iter().find(|(event, _)| *event == "updateFailed").unwrap().1;
    assert_eq!(told, &json!({ "code": "network", "stage": "check" }));
    let state = shell.answer("getState", json!({})).unwrap();
    assert_eq!(state["lastError"], json!({ "code": "network", "stage": "check" }));
    shell.answer("check", json!({})).unwrap();
    let state = shell.answer("getState", json!({})).unwrap();
    assert_eq!(state["lastError"], Value::Null);
}

#[test]
fn events_are_sent_after_what_may_have_made_some_and_only_if_the_app_says_where_to() {
    let told = |settings: Value| {
        let mut shell = offered(settings);
        shell.answer("check", json!({})).unwrap();
        let after_check = shell.device.sendings;
        shell.answer("sync", json!({})).unwrap();
        let after_sync = shell.device.sendings;
        shell.device.failing = Some(Error::Network("gone".to_owned()));
        shell.answer("sync", json!({})).unwrap_err();
        let after_failure = shell.device.sendings;
        shell.start("second");
        shell.ready("second").unwrap();
        [after_check, after_sync, after_failure, shell.device.sendings]
    };
    assert_eq!(told(json!({ "autoSync": "off" })), [0; 4]);
    let events = json!({ "autoSync": "off", "eventsUrl": "https://example.com/events" });
    assert_eq!(told(events), [1, 2, 3, 4]);
}

#[test]
fn what_happens_while_events_are_to_be_sent_waits_for_one_sending() {
    let mut shell = offered(json!({ "autoSync": "off", "eventsUrl": "https://example.com/e" }));
    shell.slow = true;
    for _ in 0..3 {
        shell.call("check", json!({}));
        shell.on(Event::Done(Done::Checked(Ok(shell.device.look()))));
    }
    let sendings = |job: &&Job| matches!(job, Job::SendEvents);
    assert_eq!(shell.jobs.iter().filter(sendings).count(), 1);
}

#[test]
fn an_idle_plugin_answers_as_in_a_browser() {
    for idle in [Idle::LiveReload, Idle::Disabled] {
        let mut shell = Shell::with(None, Some(idle));
        shell.on(Event::Start(None));
        shell.on(Event::Active);
        shell.on(Event::Background);
        for method in METHODS {
            let options = match method {
                "attach" => json!({ "nonce": "1" }),
                "setChannel" => json!({ "channel": null }),
                "setHold" => json!({ "until": null }),
                _ => json!({}),
            };
            shell.answer(method, options).unwrap();
        }
        assert_eq!(shell.answer("sync", json!({})).unwrap()["status"], "unavailable");
        assert_eq!(shell.shown, [None]);
    }
}

#[test]
fn a_configuration_that_cannot_work_is_told_to_every_call() {
    let mut shell = Shell::with(None, Some(Idle::Invalid("no url".to_owned())));
    shell.on(Event::Start(None));
    assert_eq!(shell.shown, [None]);
    for method in ["ready", "sync", "getState", "attach", "noSuchMethod"] {
        assert_eq!(shell.answer(method, json!({})), Err("config-invalid"));
    }
}

/// What may happen to a shell.
#[derive(Debug, Clone)]
enum Move {
    Start,
    RendererGone,
    Navigate,
    Blank,
    Life(u8),
    Pass(u64),
    Attach,
    /// By the page so many pages ago.
    Ready(usize),
    Report(usize),
    Call(&'static str, Value),
    Offer(u8),
    Work,
}

fn moves() -> impl Strategy<Value = Move> {
    let plain = ["check", "apply", "reload", "reset", "getState", "getChannel", "cancel"];
    let plain = prop::sample::select(plain.to_vec());
    let wishes = prop::sample::select(vec!["manual", "next-start", "background", "now"]);
    let holds = prop::sample::select(vec![json!(null), json!("background"), json!("restart")]);
    prop_oneof![
        1 => Just(Move::Start),
        1 => Just(Move::RendererGone),
        4 => Just(Move::Navigate),
        4 => Just(Move::Blank),
        3 => (0..3_u8).prop_map(Move::Life),
        5 => (0..6_000_u64).prop_map(Move::Pass),
        4 => Just(Move::Attach),
        5 => (0..4_usize).prop_map(Move::Ready),
        1 => (0..4_usize).prop_map(Move::Report),
        2 => plain.prop_map(|method| Move::Call(method, json!({}))),
        3 => wishes.prop_map(|apply| Move::Call("sync", json!({ "apply": apply }))),
        2 => holds.prop_map(|until| Move::Call("setHold", json!({ "until": until }))),
        2 => (1..5_u8).prop_map(Move::Offer),
        6 => Just(Move::Work),
    ]
}

/// Pages that were loaded, newest last: each one's nonce and the folder it came from.
struct Tabs(Vec<(String, Option<PathBuf>)>);

impl Tabs {
    fn load(&mut self, shell: &Shell) {
        self.0.push((format!("page {}", self.0.len()), shell.shows()));
    }

    fn ago(&self, pages: usize) -> (String, Option<PathBuf>) {
        self.0[self.0.len().saturating_sub(1 + pages)].clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pages attach as they load; whatever they say later may come as late as it likes.
    #[test]
    fn whatever_happens_only_a_page_of_the_launch_confirms_it(
        moves in prop::collection::vec(moves(), 1..100),
        auto in prop::sample::select(vec!["off", "on-resume"]),
        apply in prop::sample::select(vec!["now", "background", "next-start"]),
    ) {
        let mut shell = Shell::new(json!({ "autoSync": auto, "apply": apply }));
        (shell.navigates, shell.blanks, shell.slow) = (false, false, true);
        let mut tabs = Tabs(Vec::new());
        let begin = |shell: &mut Shell, tabs: &mut Tabs| {
            shell.on(Event::Start(None));
            shell.work();
            tabs.load(shell);
        };
        begin(&mut shell, &mut tabs);
        for step in moves {
            match step {
                Move::Start => begin(&mut shell, &mut tabs),
                Move::RendererGone => {
                    shell.on(Event::RendererGone);
                    shell.work();
                    begin(&mut shell, &mut tabs);
                }
                Move::Navigate => {
                    tabs.load(&shell);
                    shell.on(Event::Navigated);
                }
                Move::Blank => shell.blank(),
                Move::Life(0) => shell.on(Event::Active),
                Move::Life(1) => shell.on(Event::Inactive),
                Move::Life(_) => shell.on(Event::Background),
                Move::Pass(milliseconds) => shell.pass(milliseconds),
                Move::Attach => {
                    shell.call("attach", json!({ "nonce": tabs.ago(0).0 }));
                }
                Move::Ready(ago) => {
                    let (nonce, from) = tabs.ago(ago);
                    let ready = shell.call("ready", json!({ "nonce": nonce }));
                    let confirms = shell.jobs.iter().any(
                        |job| matches!(job, Job::Confirm { call, .. } if *call == ready),
                    );
                    if confirms {
                        let trial = shell.device.trial.as_ref().map(|trial| trial.0);
                        prop_assert_eq!(from, folder(trial.unwrap()));
                    }
                }
                Move::Report(ago) => {
                    shell.call("reportFailure", json!({ "nonce": tabs.ago(ago).0 }));
                }
                Move::Call(method, options) => {
                    shell.call(method, options);
                }
                Move::Offer(number) => shell.device.offered = Some(number),
                Move::Work => {
                    shell.slow = false;
                    shell.work();
                    shell.slow = true;
                }
            }
            prop_assert!(shell.timers.len() <= 3, "{:?}", shell.timers);
        }
        // Everything that was asked is answered, once all that was begun has ended.
        shell.slow = false;
        shell.work();
        shell.pass(1_000);
        prop_assert_eq!(shell.answers.len(), usize::try_from(shell.calls).unwrap());
    }
}
