//! Events of whole journeys: which there are, how they reach a server that has its moods, and that
//! they are in nobody's way.

use farad::outbox::What;
use farad::store::Disk;
use farad::store::memory::Fault;
use serde_json::{Value, json};

use crate::collector::Manner;
use crate::journeys::JOURNEYS;
use crate::phone::{Phone, Step};
use crate::world::{FIRST, SECOND, THIRD, WITH_FIRST};

/// Name and what tells it apart, without what differs from run to run.
fn summary(event: &Value) -> Value {
    let mut short = json!({ "event": event["event"] });
    let fields =
        ["status", "via", "fallback", "reason", "stage", "code", "role", "attack", "httpStatus"];
    for field in fields {
        if !event[field].is_null() {
            short[field] = event[field].clone();
        }
    }
    if !event["release"].is_null() {
        short["version"] = event["release"]["version"].clone();
    }
    short
}

/// What the server knows after `steps` of a phone that runs the first release, and what was said.
fn told(steps: &[Step]) -> (Phone, Vec<Value>) {
    let mut phone = Phone::running().telling();
    for step in steps {
        let _ = phone.does(*step);
    }
    phone.does(Step::Send).unwrap();
    let events = phone.collector.as_ref().unwrap().events();
    (phone, events)
}

#[test]
fn an_update_is_told_of_step_by_step() {
    let (phone, events) =
        told(&[Step::Serve(SECOND), Step::Sync, Step::Boot, Step::Ready, Step::Sync]);
    let summaries: Vec<_> = events.iter().map(summary).collect();
    assert_eq!(
        summaries,
        [
            json!({ "event": "checked", "status": "available", "version": "2.0.0" }),
            json!({ "event": "downloaded", "via": "pack", "version": "2.0.0" }),
            json!({ "event": "staged", "status": "staged", "version": "2.0.0" }),
            json!({ "event": "trial", "version": "2.0.0" }),
            json!({ "event": "confirmed", "version": "2.0.0" }),
            json!({ "event": "checked", "status": "up-to-date", "version": "2.0.0" }),
        ]
    );
    // What it took, and what everything has.
    assert!(events[0]["requests"].as_u64().unwrap() > 2);
    assert!(events[1]["bytes"].as_u64().unwrap() > 0);
    assert_eq!(events[5]["requests"], 1);
    for event in &events {
        assert_eq!(
            (&event["channel"], &event["native"]["build"]),
            (&"production".into(), &1.into())
        );
        assert_eq!(event["release"]["sequence"], 2);
    }
    let waiting = phone.collector.unwrap();
    assert_eq!(waiting.posts.lock().unwrap().len(), 1);
}

#[test]
fn a_bundle_that_is_given_up_is_told_with_its_reason() {
    let silent = [Step::Serve(SECOND), Step::Sync, Step::Boot, Step::Boot, Step::Boot, Step::Sync];
    let (_, events) = told(&silent);
    let tail: Vec<_> = events[3..].iter().map(summary).collect();
    let trial = json!({ "event": "trial", "version": "2.0.0" });
    let undone = json!({ "event": "rolled-back", "reason": "not-ready", "version": "2.0.0" });
    let blocked = json!({ "event": "checked", "status": "blocked", "version": "2.0.0" });
    assert_eq!(tail, [trial.clone(), trial.clone(), undone, blocked]);

    let failing = [Step::Serve(SECOND), Step::Sync, Step::Boot, Step::Fail, Step::Boot, Step::Fail];
    let (_, events) = told(&failing);
    let tail: Vec<_> = events[3..].iter().map(summary).collect();
    let undone = json!({ "event": "rolled-back", "reason": "renderer-gone", "version": "2.0.0" });
    assert_eq!(tail, [trial.clone(), trial, undone]);
}

#[test]
fn what_is_refused_names_the_role_and_the_attack() {
    // A replay of what was published before.
    let (_, events) = told(&[Step::Serve(THIRD), Step::Sync, Step::Serve(FIRST), Step::Sync]);
    let last = summary(events.last().unwrap());
    let refused = json!({
        "event": "refused", "stage": "check", "code": "rollback", "role": "timestamp",
        "attack": "rollback",
    });
    assert_eq!(last, refused);
}

#[test]
fn a_full_disk_is_told_once_there_is_room_for_it() {
    let mut phone = Phone::running().telling();
    phone.all(&[Step::Sync, Step::Serve(SECOND)]).unwrap();
    phone.disk.set_capacity(0);
    assert_eq!(phone.sync().unwrap_err().code(), "no-space");
    phone.disk.set_capacity(1 << 30);
    let used = (1 << 30) - phone.disk.free().unwrap();
    phone.disk.set_capacity(used + 20_000);
    assert_eq!(phone.sync().unwrap_err().code(), "no-space");
    phone.does(Step::Send).unwrap();
    let events = phone.collector.as_ref().unwrap().events();
    let last = summary(events.last().unwrap());
    let failed =
        json!({ "event": "failed", "stage": "download", "code": "no-space", "version": "2.0.0" });
    assert_eq!(last, failed);
}

#[test]
fn events_name_neither_device_nor_launch_nor_place() {
    let (mut phone, _) = told(&[Step::Serve(SECOND), Step::Sync, Step::Boot, Step::Ready]);
    let token = {
        phone.all(&[Step::Serve(THIRD), Step::Sync]).unwrap();
        phone.boot().token.unwrap()
    };
    phone.all(&[Step::Fail, Step::Boot, Step::Fail, Step::Send]).unwrap();
    let install = phone.updater().state().unwrap().install_id;
    let collector = phone.collector.unwrap();
    let posts = collector.posts.lock().unwrap();
    assert!(posts.len() > 1);
    let known = [
        "id",
        "at",
        "native",
        "channel",
        "release",
        "event",
        "status",
        "via",
        "fallback",
        "bytes",
        "requests",
        "milliseconds",
        "reason",
        "platform",
        "build",
        "version",
        "sequence",
    ];
    for post in posts.iter() {
        let text = std::str::from_utf8(post).unwrap();
        assert!(!text.contains(install.as_str()) && !text.contains(&token), "{text}");
        let batch: Value = serde_json::from_str(text).unwrap();
        for event in batch["events"].as_array().unwrap() {
            let inner = [&event["native"], &event["release"]].into_iter().chain([event]);
            let fields = inner.filter_map(Value::as_object).flat_map(|object| object.keys());
            for field in fields {
                assert!(known.contains(&field.as_str()), "{field} is not in docs/events.md");
            }
        }
    }
}

#[test]
fn whatever_the_server_does_every_event_is_there_once_in_the_end() {
    let update = [Step::Serve(SECOND), Step::Sync, Step::Boot, Step::Ready];
    let (_, expected) = told(&update);
    let expected: Vec<_> = expected.iter().map(summary).collect();
    for manner in
        [Manner::Down, Manner::Busy, Manner::Strange, Manner::Silent, Manner::Half, Manner::Takes]
    {
        let mut phone = Phone::running().telling();
        let collector = phone.collector.clone().unwrap();
        collector.behave(manner);
        for step in update {
            phone.does(step).unwrap();
            let waiting = phone.updater().waiting_events().unwrap();
            let sent = phone.does(Step::Send);
            let fails = !matches!(manner, Manner::Half | Manner::Takes);
            assert_eq!(sent.is_err(), fails && !waiting.events.is_empty(), "{manner:?} {sent:?}");
            if fails {
                // Nor does a power cut lose any.
                let mut later = phone.with_disk(phone.disk.after_power_cut());
                assert_eq!(later.updater().waiting_events().unwrap(), waiting, "{manner:?}");
            }
        }
        collector.behave(Manner::Takes);
        let quiet = phone.does(Step::Send);
        if manner == Manner::Busy {
            // It asked for a minute, which this clock never reaches.
            assert_eq!(quiet.unwrap_err().code(), "too-early");
            phone.disk.remove_file("outbox/quiet").unwrap();
            phone.does(Step::Send).unwrap();
        }
        let mut came: Vec<_> = collector.events().iter().map(summary).collect();
        if manner == Manner::Half {
            // Late ones come late.
            let by_name = |event: &Value| event.to_string();
            came.sort_by_key(by_name);
            let mut sorted = expected.clone();
            sorted.sort_by_key(by_name);
            assert_eq!(came, sorted);
        } else {
            assert_eq!(came, expected, "{manner:?}");
        }
        assert_eq!(phone.updater().waiting_events().unwrap().events, []);
    }
}

#[test]
fn killed_between_the_post_and_the_removal_it_sends_the_same_ids_again() {
    let mut ready = Phone::running().telling();
    ready.all(&[Step::Serve(SECOND), Step::Sync, Step::Boot]).unwrap();
    let mut clean = ready.with_disk(ready.disk.after_kill());
    let before = clean.disk.journal().len();
    clean.does(Step::Send).unwrap();
    let operations = clean.disk.journal().len() - before;
    let mut twice = 0;
    for at in 0..operations {
        let mut phone = ready.with_disk(ready.disk.after_kill());
        phone.disk.fail_at(at, Fault::Kill);
        phone.does(Step::Send).unwrap_err();
        let had = phone.collector.as_ref().unwrap().ids();
        let mut phone = phone.with_disk(phone.disk.after_power_cut());
        phone.does(Step::Send).unwrap();
        let collector = phone.collector.as_ref().unwrap();
        assert_eq!(collector.ids(), clean.collector.as_ref().unwrap().ids());
        assert_eq!(phone.updater().waiting_events().unwrap().events, []);
        // The collector itself compares what comes twice.
        let posted = !phone.collector.as_ref().unwrap().posts.lock().unwrap().is_empty();
        twice += usize::from(posted && !had.is_empty());
    }
    assert!(twice > 0, "no kill fell between the two");
}

#[test]
fn without_room_for_the_outbox_every_journey_goes_as_without_events() {
    for (name, steps) in JOURNEYS {
        let mut plain = Phone::running();
        plain.all(steps).unwrap();
        let mut crowded = Phone::running().telling();
        crowded.crowded = true;
        crowded.all(steps).unwrap_or_else(|error| panic!("{name}: {error}"));
        let record = |phone: &mut Phone| {
            let mut record = phone.updater().state().unwrap().record;
            // Tokens are drawn.
            record
                .trial
                .iter_mut()
                .for_each(|trial| trial.token = farad::boot::Token::from_text(""));
            record
        };
        assert_eq!(record(&mut crowded), record(&mut plain), "{name}");
        assert_eq!(crowded.updater().waiting_events().unwrap().events, [], "{name}");
    }
}

#[test]
fn nothing_is_recorded_unless_the_app_wants_it_and_what_was_goes_when_it_no_longer_does() {
    let mut phone = Phone::running();
    assert!(phone.disk.list("outbox").unwrap().is_empty());
    phone.all(&[Step::Send]).unwrap();
    phone = phone.telling();
    phone.all(&[Step::Serve(SECOND), Step::Sync]).unwrap();
    assert!(!phone.updater().waiting_events().unwrap().events.is_empty());
    phone.collector = None;
    phone.does(Step::Serve(SECOND)).unwrap();
    phone.all(&[Step::Sync]).unwrap();
    assert!(phone.disk.list("").unwrap().iter().all(|entry| entry.name != "outbox"));
}

#[test]
fn a_store_update_does_not_take_the_outbox_along() {
    let mut phone = Phone::running().telling();
    phone.all(&[Step::Serve(SECOND), Step::Sync, Step::Boot, Step::Ready]).unwrap();
    phone.all(&[Step::Build(WITH_FIRST), Step::Boot, Step::Sync, Step::Send]).unwrap();
    let events = phone.collector.as_ref().unwrap().events();
    let builds: Vec<_> = events.iter().map(|event| event["native"]["build"].as_u64()).collect();
    assert!(builds.contains(&Some(1)) && builds.contains(&Some(WITH_FIRST)), "{builds:?}");
    let is_trial = |event: &&Value| event["event"] == "trial";
    assert!(events.iter().filter(is_trial).count() >= 1);
    let waiting = phone.updater().waiting_events().unwrap().events;
    assert!(waiting.iter().all(|event| matches!(event.what, What::Checked { .. })));
}
