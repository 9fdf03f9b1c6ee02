//! Getting a repository back from thieves.

use serde_json::{Value, json};

use crate::forge::{DAY, Forge, NOW, key_id, keys_of, listing, public, time};
use crate::phone::Phone;
use crate::site::Site;

/// The next root gives these roles to new keys, which sign from now on.
fn replace_keys(forge: &mut Forge, roles: &[&'static str], name: &'static str) {
    forge.next_root(&["root"], |root: &mut Value| {
        root["keys"][key_id(name)] = public(name);
        for role in roles {
            root["roles"][role] = keys_of(&[name], 1);
        }
    });
    for role in roles {
        forge.signers.insert((*role).to_owned(), vec![name]);
    }
}

#[test]
fn attack_13_versions_run_up_to_the_end_of_numbers() {
    let honest = Forge::new();
    let site = Site::new(&honest);
    for run_up in [&["timestamp"][..], &["timestamp", "snapshot"]] {
        let phone = Phone::new(&honest, &site);
        site.serve(&honest);
        phone.sync().unwrap();
        let mut thief = honest.clone();
        thief.change_timestamp = |signed| signed["version"] = json!(i64::MAX);
        if run_up.contains(&"snapshot") {
            thief.change_snapshot = |signed| signed["version"] = json!(i64::MAX);
            thief.publish_holding(run_up);
        } else {
            let snapshot = &honest.files["metadata/1.snapshot.json"];
            thief.publish_timestamp(&listing(&json!(1), snapshot));
        }
        site.serve(&thief);
        phone.sync().unwrap();
        assert_eq!(phone.kept_version("timestamp"), i64::MAX.unsigned_abs());
        // Nothing honest is newer than that…
        let mut forge = honest.clone();
        let second = forge.release("production", 2, "1.1.0");
        forge.rollout("production", &[second.offer()]);
        forge.publish();
        site.serve(&forge);
        assert_eq!(phone.refused(), "timestamp rollback");
        // …until root gives the roles to new keys.
        replace_keys(&mut forge, &["timestamp", "snapshot"], "new-online");
        forge.publish();
        site.serve(&forge);
        phone.sync().unwrap();
        assert_eq!(phone.shows(), "1.1.0");
        assert_eq!(phone.kept_version("timestamp"), forge.timestamp);
        // The thief's files are nobody's now.
        site.serve(&thief);
        site.answer(
            "metadata/2.root.json",
            crate::site::Answer::File(forge.files["metadata/2.root.json"].clone()),
        );
        assert_eq!(phone.refused(), "timestamp signature");
    }
}

#[test]
fn a_time_signed_in_2099_and_its_recovery() {
    let honest = Forge::new();
    let site = Site::new(&honest);
    let phone = Phone::running(&honest, &site);
    let mut thief = honest.clone();
    thief.change_timestamp = |signed| {
        signed["signed_at"] = json!("2099-12-31T23:59:59Z");
        signed["expires"] = json!("2199-12-31T23:59:59Z");
    };
    thief.publish();
    site.serve(&thief);
    phone.sync().unwrap();
    // With the clock right, the bound did not follow; an honest timestamp goes on from there.
    let mut forge = thief.clone();
    forge.change_timestamp = |_| {};
    forge.now = NOW + DAY;
    forge.publish();
    site.serve(&forge);
    phone.set_clock(forge.now);
    phone.sync().unwrap();
    // With the clock wrong as well, it did, and falls with the thief's keys.
    let lost = Phone::new(&honest, &site);
    lost.set_clock(4_102_444_000);
    let mut far = thief.clone();
    let late = json!(time(4_102_444_000 + 90 * DAY));
    for role in ["targets", "production-releases", "production-rollout"] {
        far.role(role)["expires"] = late.clone();
    }
    far.change_snapshot = |signed| signed["expires"] = json!(time(4_102_444_000 + 90 * DAY));
    far.next_root(&["root"], |root| root["expires"] = late.clone());
    far.publish();
    site.serve(&far);
    lost.sync().unwrap();
    lost.set_clock(NOW + DAY);
    let mut forge = far.clone();
    forge.change_timestamp = |_| {};
    forge.change_snapshot = |_| {};
    forge.now = NOW + DAY;
    forge.publish();
    site.serve(&forge);
    assert_eq!(lost.refused(), "timestamp expired");
    replace_keys(&mut forge, &["timestamp"], "new-timestamp");
    forge.publish();
    site.serve(&forge);
    lost.sync().unwrap();
    assert_eq!(lost.shows(), "1.0.0");
}

#[test]
fn a_stolen_targets_key_is_replaced_by_root() {
    let honest = Forge::new();
    let site = Site::new(&honest);
    let phone = Phone::running(&honest, &site);
    // With the online keys as well the thief names himself the channel's owner: this is new code.
    let mut thief = honest.clone();
    let roles = &mut thief.role("targets")["delegations"];
    roles["keys"][key_id("thief")] = public("thief");
    roles["roles"][0]["keyids"] = json!([key_id("thief")]);
    roles["roles"][0]["threshold"] = json!(1);
    thief.signers.insert("production-releases".to_owned(), vec!["thief"]);
    let evil = thief.release("production", 2, "evil");
    thief.rollout("production", &[evil.offer()]);
    thief.publish();
    site.serve(&thief);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "evil", "who holds targets and the online keys ships code");
    // Root takes all of it away; versions go on, and the bad release is revoked.
    let mut forge = honest;
    replace_keys(&mut forge, &["targets", "snapshot", "timestamp"], "new-offline");
    for role in ["targets", "production-releases", "production-rollout"] {
        forge.role(role)["version"] = thief.roles[role]["version"].clone();
    }
    (forge.snapshot, forge.timestamp) = (thief.snapshot, thief.timestamp);
    forge.policy("production", 3, &[2]);
    let third = forge.release("production", 3, "1.3.0");
    forge.rollout("production", &[third.offer()]);
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.3.0");
    assert!(
        !phone.bundles().contains(&evil.manifest.to_string()),
        "nothing of the thief's is left"
    );
}
