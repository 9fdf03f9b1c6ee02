//! Launches that nobody sees, and processes that end out of sight.

use super::*;

/// A process that ends, and the next one on the same device.
fn process_after(shell: Shell, exit: Option<Exit>, seen: bool) -> Shell {
    let mut next = Shell::new(off());
    next.device = shell.device;
    next.on(Event::Start { exit, seen });
    next
}

/// The same, where nobody says how the first one ended.
fn next_process(shell: Shell, seen: bool) -> Shell {
    process_after(shell, None, seen)
}

#[test]
fn a_start_that_nobody_sees_costs_no_launch_and_the_first_look_begins_what_waits() {
    let mut shell = offered(off());
    shell.answer("sync", json!({})).unwrap();
    for _ in 0..5 {
        shell = next_process(shell, false);
        assert_eq!(shell.shows(), None);
        shell.answer("attach", json!({ "nonce": "unseen" })).unwrap();
        shell.pass(60_000);
        assert_eq!(shell.shows(), None);
    }
    assert!(shell.device.trial.is_none(), "nothing is counted");
    shell.on(Event::Active);
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    assert_eq!(shell.ready("unseen"), Err("stale-token"));
    for _ in 0..5 {
        shell = next_process(shell, false);
        assert_eq!(shell.shows(), None, "its second launch waits, too");
    }
    shell.on(Event::Active);
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    shell.answer("attach", json!({ "nonce": "new" })).unwrap();
    shell.ready("new").unwrap();
    assert_eq!(shell.device.confirmed, 1);
    shell.on(Event::Background);
    shell.on(Event::Active);
    shell.pass(1_000);
    assert_eq!(shell.shown.len(), 2, "and only the first look");
}

#[test]
fn what_comes_while_nobody_has_looked_waits_for_the_first_look() {
    for apply in ["now", "background", "next-start"] {
        let mut shell = next_process(offered(off()), false);
        shell.device.offered = Some(1);
        shell.answer("attach", json!({ "nonce": "unseen" })).unwrap();
        shell.answer("sync", json!({ "apply": apply })).unwrap();
        shell.pass(60_000);
        assert_eq!(shell.shows(), None, "{apply}");
        shell.on(Event::Active);
        shell.pass(200);
        assert_eq!(shell.shows(), folder(1), "{apply}");
    }
}

#[test]
fn what_a_page_that_nobody_sees_asks_for_begins_with_the_first_look() {
    for wish in ["next-start", "manual"] {
        let mut shell = offered(off());
        shell.answer("sync", json!({ "apply": wish })).unwrap();
        shell = next_process(shell, false);
        assert_eq!(shell.answer("apply", json!({})).unwrap(), json!({ "applying": false }));
        shell.pass(60_000);
        assert_eq!((shell.shows(), shell.device.decisions), (None, 2), "{wish}");
        shell.on(Event::Active);
        shell.pass(200);
        assert_eq!(shell.shows(), folder(1), "{wish}");
        let launches = shell.device.trial.as_ref().map(|trial| trial.1);
        assert_eq!(launches, Some(1), "{wish}");
    }
}

#[test]
fn a_start_on_a_phone_that_was_never_unlocked_is_made_good_at_the_first_look() {
    let mut shell = on_trial(off());
    shell.ready("new").unwrap();
    shell.device.locked = true;
    shell = next_process(shell, false);
    assert_eq!(shell.shows(), None);
    shell.device.locked = false;
    shell.on(Event::Active);
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    shell.answer("attach", json!({ "nonce": "seen" })).unwrap();
    shell.ready("seen").unwrap();
}

#[test]
fn a_process_that_ends_out_of_sight_costs_one_launch_less_and_one_in_sight_costs_it() {
    for (last, launches) in [(Event::Background, 3), (Event::Inactive, 2)] {
        let mut shell = offered(off());
        shell.answer("sync", json!({})).unwrap();
        let away = matches!(last, Event::Background);
        for _ in 0..launches {
            shell = next_process(shell, true);
            assert_eq!(shell.shows(), folder(1));
            shell.on(Event::Active);
            shell.on(Event::Background);
            shell.on(Event::Active);
            shell.on(if away { Event::Background } else { Event::Inactive });
        }
        assert_eq!(next_process(shell, true).shows(), None);
    }
}

#[test]
fn a_bundle_that_takes_over_out_of_sight_and_goes_with_its_process_costs_one_launch_less() {
    let mut shell = offered(json!({ "autoSync": "off", "apply": "background" }));
    shell.answer("sync", json!({})).unwrap();
    shell.on(Event::Background);
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    for _ in 0..2 {
        shell = next_process(shell, true);
        assert_eq!(shell.shows(), folder(1));
        shell.on(Event::Active);
    }
    assert_eq!(next_process(shell, true).shows(), None);
}

#[test]
fn a_crash_out_of_sight_is_a_crash() {
    let mut shell = offered(off());
    shell.answer("sync", json!({})).unwrap();
    let crash = || Some(Exit { reason: ExitReason::Crash, at: 0, note: String::new() });
    for _ in 0..2 {
        shell = process_after(shell, crash(), true);
        assert_eq!(shell.shows(), folder(1));
        shell.on(Event::Active);
        shell.on(Event::Background);
    }
    assert_eq!(process_after(shell, crash(), true).shows(), None);
}
