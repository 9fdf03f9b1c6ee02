//! Roots: how they follow each other.

use super::*;

#[test]
fn a_new_root_is_asked_for_once_a_day() {
    let repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    device.clock += DAY - 1;
    device.sync(&repo).unwrap();
    repo.requests();
    device.clock += 1;
    device.sync(&repo).unwrap();
    assert_eq!(repo.requests(), ["2.root.json", "timestamp.json"]);
    device.clock -= 2 * DAY;
    device.sync(&repo).unwrap();
    assert_eq!(repo.requests(), ["2.root.json", "timestamp.json"], "a clock that went back");
}

#[test]
fn the_strict_order_asks_for_a_new_root_every_time() {
    let repo = Repo::new();
    let mut device = Device { order: Some(Order::Strict), ..Device::new(&repo) };
    device.sync(&repo).unwrap();
    repo.requests();
    device.sync(&repo).unwrap();
    assert_eq!(repo.requests(), ["2.root.json", "timestamp.json"]);
}

#[test]
fn a_broken_shipped_root_is_refused_before_any_request() {
    let repo = Repo::new();
    for shipped in [b"{}".to_vec(), sign_by(&repo.root, &["targets"]), sign_by(&repo.root, &[])] {
        let mut device = Device { shipped, ..Device::new(&repo) };
        assert_eq!(device.refusal(&repo), refused("root", TrustKind::BadRoot));
    }
    assert_eq!(repo.requests(), [""; 0]);
}

#[test]
fn roots_are_followed_one_by_one_and_kept() {
    let mut repo = Repo::new();
    for version in 2..=5 {
        // Those in between may have expired.
        repo.next_root(
            |root| root.common.expires = at(if version < 5 { 1 } else { NOW + DAY }),
            &["root"],
        );
    }
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    assert_eq!(
        repo.requests()[..5],
        ["2.root.json", "3.root.json", "4.root.json", "5.root.json", "6.root.json"]
    );
    device.clock += DAY - 1;
    device.sync(&repo).unwrap();
    assert_eq!(repo.requests(), ["timestamp.json"], "the chain is kept");
}

#[test]
fn an_expired_last_root_is_kept_and_refused() {
    let mut repo = Repo::new();
    repo.next_root(|root| root.common.expires = at(NOW), &["root"]);
    let mut device = Device::new(&repo);
    assert_eq!(device.refusal(&repo), refused("root", TrustKind::Expired));
    assert!(device.kept.contains_key("root/2.json"));
}

#[test]
fn a_root_needs_the_old_keys_and_its_own() {
    let new_key = |root: &mut Root| {
        root.keys.insert(key("new").public().id(), key("new").public().clone());
        root.roles.insert("root".to_owned(), keys_of(&["new"], 1));
    };
    for signers in [&["new"][..], &["root"], &["targets"]] {
        let mut repo = Repo::new();
        repo.next_root(new_key, signers);
        let mut device = Device::new(&repo);
        assert_eq!(device.refusal(&repo), refused("root", TrustKind::Signature), "{signers:?}");
        assert!(!device.kept.contains_key("root/2.json"));
    }
    let mut repo = Repo::new();
    repo.next_root(new_key, &["root", "new"]);
    assert!(Device::new(&repo).sync(&repo).is_ok());
}

#[test]
fn a_root_must_be_the_next_one() {
    for jump in [0, 1] {
        let mut repo = Repo::new();
        repo.root.common.version += jump;
        let bytes = if jump == 0 {
            repo.shipped()
        } else {
            repo.root.common.version += 1;
            sign_by(&repo.root, &["root"])
        };
        repo.files.insert("2.root.json".to_owned(), bytes);
        assert_eq!(Device::new(&repo).refusal(&repo), refused("root", TrustKind::RootVersion));
    }
}

#[test]
fn a_rotated_key_is_found_without_waiting_a_day() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    repo.next_root(
        |root| {
            root.keys.insert(key("new").public().id(), key("new").public().clone());
            root.roles.insert("timestamp".to_owned(), keys_of(&["new"], 1));
        },
        &["root"],
    );
    repo.timestamp += 1;
    let listing = meta(1, &repo.files["1.snapshot.json"]);
    repo.publish_timestamp(listing, "new");
    assert!(device.sync(&repo).is_ok());
    assert!(device.kept.contains_key("root/2.json"));
}

#[test]
fn versions_run_up_by_a_thief_recover_once_the_keys_change() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    repo.timestamp = i64::MAX as u64 - 1;
    repo.snapshot = i64::MAX as u64 - 1;
    repo.publish();
    device.sync(&repo).unwrap();

    repo.next_root(
        |root| {
            for role in ["timestamp", "snapshot"] {
                root.keys.insert(key("new").public().id(), key("new").public().clone());
                root.roles.insert(role.to_owned(), keys_of(&["new"], 1));
            }
        },
        &["root"],
    );
    let roles: Value = json::parse(&repo.files[&format!("{}.snapshot.json", i64::MAX)]).unwrap();
    let roles: Snapshot = serde_json::from_value(roles["signed"].clone()).unwrap();
    let snapshot = Snapshot { common: common("snapshot", 2), ..roles };
    let bytes = sign_by(&snapshot, &["new"]);
    repo.timestamp = 2;
    repo.publish_timestamp(meta(2, &bytes), "new");
    repo.files.insert("2.snapshot.json".to_owned(), bytes);
    device.clock += DAY;
    assert!(device.sync(&repo).is_ok());
}

#[test]
fn a_change_of_keys_or_threshold_alone_drops_what_the_old_ones_signed() {
    // Both old keys signed, and would still verify under the new root.
    let two = |root: &mut Root, threshold| {
        root.keys.insert(key("second").public().id(), key("second").public().clone());
        root.roles.insert("timestamp".to_owned(), keys_of(&["timestamp", "second"], threshold));
    };
    let one = |root: &mut Root| {
        root.roles.insert("timestamp".to_owned(), keys_of(&["timestamp"], 1));
    };
    let nothing: fn(&mut Root) = |root| root.common.expires = at(NOW + 200 * DAY);
    let changes: [(&dyn Fn(&mut Root), bool); 3] =
        [(&|root| two(root, 2), true), (&one, true), (&nothing, false)];
    for (change, recovers) in changes {
        let mut repo = Repo::new();
        repo.next_root(|root| two(root, 1), &["root"]);
        let mut device = Device::new(&repo);
        let snapshot = meta(1, &repo.files["1.snapshot.json"]);
        let run_up = |repo: &mut Repo, version| {
            repo.timestamp = version;
            repo.publish_timestamp(snapshot.clone(), "timestamp");
            let mut file = json::parse(&repo.files["timestamp.json"]).unwrap();
            let more = sign_by(&file["signed"], &["second"]);
            let more = json::parse(&more).unwrap()["signatures"][0].clone();
            file["signatures"].as_array_mut().unwrap().push(more);
            repo.files.insert("timestamp.json".to_owned(), json::compact(&file).unwrap());
        };
        run_up(&mut repo, 1_000);
        device.sync(&repo).unwrap();
        repo.next_root(change, &["root"]);
        run_up(&mut repo, 3);
        device.clock += DAY;
        if recovers {
            assert!(device.sync(&repo).is_ok());
        } else {
            assert_eq!(device.refusal(&repo), refused("timestamp", TrustKind::Rollback));
        }
    }
}

#[test]
fn a_role_with_fewer_keys_than_it_needs_spoils_itself_and_not_the_root() {
    let mut repo = Repo::new();
    repo.next_root(
        |root| {
            root.roles.insert("snapshot".to_owned(), keys_of(&["snapshot"], 2));
        },
        &["root"],
    );
    let mut device = Device::new(&repo);
    assert_eq!(device.refusal(&repo), refused("snapshot", TrustKind::Signature));
    assert!(device.kept.contains_key("root/2.json"));
    // A key that is named and not there, or a role too few, does.
    type Change = fn(&mut Root);
    let spoil: [Change; 3] = [
        |root| root.roles.get_mut("snapshot").unwrap().keyids.push("nobody".to_owned()),
        |root| drop(root.roles.remove("targets")),
        |root| root.roles.get_mut("timestamp").unwrap().threshold = 0,
    ];
    for change in spoil {
        let mut repo = Repo::new();
        repo.next_root(change, &["root"]);
        assert_eq!(Device::new(&repo).refusal(&repo), refused("root", TrustKind::Malformed));
    }
}
