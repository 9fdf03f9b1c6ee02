//! One fault at every operation of every journey: killed, also in the middle of a write; without
//! power, with any part of what was pending on the medium; an I/O error; a full disk; a disk that
//! takes no more writes.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use farad::store::memory::{Fault, MemoryDisk};

use crate::journeys::{FIRST_INSTALL, JOURNEYS, Journey, TELLING};
use crate::phone::{Phone, Step};
use crate::verdict::assert_survives;

/// Pending changes of which every part is tried; of more, so many are drawn.
const ALL_PARTS_OF: usize = 6;
const DRAWN: u64 = 64;
/// Without `FARAD_SWEEP=all` one operation in so many is tried.
const SHARE: usize = 48;

/// What was tried.
#[derive(Default)]
struct Count {
    operations: usize,
    faults: usize,
    /// States of the disk that differ, each judged once.
    judged: BTreeSet<(farad::digest::Digest, String)>,
}

impl Count {
    fn judge(&mut self, phone: &Phone, what: &str) {
        self.faults += 1;
        if self.judged.insert((phone.disk.digest(), phone.memory())) {
            assert_survives(phone, what);
        }
    }
}

/// A generator of numbers that a seed reproduces.
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Every state that a power cut now can leave behind, or many of them.
fn power_cuts(disk: &MemoryDisk) -> Vec<MemoryDisk> {
    let pending = disk.pending();
    let mut cuts = Vec::new();
    if pending <= ALL_PARTS_OF {
        for part in 0..1_usize << pending {
            for torn in [false, true] {
                cuts.push(disk.after_power_cut_with(&|at| part >> at & 1 == 1, torn));
            }
        }
        return cuts;
    }
    cuts.push(disk.after_power_cut());
    cuts.push(disk.after_power_cut_with(&|_| true, false));
    for one in 0..pending {
        cuts.push(disk.after_power_cut_with(&|at| at == one, true));
        cuts.push(disk.after_power_cut_with(&|at| at != one, false));
    }
    for seed in 0..DRAWN {
        let mut seeded = Seeded::new(seed);
        let kept: Vec<bool> = (0..pending).map(|_| seeded.next() >> 40 & 1 == 1).collect();
        cuts.push(disk.after_power_cut_with(&|at| kept[at], seed % 2 == 1));
    }
    cuts
}

/// Runs a journey with a fault at its `at`-th operation, to its end or its process's.
fn run(ready: &Phone, steps: &[Step], at: usize, fault: Fault) -> Phone {
    let mut phone = ready.with_disk(ready.disk.after_kill());
    phone.disk.fail_at(at, fault);
    for step in steps {
        // An app goes on after an error, with whatever comes next.
        let _ = phone.does(*step);
        if phone.disk.is_dead() {
            break;
        }
    }
    phone
}

/// Says what was counted, past the harness, which shows nothing of what goes well.
#[expect(clippy::explicit_write, reason = "the harness captures what is printed")]
pub fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
}

fn sweep(ready: &Phone, (name, steps): Journey) {
    let mut clean = ready.with_disk(ready.disk.after_kill());
    let before = clean.disk.journal().len();
    clean.all(steps).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_survives(&clean, name);
    let journal = clean.disk.journal();
    let mut count = Count { operations: journal.len() - before, ..Count::default() };
    let all = std::env::var("FARAD_SWEEP").is_ok_and(|sweep| sweep == "all");
    // Another share of the operations for each journey.
    let first = name.len() % SHARE.min(count.operations);
    let share = if all { (0, 1) } else { (first, SHARE) };
    for at in (share.0..count.operations).step_by(share.1) {
        let what = |kind: &str| format!("{name}: {kind} at {at}, {}", journal[before + at]);
        let killed = run(ready, steps, at, Fault::Kill);
        count.judge(&killed, &what("killed"));
        for cut in power_cuts(&killed.disk) {
            count.judge(&killed.with_disk(cut), &what("power cut"));
        }
        count.judge(&run(ready, steps, at, Fault::Torn), &what("killed while writing"));
        for fault in [Fault::Error, Fault::Full, Fault::ReadOnly] {
            let mut phone = run(ready, steps, at, fault);
            let what = what(&format!("{fault:?}"));
            // As long as it lasts, too, a start shows something good.
            phone.boot();
            phone.disk.heal();
            count.judge(&phone, &what);
            count.judge(&phone.with_disk(phone.disk.after_power_cut()), &what);
        }
    }
    let Count { operations, faults, judged } = count;
    say(&format!("{name}: {operations} operations, {faults} faults, {} states", judged.len()));
}

#[test]
fn the_first_install_survives_a_fault_at_every_operation() {
    sweep(&Phone::new(), FIRST_INSTALL);
}

#[test]
fn journeys_that_are_told_of_survive_a_fault_at_every_operation() {
    let ready = Phone::running().telling();
    TELLING.into_iter().for_each(|journey| sweep(&ready, journey));
}

#[test]
fn every_journey_survives_a_fault_at_every_operation() {
    let ready = Phone::running();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(journey) = JOURNEYS.get(next.fetch_add(1, Ordering::Relaxed)) {
            sweep(&ready, *journey);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
}
