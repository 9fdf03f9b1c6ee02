//! A stolen server: every online key and the hosting, and the whole flow.

use farad::time::UnixTime;
use farad::updater::Status;
use serde_json::json;

use crate::forge::{DAY, Forge, NOW, common, key_id, keys_of, listing, offer, public, sign, time};
use crate::phone::Phone;
use crate::site::{Answer, Site};

/// The keys that lie on a server.
const STOLEN: [&str; 3] = ["online", "snapshot", "timestamp"];

#[test]
fn attack_39_everything_that_is_online_is_stolen() {
    let mut forge = Forge::new();
    let old = forge.release("production", 2, "1.2.0");
    let vulnerable = forge.release("production", 3, "1.3.0");
    let current = forge.release("production", 4, "1.4.0");
    forge.policy("production", 2, &[3]);
    forge.rollout("production", &[current.offer()]);
    forge.publish();
    let site = Site::new(&forge);
    let honest = forge.clone();
    // A phone for each try, on the honest state: the numbers of one try would spoil the next.
    let phone = || {
        site.serve(&honest);
        let phone = Phone::running(&honest, &site);
        assert_eq!(phone.shows(), "1.4.0");
        phone
    };
    let refusal = |forge: &Forge| {
        let phone = phone();
        site.serve(forge);
        phone.set_clock(NOW + 2 * DAY);
        phone.refused()
    };

    // New code, signed with what the thief has.
    for signers in [&["online"][..], &["timestamp", "snapshot"], &["online", "timestamp"], &[]] {
        let mut forge = honest.clone();
        forge.signers.insert("production-releases".to_owned(), signers.to_vec());
        let evil = forge.release("production", 5, "evil");
        forge.rollout("production", &[evil.offer()]);
        forge.publish_holding(&STOLEN);
        assert_eq!(refusal(&forge), "production-releases signature", "{signers:?}");
    }
    // A delegation to the thief.
    let mut forge = honest.clone();
    forge.delegate("evil", &["online"], 1, &["production/*"]);
    forge.signers.insert("targets".to_owned(), vec!["online"]);
    forge.publish_holding(&STOLEN);
    assert_eq!(refusal(&forge), "targets signature");
    // A root of the thief's.
    let mut forge = honest.clone();
    forge.next_root(&["online", "timestamp", "snapshot"], |_| {});
    assert_eq!(refusal(&forge), "root signature");
    // The policy of before the revocation, by taking the releases role back.
    let mut forge = honest.clone();
    forge.change_snapshot =
        |snapshot| snapshot["meta"]["production-releases.json"] = json!({ "version": 1 });
    forge.publish_holding(&STOLEN);
    assert_eq!(refusal(&forge), "production-releases rollback");
    let phone = phone();
    // Offers of what may not run, and of bytes that nobody signed under a signed name.
    let mut forge = honest.clone();
    for bad in [
        vulnerable.offer(),
        offer(&json!({ "sequence": 1, "manifest": old.manifest })),
        offer(&json!("builtin")),
    ] {
        forge.rollout("production", &[bad]);
        forge.publish_holding(&STOLEN);
        site.serve(&forge);
        assert_eq!(phone.status(), Status::NotOffered);
        assert_eq!(phone.shows(), "1.4.0");
    }
    // What a thief can do: choose among what is signed, listed, unrevoked and above the floor…
    forge.rollout("production", &[old.offer()]);
    forge.publish_holding(&STOLEN);
    site.serve(&forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.2.0");
    // …and hold phones there, by signing the same again and again, until the offline roles expire.
    for day in [50, 150, 199] {
        forge.now = NOW + day * DAY;
        forge.role("production-rollout")["expires"] = json!(time(forge.now + 300 * DAY));
        forge.publish_holding(&STOLEN);
        site.serve(&forge);
        phone.set_clock(forge.now);
        phone.sync().unwrap();
        assert_eq!(phone.shows(), "1.2.0");
    }
    forge.now = NOW + 200 * DAY;
    forge.publish_holding(&STOLEN);
    site.serve(&forge);
    phone.set_clock(forge.now);
    assert_eq!(phone.refused(), "production-releases expired");
    assert_eq!(phone.shows(), "1.2.0", "and even then the app runs");
}

#[test]
fn a_delegated_role_cannot_take_a_top_level_roles_place() {
    // The rollout role may delegate, as any targets role may. A role of the thief's that were kept
    // where the snapshot is kept would make the phone forget which versions it has seen.
    for name in ["snapshot", "timestamp", "targets", "root", ""] {
        let mut forge = Forge::new();
        let before = forge.clone();
        forge.policy("production", 0, &[1]);
        let second = forge.release("production", 2, "1.1.0");
        forge.rollout("production", &[second.offer()]);
        forge.publish();
        let site = Site::new(&forge);
        let phone = Phone::running(&forge, &site);
        let kept = phone.kept();

        let mut thief = forge.clone();
        let mut role = common("targets", 77, NOW + 200 * DAY);
        role["targets"] = thief.role("production-rollout")["targets"].take();
        let file = sign(&role, &["online"]);
        let listed = listing(&json!(77), &file);
        // `targets` is listed already, by what its own keys signed.
        thief.listed.entry(format!("{name}.json")).or_insert(listed);
        thief.files.insert(format!("metadata/77.{name}.json"), file);
        let mut delegation = keys_of(&["online"], 1);
        delegation["name"] = json!(name);
        delegation["paths"] = json!(["production/rollout.json"]);
        let rollout = thief.role("production-rollout");
        rollout["targets"] = json!({});
        rollout["delegations"] =
            json!({ "keys": { key_id("online"): public("online") }, "roles": [delegation] });
        thief.publish_holding(&STOLEN);
        site.serve(&thief);
        assert_eq!(phone.refused(), "production-rollout malformed", "{name:?}");
        let after = phone.kept();
        for file in ["production-releases.json", "targets.json"] {
            assert_eq!(after[file], kept[file], "{name:?}: {file}");
        }
        // So the revocation stands: the state of before it is still older.
        let mut old = forge.clone();
        (old.snapshot, old.timestamp) = (thief.snapshot, thief.timestamp);
        old.listed.insert(format!("{name}.json"), thief.listed[&format!("{name}.json")].clone());
        let releases = "production-releases.json";
        old.listed.insert(releases.to_owned(), before.listed[releases].clone());
        old.publish_holding(&STOLEN);
        site.serve(&old);
        assert_eq!(phone.refused(), "production-releases rollback", "{name:?}");
    }
}

#[test]
fn a_stolen_timestamp_key_alone_freezes_and_no_more() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let old = forge.clone();
    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    // The thief signs the old snapshot again and again.
    let mut thief = old.clone();
    let snapshot = &old.files["metadata/1.snapshot.json"];
    let listing = listing(&json!(1), snapshot);
    thief.change_timestamp = |signed| signed["signed_at"] = json!(time(NOW));
    for day in [1, 13, 26] {
        thief.now = NOW + day * DAY;
        thief.publish_timestamp(&listing);
        site.serve(&thief);
        phone.set_clock(thief.now);
        assert_eq!(phone.status(), Status::UpToDate);
    }
    // Until the snapshot, which another key signed, expires.
    thief.now = NOW + 30 * DAY;
    thief.publish_timestamp(&listing);
    site.serve(&thief);
    phone.set_clock(thief.now);
    assert_eq!(phone.refused(), "snapshot expired");
    // Or for half a month more, once, if the server lies of the time.
    let mut says = |day, lie| {
        thief.now = NOW + day * DAY;
        thief.change_timestamp = |signed| {
            let expires: UnixTime = signed["expires"].as_str().unwrap().parse().unwrap();
            signed["expires"] = json!(time(expires.seconds() - 14 * DAY - 1));
            signed["signed_at"] = json!(time(NOW));
        };
        thief.publish_timestamp(&listing);
        site.serve(&thief);
        site.says_it_is(NOW + lie * DAY);
        phone.set_clock(thief.now);
        phone.sync().map_err(|error| error.code())
    };
    assert_eq!(says(30, 1), Err("expired"));
    for day in 30..48 {
        assert!(says(day, 12).is_ok(), "{day}");
    }
    for (day, lie) in [(48, 12), (48, 29), (365, 12), (365, 364), (500, 12), (5000, 12)] {
        assert_eq!(says(day, lie), Err("expired"), "{day} {lie}");
    }
    // A snapshot of the thief's own is none.
    thief.now = NOW + 30 * DAY;
    thief.change_timestamp = |_| {};
    phone.set_clock(thief.now);
    let mut forged = thief.clone();
    forged.signers.insert("snapshot".to_owned(), vec!["timestamp"]);
    forged.publish_holding(&["timestamp"]);
    site.serve(&forged);
    assert_eq!(phone.refused(), "snapshot signature");
    site.answer("metadata/timestamp.json", Answer::File(sign(&json!({}), &["timestamp"])));
    assert_eq!(phone.refused(), "timestamp malformed");
}

#[test]
fn a_stolen_release_key_without_the_online_keys_reaches_nobody() {
    let forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let mut thief = forge.clone();
    for role in ["timestamp", "snapshot", "production-rollout", "production-releases"] {
        thief.signers.insert(role.to_owned(), vec!["ci", "manager-1"]);
    }
    let evil = thief.release("production", 2, "evil");
    thief.rollout("production", &[evil.offer()]);
    thief.publish_holding(&["ci", "manager-1"]);
    site.serve(&thief);
    assert_eq!(phone.refused(), "timestamp signature");
    // Over the honest timestamp no file of the thief's fits.
    site.answer(
        "metadata/timestamp.json",
        Answer::File(forge.files["metadata/timestamp.json"].clone()),
    );
    assert_eq!(phone.status(), Status::UpToDate);
    assert_eq!(phone.shows(), "1.0.0");
}
