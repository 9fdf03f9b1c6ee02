//! A phone with two bundles, small enough to be counted.

use std::collections::BTreeMap;

use farad::boot::{
    BuiltinFacts, BundleFacts, Circumstances, Facts, NativeIdentity, Record, Standing, Token,
    Trial, Which,
};
use farad::digest::Digest;
use farad::id::{BundleId, Channel};
use farad::native::Native;

/// Launches that a bundle gets to say it is ready.
pub const ATTEMPTS: u8 = 2;
/// Sequences of the two bundles.
const SEQUENCES: [u64; 2] = [1, 2];

/// What may happen at all.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Faults in one life.
    pub faults: u8,
    /// Two processes at once.
    pub second_process: bool,
    /// The store brings another build, and perhaps the old one back.
    pub upgrade: bool,
    /// Which bundles fit the other build.
    pub fits_upgrade: [bool; 2],
    /// The other build brings a newer bundle along than both.
    pub newer_builtin: bool,
    /// Bundles are revoked, or a floor is set.
    pub policy: bool,
    /// The app holds updates, resets, crashes early.
    pub page: bool,
}

impl Setting {
    /// Nothing but two bundles and one process.
    pub const QUIET: Self = Self {
        faults: 0,
        second_process: false,
        upgrade: false,
        fits_upgrade: [true, true],
        newer_builtin: false,
        policy: false,
        page: false,
    };

    /// All combinations of what the other build changes.
    pub fn natives() -> [Self; 8] {
        let mut all = [Self::QUIET; 8];
        for (at, setting) in all.iter_mut().enumerate() {
            setting.fits_upgrade = [at & 1 == 0, at & 2 == 0];
            setting.newer_builtin = at & 4 != 0;
        }
        all
    }

    /// Everything at once but what the page asks for.
    pub fn everything(self) -> Self {
        Self { second_process: true, upgrade: true, policy: true, ..self }
    }
}

/// A bundle's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Folder {
    Absent,
    Whole,
    Damaged,
}

/// What one process shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    None,
    /// The bundle of this number (0 is the built-in), with the newest token, an older one or none.
    Shows(u8, Held),
}

/// The token that a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Held {
    Newest,
    Stale,
    None,
}

/// The record in small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Small {
    pub upgraded: bool,
    pub confirmed: u8,
    pub trial: Option<(u8, u8)>,
    pub next: Option<u8>,
    pub held: Option<u8>,
    pub previous: Option<u8>,
    pub early_crashes: u8,
    pub suspended: bool,
}

/// Everything that a phone is, and what a bystander remembers of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// Nothing where the record was lost.
    pub record: Option<Small>,
    pub marks: [u8; 2],
    pub excused: [bool; 2],
    pub blocked: [bool; 2],
    pub folders: [Folder; 2],
    pub processes: [Process; 2],
    pub upgraded: bool,
    pub upgrades_left: u8,
    pub revoked: [bool; 2],
    pub floor: bool,
    pub faults_left: u8,
    /// Launches on trial since the last `ready`.
    pub launches: [u8; 2],
    /// Launches counted by a start that was cut short before it launched.
    pub lost: [u8; 2],
    /// It said it was ready, under this build.
    pub proven: [bool; 2],
}

pub fn id(n: u8) -> BundleId {
    BundleId(Digest::of(&[n]))
}

pub fn which(n: u8) -> Which {
    if n == 0 { Which::Builtin } else { Which::Bundle(id(n)) }
}

/// The number of a bundle, from 1.
pub fn number(id_of: &BundleId) -> u8 {
    if *id_of == id(1) { 1 } else { 2 }
}

pub fn small_which(which: Which) -> u8 {
    match which {
        Which::Builtin => 0,
        Which::Bundle(id) => number(&id),
    }
}

/// The token of the newest launch, and what a start may hand out next.
pub fn token(name: &str) -> Token {
    Token::from_text(name)
}

fn native(upgraded: bool) -> NativeIdentity {
    let build = if upgraded { 2 } else { 1 };
    NativeIdentity { native: Native::Android { build }, version: String::new(), embed: None }
}

fn channel() -> Channel {
    "production".parse().unwrap()
}

impl State {
    /// A phone on which nothing ever happened.
    pub fn first(setting: &Setting) -> Self {
        Self {
            record: None,
            marks: [0; 2],
            excused: [false; 2],
            blocked: [false; 2],
            folders: [Folder::Absent; 2],
            processes: [Process::None; 2],
            upgraded: false,
            upgrades_left: if setting.upgrade { 2 } else { 0 },
            revoked: [false; 2],
            floor: false,
            faults_left: setting.faults,
            launches: [0; 2],
            lost: [0; 2],
            proven: [false; 2],
        }
    }

    /// The record as the rules read it.
    pub fn read(&self) -> Record {
        let Some(small) = self.record else { return Record::new(native(self.upgraded), channel()) };
        Record {
            confirmed: which(small.confirmed),
            trial: small.trial.map(|(n, attempts)| Trial {
                id: id(n),
                attempts: u32::from(attempts),
                token: token("newest"),
            }),
            next: small.next.map(which),
            held: small.held.map(id),
            previous: small.previous.map(id),
            early_crashes: u32::from(small.early_crashes),
            suspended: small.suspended,
            ..Record::new(native(small.upgraded), channel())
        }
    }

    /// Writes a record. True if the one before was about another build.
    pub fn write(&mut self, record: &Record) -> bool {
        let small = |n: u32| u8::try_from(n).unwrap();
        let upgraded = record.native == native(true);
        let changed = self.record.is_some_and(|before| before.upgraded != upgraded);
        self.record = Some(Small {
            upgraded,
            confirmed: small_which(record.confirmed),
            trial: record.trial.as_ref().map(|t| (number(&t.id), small(t.attempts.min(9)))),
            next: record.next.map(small_which),
            held: record.held.as_ref().map(number),
            previous: record.previous.as_ref().map(number),
            early_crashes: small(record.early_crashes.min(farad::boot::EARLY_CRASHES)),
            suspended: record.suspended,
        });
        changed
    }

    /// What policy says of a bundle; 0 is the built-in one.
    pub fn standing(&self, setting: &Setting, n: u8) -> Standing {
        let (sequence, revoked) = match n {
            0 if self.upgraded && setting.newer_builtin => (9, false),
            0 => (0, false),
            n => (SEQUENCES[usize::from(n) - 1], self.revoked[usize::from(n) - 1]),
        };
        let embedded = if self.upgraded && setting.newer_builtin { 9 } else { 0 };
        let floor = if self.floor { 2 } else { 0 }.max(embedded);
        match (revoked, sequence < floor) {
            (true, _) => Standing::Revoked,
            (false, true) => Standing::BelowFloor,
            (false, false) => Standing::Allowed,
        }
    }

    pub fn fits(&self, setting: &Setting, n: u8) -> bool {
        !self.upgraded || setting.fits_upgrade[usize::from(n) - 1]
    }

    /// Runs `work` on the facts, with launches as the design sees them.
    pub fn with_facts<T>(
        &self,
        setting: &Setting,
        marks: [u8; 2],
        excused: bool,
        work: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        let mut bundles = BTreeMap::new();
        for n in 1..=2_u8 {
            let at = usize::from(n) - 1;
            if self.folders[at] != Folder::Absent {
                let facts = BundleFacts {
                    channel: channel(),
                    sequence: SEQUENCES[at],
                    native_fits: self.fits(setting, n),
                    standing: self.standing(setting, n),
                    launches: u32::from(marks[at]),
                    excused: self.excused[at],
                    away: false,
                    blocked: self.blocked[at],
                };
                bundles.insert(id(n), facts);
            }
        }
        let sound = |of: &BundleId| self.folders[usize::from(number(of)) - 1] == Folder::Whole;
        let sequence = if self.upgraded && setting.newer_builtin { 9 } else { 0 };
        work(&Facts {
            native: native(self.upgraded),
            channel: channel(),
            builtin: BuiltinFacts { sequence: Some(sequence), standing: self.standing(setting, 0) },
            bundles,
            max_attempts: u32::from(ATTEMPTS),
            token: token("fresh"),
            circumstances: Circumstances { excused, ..Circumstances::default() },
            sound: &sound,
        })
    }
}
