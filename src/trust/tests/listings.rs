//! What one file says of the next: versions, lengths, digests, and where it lies.

use super::*;

fn sha512(bytes: &[u8]) -> String {
    crate::hex::encode(ring::digest::digest(&ring::digest::SHA512, bytes).as_ref())
}

/// A repository that lists [`FILE`] with these digests, and has it under all of them.
fn listed_with(hashes: &[(&str, &str)]) -> Repo {
    let mut repo = Repo::new();
    let role = repo.role("production-rollout", &[]);
    role.common.version = 2;
    let pairs = hashes.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned()));
    role.targets.get_mut(FILE).unwrap().hashes = pairs.collect();
    for (_, hash) in hashes {
        repo.files.insert(format!("production/{hash}.rollout.json"), b"offers".to_vec());
    }
    repo.publish();
    repo
}

#[test]
fn any_known_digest_is_enough_and_every_known_one_must_match() {
    let (short, long) = (Digest::of(b"offers").to_string(), sha512(b"offers"));
    let (capitals, other) = (long.to_uppercase(), sha512(b"other"));
    for good in [
        &[("sha512", &*long)][..],
        &[("sha512", &*long), ("blake9", "00")],
        &[("sha256", &*short), ("sha512", &*long)],
        &[("sha256", &*short), ("sha512", &*capitals)],
    ] {
        let repo = listed_with(good);
        assert_eq!(Device::new(&repo).sync(&repo).unwrap(), b"offers", "{good:?}");
    }
    for (bad, kind) in [
        (&[][..], TrustKind::NoUsableHash),
        (&[("blake9", "00")], TrustKind::NoUsableHash),
        (&[("sha256", "00")], TrustKind::NoUsableHash),
        (&[("sha256", "../up")], TrustKind::NoUsableHash),
        (&[("sha512", &*other)], TrustKind::HashMismatch),
        (&[("sha256", &*short), ("sha512", &*other)], TrustKind::HashMismatch),
        (&[("sha256", "00"), ("sha512", &*long)], TrustKind::HashMismatch),
    ] {
        let repo = listed_with(bad);
        assert_eq!(Device::new(&repo).refusal(&repo), refused(FILE, kind), "{bad:?}");
    }
}

#[test]
fn a_listing_may_leave_out_length_and_digests_but_not_the_version() {
    let listing = |version, length, hashes: Option<(&str, &str)>| MetaFile {
        version,
        length,
        hashes: hashes.map(|(name, hash)| BTreeMap::from([(name.to_owned(), hash.to_owned())])),
    };
    let bytes = Repo::new().files["1.snapshot.json"].clone();
    let (length, digest) = (bytes.len() as u64, Digest::of(&bytes).to_string());
    let outcome = |snapshot: MetaFile| {
        let mut repo = Repo::new();
        repo.timestamp += 1;
        repo.publish_timestamp(snapshot, "timestamp");
        match Device::new(&repo).sync(&repo) {
            Ok(_) => None,
            Err(error) => Some(error.code()),
        }
    };
    for good in [
        listing(1, None, None),
        listing(1, Some(length), None),
        listing(1, None, Some(("sha256", &digest))),
        listing(1, None, Some(("sha512", &sha512(&bytes)))),
    ] {
        assert_eq!(outcome(good.clone()), None, "{good:?}");
    }
    for (bad, code) in [
        (listing(1, Some(length + 1), None), "hash-mismatch"),
        (listing(1, Some(length - 1), None), "too-large"),
        (listing(1, None, Some(("sha256", &sha512(&bytes)))), "hash-mismatch"),
        (listing(1, None, Some(("blake9", "00"))), "no-usable-hash"),
        (listing(2, None, None), "missing"),
    ] {
        assert_eq!(outcome(bad.clone()), Some(code), "{bad:?}");
    }
}

#[test]
fn without_consistent_snapshots_nothing_has_a_version_or_digest_in_its_name() {
    let mut repo = Repo::new();
    repo.root.consistent_snapshot = false;
    repo.files.insert("1.root.json".to_owned(), sign_by(&repo.root, &["root"]));
    repo.publish();
    let plain = [
        ("2.snapshot.json", "snapshot.json"),
        ("1.targets.json", "targets.json"),
        ("1.production-rollout.json", "production-rollout.json"),
        (&format!("production/{}.rollout.json", Digest::of(b"offers")), FILE),
    ];
    for (from, to) in plain {
        let bytes = repo.files.remove(from).unwrap();
        repo.files.insert(to.to_owned(), bytes);
    }
    assert_eq!(Device::new(&repo).sync(&repo).unwrap(), b"offers");
    let mut expected = vec!["2.root.json", "timestamp.json"];
    expected.extend(plain.map(|(_, to)| to));
    assert_eq!(repo.requests(), expected);
}

#[test]
fn an_equal_timestamp_is_no_reason_to_stop_half_way() {
    let repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    for lost in ["snapshot.json", "targets.json", "production-rollout.json"] {
        let mut device = device.clone();
        device.kept.remove(lost).unwrap();
        repo.requests();
        assert_eq!(device.sync(&repo).unwrap(), b"offers");
        assert_eq!(repo.requests(), ["timestamp.json", &format!("1.{lost}")]);
        assert!(device.kept.contains_key(lost));
    }
}
