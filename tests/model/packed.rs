//! States as numbers: a hundred million of them fit into memory.
//!
//! Enters and leaves: a state, a number, each the other's. There is one list of the fields for both
//! ways, so that none is written and not read.

use crate::state::{Folder, Held, Process, Small, State};

impl State {
    /// The state as a number of its own.
    pub fn packed(&self) -> u128 {
        let (mut packed, mut at) = (0, 0);
        let _ = self.through(&mut |value, width| {
            assert!(u32::from(value) < 1 << width, "{value} does not fit {width} bits: {self:?}");
            packed |= u128::from(value) << at;
            at += width;
            value
        });
        assert!(at <= u128::BITS);
        packed
    }

    /// The state that a number is of.
    pub fn unpacked(mut packed: u128) -> Self {
        let some = Small {
            upgraded: false,
            confirmed: 0,
            trial: None,
            next: None,
            held: None,
            previous: None,
            early_crashes: 0,
            suspended: false,
        };
        let any = Self { record: Some(some), ..Self::first(&crate::state::Setting::QUIET) };
        any.through(&mut |_, width| {
            let value = packed & ((1 << width) - 1);
            packed >>= width;
            u8::try_from(value).unwrap()
        })
    }

    /// This state with every field put through `number`, which is told how many bits it takes.
    fn through(&self, number: &mut dyn FnMut(u8, u32) -> u8) -> Self {
        let record = match (number(self.record.is_some().into(), 1), self.record) {
            (0, _) => None,
            (_, small) => Some(small.unwrap().through(number)),
        };
        let mut numbers = |values: [u8; 2], width| values.map(|value| number(value, width));
        let (marks, launches) = (numbers(self.marks, 4), numbers(self.launches, 4));
        let lost = numbers(self.lost, 2);
        let [upgrades_left, faults_left] = numbers([self.upgrades_left, self.faults_left], 2);
        let mut flags = |flags: [bool; 2]| flags.map(|flag| number(flag.into(), 1) != 0);
        let (excused, blocked) = (flags(self.excused), flags(self.blocked));
        let (revoked, proven) = (flags(self.revoked), flags(self.proven));
        let [upgraded, floor] = flags([self.upgraded, self.floor]);
        Self {
            record,
            marks,
            excused,
            blocked,
            folders: self.folders.map(|folder| folder.through(number)),
            processes: self.processes.map(|process| process.through(number)),
            upgraded,
            upgrades_left,
            revoked,
            floor,
            faults_left,
            launches,
            lost,
            proven,
        }
    }
}

impl Small {
    fn through(&self, number: &mut dyn FnMut(u8, u32) -> u8) -> Self {
        let upgraded = number(self.upgraded.into(), 1) != 0;
        let suspended = number(self.suspended.into(), 1) != 0;
        let confirmed = number(self.confirmed, 2);
        let early_crashes = number(self.early_crashes, 3);
        let (n, attempts) = self.trial.unwrap_or((0, 0));
        // No trial is of the built-in bundle.
        let trial = Some((number(n, 2), number(attempts, 4))).filter(|(n, _)| *n > 0);
        let mut option = |n: Option<u8>| number(n.map_or(0, |n| n + 1), 2).checked_sub(1);
        Self {
            upgraded,
            confirmed,
            trial,
            next: option(self.next),
            held: option(self.held),
            previous: option(self.previous),
            early_crashes,
            suspended,
        }
    }
}

impl Folder {
    fn through(self, number: &mut dyn FnMut(u8, u32) -> u8) -> Self {
        const ALL: [Folder; 3] = [Folder::Absent, Folder::Whole, Folder::Damaged];
        ALL[usize::from(number(place(&ALL, &self), 2))]
    }
}

impl Process {
    fn through(self, number: &mut dyn FnMut(u8, u32) -> u8) -> Self {
        const HELD: [Held; 3] = [Held::Newest, Held::Stale, Held::None];
        let (n, held) = match self {
            Self::None => (3, Held::None),
            Self::Shows(n, held) => (n, held),
        };
        let (n, held) = (number(n, 2), HELD[usize::from(number(place(&HELD, &held), 2))]);
        if n == 3 { Self::None } else { Self::Shows(n, held) }
    }
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    u8::try_from(all.iter().position(|other| other == one).unwrap()).unwrap()
}
