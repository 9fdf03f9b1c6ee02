//! Signatures, versions, expiry, requests, damage.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn a_fresh_device_reads_a_target_and_asks_for_no_more_than_it_needs() {
    let repo = Repo::new();
    let mut device = Device::new(&repo);
    assert_eq!(device.sync(&repo).unwrap(), b"offers");
    let digest = Digest::of(b"offers");
    let expected = [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
        "1.production-rollout.json",
        &format!("production/{digest}.rollout.json"),
    ];
    assert_eq!(repo.requests(), expected);
}

#[test]
fn nothing_new_is_one_request() {
    let repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let kept = device.kept.clone();
    repo.requests();
    assert_eq!(device.sync(&repo).unwrap(), b"offers");
    assert_eq!(repo.requests(), ["timestamp.json"]);
    assert_eq!(device.kept, kept);
}

#[test]
fn an_update_moves_only_what_changed() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    repo.requests();
    repo.put("production-rollout", FILE, b"new offers");
    repo.role("production-rollout", &[]).common.version = 2;
    repo.publish();
    assert_eq!(device.sync(&repo).unwrap(), b"new offers");
    let digest = Digest::of(b"new offers");
    let expected = [
        "timestamp.json",
        "2.snapshot.json",
        "2.production-rollout.json",
        &format!("production/{digest}.rollout.json"),
    ];
    assert_eq!(repo.requests(), expected);
    let old = format!("targets/{}", Digest::of(b"offers"));
    assert!(!device.kept.contains_key(&old), "what is no longer used is forgotten");
}

#[test]
fn metadata_by_other_keys_is_refused_for_every_role() {
    let stranger = |names: &str| {
        let mut repo = Repo::new();
        match names {
            "timestamp" => {
                let listing = meta(1, &repo.files["1.snapshot.json"]);
                repo.publish_timestamp(listing, "stranger");
            }
            "snapshot" => {
                let snapshot: Value = json::parse(&repo.files["1.snapshot.json"]).unwrap();
                let bytes = sign_by(&snapshot["signed"], &["stranger"]);
                repo.files.insert("1.snapshot.json".to_owned(), bytes.clone());
                repo.publish_timestamp(meta(1, &bytes), "timestamp");
            }
            "targets" | "production-rollout" => {
                if names == "targets" {
                    let targets = repo.targets.clone();
                    repo.roles.insert("x".to_owned(), (targets, vec!["stranger"]));
                } else {
                    repo.roles.get_mut(names).unwrap().1 = vec!["stranger"];
                }
                repo.publish();
                if names == "targets" {
                    let bytes = sign_by(&repo.targets, &["stranger"]);
                    repo.files.insert("1.targets.json".to_owned(), bytes.clone());
                    let file: Value = json::parse(&repo.files["2.snapshot.json"]).unwrap();
                    let mut snapshot: Snapshot =
                        serde_json::from_value(file["signed"].clone()).unwrap();
                    snapshot.meta.insert("targets.json".to_owned(), meta(1, &bytes));
                    repo.publish_snapshot(&snapshot);
                }
            }
            _ => unreachable!(),
        }
        repo
    };
    for role in ["timestamp", "snapshot", "targets", "production-rollout"] {
        let repo = stranger(role);
        let mut device = Device::new(&repo);
        assert_eq!(device.refusal(&repo), refused(role, TrustKind::Signature));
        assert!(!device.kept.contains_key(&kept_name(role)), "{role} was kept");
    }
}

#[test]
fn a_threshold_counts_keys_and_not_signatures() {
    let mut repo = Repo::new();
    let two = repo.targets.delegations.as_mut().unwrap();
    two.keys.insert(key("second").public().id(), key("second").public().clone());
    two.roles[0].keys = keys_of(&["online", "second"], 2);
    repo.targets.common.version = 2;
    repo.publish();
    assert_eq!(
        Device::new(&repo).refusal(&repo),
        refused("production-rollout", TrustKind::Signature)
    );

    repo.roles.get_mut("production-rollout").unwrap().1 = vec!["online", "second"];
    repo.publish();
    assert!(Device::new(&repo).sync(&repo).is_ok());

    // The same key under another id, which its holder may choose.
    let delegations = repo.targets.delegations.as_mut().unwrap();
    delegations.keys.insert("alias".to_owned(), key("online").public().clone());
    delegations.roles[0].keys.keyids = vec![key("online").public().id(), "alias".to_owned()];
    repo.targets.common.version = 3;
    repo.roles.get_mut("production-rollout").unwrap().1 = vec!["online"];
    repo.publish();
    let version = repo.roles["production-rollout"].0.common.version;
    let name = format!("{version}.production-rollout.json");
    let mut file = json::parse(&repo.files[&name]).unwrap();
    let mut again = file["signatures"][0].clone();
    again["keyid"] = json!("alias");
    file["signatures"].as_array_mut().unwrap().push(again);
    let bytes = json::compact(&file).unwrap();
    let snapshot: Value =
        json::parse(&repo.files[&format!("{}.snapshot.json", repo.snapshot)]).unwrap();
    let mut snapshot: Snapshot = serde_json::from_value(snapshot["signed"].clone()).unwrap();
    snapshot.meta.insert("production-rollout.json".to_owned(), meta(version, &bytes));
    repo.files.insert(name, bytes);
    repo.publish_snapshot(&snapshot);
    assert_eq!(
        Device::new(&repo).refusal(&repo),
        refused("production-rollout", TrustKind::Signature)
    );
}

#[test]
fn a_key_that_signs_twice_spoils_the_file() {
    let mut repo = Repo::new();
    let mut file = json::parse(&repo.files["timestamp.json"]).unwrap();
    let again = file["signatures"][0].clone();
    file["signatures"].as_array_mut().unwrap().push(again);
    repo.files.insert("timestamp.json".to_owned(), json::compact(&file).unwrap());
    assert_eq!(
        Device::new(&repo).refusal(&repo),
        refused("timestamp", TrustKind::DuplicateSignature)
    );
}

#[test]
fn what_nobody_signed_gets_into_an_error_as_one_short_line() {
    let mut repo = Repo::new();
    let mut file = json::parse(&repo.files["timestamp.json"]).unwrap();
    let loud = json!({ "keyid": format!("a\nb\u{1b}[2J\u{202e}{}", "x".repeat(5_000)), "sig": "" });
    file["signatures"] = json!([loud, loud]);
    repo.files.insert("timestamp.json".to_owned(), json::compact(&file).unwrap());
    let error = Device::new(&repo).sync(&repo).unwrap_err().to_string();
    assert!(error.contains("a\\nb\\u{1b}[2J\\u{202e}xxx"), "{error}");
    assert!(error.len() < 400 && !error.contains(char::is_control), "{error:?}");
}

#[test]
fn signatures_by_strangers_and_malformed_ones_do_no_harm() {
    let mut repo = Repo::new();
    let mut file = json::parse(&repo.files["timestamp.json"]).unwrap();
    let signatures = file["signatures"].as_array_mut().unwrap();
    signatures.insert(0, json!({ "keyid": "unknown", "sig": "" }));
    signatures.insert(0, json!({ "keyid": key("snapshot").public().id(), "sig": "zz" }));
    repo.files.insert("timestamp.json".to_owned(), json::compact(&file).unwrap());
    assert!(Device::new(&repo).sync(&repo).is_ok());
}

#[test]
fn a_threshold_of_nought_is_no_threshold() {
    let mut repo = Repo::new();
    repo.targets.delegations.as_mut().unwrap().roles[0].keys.threshold = 0;
    repo.targets.common.version = 2;
    repo.publish();
    assert_eq!(
        Device::new(&repo).refusal(&repo),
        refused("production-rollout", TrustKind::Malformed)
    );
}

#[test]
fn one_role_cannot_pass_for_another() {
    let mut repo = Repo::new();
    repo.next_root(
        |root| {
            let shared = keys_of(&["snapshot"], 1);
            root.roles.insert("timestamp".to_owned(), shared);
        },
        &["root"],
    );
    let snapshot = repo.files["1.snapshot.json"].clone();
    repo.files.insert("timestamp.json".to_owned(), snapshot);
    assert_eq!(Device::new(&repo).refusal(&repo), refused("timestamp", TrustKind::WrongType));
}

#[test]
fn an_older_timestamp_is_refused_and_an_equal_one_changes_nothing() {
    let mut repo = Repo::new();
    let old = repo.files["timestamp.json"].clone();
    let mut device = Device::new(&repo);
    repo.publish();
    device.sync(&repo).unwrap();
    let kept = device.kept["timestamp.json"].clone();
    let new = repo.files.insert("timestamp.json".to_owned(), old).unwrap();
    assert_eq!(device.refusal(&repo), refused("timestamp", TrustKind::Rollback));

    let listing = meta(2, &repo.files["2.snapshot.json"]);
    repo.signed_at += 1;
    repo.publish_timestamp(listing, "timestamp");
    assert_ne!(repo.files["timestamp.json"], new, "another file of the same version");
    assert!(device.sync(&repo).is_ok());
    assert_eq!(device.kept["timestamp.json"], kept);
}

#[test]
fn a_timestamp_that_leads_to_an_older_snapshot_is_refused_and_not_kept() {
    let mut repo = Repo::new();
    let first = meta(1, &repo.files["1.snapshot.json"]);
    repo.publish();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let kept = device.kept["timestamp.json"].clone();
    repo.timestamp += 1;
    repo.publish_timestamp(first, "timestamp");
    assert_eq!(device.refusal(&repo), refused("snapshot", TrustKind::Rollback));
    assert_eq!(device.kept["timestamp.json"], kept);
}

#[test]
fn a_snapshot_that_takes_a_role_back_or_drops_it_is_refused() {
    let mut repo = Repo::new();
    repo.role("production-rollout", &[]).common.version = 5;
    repo.publish();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let kept = device.kept["snapshot.json"].clone();

    repo.role("production-rollout", &[]).common.version = 4;
    repo.publish();
    assert_eq!(device.refusal(&repo), refused("production-rollout", TrustKind::Rollback));
    repo.roles.remove("production-rollout");
    repo.publish();
    assert_eq!(device.refusal(&repo), refused("production-rollout", TrustKind::RoleRemoved));
    assert_eq!(device.kept["snapshot.json"], kept);
}

#[test]
fn bytes_that_were_not_announced_are_refused() {
    let mut repo = Repo::new();
    let other = repo.files["1.production-rollout.json"].clone();
    repo.files.insert("1.targets.json".to_owned(), other);
    let refusal = Device::new(&repo).refusal(&repo);
    assert!(matches!(refusal.1, TrustKind::HashMismatch | TrustKind::TooLarge), "{refusal:?}");

    let mut repo = Repo::new();
    let place = format!("production/{}.rollout.json", Digest::of(b"offers"));
    repo.files.insert(place, b"offerz".to_vec());
    assert_eq!(Device::new(&repo).refusal(&repo), refused(FILE, TrustKind::HashMismatch));
}

#[test]
fn a_version_other_than_the_announced_one_is_refused() {
    let mut repo = Repo::new();
    let snapshot = repo.files["1.snapshot.json"].clone();
    repo.files.insert("7.snapshot.json".to_owned(), snapshot.clone());
    repo.timestamp += 1;
    repo.publish_timestamp(meta(7, &snapshot), "timestamp");
    assert_eq!(Device::new(&repo).refusal(&repo), refused("snapshot", TrustKind::VersionMismatch));
}

#[test]
fn every_role_expires() {
    for (name, role) in [
        ("timestamp", "timestamp"),
        ("snapshot", "snapshot"),
        ("targets", "targets"),
        ("role", "production-rollout"),
    ] {
        let mut repo = Repo::new();
        repo.expires.insert(name, NOW);
        repo.publish();
        assert_eq!(Device::new(&repo).refusal(&repo), refused(role, TrustKind::Expired), "{name}");
    }
}

#[test]
fn more_bytes_than_a_role_may_have_are_refused() {
    let mut repo = Repo::new();
    repo.files.insert("timestamp.json".to_owned(), vec![b' '; 17 << 10]);
    assert_eq!(Device::new(&repo).sync(&repo).unwrap_err().code(), "too-large");
}

#[test]
fn damage_to_anything_kept_is_survived() {
    let mut repo = Repo::new();
    repo.next_root(|_| {}, &["root"]);
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    for name in device.kept.keys() {
        for damage in [0, 1, 2] {
            let mut hurt = device.clone();
            let bytes = hurt.kept.get_mut(name).unwrap();
            match damage {
                0 => bytes.clear(),
                1 => bytes.truncate(bytes.len() / 2),
                _ => bytes.iter_mut().skip(10).step_by(40).for_each(|byte| *byte ^= 1),
            }
            assert_eq!(hurt.sync(&repo).unwrap(), b"offers", "{name} {damage}");
            assert_eq!(hurt.sync(&repo).unwrap(), b"offers", "{name} {damage} again");
        }
    }
}

#[test]
fn shipped_metadata_keeps_a_fresh_install_from_older_state() {
    let old = Repo::new();
    let mut new = Repo::new();
    for _ in 0..3 {
        new.publish();
    }
    let mut device = Device::new(&old);
    let snapshot = new.files["4.snapshot.json"].clone();
    device.seed = BTreeMap::from([
        ("timestamp.json".to_owned(), new.files["timestamp.json"].clone()),
        ("snapshot.json".to_owned(), snapshot),
    ]);
    assert_eq!(device.refusal(&old), refused("timestamp", TrustKind::Rollback));
    assert!(device.sync(&new).is_ok());
    // What the device has meanwhile seen is not taken back by what it was shipped with.
    new.publish();
    device.sync(&new).unwrap();
    let five = device.kept["timestamp.json"].clone();
    device.sync(&new).unwrap();
    assert_eq!(device.kept["timestamp.json"], five);
}

#[test]
fn unknown_fields_are_covered_by_the_signature_and_kept_as_they_came() {
    let mut repo = Repo::new();
    let mut file = json::parse(&repo.files["timestamp.json"]).unwrap();
    file["signed"]["x-custom"] = json!({ "a": [1, "é\n"] });
    let bytes = sign_by(&file["signed"], &["timestamp"]);
    repo.files.insert("timestamp.json".to_owned(), bytes.clone());
    let mut device = Device::new(&repo);
    assert!(device.sync(&repo).is_ok());
    assert_eq!(device.kept["timestamp.json"], bytes);
    let text = String::from_utf8(bytes).unwrap().replace("\"a\":[1", "\"a\":[2");
    repo.files.insert("timestamp.json".to_owned(), text.into_bytes());
    assert_eq!(Device::new(&repo).refusal(&repo), refused("timestamp", TrustKind::Signature));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_change_to_any_file_makes_it_panic_or_pass(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let mut repo = Repo::new();
        let names: Vec<String> =
            repo.files.keys().filter(|name| *name != "1.root.json").cloned().collect();
        let bytes = repo.files.get_mut(which.get(&names)).unwrap();
        let place = at.index(bytes.len());
        let before = bytes[place];
        bytes[place] = to;
        let outcome = Device::new(&repo).sync(&repo);
        // What a signature does not cover is its own spelling: keyid and hex case.
        if to != before && outcome.is_ok() {
            prop_assert!(which.get(&names) == "timestamp.json");
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut repo = Repo::new();
        repo.files.insert("timestamp.json".to_owned(), bytes.clone());
        prop_assert!(Device::new(&repo).sync(&repo).is_err());
        let mut device = Device { shipped: bytes, ..Device::new(&repo) };
        prop_assert!(device.sync(&repo).is_err());
    }
}
