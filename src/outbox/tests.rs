//! The outbox on the disk that loses what was not synced.

use std::collections::BTreeSet;

use super::*;
use crate::boot::Reason;
use crate::digest::Digest;
use crate::id::BundleId;
use crate::native::Native;
use crate::store::memory::{Fault, MemoryDisk};

const NOW: u64 = 1_764_000_000;

fn event(number: u64, what: What) -> Event {
    let mut random = [0; 16];
    random[..8].copy_from_slice(&number.to_be_bytes());
    Event {
        id: EventId::from_random(random),
        at: UnixTime::from_seconds(NOW + number),
        native: App { native: Native::Android { build: 30 }, version: "3.1".to_owned() },
        channel: "production".parse().unwrap(),
        release: Some(About {
            id: BundleId(Digest::of(b"manifest")),
            sequence: Some(7),
            version: Some("1.4.0".to_owned()),
        }),
        what,
    }
}

fn trial(number: u64) -> Event {
    event(number, What::Trial)
}

fn checked(number: u64, status: &'static str) -> Event {
    let effort = Effort { bytes: number, requests: 1, milliseconds: number };
    event(number, What::Checked { status: status.into(), effort })
}

fn outbox(disk: &MemoryDisk) -> Outbox {
    Outbox::new(Arc::new(disk.clone()))
}

fn waiting(disk: &MemoryDisk) -> Vec<Event> {
    outbox(disk).waiting().unwrap().events
}

#[test]
fn what_is_recorded_survives_a_power_cut_and_stays_until_it_is_acknowledged() {
    let disk = MemoryDisk::new();
    let events: Vec<_> = (0..3).map(trial).collect();
    outbox(&disk).record(&events[..2]).unwrap();
    outbox(&disk).record(&events[2..]).unwrap();
    let disk = disk.after_power_cut();
    assert_eq!(waiting(&disk), events);
    outbox(&disk).remove(&[events[1].id.clone()], 0).unwrap();
    let disk = disk.after_power_cut();
    assert_eq!(waiting(&disk), [events[0].clone(), events[2].clone()]);
    outbox(&disk).remove(&[events[1].id.clone()], 0).unwrap();
    assert_eq!(waiting(&disk).len(), 2, "removing twice removes nothing else");
}

/// One event of each kind, with all that it can have and with as little.
fn all_kinds() -> Vec<What> {
    let effort = Effort { bytes: 3, requests: 2, milliseconds: 1 };
    let some = |text: &'static str| Some(text.into());
    let refused = |role: Option<&str>, attack| What::Refused {
        stage: Stage::Check,
        code: "expired".into(),
        role: role.map(str::to_owned),
        attack,
        effort,
    };
    let failed = |http_status| What::Failed {
        stage: Stage::Download,
        code: "network".into(),
        http_status,
        effort,
    };
    vec![
        What::Checked { status: "available".into(), effort },
        What::Downloaded { via: "patch".into(), fallback: None, effort },
        What::Downloaded { via: "pack".into(), fallback: some("malformed"), effort },
        What::Staged { status: "held".into() },
        What::Trial,
        What::Confirmed { milliseconds: None },
        What::Confirmed { milliseconds: Some(40) },
        What::RolledBack { reason: Reason::RendererGone },
        What::EarlyCrash,
        refused(None, None),
        refused(Some("timestamp"), some("freeze")),
        failed(None),
        failed(Some(503)),
    ]
}

#[test]
fn every_kind_of_event_is_read_as_it_was_written() {
    let disk = MemoryDisk::new();
    let kinds = all_kinds();
    let mut events: Vec<_> = (0..).zip(kinds).map(|(number, what)| event(number, what)).collect();
    let build = "12.0.1".to_owned();
    events[0].native.native = Native::Ios { build };
    events[1].release = None;
    outbox(&disk).record(&events).unwrap();
    assert_eq!(waiting(&disk), events);
}

#[test]
fn an_event_that_lacks_a_field_or_is_not_known_is_refused() {
    for what in all_kinds() {
        let whole = serde_json::to_value(event(1, what)).unwrap();
        let optional = ["release", "fallback", "role", "attack", "httpStatus"];
        let confirmed = whole["event"] == "confirmed";
        for field in whole.as_object().unwrap().keys() {
            let mut lacking = whole.clone();
            lacking.as_object_mut().unwrap().remove(field);
            let is_optional =
                optional.contains(&field.as_str()) || (confirmed && field == "milliseconds");
            let read = serde_json::from_value::<Event>(lacking);
            assert_eq!(read.is_ok(), is_optional, "{field} of {whole}");
        }
        let mut strange = whole;
        strange["event"] = "dreamt".into();
        assert!(serde_json::from_value::<Event>(strange).is_err());
    }
}

#[test]
fn of_too_many_the_oldest_go_and_are_counted() {
    let disk = MemoryDisk::new();
    let most = limits::EVENTS as u64;
    for number in 0..most + 7 {
        outbox(&disk).record(&[trial(number)]).unwrap();
    }
    let kept = outbox(&disk).waiting().unwrap();
    assert_eq!((kept.events.len(), kept.lost), (limits::EVENTS, 7));
    assert_eq!(kept.events[0], trial(7));
    assert_eq!(kept.events.last().unwrap(), &trial(most + 6));
    let file = disk.length("outbox/events").unwrap().unwrap();
    assert!(file <= limits::EVENT * (most + 1), "{file}");
    // What a server was told of is not told again; what was lost since then is.
    outbox(&disk).record(&[trial(most + 7)]).unwrap();
    outbox(&disk).remove(&[trial(8).id], 7).unwrap();
    assert_eq!(outbox(&disk).waiting().unwrap().lost, 1);
}

#[test]
fn a_repetition_is_left_out_and_news_is_not() {
    let disk = MemoryDisk::new();
    let all = [
        checked(0, "up-to-date"),
        checked(1, "up-to-date"),
        checked(2, "available"),
        trial(3),
        trial(4),
        checked(5, "available"),
    ];
    for event in &all {
        outbox(&disk).record(std::slice::from_ref(event)).unwrap();
    }
    let kept: Vec<_> = [0, 2, 3, 4, 5].map(|at: usize| all[at].clone()).into();
    assert_eq!(waiting(&disk), kept);
    let before = disk.journal().len();
    outbox(&disk).record(&[checked(6, "available")]).unwrap();
    assert!(disk.journal()[before..].iter().all(|done| !done.starts_with("write")), "no write");
}

#[test]
fn an_event_that_is_too_long_is_left_out() {
    let disk = MemoryDisk::new();
    let mut long = trial(1);
    long.native.version = "x".repeat(2000);
    outbox(&disk).record(&[long, trial(2)]).unwrap();
    assert_eq!(waiting(&disk), [trial(2)]);
}

#[test]
fn a_damaged_line_loses_itself_alone_and_the_next_write_mends_the_file() {
    let disk = MemoryDisk::new();
    let events: Vec<_> = (0..3).map(trial).collect();
    outbox(&disk).record(&events).unwrap();
    let line = disk.length("outbox/events").unwrap().unwrap() / 3;
    disk.damage("outbox/events", usize::try_from(line + line / 2).unwrap());
    assert_eq!(waiting(&disk), [events[0].clone(), events[2].clone()]);
    outbox(&disk).record(&[trial(3)]).unwrap();
    assert_eq!(waiting(&disk), [events[0].clone(), events[2].clone(), trial(3)]);
    let file = disk.read("outbox/events", 1 << 20).unwrap().unwrap();
    assert_eq!(file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 3);
}

#[test]
fn nonsense_in_its_place_is_an_empty_outbox() {
    for nonsense in [&b"nonsense"[..], b"\n\n\n", &[0xff; 300_000], b"0123456789abcdef {}\n"] {
        let disk = MemoryDisk::new();
        disk.create_folder(FOLDER).unwrap();
        disk.create("outbox/events").unwrap().write_all(nonsense).unwrap();
        assert_eq!(outbox(&disk).waiting().unwrap(), Waiting::default());
        outbox(&disk).record(&[trial(1)]).unwrap();
        assert_eq!(waiting(&disk), [trial(1)]);
    }
}

/// What may be left after a fault: events in order, those before the step for certain.
fn assert_whole(disk: &MemoryDisk, certain: &[Event], possible: &[Event], what: &str) {
    let events = waiting(disk);
    assert!(certain.iter().all(|event| events.contains(event)), "{what}: one is lost");
    let mut left = possible.iter();
    assert!(events.iter().all(|event| left.any(|other| other == event)), "{what}: {events:?}");
    // And it goes on, durably whatever the fault left half done.
    outbox(disk).record(&[trial(900)]).unwrap();
    let kept = outbox(disk).waiting().unwrap();
    assert_eq!(outbox(&disk.after_power_cut()).waiting().unwrap(), kept, "{what}");
    outbox(disk).tidy().unwrap();
    assert_eq!(waiting(disk).last(), Some(&trial(900)), "{what}");
    let names: Vec<_> = disk.list(FOLDER).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(names.iter().all(|name| ["events", "lock"].contains(&&**name)), "{what}: {names:?}");
}

/// Does `step` with every fault at every one of its operations.
fn sweep(before: &MemoryDisk, certain: &[Event], possible: &[Event], step: &dyn Fn(&Outbox)) {
    let clean = before.after_kill();
    let first = clean.journal().len();
    step(&outbox(&clean));
    let operations = clean.journal().len() - first;
    assert!(operations > 1);
    // States that differ, each judged once.
    let mut judged = BTreeSet::new();
    let mut judge = |disk: &MemoryDisk, what: &str| {
        if judged.insert(disk.digest()) {
            assert_whole(disk, certain, possible, what);
        }
    };
    for at in 0..operations {
        for fault in [Fault::Kill, Fault::Torn, Fault::Error, Fault::Full, Fault::ReadOnly] {
            let disk = before.after_kill();
            disk.fail_at(at, fault);
            step(&outbox(&disk));
            let what = format!("{fault:?} at {at}");
            let pending = disk.pending().min(6);
            for part in 0..1_usize << pending {
                for torn in [false, true] {
                    let cut = disk.after_power_cut_with(&|at| part >> at & 1 == 1, torn);
                    judge(&cut, &what);
                }
            }
            disk.heal();
            judge(&disk.after_kill(), &what);
        }
    }
}

#[test]
fn a_fault_at_any_operation_loses_at_most_what_was_being_recorded() {
    // The first one, one more, and one too many.
    let most = limits::EVENTS as u64;
    let new = trial(most);
    for count in [0, 3, most] {
        let disk = MemoryDisk::new();
        let events: Vec<_> = (0..count).map(trial).collect();
        if count > 0 {
            outbox(&disk).record(&events).unwrap();
        }
        let over = usize::from(count == most);
        let possible: Vec<_> = events.iter().cloned().chain([new.clone()]).collect();
        sweep(&disk, &events[over..], &possible, &|outbox| {
            let _ = outbox.record(std::slice::from_ref(&new));
        });
    }
}

#[test]
fn a_fault_at_any_operation_of_a_removal_removes_nothing_else() {
    let disk = MemoryDisk::new();
    let events: Vec<_> = (0..4).map(trial).collect();
    outbox(&disk).record(&events).unwrap();
    let ids: Vec<_> = events[..2].iter().map(|event| event.id.clone()).collect();
    sweep(&disk, &events[2..], &events, &|outbox| {
        let _ = outbox.remove(&ids, 0);
    });
}

#[test]
fn forgetting_leaves_nothing_and_without_anything_writes_nothing() {
    let disk = MemoryDisk::new();
    outbox(&disk).forget().unwrap();
    assert_eq!(disk.journal(), Vec::<String>::new());
    outbox(&disk).record(&[trial(1)]).unwrap();
    outbox(&disk).forget().unwrap();
    assert!(disk.list("").unwrap().iter().all(|entry| entry.name != FOLDER));
    assert_eq!(waiting(&disk), []);
}

#[test]
fn a_server_that_asks_for_patience_gets_it_for_a_day_at_most() {
    let (disk, now) = (MemoryDisk::new(), UnixTime::from_seconds(NOW));
    outbox(&disk).record(&[trial(1)]).unwrap();
    let quiet = |at: u64| outbox(&disk).quiet_for(UnixTime::from_seconds(NOW + at));
    assert_eq!(quiet(0), None);
    outbox(&disk).keep_quiet(now, 60);
    assert_eq!((quiet(0), quiet(59), quiet(60)), (Some(60), Some(1), None));
    outbox(&disk).keep_quiet(now, u64::MAX);
    assert_eq!(quiet(0), Some(86_400));
    // A clock that went back by more than that must not silence the device for ever.
    assert_eq!(outbox(&disk).quiet_for(UnixTime::from_seconds(NOW - 10)), None);
}

#[test]
fn checks_wait_for_company_and_everything_else_goes() {
    let now = UnixTime::from_seconds(NOW);
    let due = |events: &[Event], lost, now| is_due(&Waiting { events: events.to_vec(), lost }, now);
    assert!(!due(&[], 0, now));
    assert!(!due(&[checked(0, "up-to-date")], 0, now));
    assert!(due(&[checked(0, "up-to-date")], 0, now.plus(3600)));
    assert!(due(&[checked(0, "up-to-date")], 1, now));
    assert!(due(&[checked(0, "up-to-date"), trial(1)], 0, now));
    // The clock went back.
    assert!(due(&[checked(500, "up-to-date")], 0, now));
}

#[test]
fn a_batch_is_what_docs_events_says() {
    let events = vec![
        event(
            1,
            What::Downloaded {
                via: "ranges".into(),
                fallback: Some("http-status".into()),
                effort: Effort { bytes: 48_211, requests: 5, milliseconds: 730 },
            },
        ),
        event(2, What::RolledBack { reason: Reason::NotReady }),
    ];
    let app = "com.example.shop".parse().unwrap();
    let waiting = Waiting { events, lost: 2 };
    let (bytes, count) = batch(&app, UnixTime::from_seconds(NOW), &waiting).unwrap();
    assert_eq!(count, 2);
    let sent: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let release = serde_json::json!({
        "id": Digest::of(b"manifest").to_string(), "sequence": 7, "version": "1.4.0",
    });
    let native = serde_json::json!({ "platform": "android", "build": 30, "version": "3.1" });
    assert_eq!(
        sent,
        serde_json::json!({
            "schema": 1, "app": "com.example.shop", "client": env!("CARGO_PKG_VERSION"),
            "sentAt": "2025-11-24T16:00:00Z", "lost": 2,
            "events": [
                {
                    "id": "00000000000000010000000000000000", "event": "downloaded",
                    "at": "2025-11-24T16:00:01Z", "channel": "production", "native": native,
                    "release": release, "via": "ranges", "fallback": "http-status",
                    "bytes": 48211, "requests": 5, "milliseconds": 730,
                },
                {
                    "id": "00000000000000020000000000000000", "event": "rolled-back",
                    "at": "2025-11-24T16:00:02Z", "channel": "production", "native": native,
                    "release": release, "reason": "not-ready",
                },
            ],
        })
    );
}

#[test]
fn a_batch_stays_within_its_limits() {
    let events: Vec<_> = (0..200).map(trial).collect();
    let app = "com.example.shop".parse().unwrap();
    let (bytes, count) =
        batch(&app, UnixTime::from_seconds(NOW), &Waiting { events, lost: 0 }).unwrap();
    assert_eq!(count, limits::BATCH);
    assert!(bytes.len() <= 64 << 10);
    assert!(limits::BATCH as u64 * limits::EVENT < 63 << 10);
}

#[test]
fn only_an_answer_that_names_ids_acknowledges() {
    let id = trial(1).id;
    let good = format!("{{\"acknowledged\":[\"{}\"],\"more\":1}}", id.as_str());
    assert_eq!(acknowledged(good.as_bytes()).unwrap(), [id]);
    assert_eq!(acknowledged(b"{\"acknowledged\":[]}").unwrap(), []);
    for bad in ["", "OK", "{}", "[]", "{\"acknowledged\":[\"x\"]}", "<html></html>"] {
        assert_eq!(acknowledged(bad.as_bytes()).unwrap_err().code(), "network", "{bad}");
    }
}
