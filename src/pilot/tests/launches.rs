//! What takes over when, whose `ready()` counts, and what is undone.

use super::*;

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
fn a_hold_ends_with_the_web_view_whose_page_asked_for_it() {
    for until in ["background", "restart"] {
        let mut shell = offered(json!({ "autoSync": "off", "apply": "now" }));
        shell.answer("setHold", json!({ "until": until })).unwrap();
        shell.on(Event::RendererGone);
        shell.start("anew");
        shell.answer("sync", json!({})).unwrap();
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
fn a_web_view_that_the_system_took_from_a_trial_costs_one_launch_less() {
    let mut shell = on_trial(off());
    for nonce in ["second", "third"] {
        shell.start(nonce);
        assert_eq!(shell.shows(), folder(1), "{nonce}");
    }
    shell.start("fourth");
    assert_eq!(shell.shows(), None, "once for each bundle");
}

#[test]
fn a_failure_that_meets_a_switch_is_undone_after_it() {
    let mut shell = on_trial(off());
    shell.slow = true;
    let apply = shell.call("apply", json!({}));
    let report = shell.call("reportFailure", json!({ "nonce": "new" }));
    shell.slow = false;
    shell.work();
    assert_eq!(shell.answers[&apply], Ok(json!({ "applying": false })), "nothing waits");
    assert_eq!(shell.answers[&report], Ok(Value::Null));
    shell.pass(200);
    assert_eq!((shell.shown.len(), shell.shows()), (3, folder(1)), "its second launch");
}

#[test]
fn a_failure_that_meets_a_bundle_taking_over_costs_that_one_nothing() {
    let mut shell = on_trial(off());
    shell.device.offered = Some(2);
    shell.answer("sync", json!({})).unwrap();
    shell.slow = true;
    shell.call("apply", json!({}));
    shell.call("reportFailure", json!({ "nonce": "new" }));
    shell.slow = false;
    shell.work();
    shell.pass(200);
    assert_eq!((shell.shown.len(), shell.shows()), (3, folder(2)));
    assert_eq!(shell.device.trial.as_ref().map(|trial| trial.1), Some(1), "one launch");
}

#[test]
fn only_the_confirmed_bundle_is_charged_with_an_early_crash() {
    let mut shell = on_trial(off());
    shell.slow = true;
    shell.call("reportFailure", json!({ "nonce": "new" }));
    shell.on(Event::RendererGone);
    shell.slow = false;
    shell.work();
    assert_eq!(shell.device.early_crashes, 0, "of what failed the store knows already");
    shell.start("second");
    shell.ready("second").unwrap();
    shell.on(Event::RendererGone);
    assert_eq!(shell.device.early_crashes, 1);
}

#[test]
fn a_ready_that_meets_another_change_is_written_down_after_it() {
    let mut shell = on_trial(off());
    shell.device.busy = 3;
    let call = shell.call("ready", json!({ "nonce": "new" }));
    assert_eq!(shell.answers.get(&call), None);
    shell.pass(60_000);
    assert!(shell.answers[&call].is_ok());
    assert_eq!((shell.device.confirmed, shell.shown.len()), (1, 2));
}

#[test]
fn a_ready_that_always_meets_another_change_is_told_so() {
    let mut shell = on_trial(off());
    shell.device.busy = 100;
    let call = shell.call("ready", json!({ "nonce": "new" }));
    shell.pass(8_000);
    assert_eq!(shell.answers[&call], Err("busy"));
    shell.device.busy = 0;
    shell.ready("new").unwrap();
    assert_eq!((shell.device.confirmed, shell.shown.len()), (1, 2));
}

#[test]
fn a_ready_that_waits_is_answered_when_its_launch_is_over() {
    let mut shell = on_trial(off());
    shell.device.busy = 100;
    let call = shell.call("ready", json!({ "nonce": "new" }));
    shell.answer("reset", json!({})).unwrap();
    assert_eq!(shell.answers[&call], Err("busy"));
    shell.pass(60_000);
    assert_eq!((shell.shows(), shell.device.confirmed), (None, BUILTIN));
}

#[test]
fn files_are_hashed_again_once_for_each_launch_and_not_while_the_app_starts() {
    let mut shell = on_trial(off());
    shell.ready("new").unwrap();
    shell.pass(29_000);
    shell.ready("new").unwrap();
    assert_eq!(shell.device.rechecks, 0);
    shell.on(Event::Background);
    shell.pass(60_000);
    assert_eq!(shell.device.rechecks, 0, "the system would stop it");
    shell.on(Event::Active);
    shell.pass(60_000);
    shell.ready("new").unwrap();
    shell.pass(60_000);
    assert_eq!(shell.device.rechecks, 1);
    shell.start("again");
    shell.ready("again").unwrap();
    shell.pass(60_000);
    assert_eq!(shell.device.rechecks, 2);
    shell.answer("reset", json!({})).unwrap();
    shell.pass(200);
    shell.answer("attach", json!({ "nonce": "builtin again" })).unwrap();
    shell.ready("builtin again").unwrap();
    shell.pass(60_000);
    assert_eq!(shell.device.rechecks, 2, "what came with the app is the system's to look after");
}

#[test]
fn that_a_launch_stayed_up_is_noted_while_a_download_goes_on() {
    let mut shell = on_trial(off());
    shell.ready("new").unwrap();
    shell.device.early_crashes = 2;
    shell.slow = true;
    shell.call("sync", json!({}));
    shell.pass(60_000);
    shell.work_on(Lane::Short);
    assert_eq!(shell.device.early_crashes, 0);
    assert_eq!(shell.device.rechecks, 0, "that waits for the download");
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
