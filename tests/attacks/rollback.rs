//! Old state, mixed state, and state that loses something.

use farad::boot::Which;
use farad::native::Native;
use serde_json::{Value, json};

use crate::forge::Forge;
use crate::phone::Phone;
use crate::site::{Answer, Site};

/// A phone on the newest of `states` states of a repository; each has a release of its own.
fn phone_at(states: u64) -> (Vec<Forge>, Site, Phone) {
    let mut forge = Forge::new();
    let mut history = vec![forge.clone()];
    for state in 2..=states {
        let release = forge.release("production", state, &format!("1.{state}.0"));
        forge.rollout("production", &[release.offer()]);
        forge.publish();
        history.push(forge.clone());
    }
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    (history, site, phone)
}

/// How a state's snapshot lists everything.
fn meta(forge: &Forge) -> Value {
    Value::Object(forge.listed.clone())
}

#[test]
fn attack_05_an_old_timestamp_played_back() {
    let (history, site, phone) = phone_at(3);
    for old in &history[..2] {
        site.serve(old);
        assert_eq!(phone.refused(), "timestamp rollback");
    }
    assert_eq!(phone.kept_version("timestamp"), 3);
}

#[test]
fn attack_06_a_new_timestamp_that_names_an_older_snapshot() {
    let (history, site, phone) = phone_at(2);
    let mut forge = history[1].clone();
    let old = &forge.files["metadata/1.snapshot.json"];
    let old = crate::forge::listing(&json!(1), old);
    forge.publish_timestamp(&old);
    site.serve(&forge);
    assert_eq!(phone.refused(), "snapshot rollback");
    assert_eq!(phone.kept_version("timestamp"), 2, "the timestamp was not kept");
}

#[test]
fn attack_07_a_new_snapshot_that_lists_an_older_role() {
    for role in ["targets", "production-releases", "production-rollout"] {
        let (history, site, phone) = phone_at(2);
        let mut forge = history[1].clone();
        let (mut mixed, old) = (meta(&forge), meta(&history[0]));
        let file = format!("{role}.json");
        mixed[&file] = old[&file].clone();
        forge.publish_snapshot(mixed);
        site.serve(&forge);
        assert_eq!(phone.refused(), format!("{role} rollback"));
        assert_eq!(phone.kept_version("snapshot"), 2);
    }
}

#[test]
fn attack_08_a_snapshot_that_drops_a_role() {
    for role in ["production-rollout", "production-releases", "beta-releases", "targets"] {
        let (history, site, phone) = phone_at(1);
        let mut forge = history[0].clone();
        let mut less = meta(&forge);
        less.as_object_mut().unwrap().remove(&format!("{role}.json"));
        forge.publish_snapshot(less);
        site.serve(&forge);
        assert_eq!(phone.refused(), format!("{role} role-removed"));
        assert_eq!(phone.kept_version("snapshot"), 1);
    }
}

#[test]
fn attack_09_files_of_different_states_mixed() {
    // By the server alone: digests tell.
    for role in ["snapshot", "targets", "production-releases", "production-rollout"] {
        let mut forge = Forge::new();
        let site = Site::new(&forge);
        let phone = Phone::running(&forge, &site);
        forge.release("production", 2, "1.1.0");
        forge.publish();
        site.serve(&forge);
        let old = forge.files[&format!("metadata/1.{role}.json")].clone();
        site.answer(&format!("metadata/2.{role}.json"), Answer::File(old));
        let refused = phone.refused();
        let by_length = format!("{role} too-large");
        assert!(refused == format!("{role} hash-mismatch") || refused == by_length, "{refused}");
    }
    // By the holder of timestamp and snapshot, who lists neither digests nor lengths.
    for role in ["targets", "production-releases", "production-rollout"] {
        let mut forge = Forge::new();
        let site = Site::new(&forge);
        let phone = Phone::running(&forge, &site);
        forge.publish();
        let mut bare = meta(&forge);
        bare[format!("{role}.json")] = json!({ "version": 7 });
        forge.publish_snapshot(bare);
        let six = forge.files[&format!("metadata/2.{role}.json")].clone();
        forge.files.insert(format!("metadata/7.{role}.json"), six);
        site.serve(&forge);
        assert_eq!(phone.refused(), format!("{role} version-mismatch"));
    }
}

#[test]
fn attack_28_state_from_before_a_revocation_for_a_fresh_install() {
    let mut forge = Forge::new();
    let old = forge.clone();
    forge.policy("production", 0, &[1]);
    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    let site = Site::new(&old);
    // Who knows nothing takes what has not expired: that is what expiry is for.
    let naive = Phone::new(&forge, &site);
    naive.sync().unwrap();
    assert_eq!(naive.shows(), "1.0.0");
    // An app that brings its metadata along knows better from its first second.
    let embed = forge.embed(second, "1.1.0");
    let phone = Phone::new(&forge, &site).with_builtin(&embed);
    assert_eq!(phone.refused(), "timestamp rollback");
    site.serve(&forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "builtin", "it is the release that is offered");
    // And the naive one has learnt the revocation as soon as it heard of it.
    naive.sync().unwrap();
    assert_eq!(naive.shows(), "1.1.0");
    site.serve(&old);
    assert_eq!(naive.refused(), "timestamp rollback");
}

#[test]
fn what_the_app_was_built_to_forbid_binds_whatever_policy_is_kept() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let eighth = forge.release("production", 8, "1.8.0");
    let ninth = forge.release("production", 9, "1.9.0");
    forge.rollout("production", &[ninth.offer()]);
    forge.publish();
    for (floor, revoked) in [(0, &[9][..]), (10, &[])] {
        site.serve(&forge);
        let mut phone = Phone::running(&forge, &site);
        assert_eq!(phone.shows(), "1.9.0");
        // What follows reaches the phone with an emergency build alone: its network is blocked.
        let mut later = forge.clone();
        later.policy("production", floor, revoked);
        later.rollout("production", &[]);
        later.publish();
        let mut embed = later.embed(eighth, "1.8.0");
        let listed = &later.roles["production-releases"]["targets"]["production/policy.json"];
        let digest = listed["hashes"]["sha256"].as_str().unwrap();
        let policy = &later.files[&format!("targets/production/{digest}.policy.json")];
        embed["policy"] = json!(String::from_utf8_lossy(policy));
        phone = phone.with_builtin(&embed);
        phone.config.native = Native::Android { build: 31 };
        assert_eq!(phone.boot().which, Which::Builtin);
        let record = phone.updater().state().unwrap().record;
        assert_eq!((record.next, record.previous), (None, None), "floor {floor}");
        assert_eq!(phone.shows(), "builtin", "floor {floor}");
        assert_eq!(phone.refused(), "timestamp rollback");
    }
}

#[test]
fn two_publishers_who_race() {
    // Both went on from the same state and signed the same versions; which file of whom reached
    // the server was chance.
    let start = Forge::new();
    let by = |version: &str| {
        let mut forge = start.clone();
        let release = forge.release("production", 2, version);
        forge.rollout("production", &[release.offer()]);
        forge.publish();
        forge
    };
    let (ours, theirs) = (by("ours"), by("theirs"));
    let files = ["timestamp", "2.snapshot", "2.production-releases", "2.production-rollout"];
    let site = Site::new(&start);
    for which in 0..1 << files.len() {
        site.serve(&start);
        let phone = Phone::running(&start, &site);
        let mut mixed = ours.clone();
        for (path, bytes) in &theirs.files {
            mixed.files.entry(path.clone()).or_insert_with(|| bytes.clone());
        }
        for (at, file) in files.iter().enumerate().filter(|(at, _)| which >> at & 1 == 1) {
            let path = format!("metadata/{file}.json");
            mixed.files.insert(path.clone(), theirs.files[&path].clone());
            assert_ne!(ours.files[&path], theirs.files[&path], "{at}");
        }
        site.serve(&mixed);
        match which {
            0 => assert_eq!(phone.sync().map(|_| phone.shows()).unwrap(), "ours"),
            15 => assert_eq!(phone.sync().map(|_| phone.shows()).unwrap(), "theirs"),
            _ => {
                let refused = phone.refused();
                let code = refused.rsplit(' ').next().unwrap();
                assert!(["hash-mismatch", "too-large"].contains(&code), "{which}: {refused}");
            }
        }
        // Whoever signs next, over one of the two states, is heard by every phone.
        let mut next = if which % 2 == 0 { ours.clone() } else { theirs.clone() };
        let third = next.release("production", 3, "3.0.0");
        next.rollout("production", &[third.offer()]);
        next.publish();
        site.serve(&next);
        phone.sync().unwrap();
        assert_eq!(phone.shows(), "3.0.0", "{which}");
    }
}
