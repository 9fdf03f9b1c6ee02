//! Who may sign what: forged files, doubled keys, thresholds, roots.

use serde_json::{Value, json};

use crate::forge::{DAY, Forge, NOW, READ, key_id, keys_of, public, sign};
use crate::phone::Phone;
use crate::site::{Answer, Site};

/// A repository in its second state, which the phone has yet to see.
fn moved_on() -> (Forge, Site, Phone) {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    (forge, site, phone)
}

#[test]
fn attack_01_a_bundle_of_the_servers_own_making() {
    let (mut forge, site, phone) = moved_on();
    forge.publish();
    let theirs = {
        let mut other = forge.clone();
        other.manifest("production", 2, "evil", |_| {});
        other.files
    };
    site.serve(&forge);
    let blobs = forge.files.keys().filter(|path| path.starts_with("blobs/"));
    let foreign: Vec<_> = theirs
        .iter()
        .filter(|(path, _)| path.starts_with("blobs/") && !forge.files.contains_key(*path))
        .map(|(_, bytes)| bytes.clone())
        .collect();
    for (at, blob) in blobs.enumerate() {
        site.answer(blob, Answer::File(foreign[at % foreign.len()].clone()));
    }
    // A shorter one looks cut off, and the rest that is asked for is not there.
    let refused = phone.refused();
    assert!(["hash-mismatch", "too-large", "http-status"].contains(&refused.as_str()), "{refused}");
    site.serve(&forge);
    assert_eq!(phone.refused(), "too-early", "what failed by its own fault is left alone a while");
    phone.wait(15 * 60);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.1.0");
}

#[test]
fn attack_02_metadata_signed_by_a_stranger_or_by_too_few() {
    for role in READ {
        let enough: &[&[&str]] = match role {
            "production-releases" => &[&["thief"], &["ci"], &["ci", "thief"], &[]],
            _ => &[&["thief"], &[]],
        };
        for signers in enough {
            let (mut forge, site, phone) = moved_on();
            if role == "root" {
                forge.publish();
                forge.next_root(signers, |_| {});
                phone.set_clock(NOW + 2 * DAY);
            } else {
                forge.signers.insert(role.to_owned(), signers.to_vec());
                forge.publish();
            }
            site.serve(&forge);
            let before = READ.map(|role| phone.kept_version(role));
            assert_eq!(phone.refused(), format!("{role} signature"), "{signers:?}");
            let after = READ.map(|role| phone.kept_version(role));
            let at = READ.iter().position(|name| *name == role).unwrap();
            assert_eq!(after[at], before[at], "nothing of it is kept");
            if role == "snapshot" {
                assert_eq!(phone.kept_version("timestamp"), 2, "what verified before it is kept");
            }
        }
    }
}

#[test]
fn attack_03_one_key_counted_twice() {
    // Signed twice in one file.
    let (mut forge, site, phone) = moved_on();
    forge.signers.insert("production-releases".to_owned(), vec!["ci", "ci"]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.refused(), "production-releases duplicate-signature");

    // Under two ids, which the delegator names by mistake.
    let (mut forge, site, phone) = moved_on();
    let delegations = &mut forge.role("targets")["delegations"];
    delegations["keys"]["another-id"] = public("ci");
    delegations["roles"][0]["keyids"] = json!([key_id("ci"), "another-id"]);
    forge.publish();
    let role = forge.roles["production-releases"].clone();
    let file_of = |role: &Value| {
        let mut file: Value = serde_json::from_slice(&sign(role, &["ci"])).unwrap();
        let mut second = file["signatures"][0].clone();
        second["keyid"] = json!("another-id");
        file["signatures"].as_array_mut().unwrap().push(second);
        file
    };
    replace(&mut forge, "production-releases", &file_of(&role));
    site.serve(&forge);
    assert_eq!(phone.refused(), "production-releases signature");

    // Under two ids again, the second in capitals.
    let (mut forge, site, phone) = moved_on();
    let mut capitals = public("ci");
    let spelled = capitals["keyval"]["public"].as_str().unwrap().to_uppercase();
    capitals["keyval"]["public"] = json!(spelled);
    let delegations = &mut forge.role("targets")["delegations"];
    delegations["keys"]["another-id"] = capitals;
    delegations["roles"][0]["keyids"] = json!([key_id("ci"), "another-id"]);
    forge.publish();
    replace(&mut forge, "production-releases", &file_of(&role));
    site.serve(&forge);
    assert_eq!(phone.refused(), "production-releases signature");

    // Named twice by its delegator.
    let (mut forge, site, phone) = moved_on();
    let twice = json!([key_id("ci"), key_id("ci")]);
    forge.role("targets")["delegations"]["roles"][0]["keyids"] = twice;
    forge.signers.insert("production-releases".to_owned(), vec!["ci"]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.refused(), "production-releases signature");
}

/// Serves other bytes as a role's file, rightly listed and signed above it.
fn replace(forge: &mut Forge, role: &str, file: &Value) {
    let bytes = farad::json::compact(file).unwrap();
    let version = &forge.roles[role]["version"];
    let path = format!("metadata/{version}.{role}.json");
    let entry = crate::forge::listing(version, &bytes);
    forge.files.insert(path, bytes);
    forge.listed.insert(format!("{role}.json"), entry);
    forge.publish_snapshot(Value::Object(forge.listed.clone()));
}

#[test]
fn attack_04_a_threshold_of_nought_or_less() {
    for threshold in [0, -1, i64::MIN] {
        let (mut forge, site, phone) = moved_on();
        forge.role("targets")["delegations"]["roles"][0]["threshold"] = json!(threshold);
        forge.signers.insert("production-releases".to_owned(), Vec::new());
        forge.publish();
        site.serve(&forge);
        let refused = phone.refused();
        let known = ["targets malformed", "production-releases malformed"];
        assert!(known.contains(&refused.as_str()), "{threshold}: {refused}");

        let (mut forge, site, phone) = moved_on();
        forge.publish();
        forge.next_root(&["root"], |root| root["roles"]["targets"]["threshold"] = json!(threshold));
        site.serve(&forge);
        phone.set_clock(NOW + 2 * DAY);
        assert_eq!(phone.refused(), "root malformed", "{threshold}");
    }
}

#[test]
fn attack_16_roots_without_end_jumps_and_repeats() {
    let (mut forge, site, phone) = moved_on();
    forge.publish();
    for _ in 0..300 {
        forge.next_root(&["root"], |_| {});
    }
    site.serve(&forge);
    phone.set_clock(NOW + 2 * DAY);
    phone.sync().unwrap();
    let roots = site.asked().iter().filter(|path| path.ends_with(".root.json")).count();
    assert_eq!(roots, 256, "one refresh follows so many and no more");
    assert_eq!(phone.kept_version("root"), 257);
    assert_eq!(phone.shows(), "1.1.0");
    // The rest follows the next day.
    phone.set_clock(NOW + 4 * DAY);
    phone.sync().unwrap();
    assert_eq!(phone.kept_version("root"), 301);

    for version in [1, 3, 9] {
        let (mut forge, site, phone) = moved_on();
        forge.publish();
        let mut root = forge.roles["root"].clone();
        root["version"] = json!(version);
        forge.files.insert("metadata/2.root.json".to_owned(), sign(&root, &["root"]));
        site.serve(&forge);
        phone.set_clock(NOW + 2 * DAY);
        assert_eq!(phone.refused(), "root root-version", "{version}");
        assert_eq!(phone.kept_version("root"), 1);
    }
}

#[test]
fn attack_17_a_root_that_the_old_or_the_new_keys_did_not_sign() {
    let two_of_three = |root: &mut Value| {
        for name in ["new-1", "new-2", "new-3"] {
            root["keys"][key_id(name)] = public(name);
        }
        root["roles"]["root"] = keys_of(&["new-1", "new-2", "new-3"], 2);
    };
    let short = [&["new-1", "new-2"][..], &["root"], &["root", "new-1"], &["new-3", "new-1"]];
    for signers in short {
        let (mut forge, site, phone) = moved_on();
        forge.publish();
        forge.next_root(signers, two_of_three);
        site.serve(&forge);
        phone.set_clock(NOW + 2 * DAY);
        assert_eq!(phone.refused(), "root signature", "{signers:?}");
        assert_eq!(phone.kept_version("root"), 1);
    }
    let (mut forge, site, phone) = moved_on();
    forge.publish();
    forge.next_root(&["root", "new-1", "new-3"], two_of_three);
    site.serve(&forge);
    phone.set_clock(NOW + 2 * DAY);
    phone.sync().unwrap();
    assert_eq!(phone.kept_version("root"), 2);
    // From here on the old key alone is nobody.
    forge.next_root(&["root"], |_| {});
    site.serve(&forge);
    phone.set_clock(NOW + 4 * DAY);
    assert_eq!(phone.refused(), "root signature");
}

#[test]
fn attack_23_one_role_in_anothers_place() {
    // One key for snapshot and timestamp, as small teams have it.
    let mut forge = Forge::empty(crate::forge::APP, NOW);
    for role in ["snapshot", "timestamp"] {
        let root = forge.role("root");
        root["keys"][key_id("shared")] = public("shared");
        root["roles"][role] = keys_of(&["shared"], 1);
        forge.signers.insert(role.to_owned(), vec!["shared"]);
    }
    let anchor = sign(&forge.roles["root"], &["root"]);
    forge.files.insert("metadata/1.root.json".to_owned(), anchor);
    let first = forge.release("production", 1, "1.0.0");
    forge.rollout("production", &[first.offer()]);
    forge.publish();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let snapshot = forge.files["metadata/1.snapshot.json"].clone();
    site.answer("metadata/timestamp.json", Answer::File(snapshot));
    assert_eq!(phone.refused(), "timestamp wrong-type");
    let root = forge.anchor();
    site.answer("metadata/timestamp.json", Answer::File(root));
    assert_eq!(phone.refused(), "timestamp signature");

    // One key for the releases of two channels: both files are of type targets, and the holder of
    // the online keys lists one for the other. What it lists is not the other's to say.
    let mut forge = Forge::new();
    let delegations = &mut forge.role("targets")["delegations"]["roles"];
    (delegations[0]["keyids"], delegations[0]["threshold"]) = (json!([key_id("ci")]), json!(1));
    forge.signers.insert("production-releases".to_owned(), vec!["ci"]);
    forge.release("beta", 2, "2.0.0-beta");
    for _ in 0..3 {
        forge.publish();
    }
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let mut thief = forge.clone();
    thief.role("beta-releases")["version"] = json!(9);
    let listed = thief.publish_role("beta-releases");
    let beta = thief.files["metadata/9.beta-releases.json"].clone();
    thief.files.insert("metadata/9.production-releases.json".to_owned(), beta);
    thief.listed.insert("production-releases.json".to_owned(), listed);
    thief.publish_snapshot(Value::Object(thief.listed.clone()));
    site.serve(&thief);
    assert_eq!(phone.refused(), "config-invalid", "it says nothing of production's policy");
}

#[test]
fn attack_40_one_stolen_key_of_two_that_are_needed() {
    let (mut forge, site, phone) = moved_on();
    forge.signers.insert("production-releases".to_owned(), vec!["ci"]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.refused(), "production-releases signature");

    // The others take it out; from then on it does not even count as the second.
    let role = &mut forge.role("targets")["delegations"]["roles"][0];
    role["keyids"] = keys_of(&["manager-1", "manager-2"], 2)["keyids"].clone();
    forge.signers.insert("production-releases".to_owned(), vec!["ci", "manager-1"]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.refused(), "production-releases signature");
    forge.signers.insert("production-releases".to_owned(), vec!["manager-2", "manager-1"]);
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.1.0");
}
