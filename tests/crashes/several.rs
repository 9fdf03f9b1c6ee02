//! Two and three faults in one life, drawn from a seed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use farad::store::memory::Fault;

use crate::journeys::JOURNEYS;
use crate::phone::Phone;
use crate::sweep::{Seeded, say};
use crate::verdict::assert_survives;

/// Runs without `FARAD_RUNS`.
const RUNS: u64 = 60;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn two_and_three_faults_in_one_life_are_survived() {
    let ready = Phone::running();
    let (first, runs) = match setting("FARAD_SEED") {
        Some(seed) => (seed, setting("FARAD_RUNS").unwrap_or(1)),
        None => (0, setting("FARAD_RUNS").unwrap_or(RUNS)),
    };
    let (mut faults, mut hit) = (0, 0);
    for seed in first..first + runs {
        let lived = catch_unwind(AssertUnwindSafe(|| live(&ready, seed)));
        let (planned, happened) = lived.unwrap_or_else(|panic| {
            println!("in the life of seed {seed}");
            resume_unwind(panic)
        });
        faults += planned;
        hit += happened;
    }
    say(&format!("{runs} lives from seed {first}: {faults} faults planned, {hit} happened"));
    assert!(runs == 1 || hit * 2 > faults, "most of what is planned happens");
}

/// Damage of which no word could be left, since the disk refused it; then a reset and a sync that
/// finds the damaged bundle on the device, whole as far as a start can tell.
#[test]
fn damage_that_the_disk_would_not_have_noted_is_nobodys_fault() {
    let (planned, happened) = live(&Phone::running(), 1383);
    assert_eq!((planned, happened > 0), (3, true));
}

/// One life of two journeys. Returns how many faults were planned and how many happened.
fn live(ready: &Phone, seed: u64) -> (usize, usize) {
    let mut seeded = Seeded::new(seed);
    let mut phone = ready.with_disk(ready.disk.after_kill());
    // Every third one's app wants events.
    if seed % 3 == 2 {
        phone = phone.telling();
    }
    let planned = 2 + seeded.below(2);
    let mut happened = 0;
    let journeys = [0, 1].map(|_| JOURNEYS[seeded.below(JOURNEYS.len())]);
    let mut what = format!("seed {seed}:");
    let plan = |phone: &Phone, seeded: &mut Seeded, happened: usize| {
        if happened < planned {
            let fault = [Fault::Kill, Fault::Kill, Fault::Torn, Fault::Error, Fault::Full];
            phone.disk.fail_at(seeded.below(40), fault[seeded.below(fault.len())]);
        }
    };
    plan(&phone, &mut seeded, happened);
    for (name, steps) in journeys {
        what += &format!(" {name}:");
        for step in steps {
            // Nobody goes back to what was published before.
            if matches!(step, crate::phone::Step::Serve(at) if *at < phone.served) {
                continue;
            }
            let done = phone.does(*step);
            if !phone.disk.is_dead() && done.is_ok() {
                continue;
            }
            happened += 1;
            let journal = phone.disk.journal();
            what += &format!(" {step:?} [{}]", journal.last().unwrap());
            let disk = match seeded.below(3) {
                _ if !phone.disk.is_dead() => {
                    phone.disk.heal();
                    phone.disk.clone()
                }
                0 => phone.disk.after_kill(),
                1 => phone.disk.after_power_cut(),
                _ => {
                    let kept: Vec<bool> =
                        (0..phone.disk.pending()).map(|_| seeded.below(2) == 1).collect();
                    phone.disk.after_power_cut_with(&|at| kept[at], seeded.below(2) == 1)
                }
            };
            if phone.disk.is_dead() {
                phone = phone.with_disk(disk);
            }
            plan(&phone, &mut seeded, happened);
            phone.boot();
            if phone.disk.is_dead() {
                phone = phone.with_disk(phone.disk.after_kill());
            }
        }
    }
    phone.disk.heal();
    assert_survives(&phone, &what);
    (planned, happened)
}
