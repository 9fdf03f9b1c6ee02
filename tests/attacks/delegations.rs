//! Delegations that reach too far, in circles, or out of their folder.

use std::path::Path;

use farad::updater::Status;
use serde_json::json;

use crate::forge::{APP, Forge, NOW, offer, quoted};
use crate::phone::{Phone, files};
use crate::site::Site;

#[test]
fn attack_18_a_channels_key_signs_outside_its_channel() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    // The holder of beta's keys lists a release of production, and its policy and rollout.
    let evil = forge.manifest("production", 2, "evil", |_| {});
    let manifest = farad::digest::Digest::of(&evil);
    forge.put("beta-releases", "production/releases/2.json", &evil);
    let offered = offer(&json!({ "sequence": 2, "manifest": manifest }));
    let rollout = json!({
        "schema": 1, "app": APP, "channel": "production", "requires": [],
        "offers": [offered], "paused": false,
    });
    forge.put("beta-rollout", "production/rollout.json", rollout.to_string().as_bytes());
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::UpToDate);
    // Even the holder of production's online key cannot make it count.
    forge.rollout("production", &[offered]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::NotOffered);
    assert_eq!(phone.shows(), "1.0.0");
}

#[test]
fn attack_19_a_role_of_lower_priority_lists_the_same_path() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    forge.delegate("evil", &["evil"], 1, &["production/*", "production/releases/*"]);
    let second = forge.release("production", 2, "evil");
    let path = "production/releases/2.json";
    let listed = forge.role("production-releases")["targets"].as_object_mut().unwrap().remove(path);
    forge.role("evil")["targets"][path] = listed.unwrap();
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::NotOffered);
    assert!(!site.asked().iter().any(|path| path.contains("evil")), "it was not even asked for");
}

#[test]
fn attack_20_delegations_in_circles_wide_and_deep() {
    let misses = |forge: &mut Forge| {
        // What the search is after is nowhere.
        forge.role("beta-releases")["targets"] = json!({});
        forge.publish();
        let site = Site::new(forge);
        let mut phone = Phone::new(forge, &site);
        phone.config.channel = "beta".parse().unwrap();
        assert_eq!(phone.refused(), "config-invalid", "there is no such channel");
        let asked = site.asked();
        let other = ["root.json", "timestamp.json", "snapshot.json"];
        asked.iter().filter(|path| !other.iter().any(|end| path.ends_with(end))).count()
    };
    // In a circle.
    let mut forge = Forge::new();
    forge.delegate_in("beta-releases", "second", &["ci"], 1, &["beta/*"]);
    forge.delegate_in("second", "beta-releases", &["ci"], 1, &["beta/*"]);
    assert_eq!(misses(&mut forge), 3, "targets and the two, once each");
    // As wide as a file may be, and none of them terminating.
    let mut forge = Forge::new();
    for n in 0..900 {
        forge.delegate_in("beta-releases", &format!("w{n}"), &["ci"], 1, &["beta/*"]);
    }
    let delegations = &mut forge.role("beta-releases")["delegations"];
    for role in delegations["roles"].as_array_mut().unwrap() {
        role["terminating"] = json!(false);
    }
    assert_eq!(misses(&mut forge), 32);
    // Deep.
    let mut forge = Forge::new();
    for n in 0..100 {
        let from = if n == 0 { "beta-releases".to_owned() } else { format!("d{}", n - 1) };
        forge.delegate_in(&from, &format!("d{n}"), &["ci"], 1, &["beta/*"]);
    }
    assert_eq!(misses(&mut forge), 32);
}

#[test]
fn attack_21_a_role_that_only_one_of_its_delegators_vouches_for() {
    let mut forge = Forge::empty(APP, NOW);
    // Policy and rollout lie in the same role, reached by two ways with different keys.
    let keys = |name: &'static str| [name];
    forge.role("targets")["delegations"] = json!({ "keys": {}, "roles": [] });
    forge.delegate("by-policy", &keys("first"), 1, &["production/policy.json"]);
    forge.delegate("by-rollout", &keys("second"), 1, &["production/rollout.json"]);
    forge.delegate_in("by-policy", "shared", &keys("good"), 1, &["production/*"]);
    forge.delegate_in("by-rollout", "shared", &keys("other"), 1, &["production/*"]);
    for path in ["production/policy.json", "production/rollout.json"] {
        let from = if path.ends_with("policy.json") {
            "production-releases"
        } else {
            "production-rollout"
        };
        if from == "production-rollout" {
            forge.rollout("production", &[]);
        }
        let listed = forge.roles[from]["targets"][path].clone();
        forge.role("shared")["targets"][path] = listed;
    }
    forge.signers.insert("shared".to_owned(), vec!["good"]);
    forge.publish();
    let site = Site::new(&forge);
    let phone = Phone::new(&forge, &site);
    assert_eq!(phone.refused(), "shared signature", "the second way has other keys");
    forge.signers.insert("shared".to_owned(), vec!["good", "other"]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::NotOffered);
}

#[test]
fn attack_22_a_delegated_role_that_the_snapshot_does_not_name() {
    let mut forge = Forge::empty(APP, NOW);
    forge.rollout("production", &[]);
    forge.change_snapshot = |snapshot| {
        snapshot["meta"].as_object_mut().unwrap().remove("production-releases.json");
    };
    forge.publish();
    let site = Site::new(&forge);
    let phone = Phone::new(&forge, &site);
    assert_eq!(phone.refused(), "production-releases not-in-snapshot");
    assert!(!site.asked().iter().any(|path| path.contains("production-releases")));
}

#[test]
fn attack_24_names_that_are_paths() {
    let names = [
        "../../evil",
        "/evil",
        "..",
        "a/../../b",
        "a%2f..%2fb",
        "nul\0byte",
        "x?y=1",
        "x#y",
        "CON",
        "C:\\evil",
        "a\nb",
        "\u{202e}live",
        // Where a file system takes capitals for small letters, and where a file name ends.
        "Snapshot",
        "TIMESTAMP",
        &"long/".repeat(200),
    ];
    for name in names {
        let mut forge = Forge::empty(APP, NOW);
        forge.role("targets")["delegations"] = json!({ "keys": {}, "roles": [] });
        forge.delegate(name, &["ci"], 1, &["production/policy.json", "production/rollout.json"]);
        forge.rollout("production", &[]);
        for (from, path) in [
            ("production-releases", "production/policy.json"),
            ("production-rollout", "production/rollout.json"),
        ] {
            let listed = forge.roles[from]["targets"][path].clone();
            forge.role(name)["targets"][path] = listed;
        }
        forge.publish();
        let site = Site::new(&forge);
        let phone = Phone::new(&forge, &site);
        assert_eq!(phone.status(), Status::NotOffered, "{name:?}");
        let segment = format!("metadata/1.{}.json", quoted(name));
        assert!(site.asked().contains(&segment), "one quoted segment: {name:?}");
        assert_only_the_store(&phone, name);
        assert_eq!(phone.status(), Status::NotOffered, "again, from what is kept: {name:?}");
    }
    // A digest becomes part of a name.
    for digest in ["../../../evil", "..", "", &"../".repeat(22)[..64]] {
        let mut forge = Forge::new();
        let site = Site::new(&forge);
        let phone = Phone::running(&forge, &site);
        forge.role("production-rollout")["targets"]["production/rollout.json"]["hashes"] =
            json!({ "sha256": digest });
        forge.publish();
        site.serve(&forge);
        assert_eq!(phone.refused(), "production/rollout.json no-usable-hash", "{digest:?}");
        assert!(!site.asked().iter().any(|path| path.starts_with("targets/")), "{digest:?}");
    }
    // Targets whose paths climb are looked up by nobody; a manifest cannot name a path at all.
    let mut forge = Forge::new();
    forge.put("production-releases", "production/releases/../../../evil", b"evil");
    forge.publish();
    let site = Site::new(&forge);
    let phone = Phone::new(&forge, &site);
    phone.sync().unwrap();
    assert!(!site.asked().iter().any(|path| path.contains("evil")));
    assert_only_the_store(&phone, "a target's path");
}

/// Nothing but the store's own folders, and no name in them that a system could read as a path.
fn assert_only_the_store(phone: &Phone, what: &str) {
    let home = files(phone.home.path());
    assert!(!home.is_empty());
    for path in home.keys() {
        assert!(path.starts_with("storage/"), "{what:?}: {path}");
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.%".contains(&byte);
        assert!(name.bytes().all(plain) && !name.starts_with('.'), "{what:?}: {name}");
    }
}
