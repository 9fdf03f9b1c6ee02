//! An exhaustive search: every state that a phone with two bundles can come to, through the rules
//! of `farad::boot` themselves.
//!
//! Enters: a design (the real rules, or a mutant of them) and a setting (which native builds fit
//! which bundle, how many faults). Leaves: how many states there are, or the shortest way to one
//! that breaks an invariant. `FARAD_MODEL=all` searches with two faults and everything at once;
//! without it each kind of event is searched by itself, with fewer faults.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise"
)]

mod designs;
mod moves;
mod packed;
mod search;
mod state;

use std::io::Write;

use designs::{Design, MUTANTS, Real};
use search::search;
use state::Setting;

#[expect(clippy::explicit_write, reason = "the harness captures what is printed")]
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
}

/// Settings of the short form: what happens to the phone, one kind at a time.
fn settings() -> Vec<Setting> {
    let base = Setting { faults: 1, ..Setting::QUIET };
    if std::env::var("FARAD_MODEL").is_ok_and(|model| model == "all") {
        return Setting::natives()
            .map(|native| Setting { faults: 2, ..native.everything() })
            .to_vec();
    }
    vec![
        base,
        Setting { second_process: true, faults: 0, ..base },
        Setting { upgrade: true, fits_upgrade: [true, false], faults: 0, ..base },
        Setting { upgrade: true, newer_builtin: true, ..base },
        Setting { policy: true, faults: 0, ..base },
        Setting { page: true, faults: 0, ..base },
    ]
}

#[test]
fn no_reachable_state_breaks_an_invariant() {
    let mut states = 0;
    for setting in settings() {
        let found = search(&Real, &setting);
        if let Some(broken) = &found.broken {
            panic!("{setting:?}: {broken}");
        }
        say(&format!(
            "{} states, {} moves, at most {} starts to what is offered: {setting:?}",
            found.states, found.moves, found.starts
        ));
        states += found.states;
    }
    say(&format!("the real rules: {states} states, no invariant broken"));
}

#[test]
fn every_broken_design_is_caught() {
    for (name, mutant, setting) in MUTANTS {
        let mutant: &dyn Design = *mutant;
        let found = search(mutant, setting);
        let broken = found.broken.unwrap_or_else(|| panic!("{name}: not caught"));
        let first = broken.lines().next().unwrap_or_default();
        say(&format!("{name}: caught after {} states: {first}", found.states));
    }
}
