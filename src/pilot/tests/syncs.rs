//! Syncs and checks: who asks for them, what is told of them.

use super::*;

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
fn what_is_asked_for_after_a_cancel_is_no_part_of_what_was_cancelled() {
    for method in ["sync", "check"] {
        let mut shell = offered(off());
        shell.slow = true;
        let before = shell.call(method, json!({}));
        shell.answer("cancel", json!({})).unwrap();
        let after = [(); 2].map(|()| shell.call(method, json!({})));
        let runs = |job: &&Job| matches!(job, Job::Sync { .. } | Job::Check);
        assert_eq!(shell.jobs.iter().filter(runs).count(), 2, "they share one of their own");
        shell.slow = false;
        shell.work();
        assert_eq!(shell.answers[&before], Err("cancelled"));
        for call in after {
            assert_eq!(shell.answers[&call].as_ref().unwrap()["release"]["version"], "1.1.0");
        }
        assert_eq!(shell.answer("getState", json!({})).unwrap()["syncing"], false);
    }
}

#[test]
fn what_is_asked_for_after_a_change_of_channel_is_of_the_new_one() {
    let mut shell = offered(off());
    shell.slow = true;
    let before = shell.call("sync", json!({}));
    let change = shell.call("setChannel", json!({ "channel": null }));
    let after = shell.call("sync", json!({}));
    shell.slow = false;
    shell.work();
    assert_eq!(shell.answers[&before], Err("cancelled"));
    assert!(shell.answers[&change].is_ok() && shell.answers[&after].is_ok());
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
fn a_start_that_is_left_before_its_sync_syncs_when_the_app_comes_back() {
    for auto in [json!("on-start"), json!("on-resume"), json!(30)] {
        let mut shell = offered(json!({ "autoSync": auto }));
        shell.pass(500);
        shell.on(Event::Background);
        shell.pass(60_000);
        assert_eq!(shell.device.next, None, "nobody is there to see it");
        shell.on(Event::Active);
        shell.pass(3_000);
        assert_eq!(shell.device.next, Some(1), "{auto}");
    }
}

#[test]
fn a_metered_network_is_spared_only_by_syncs_nobody_asked_for() {
    let mut shell = offered(json!({ "allowMetered": false }));
    shell.metered = true;
    shell.pass(3_000);
    assert_eq!(shell.device.next, None);
    assert_eq!(shell.tells("updateAvailable"), 1, "an app may ask its user");
    assert_eq!(shell.answer("sync", json!({})).unwrap()["status"], "staged");
}

#[test]
fn a_page_that_joins_a_sync_which_spares_the_network_gets_what_it_asked_for() {
    let mut shell = offered(json!({ "allowMetered": false }));
    (shell.metered, shell.slow) = (true, true);
    shell.pass(3_000);
    let call = shell.call("sync", json!({ "apply": "now" }));
    shell.slow = false;
    shell.work();
    assert_eq!(shell.answers[&call].as_ref().unwrap()["status"], "staged");
    assert_eq!(shell.tells("updateAvailable"), 1, "told once");
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
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
