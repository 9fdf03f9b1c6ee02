//! Servers that hold still, drip, or never end; clocks that are wrong.

use std::time::Duration;

use farad::Error;
use farad::fetch::{HttpOptions, Pace};
use farad::updater::Status;
use serde_json::json;

use crate::forge::{DAY, Forge, NOW, READ, time};
use crate::phone::Phone;
use crate::site::{Answer, Site};

fn moved_on() -> (Forge, Site, Phone) {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    (forge, site, phone)
}

#[test]
fn attack_10_the_same_state_for_ever() {
    let forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    phone.set_clock(NOW + 14 * DAY - 1);
    assert_eq!(phone.status(), Status::UpToDate);
    phone.set_clock(NOW + 14 * DAY);
    assert_eq!(phone.refused(), "timestamp expired");
    assert_eq!(phone.shows(), "1.0.0", "expired metadata stops no app");
    phone.set_clock(NOW + 2000 * DAY);
    assert_eq!(phone.refused(), "root expired");
    assert_eq!(phone.shows(), "1.0.0");
}

#[test]
fn attack_11_a_freeze_with_the_clock_set_back() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    // It has seen a later day signed.
    forge.now = NOW + 20 * DAY;
    forge.publish();
    phone.set_clock(forge.now);
    site.serve(&forge);
    phone.sync().unwrap();
    // A state that expired before that day, newer by its numbers.
    let mut old = forge.clone();
    old.now = NOW;
    old.publish();
    site.serve(&old);
    phone.set_clock(NOW);
    assert_eq!(phone.refused(), "timestamp expired");
}

#[test]
fn attack_12_the_next_root_withheld() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    // Root 2 takes the thief's timestamp key away, but the thief hides it and signs on and on.
    for day in [10, 100, 360] {
        forge.now = NOW + day * DAY;
        forge.change_timestamp = |signed| {
            signed["expires"] = json!(time(NOW + 9999 * DAY));
            signed["signed_at"] = json!(time(NOW));
        };
        forge.change_snapshot = |signed| signed["expires"] = json!(time(NOW + 9999 * DAY));
        for role in ["targets", "production-releases", "production-rollout"] {
            forge.role(role)["expires"] = json!(time(NOW + 9999 * DAY));
        }
        forge.publish();
        site.serve(&forge);
        phone.set_clock(forge.now);
        phone.sync().unwrap();
    }
    phone.set_clock(NOW + 365 * DAY);
    assert_eq!(phone.refused(), "root expired", "the root's expiry is the end of it");
    assert_eq!(phone.shows(), "1.0.0");
    // Nor is it put off by a server that says it is another day, but for half a month, once.
    let mut says = |day, lie| {
        forge.now = NOW + day * DAY;
        forge.publish();
        site.serve(&forge);
        site.says_it_is(NOW + lie * DAY);
        phone.set_clock(forge.now);
        phone.sync().map_err(|error| error.code())
    };
    for lie in [1, 100, 345] {
        assert_eq!(says(365, lie), Err("expired"), "{lie}");
    }
    for day in 365..384 {
        assert!(says(day, 346).is_ok(), "{day}");
    }
    for (day, lie) in [(384, 346), (384, 364), (385, 384), (500, 346), (500, 364), (500, 499)] {
        assert_eq!(says(day, lie), Err("expired"), "{day} {lie}");
    }
    for lie in [1, 346, 364, 4999] {
        assert_eq!(says(5000, lie), Err("expired"), "{lie}");
    }
}

#[test]
fn attack_14_data_without_end() {
    // Every kind of file: metadata, documents, blobs.
    let (forge, ..) = moved_on();
    let new = |start: &str| {
        let before = Forge::new();
        let fresh = forge.files.keys().filter(|path| !before.files.contains_key(*path));
        let paths: Vec<_> = fresh.filter(|path| path.starts_with(start)).cloned().collect();
        assert!(!paths.is_empty(), "{start}");
        paths
    };
    let mut paths = vec!["metadata/timestamp.json".to_owned(), "metadata/2.root.json".to_owned()];
    paths.extend(new("metadata/2."));
    paths.extend(new("targets/production"));
    paths.extend(new("blobs/"));
    for path in paths.iter().filter(|path| !path.contains("beta")) {
        let (forge, site, phone) = moved_on();
        site.serve(&forge);
        phone.set_clock(NOW + 2 * DAY);
        site.answer(path, Answer::Endless);
        // The test ends, so the reading did.
        let refused = phone.refused();
        let code = refused.rsplit(' ').next().unwrap();
        assert!(["too-large", "hash-mismatch", "network"].contains(&code), "{path}: {refused}");
        site.serve(&forge);
        phone.wait(DAY);
        phone.sync().unwrap();
        assert_eq!(phone.shows(), "1.1.0", "{path}");
    }
}

#[test]
fn attack_14_lengths_that_lie_and_compressed_answers() {
    for path in ["metadata/timestamp.json", "metadata/2.snapshot.json"] {
        let (forge, site, phone) = moved_on();
        let honest = forge.files[path].clone();
        for (answer, code) in [
            (Answer::Length("99999999999", honest.clone()), "too-large"),
            (Answer::Length("3", honest.clone()), "malformed"),
            (Answer::Length("15000", honest.clone()), "network"),
            (Answer::Length("-1", honest.clone()), "network"),
            (Answer::Length("18446744073709551616", honest.clone()), "network"),
            (Answer::Encoded(honest.clone()), "network"),
        ] {
            site.serve(&forge);
            site.answer(path, answer.clone());
            let refused = phone.refused();
            let got = refused.rsplit(' ').next().unwrap();
            // A listing that names the length stops a longer or shorter file by its digest.
            let listed = path.contains("snapshot") && ["hash-mismatch", "too-large"].contains(&got);
            assert!(got == code || listed, "{path}: {refused}, not {code}");
        }
    }
}

#[test]
fn attack_15_a_server_that_drips() {
    let (forge, site, mut phone) = moved_on();
    site.serve(&forge);
    // No server is this fast, so that no test has to wait for one that is slow.
    let pace = Pace { bytes: u64::MAX, window: Duration::ZERO };
    phone.http = HttpOptions { pace, ..HttpOptions::default() };
    assert_eq!(phone.refused(), "too-slow");
    phone.http = HttpOptions::default();
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.1.0");
}

#[test]
fn attack_38_requests_that_nobody_answers() {
    let (forge, site, phone) = moved_on();
    site.serve(&forge);
    site.drop_requests(true);
    for _ in 0..3 {
        let error = phone.sync().unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("network", true));
        assert_eq!(phone.shows(), "1.0.0");
    }
    site.drop_requests(false);
    site.answer("metadata/timestamp.json", Answer::Nothing);
    assert_eq!(phone.refused(), "network");
    for status in [500, 502, 503] {
        site.answer("metadata/timestamp.json", Answer::Status(status));
        assert!(matches!(phone.sync(), Err(Error::Http { status: got, .. }) if got == status));
    }
    site.serve(&forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.1.0");
}

#[test]
fn a_clock_that_runs_ahead_keeps_no_phone_from_progress() {
    let (forge, site, phone) = moved_on();
    site.serve(&forge);
    phone.set_clock(NOW + 400 * DAY);
    assert_eq!(phone.refused(), "root expired", "the server says nothing of the time");
    site.says_it_is(NOW + 3600);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.1.0");
    // A fresh install has nothing to measure progress by.
    let fresh = Phone::new(&forge, &site);
    fresh.set_clock(NOW + 400 * DAY);
    assert_eq!(fresh.refused(), "root expired");
    // And a server that says it is long ago thaws nothing.
    let stale = Phone::new(&forge, &site);
    stale.sync().unwrap();
    stale.set_clock(NOW + 400 * DAY);
    assert_eq!(stale.refused(), "root expired");
}

#[test]
fn a_server_that_lies_of_the_time_holds_phones_back_by_half_a_month_more() {
    // The publisher signs once an hour. The server keeps all of it, brings the first, and later the
    // others, one a day, each under a date at which it was fresh.
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let mut taken = Vec::new();
    for day in (13..60).chain([365, 500, 5000]) {
        forge.now += 3600;
        forge.publish();
        site.serve(&forge);
        phone.set_clock(NOW + day * DAY);
        // The earliest one that works is the one that pays.
        for date in [forge.now, forge.now + 7 * DAY, forge.now + 14 * DAY - 1] {
            site.says_it_is(date);
            if phone.sync().is_ok() {
                taken.push(day);
                break;
            }
        }
        assert_eq!(phone.shows(), "1.0.0");
    }
    assert_eq!(taken, (13..=29).collect::<Vec<_>>());
}

#[test]
fn expired_metadata_of_any_role_disables_no_bundle() {
    for role in READ {
        let (mut forge, site, phone) = moved_on();
        let past = json!(time(NOW - 1));
        match role {
            "root" => forge.next_root(&["root"], |root| root["expires"] = past),
            "snapshot" => forge.change_snapshot = |signed| signed["expires"] = json!(time(NOW - 1)),
            "timestamp" => {
                forge.change_timestamp = |signed| signed["expires"] = json!(time(NOW - 1));
            }
            role => forge.role(role)["expires"] = past,
        }
        forge.publish();
        site.serve(&forge);
        if role == "root" {
            phone.set_clock(NOW + 2 * DAY);
        }
        assert_eq!(phone.refused(), format!("{role} expired"));
        assert_eq!(phone.shows(), "1.0.0");
    }
}
