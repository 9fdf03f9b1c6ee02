//! The rules of TUF 1.0, section 5, each tried against repositories that are signed here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::metadata::{
    Common, Delegation, Delegations, MetaFile, RoleKeys, Root, Snapshot, TargetFile, Targets,
    Timestamp,
};
use super::sign::{Ed25519, Signer, sign};
use super::*;
use crate::digest::Digest;
use crate::error::{Error, TrustKind};
use crate::json;
use crate::time::UnixTime;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// A key that follows from its name.
fn key(name: &str) -> Ed25519 {
    let mut document = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    document.extend_from_slice(Digest::of(name.as_bytes()).as_bytes());
    Ed25519::from_pkcs8(&document).unwrap()
}

fn keys_of(names: &[&str], threshold: u64) -> RoleKeys {
    RoleKeys { keyids: names.iter().map(|name| key(name).public().id()).collect(), threshold }
}

fn common(role_type: &str, version: u64) -> Common {
    Common {
        role_type: role_type.to_owned(),
        spec_version: "1.0.34".to_owned(),
        version,
        expires: at(NOW + 30 * DAY),
    }
}

fn sign_by<T: serde::Serialize>(document: &T, names: &[&str]) -> Vec<u8> {
    let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    sign(document, &signers).unwrap()
}

fn meta(version: u64, bytes: &[u8]) -> MetaFile {
    let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(bytes).to_string())]);
    MetaFile { version, length: Some(bytes.len() as u64), hashes: Some(hashes) }
}

fn target(bytes: &[u8]) -> TargetFile {
    let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(bytes).to_string())]);
    TargetFile { length: bytes.len() as u64, hashes, custom: None }
}

/// A repository whose roles can be changed and published again, and the files it serves.
#[derive(Clone)]
struct Repo {
    root: Root,
    targets: Targets,
    roles: BTreeMap<String, (Targets, Vec<&'static str>)>,
    snapshot: u64,
    timestamp: u64,
    signed_at: u64,
    expires: BTreeMap<&'static str, u64>,
    files: BTreeMap<String, Vec<u8>>,
    log: Rc<RefCell<Vec<String>>>,
}

const FILE: &str = "production/rollout.json";

impl Repo {
    fn new() -> Self {
        let names = ["root", "targets", "snapshot", "timestamp"];
        let root = Root {
            common: Common { expires: at(NOW + 300 * DAY), ..common("root", 1) },
            consistent_snapshot: true,
            keys: names
                .iter()
                .map(|name| (key(name).public().id(), key(name).public().clone()))
                .collect(),
            roles: names.iter().map(|name| ((*name).to_owned(), keys_of(&[name], 1))).collect(),
        };
        let mut targets = Targets {
            common: common("targets", 1),
            targets: BTreeMap::new(),
            delegations: Some(Delegations::default()),
        };
        delegate(&mut targets, "production-rollout", &["online"], &[FILE], true);
        let mut repo = Self {
            root,
            targets,
            roles: BTreeMap::new(),
            snapshot: 0,
            timestamp: 0,
            signed_at: NOW,
            expires: BTreeMap::new(),
            files: BTreeMap::new(),
            log: Rc::default(),
        };
        repo.role("production-rollout", &["online"]);
        repo.put("production-rollout", FILE, b"offers");
        let shipped = sign_by(&repo.root, &["root"]);
        repo.files.insert("1.root.json".to_owned(), shipped);
        repo.publish();
        repo
    }

    fn shipped(&self) -> Vec<u8> {
        self.files["1.root.json"].clone()
    }

    fn role(&mut self, name: &str, signers: &[&'static str]) -> &mut Targets {
        let role =
            Targets { common: common("targets", 1), targets: BTreeMap::new(), delegations: None };
        &mut self.roles.entry(name.to_owned()).or_insert((role, signers.to_vec())).0
    }

    fn put(&mut self, role: &str, path: &str, bytes: &[u8]) {
        self.role(role, &[]).targets.insert(path.to_owned(), target(bytes));
        let (folder, file) = path.rsplit_once('/').unwrap();
        let place = format!("{folder}/{}.{file}", Digest::of(bytes));
        self.files.insert(place, bytes.to_vec());
    }

    /// Signs everything as it stands, under the next snapshot and timestamp.
    fn publish(&mut self) {
        self.snapshot += 1;
        self.timestamp += 1;
        let expiry = |repo: &Self, role: &str, document: &mut Common| {
            if let Some(expires) = repo.expires.get(role) {
                document.expires = at(*expires);
            }
        };
        let mut listed = BTreeMap::new();
        let mut targets = self.targets.clone();
        expiry(self, "targets", &mut targets.common);
        let bytes = sign_by(&targets, &["targets"]);
        listed.insert("targets.json".to_owned(), meta(targets.common.version, &bytes));
        self.files.insert(format!("{}.targets.json", targets.common.version), bytes);
        for (name, (role, signers)) in self.roles.clone() {
            let mut role = role.clone();
            if name == "production-rollout" {
                expiry(self, "role", &mut role.common);
            }
            let bytes = sign_by(&role, &signers);
            listed.insert(format!("{name}.json"), meta(role.common.version, &bytes));
            self.files.insert(format!("{}.{}.json", role.common.version, quote(&name)), bytes);
        }
        let mut snapshot = Snapshot { common: common("snapshot", self.snapshot), meta: listed };
        expiry(self, "snapshot", &mut snapshot.common);
        self.publish_snapshot(&snapshot);
    }

    fn publish_snapshot(&mut self, snapshot: &Snapshot) {
        let bytes = sign_by(snapshot, &["snapshot"]);
        let listing = meta(snapshot.common.version, &bytes);
        self.files.insert(format!("{}.snapshot.json", snapshot.common.version), bytes);
        self.publish_timestamp(listing, "timestamp");
    }

    fn publish_timestamp(&mut self, snapshot: MetaFile, signer: &str) {
        let mut document = Timestamp {
            common: common("timestamp", self.timestamp),
            signed_at: Some(at(self.signed_at)),
            meta: BTreeMap::from([("snapshot.json".to_owned(), snapshot)]),
        };
        if let Some(expires) = self.expires.get("timestamp") {
            document.common.expires = at(*expires);
        }
        let bytes = sign_by(&document, &[signer]);
        self.files.insert("timestamp.json".to_owned(), bytes);
    }

    /// Publishes the next root, changed and signed as told.
    fn next_root(&mut self, change: impl FnOnce(&mut Root), signers: &[&str]) {
        self.root.common.version += 1;
        change(&mut self.root);
        let file = format!("{}.root.json", self.root.common.version);
        let bytes = sign_by(&self.root, signers);
        self.files.insert(file, bytes);
    }

    fn requests(&self) -> Vec<String> {
        self.log.borrow_mut().drain(..).collect()
    }
}

fn delegate(to: &mut Targets, name: &str, signers: &[&str], paths: &[&str], terminating: bool) {
    let delegations = to.delegations.get_or_insert_default();
    for signer in signers {
        delegations.keys.insert(key(signer).public().id(), key(signer).public().clone());
    }
    delegations.roles.push(Delegation {
        name: name.to_owned(),
        keys: keys_of(signers, signers.len().max(1) as u64),
        terminating,
        paths: Some(paths.iter().map(|path| (*path).to_owned()).collect()),
        path_hash_prefixes: None,
    });
}

impl Source for Repo {
    fn metadata(&mut self, file: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.log.borrow_mut().push(file.to_owned());
        let found = self.files.get(file).cloned();
        if found.as_ref().is_some_and(|bytes| bytes.len() as u64 > limit) {
            return Err(Error::TooLarge { what: file.to_owned(), limit });
        }
        Ok(found)
    }

    fn timestamp(&mut self, etag: Option<&str>, limit: u64) -> Result<TimestampAnswer> {
        let Some(bytes) = self.metadata("timestamp.json", limit)? else {
            return Ok(TimestampAnswer::Missing);
        };
        let tag = Digest::of(&bytes).to_string();
        if etag == Some(&tag) {
            return Ok(TimestampAnswer::NotModified);
        }
        Ok(TimestampAnswer::Found { etag: Some(tag), bytes })
    }

    fn target(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.metadata(path, limit)
    }
}

#[derive(Default, Clone)]
struct Device {
    kept: BTreeMap<String, Vec<u8>>,
    seed: BTreeMap<String, Vec<u8>>,
    shipped: Vec<u8>,
    clock: u64,
    order: Option<Order>,
}

impl Keep for BTreeMap<String, Vec<u8>> {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get(name).cloned())
    }
    fn save(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn remove(&mut self, name: &str) -> Result<()> {
        BTreeMap::remove(self, name);
        Ok(())
    }
    fn names(&self) -> Result<Vec<String>> {
        Ok(self.keys().cloned().collect())
    }
}

impl Device {
    fn new(repo: &Repo) -> Self {
        Self { shipped: repo.shipped(), clock: NOW, ..Self::default() }
    }

    fn get(&mut self, repo: &Repo, path: &str) -> Result<Vec<u8>> {
        let setting = Setting {
            root: &self.shipped,
            now: at(self.clock),
            built: at(0),
            order: self.order.unwrap_or(Order::Hot),
            seed: &self.seed,
        };
        let mut source = repo.clone();
        with_session(&setting, &mut self.kept, &mut source, |session| session.target(path, 1 << 20))
    }

    fn sync(&mut self, repo: &Repo) -> Result<Vec<u8>> {
        self.get(repo, FILE)
    }

    /// The error of a sync: role and rule.
    fn refusal(&mut self, repo: &Repo) -> (String, TrustKind) {
        match self.sync(repo) {
            Err(Error::Trust(error)) => (error.role, error.kind),
            other => panic!("not refused by trust: {other:?}"),
        }
    }
}

fn refused(role: &str, kind: TrustKind) -> (String, TrustKind) {
    (role.to_owned(), kind)
}

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
fn a_broken_shipped_root_is_refused_before_any_request() {
    let repo = Repo::new();
    for shipped in [b"{}".to_vec(), sign_by(&repo.root, &["targets"]), sign_by(&repo.root, &[])] {
        let mut device = Device { shipped, ..Device::new(&repo) };
        assert_eq!(device.refusal(&repo), refused("root", TrustKind::BadRoot));
    }
    assert_eq!(repo.requests(), [""; 0]);
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
fn a_frozen_timestamp_is_taken_until_it_expires_and_recovers() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    device.clock = NOW + 30 * DAY - 1;
    assert!(device.sync(&repo).is_ok());
    device.clock += 1;
    assert_eq!(device.refusal(&repo), refused("timestamp", TrustKind::Expired));
    // A year later somebody signs again.
    device.clock = NOW + 365 * DAY;
    for role in ["timestamp", "snapshot", "targets", "role"] {
        repo.expires.insert(role, device.clock + DAY);
    }
    repo.next_root(|root| root.common.expires = at(NOW + 400 * DAY), &["root"]);
    repo.targets.common.version = 2;
    repo.role("production-rollout", &[]).common.version = 2;
    repo.publish();
    assert!(device.sync(&repo).is_ok());
}

#[test]
fn a_clock_that_was_set_back_does_not_thaw_a_frozen_timestamp() {
    let mut repo = Repo::new();
    repo.signed_at = NOW;
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let mut old = Repo::new();
    old.expires.insert("timestamp", NOW - DAY);
    old.timestamp = 5;
    old.publish();
    device.clock = NOW - 300 * DAY;
    assert_eq!(device.refusal(&old), refused("timestamp", TrustKind::Expired));
}

#[test]
fn a_time_signed_in_2099_does_not_lock_the_device_out() {
    let mut repo = Repo::new();
    repo.signed_at = 4_070_908_800;
    repo.publish();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    repo.signed_at = NOW;
    repo.publish();
    assert!(device.sync(&repo).is_ok());
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
fn an_app_with_a_newer_root_goes_on_from_what_it_kept() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    repo.publish();
    device.sync(&repo).unwrap();
    for _ in 0..3 {
        repo.next_root(|_| {}, &["root"]);
    }
    device.shipped = repo.files["4.root.json"].clone();
    device.sync(&repo).unwrap();
    let old = Repo::new();
    repo.files.insert("timestamp.json".to_owned(), old.files["timestamp.json"].clone());
    assert_eq!(device.refusal(&repo), refused("timestamp", TrustKind::Rollback), "state was lost");
    // And back to an app with an older one.
    repo.publish();
    device.shipped = repo.files["2.root.json"].clone();
    assert!(device.sync(&repo).is_ok());
}

#[test]
fn an_app_with_a_root_of_another_repository_starts_anew() {
    let mut repo = Repo::new();
    for _ in 0..4 {
        repo.publish();
    }
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let mut other = Repo::new();
    other.root.common.expires = at(NOW + 99 * DAY);
    let shipped = sign_by(&other.root, &["root"]);
    other.files.insert("1.root.json".to_owned(), shipped);
    device.shipped = other.shipped();
    assert!(device.sync(&other).is_ok(), "its timestamp is older, but nobody promised otherwise");
}

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
