//! Decisions that are made while others are: which of them holds, and what is tried again.

use super::*;

#[test]
fn of_two_decisions_at_once_the_stores_last_one_holds() {
    let mut shell = offered(off());
    shell.answer("sync", json!({})).unwrap();
    shell.slow = true;
    let apply = shell.call("apply", json!({}));
    // It is decided; before anybody hears of it the system makes the web view anew.
    shell.work_half();
    shell.on(Event::Start { exit: None, seen: true });
    assert_eq!(shell.shows(), folder(1));
    shell.slow = false;
    shell.work();
    assert_eq!(shell.answers[&apply], Ok(json!({ "applying": true })));
    shell.pass(1_000);
    assert_eq!(shell.shown.len(), 2, "it is not shown once more");
    shell.answer("attach", json!({ "nonce": "new" })).unwrap();
    shell.ready("new").unwrap();
    assert_eq!(shell.device.confirmed, 1);
}

#[test]
fn a_web_view_begins_with_what_was_decided_after_its_start() {
    let mut shell = offered(off());
    shell.answer("sync", json!({})).unwrap();
    shell.slow = true;
    let apply = shell.call("apply", json!({}));
    shell.jobs.clear();
    // The start first, the switch after it; the switch is heard of first.
    let (start, switch) = (shell.device.boot(), shell.device.boot());
    let token = switch.token.clone();
    let why = Switch::Asked(apply);
    shell.on(Event::Done(Done::Switched { why, decided: Ok(Some(switch)) }));
    shell.on(Event::Done(Done::Started(start)));
    assert_eq!(shell.machine.launch.as_ref().unwrap().token, token);
    shell.slow = false;
    shell.pass(1_000);
    assert_eq!(shell.shown.len(), 2, "it began with it");
    shell.answer("attach", json!({ "nonce": "new" })).unwrap();
    shell.ready("new").unwrap();
    assert_eq!(shell.device.confirmed, 1);
}

#[test]
fn a_switch_that_meets_another_change_of_state_is_tried_again() {
    let mut shell = offered(json!({ "autoSync": "off", "apply": "now" }));
    shell.device.busy_switches = 3;
    assert_eq!(shell.answer("sync", json!({})).unwrap()["status"], "staged");
    assert_eq!(shell.shown.len(), 1);
    shell.pass(1_000);
    assert_eq!(shell.shows(), folder(1));

    let mut shell = offered(json!({ "autoSync": "off", "apply": "now" }));
    shell.device.busy_switches = 7;
    shell.answer("sync", json!({})).unwrap();
    shell.pass(60_000);
    assert_eq!((shell.shown.len(), shell.device.busy_switches), (1, 0), "given up for now");
    shell.on(Event::Background);
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
}
