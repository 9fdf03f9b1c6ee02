//! Delegations: who may speak of what, in which order.

use super::*;

#[test]
fn a_role_that_the_snapshot_does_not_name_is_not_asked_for() {
    let mut repo = Repo::new();
    delegate(&mut repo.targets, "ghost", &["online"], &["ghost/*"], true);
    repo.targets.common.version = 2;
    repo.publish();
    let error = Device::new(&repo).get(&repo, "ghost/file").unwrap_err();
    assert_eq!(error.code(), "not-in-snapshot");
    assert!(!repo.requests().iter().any(|file| file.contains("ghost")));
}

#[test]
fn a_role_cannot_list_what_was_not_delegated_to_it() {
    let mut repo = Repo::new();
    repo.put("production-rollout", "beta/rollout.json", b"not mine");
    repo.role("production-rollout", &[]).common.version = 2;
    repo.publish();
    let error = Device::new(&repo).get(&repo, "beta/rollout.json").unwrap_err();
    assert_eq!(error.code(), "target-not-found");
}

#[test]
fn a_terminating_role_has_the_last_word() {
    for terminating in [true, false] {
        let mut repo = Repo::new();
        delegate(&mut repo.targets, "first", &["a"], &["x/*"], terminating);
        delegate(&mut repo.targets, "second", &["b"], &["x/*"], true);
        repo.targets.common.version = 2;
        repo.role("first", &["a"]);
        repo.role("second", &["b"]);
        repo.put("second", "x/file", b"from the second");
        repo.publish();
        assert_eq!(Device::new(&repo).get(&repo, "x/file").is_ok(), !terminating);
    }
}

#[test]
fn earlier_delegations_come_first_with_all_below_them() {
    let mut repo = Repo::new();
    delegate(&mut repo.targets, "first", &["a"], &["x/*"], false);
    delegate(&mut repo.targets, "second", &["b"], &["x/*"], false);
    repo.targets.common.version = 2;
    delegate(repo.role("first", &["a"]), "below", &["c"], &["x/*"], false);
    repo.role("second", &["b"]);
    repo.role("below", &["c"]);
    repo.put("below", "x/file", b"below the first");
    repo.put("second", "x/file", b"from the second");
    repo.publish();
    assert_eq!(Device::new(&repo).get(&repo, "x/file").unwrap(), b"below the first");
}

#[test]
fn a_circle_of_delegations_ends() {
    let mut repo = Repo::new();
    delegate(&mut repo.targets, "a", &["a"], &["x/*"], false);
    repo.targets.common.version = 2;
    delegate(repo.role("a", &["a"]), "b", &["b"], &["x/*"], false);
    delegate(repo.role("b", &["b"]), "a", &["a"], &["x/*"], false);
    repo.publish();
    let error = Device::new(&repo).get(&repo, "x/file").unwrap_err();
    assert_eq!(error.code(), "target-not-found");
    assert!(repo.requests().len() < 10);
}

#[test]
fn a_role_reached_by_two_delegators_is_verified_for_each() {
    let mut repo = Repo::new();
    delegate(&mut repo.targets, "one", &["a"], &["x/*"], true);
    delegate(&mut repo.targets, "two", &["b"], &["y/*"], true);
    repo.targets.common.version = 2;
    delegate(repo.role("one", &["a"]), "shared", &["c"], &["x/*"], true);
    delegate(repo.role("two", &["b"]), "shared", &["d"], &["y/*"], true);
    repo.role("shared", &["c"]);
    repo.put("shared", "x/file", b"x");
    repo.put("shared", "y/file", b"y");
    repo.publish();
    let mut device = Device::new(&repo);
    assert!(device.get(&repo, "x/file").is_ok());
    let error = device.get(&repo, "y/file").unwrap_err();
    assert_eq!(error.code(), "signature");
}

#[test]
fn role_names_stay_one_segment() {
    for name in ["../up", "/abs", "a/b", "q?x#y", "%2e"] {
        let mut repo = Repo::new();
        delegate(&mut repo.targets, name, &["a"], &["x/*"], true);
        repo.targets.common.version = 2;
        repo.role(name, &["a"]);
        repo.put(name, "x/file", b"x");
        repo.publish();
        let mut device = Device::new(&repo);
        assert!(device.get(&repo, "x/file").is_ok(), "{name}");
        let kept = device.kept.keys().find(|kept| **kept == kept_name(name));
        assert!(kept.is_some_and(|kept| !kept.contains(['/', '?', '#'])), "{name}");
    }
}

#[test]
fn a_delegation_by_digest_reaches_the_paths_whose_digest_begins_so() {
    let digest = Digest::of(b"x/file").to_string();
    let half = digest[..10].to_owned();
    let cases: [(Option<&str>, &[&str], bool); 6] = [
        (None, &[&half], true),
        (None, &["ffffff", &digest], true),
        (None, &[""], true),
        (None, &[&digest[1..6], "no hex"], false),
        (None, &[], false),
        // Which of both should count, nobody can know.
        (Some("x/*"), &[&half], false),
    ];
    for (pattern, prefixes, reaches) in cases {
        let mut repo = Repo::new();
        delegate(&mut repo.targets, "bin", &["a"], &[], true);
        let added = repo.targets.delegations.as_mut().unwrap().roles.last_mut().unwrap();
        added.paths = pattern.map(|pattern| vec![pattern.to_owned()]);
        added.path_hash_prefixes = Some(prefixes.iter().map(|text| (*text).to_owned()).collect());
        repo.targets.common.version = 2;
        repo.role("bin", &["a"]);
        repo.put("bin", "x/file", b"x");
        repo.publish();
        match Device::new(&repo).get(&repo, "x/file") {
            Ok(bytes) => assert!(reaches && bytes == b"x", "{prefixes:?}"),
            Err(error) => assert!(!reaches && error.code() == "target-not-found", "{prefixes:?}"),
        }
    }
}

#[test]
fn a_role_that_expired_or_does_not_verify_ends_the_search() {
    // Falling through would hand its paths to somebody of lower priority.
    for (signer, expires, kind) in
        [("a", NOW, TrustKind::Expired), ("stranger", NOW + DAY, TrustKind::Signature)]
    {
        let mut repo = Repo::new();
        delegate(&mut repo.targets, "first", &["a"], &["x/*"], false);
        delegate(&mut repo.targets, "second", &["b"], &["x/*"], false);
        repo.targets.common.version = 2;
        repo.role("first", &[signer]).common.expires = at(expires);
        repo.role("second", &["b"]);
        repo.put("second", "x/file", b"x");
        repo.publish();
        match Device::new(&repo).get(&repo, "x/file") {
            Err(Error::Trust(error)) => assert_eq!((&*error.role, error.kind), ("first", kind)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn one_file_delegates_to_a_role_once() {
    // By other keys the second time: what is verified for the first must not serve the second.
    let mut repo = Repo::new();
    delegate(&mut repo.targets, "shared", &["a"], &["x/*"], true);
    delegate(&mut repo.targets, "shared", &["b"], &["y/*"], true);
    repo.targets.common.version = 2;
    repo.role("shared", &["a"]);
    repo.put("shared", "x/file", b"x");
    repo.put("shared", "y/file", b"y");
    repo.publish();
    let mut device = Device::new(&repo);
    for path in ["x/file", "y/file"] {
        match device.get(&repo, path) {
            Err(Error::Trust(error)) => {
                assert_eq!((&*error.role, error.kind), ("targets", TrustKind::Malformed));
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}
