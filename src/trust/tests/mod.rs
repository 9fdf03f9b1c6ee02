//! The rules of TUF 1.0, section 5, each tried against repositories that are signed here.
//!
//! This file makes repositories and devices; the tests stand in the files beside it.

mod clocks;
mod delegations;
mod listings;
mod roots;
mod rules;
mod search;
mod shipped;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

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
    /// What the server's clock says.
    date: Option<u64>,
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
            date: None,
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
            self.files
                .insert(format!("{}.{}.json", role.common.version, url_segment(&name)), bytes);
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
        Ok(TimestampAnswer::Found { etag: Some(tag), date: self.date.map(at), bytes })
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
