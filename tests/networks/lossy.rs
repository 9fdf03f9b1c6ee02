//! Many installs over a line that fails one connection in five.
//!
//! `FARAD_INSTALLS=200` makes it the long form; `FARAD_SEED` chooses other faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use farad::fetch::HttpOptions;

use crate::forge::{APP, DAY, Forge, NOW};
use crate::phone::Phone;
use crate::site::{Fate, Site};

/// splitmix64: the same seed, the same faults.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }

    /// One connection in five is cut, stalls or changes a byte, anywhere in its body.
    fn fate(&mut self, length: u64) -> Fate {
        match self.roll(15) {
            0 => Fate::Cut(self.roll(length)),
            1 => Fate::Stall(self.roll(length)),
            2 => Fate::Spoil(self.roll(length)),
            _ => Fate::Well,
        }
    }
}

/// Bytes that a client moves which asks for the same files and starts each again after a failure.
fn restarting(dice: &mut Dice, lengths: &[u64]) -> u64 {
    let mut moved = 0;
    for length in lengths {
        loop {
            match dice.fate(*length) {
                Fate::Well => break,
                Fate::Cut(at) | Fate::Reset(at) | Fate::Stall(at) => moved += at,
                // It learns of it at the end.
                Fate::Spoil(_) => moved += length,
            }
        }
        moved += length;
    }
    moved
}

fn setting<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).map_or(otherwise, |text| text.parse().ok().unwrap())
}

#[test]
fn every_install_over_a_lossy_line_ends_on_the_right_release() {
    let installs: u64 = setting("FARAD_INSTALLS", 12);
    let seed: u64 = setting("FARAD_SEED", 7);
    let mut forge = Forge::empty(APP, NOW);
    forge.noise = 3_000_000;
    let release = forge.release("production", 1, "1.0.0");
    forge.rollout("production", &[release.offer()]);
    forge.publish();

    // What an install takes where nothing fails: the measure for what is wasted.
    let site = Site::new(&forge);
    let phone = Phone::new(&forge, &site);
    phone.sync().unwrap();
    let needed = phone.came();
    let files: Vec<_> = site.asked().iter().filter_map(|path| forge.files.get(path)).collect();
    let lengths: Vec<_> = files.iter().map(|file| file.len() as u64).collect();
    assert_eq!(lengths.iter().sum::<u64>(), needed);

    let (mut moved, mut restarted, mut syncs, mut slowest) = (0, 0, 0, 0);
    let (mut answers, mut failed) = (0, 0);
    for install in 0..installs {
        let site = Site::new(&forge);
        let dice = Arc::new(Mutex::new(Dice(seed.wrapping_add(install << 32))));
        let counts = Arc::new(Mutex::new((0, 0)));
        let count = counts.clone();
        site.let_fate_decide(move |_, length| {
            let fate = dice.lock().unwrap().fate(length);
            let (all, failed) = *count.lock().unwrap();
            *count.lock().unwrap() = (all + 1, failed + u64::from(fate != Fate::Well));
            fate
        });
        let mut phone = Phone::new(&forge, &site);
        phone.http =
            HttpOptions { silence: Some(Duration::from_millis(100)), ..HttpOptions::default() };
        syncs += 1;
        // The app is opened every twenty minutes.
        while phone.sync().is_err() {
            syncs += 1;
            phone.wait(20 * 60);
            assert!(phone.now() < NOW + DAY, "install {install} of seed {seed} took a day");
        }
        assert_eq!(phone.shows(), "1.0.0");
        moved += phone.came();
        let (all, of_them) = *counts.lock().unwrap();
        (answers, failed) = (answers + all, failed + of_them);
        restarted += restarting(&mut Dice(seed.wrapping_add(install << 32)), &lengths);
        slowest = slowest.max(phone.now() - NOW);
    }
    let needed = needed * installs;
    let wasted = |moved: u64| moved.saturating_sub(needed) as f64 * 100.0 / needed as f64;
    println!(
        "{installs} installs, seed {seed}: all on the right release, the slowest after {} min; {failed} of {answers} connections failed; {syncs} syncs; wasted {:.2} % of {needed} bytes, and {:.1} % by a client that starts whole files again",
        slowest / 60,
        wasted(moved),
        wasted(restarted),
    );
    assert!((answers / 8..answers / 3).contains(&failed), "that is no line of the kind");
    assert!(wasted(moved) <= 10.0, "more than a tenth was wasted");
}
