//! A phone on an in-memory disk, and what a bystander remembers of it: which launches it made, what
//! it must never show again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use farad::boot::{Reason, Which};
use farad::builtin::Builtin;
use farad::config::Config;
use farad::host::{Clock, Random, Stopwatch};
use farad::id::BundleId;
use farad::native::Native;
use farad::progress::Cancel;
use farad::store::memory::MemoryDisk;
use farad::store::{Disk, Store};
use farad::time::UnixTime;
use farad::updater::{Launched, Status, Synced, Updater};

use crate::collector::{Collector, Crowded};
use crate::forge::{APP, NOW};
use crate::world::{BARE, FIRST, Served, history};

/// Launches that a bundle gets to say it is ready.
pub const ATTEMPTS: u32 = 2;

/// One thing that happens to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// This step of the history is served from now on.
    Serve(usize),
    /// The store brought this build of the native app.
    Build(u64),
    /// What is staged waits for the app's word from the next process on.
    Hold,
    /// The app is started: a new process.
    Boot,
    Ready,
    Fail,
    Sync,
    Apply,
    Reset,
    EarlyCrash,
    Follow(Option<&'static str>),
    /// A byte of the confirmed bundle's script changes by itself.
    Damage,
    Recheck,
    /// Events that wait are posted.
    Send,
}

#[derive(Clone)]
pub struct Still;

impl Clock for Still {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(NOW)
    }

    fn stopwatch(&self) -> Stopwatch {
        Box::new(|| Duration::ZERO)
    }

    fn pause(&self, _: Duration, _: &Cancel) {}
}

/// Follows from the number of the process, so that equal histories leave equal disks.
struct Numbered {
    process: u64,
    /// Drawn so far, where no two may be the same.
    drawn: Option<AtomicU64>,
}

impl Random for Numbered {
    fn bytes(&self) -> Option<[u8; 16]> {
        let drawn = self.drawn.as_ref().map(|drawn| drawn.fetch_add(1, Ordering::Relaxed));
        let mut bytes = [0x5a; 16];
        bytes[..8].copy_from_slice(&self.process.to_be_bytes());
        if let Some(drawn) = drawn {
            bytes[8..].copy_from_slice(&drawn.to_be_bytes());
        }
        Some(bytes)
    }
}

/// A phone.
pub struct Phone {
    pub disk: MemoryDisk,
    pub served: usize,
    pub build: u64,
    hold: bool,
    processes: u64,
    updater: Option<Updater>,
    token: Option<String>,
    /// Launches on trial since the bundle said it was ready, by bundle.
    pub launches: BTreeMap<BundleId, u32>,
    /// Starts that a fault cut short: each may have counted a launch that was never made.
    pub lost_starts: u32,
    /// Bundles that said they were ready.
    proven: BTreeSet<BundleId>,
    /// The newest step that a sync ended well on: its policy binds.
    bound: usize,
    /// Bundles that were damaged behind the phone's back, and whether a re-hash has left word of it.
    damaged: BTreeMap<BundleId, bool>,
    /// Where events go, if the app turned them on.
    pub collector: Option<Arc<Collector>>,
    /// There is no room for the outbox, only for everything else.
    pub crowded: bool,
}

impl Clone for Phone {
    /// The same disk and memory, in no process.
    fn clone(&self) -> Self {
        Self {
            disk: self.disk.clone(),
            served: self.served,
            build: self.build,
            hold: self.hold,
            processes: self.processes,
            updater: None,
            token: None,
            launches: self.launches.clone(),
            lost_starts: self.lost_starts,
            proven: self.proven.clone(),
            bound: self.bound,
            damaged: self.damaged.clone(),
            collector: self.collector.as_ref().map(|collector| Arc::new(collector.copy())),
            crowded: self.crowded,
        }
    }
}

impl Phone {
    /// A phone on which the app was never started.
    pub fn new() -> Self {
        Self {
            disk: MemoryDisk::new(),
            served: FIRST,
            build: BARE,
            hold: false,
            processes: 0,
            updater: None,
            token: None,
            launches: BTreeMap::new(),
            lost_starts: 0,
            proven: BTreeSet::new(),
            bound: FIRST,
            damaged: BTreeMap::new(),
            collector: None,
            crowded: false,
        }
    }

    /// The same phone with an app that wants to be told.
    pub fn telling(mut self) -> Self {
        (self.collector, self.updater) = (Some(Arc::default()), None);
        self
    }

    /// A phone that runs the first release.
    pub fn running() -> Self {
        let mut phone = Self::new();
        phone.all(&[Step::Boot, Step::Sync, Step::Boot, Step::Ready]).unwrap();
        phone
    }

    /// The same phone with another disk, in no process.
    pub fn with_disk(&self, disk: MemoryDisk) -> Self {
        Self { disk, ..self.clone() }
    }

    /// What tells apart what may happen next, besides the disk.
    pub fn memory(&self) -> String {
        format!(
            "{} {} {:?} {} {:?} {:?} {:?}",
            self.served,
            self.build,
            self.launches,
            self.lost_starts,
            self.proven,
            self.bound,
            self.collector.as_ref().map(|collector| collector.ids())
        )
    }

    /// The process that runs, or a new one.
    pub fn updater(&mut self) -> &Updater {
        if self.updater.is_none() {
            self.processes += 1;
            let mut config = Config::new(
                APP.parse().unwrap(),
                "production".parse().unwrap(),
                history().anchor.clone(),
                Native::Android { build: self.build },
            );
            config.allowed_channels = vec!["beta".parse().unwrap()];
            config.attempts = ATTEMPTS;
            config.hold = self.hold;
            config.retries = 0;
            let drawn = self.collector.is_some().then(AtomicU64::default);
            let updater = Updater::new(
                config,
                if self.crowded {
                    Arc::new(Crowded(self.disk.clone()))
                } else {
                    Arc::new(self.disk.clone())
                },
                Arc::new(Served(history().steps[self.served].clone())),
                Arc::new(Still),
                Arc::new(Numbered { process: self.processes, drawn }),
                Builtin::Folder(history().builtin(self.build)),
            );
            self.updater = Some(match &self.collector {
                Some(collector) => updater.with_events(collector.clone()),
                None => updater,
            });
        }
        self.updater.as_ref().unwrap()
    }

    /// Does all steps; the first error ends it.
    pub fn all(&mut self, steps: &[Step]) -> farad::Result<()> {
        steps.iter().try_for_each(|step| self.does(*step))
    }

    /// Does one step.
    pub fn does(&mut self, step: Step) -> farad::Result<()> {
        match step {
            Step::Serve(at) => {
                self.served = at;
                self.updater = None;
            }
            Step::Build(build) => {
                self.build = build;
                self.updater = None;
            }
            Step::Hold => {
                self.hold = true;
                self.updater = None;
            }
            Step::Boot => {
                self.boot();
            }
            Step::Ready => {
                let Some(token) = self.token.take() else { return Ok(()) };
                if let Some(trial) = self.updater().state()?.record.trial {
                    // It may be confirmed even where `ready` fails later on.
                    self.proven.insert(trial.id);
                    self.updater().ready(&token)?;
                    self.launches.remove(&trial.id);
                }
            }
            Step::Fail => {
                let Some(token) = self.token.take() else { return Ok(()) };
                self.updater().fail(&token, Reason::RendererGone)?;
            }
            Step::Sync => {
                self.sync()?;
            }
            Step::Apply => self.updater().apply()?,
            Step::Reset => self.updater().reset()?,
            Step::EarlyCrash => self.updater().early_crash()?,
            Step::Follow(channel) => {
                let channel = channel.map(|name| name.parse().unwrap());
                self.updater().set_channel(channel.as_ref())?;
            }
            Step::Damage => {
                if let Which::Bundle(id) = self.updater().state()?.record.confirmed {
                    self.disk.damage(&format!("bundles/{id}/files/app.js"), 100);
                    self.damaged.insert(id, false);
                }
            }
            Step::Recheck => {
                let found = self.updater().recheck(&Cancel::default())?;
                if let Some(found) = found.filter(|found| found.damaged.is_some()) {
                    self.damaged.insert(found.id, true);
                }
            }
            Step::Send => {
                self.updater().send_events(&Cancel::default())?;
            }
        }
        Ok(())
    }

    pub fn sync(&mut self) -> farad::Result<Synced> {
        let synced = self.updater().sync(&Cancel::default(), &mut |_| {})?;
        self.bound = self.bound.max(self.served);
        if matches!(synced.status, Status::Staged | Status::Held) {
            // What nobody could know of stays as it is: the entry file and the lengths are right.
            self.damaged.retain(|_, found| !*found);
        }
        Ok(synced)
    }

    /// Starts the app in a new process. What a process that died on the way would have shown counts
    /// for nothing; anything else is judged.
    pub fn boot(&mut self) -> Launched {
        self.updater = None;
        let native = self.updater().state().ok().map(|state| state.record.native.native);
        if native != Some(Native::Android { build: self.build }) {
            // Another app begins to count anew.
            self.launches.clear();
        }
        self.updater = None;
        let faults = self.disk.faults();
        let launched = self.updater().boot(false);
        self.lost_starts += u32::from(self.disk.faults() > faults);
        self.token = None;
        if !self.disk.is_dead() {
            self.judge(&launched);
            self.token.clone_from(&launched.token);
        }
        launched
    }

    fn judge(&mut self, launched: &Launched) {
        let Which::Bundle(id) = launched.which else { return };
        let release = history().releases.get(&id).unwrap_or_else(|| panic!("unknown {id}"));
        let policy = &history().steps[self.bound];
        if release.0 == "production" {
            assert!(!policy.revoked.contains(&release.1), "a revoked bundle is shown");
            assert!(
                release.1 >= policy.floor || launched.below_floor,
                "a bundle below the floor is shown and nothing says so"
            );
        }
        if !self.damaged.contains_key(&id) {
            let damaged = Store::new(Arc::new(self.disk.clone())).damaged(&id).unwrap();
            assert_eq!(damaged, Some(Vec::new()), "a bundle is shown that is not whole");
        }
        if launched.token.is_some() {
            let launches = self.launches.entry(id).or_default();
            *launches += 1;
            assert!(*launches <= ATTEMPTS + 1, "{launches} launches of an unconfirmed bundle");
        } else {
            assert!(self.proven.contains(&id), "shown as confirmed, but it was never ready");
        }
    }

    /// Files and folders that a crash left behind.
    pub fn strays(&self) -> Vec<String> {
        let mut strays = Vec::new();
        for folder in
            ["", "staging", "trash", "downloads", "trust", "policies", "blocked", "outbox"]
        {
            let holds_nothing = ["staging", "trash", "downloads"].contains(&folder);
            for entry in self.disk.list(folder).unwrap() {
                if holds_nothing || entry.name.ends_with(".tmp") {
                    strays.push(format!("{folder}/{}", entry.name));
                }
            }
        }
        strays
    }
}
