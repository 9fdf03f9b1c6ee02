//! Repositories that the tests sign themselves, rightly or wrongly.
//!
//! Everything is JSON that a test may change before it is signed, and a role's signers are names
//! of keys: whoever knows the name has the key.

use std::collections::BTreeMap;
use std::fs;

use farad::digest::Digest;
use farad::json;
use farad::release::pack::{index_folder, small_blob, write_pack};
use farad::seal::Object;
use farad::trust::sign::{Ed25519, Signer};
use serde_json::{Value, json};

pub const APP: &str = "com.example.shop";
/// When everything happens: 2027-01-15T08:00:00Z.
pub const NOW: u64 = 1_800_000_000;
pub const DAY: u64 = 86_400;
pub const TOP: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];
/// The roles whose files a phone that follows production reads.
pub const READ: [&str; 6] =
    ["root", "targets", "snapshot", "timestamp", "production-releases", "production-rollout"];

/// The key of a name.
pub fn key(name: &str) -> Ed25519 {
    // PKCS#8 around 32 bytes that follow from the name.
    let mut document = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    document.extend_from_slice(Digest::of(name.as_bytes()).as_bytes());
    Ed25519::from_pkcs8(&document).unwrap()
}

pub fn key_id(name: &str) -> String {
    key(name).public().id()
}

pub fn public(name: &str) -> Value {
    serde_json::to_value(key(name).public()).unwrap()
}

/// A role's keys and threshold as its delegator writes them.
pub fn keys_of(names: &[&str], threshold: i64) -> Value {
    let ids: Vec<_> = names.iter().map(|name| key_id(name)).collect();
    json!({ "keyids": ids, "threshold": threshold })
}

pub fn time(seconds: u64) -> String {
    farad::time::UnixTime::from_seconds(seconds).to_string()
}

/// The bytes of a file: `signed`, signed with these keys.
pub fn sign(signed: &Value, names: &[impl AsRef<str>]) -> Vec<u8> {
    let message = json::canonical(signed).unwrap();
    let signature = |name: &str| {
        let key = key(name);
        json!({ "keyid": key.public().id(), "sig": farad::hex::encode(&key.sign(&message).unwrap()) })
    };
    let signatures: Vec<_> = names.iter().map(|name| signature(name.as_ref())).collect();
    json::compact(&json!({ "signatures": signatures, "signed": signed })).unwrap()
}

/// A release as it was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    pub sequence: u64,
    pub manifest: Digest,
}

impl Release {
    /// An offer of it to everyone.
    pub fn offer(self) -> Value {
        offer(&json!({ "sequence": self.sequence, "manifest": self.manifest }))
    }
}

/// An offer to everyone.
pub fn offer(release: &Value) -> Value {
    json!({ "release": release, "share": 10_000, "salt": "00", "mandatory": false })
}

/// A repository of two channels, production (2 of 3) and beta (1 of 1).
#[derive(Clone)]
pub struct Forge {
    /// All that is served, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The signed part of every role but snapshot and timestamp.
    pub roles: BTreeMap<String, Value>,
    /// Who signs each role.
    pub signers: BTreeMap<String, Vec<&'static str>>,
    /// How snapshot lists the roles' files.
    pub listed: serde_json::Map<String, Value>,
    /// Versions of snapshot and timestamp that were signed last.
    pub snapshot: u64,
    pub timestamp: u64,
    /// When it is signed.
    pub now: u64,
    /// App that documents are made for.
    pub app: &'static str,
    /// A file that every version has, if any.
    pub same: Option<Vec<u8>>,
    /// Bytes of noise that releases carry besides, in files of 200 kB.
    pub noise: usize,
    /// Small files that releases carry besides.
    pub small: usize,
    /// Changes to snapshot and timestamp before they are signed.
    pub change_snapshot: fn(&mut Value),
    pub change_timestamp: fn(&mut Value),
}

impl Forge {
    /// Release 1.0.0 of production and 1.0.0-beta of beta, offered to everyone.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// As [`Forge::new`], every version with a file that is the same in all of them.
    pub fn with(same: Option<Vec<u8>>) -> Self {
        let mut forge = Self { same, ..Self::empty(APP, NOW) };
        let first = forge.release("production", 1, "1.0.0");
        forge.rollout("production", &[first.offer()]);
        let beta = forge.release("beta", 1, "1.0.0-beta");
        forge.rollout("beta", &[beta.offer()]);
        forge.publish();
        forge
    }

    /// Both channels without a release; not yet published.
    pub fn empty(app: &'static str, now: u64) -> Self {
        let keys: serde_json::Map<_, _> =
            TOP.iter().map(|name| (key_id(name), public(name))).collect();
        let top: serde_json::Map<_, _> =
            TOP.iter().map(|name| ((*name).to_owned(), keys_of(&[name], 1))).collect();
        let mut root = common("root", 1, now + 365 * DAY);
        root["consistent_snapshot"] = json!(true);
        root["keys"] = Value::Object(keys);
        root["roles"] = Value::Object(top);
        let mut targets = common("targets", 0, now + 300 * DAY);
        targets["targets"] = json!({});
        targets["delegations"] = json!({ "keys": {}, "roles": [] });
        let mut forge = Self {
            files: BTreeMap::new(),
            roles: BTreeMap::from([("root".to_owned(), root), ("targets".to_owned(), targets)]),
            signers: TOP.iter().map(|name| ((*name).to_owned(), vec![*name])).collect(),
            listed: serde_json::Map::new(),
            snapshot: 0,
            timestamp: 0,
            now,
            app,
            same: None,
            noise: 0,
            small: 0,
            change_snapshot: |_| {},
            change_timestamp: |_| {},
        };
        for (channel, keys, threshold) in
            [("production", &["ci", "manager-1", "manager-2"][..], 2), ("beta", &["ci"], 1)]
        {
            let (releases, rollout) = (format!("{channel}-releases"), format!("{channel}-rollout"));
            let paths = [format!("{channel}/policy.json"), format!("{channel}/releases/*")];
            forge.delegate(&releases, keys, threshold, &paths.each_ref().map(String::as_str));
            forge.delegate(&rollout, &["online"], 1, &[&format!("{channel}/rollout.json")]);
            let signers = keys.iter().copied().take(usize::try_from(threshold).unwrap());
            forge.signers.insert(releases, signers.collect());
            forge.policy(channel, 0, &[]);
        }
        forge
            .files
            .insert("metadata/1.root.json".to_owned(), sign(&forge.roles["root"], &["root"]));
        forge
    }

    /// The trust anchor that apps ship.
    pub fn anchor(&self) -> Vec<u8> {
        self.files["metadata/1.root.json"].clone()
    }

    pub fn role(&mut self, name: &str) -> &mut Value {
        self.roles.get_mut(name).unwrap()
    }

    /// `targets` delegates `paths` to a role of these keys, which is made if there is none.
    pub fn delegate(&mut self, name: &str, keys: &[&'static str], threshold: i64, paths: &[&str]) {
        self.delegate_in("targets", name, keys, threshold, paths);
    }

    /// A role delegates `paths`, terminating.
    pub fn delegate_in(
        &mut self,
        delegator: &str,
        name: &str,
        keys: &[&'static str],
        threshold: i64,
        paths: &[&str],
    ) {
        let mut role = keys_of(keys, threshold);
        role["name"] = json!(name);
        role["paths"] = json!(paths);
        role["terminating"] = json!(true);
        let from = self.role(delegator);
        if from.get("delegations").is_none() {
            from["delegations"] = json!({ "keys": {}, "roles": [] });
        }
        for key in keys {
            from["delegations"]["keys"][key_id(key)] = public(key);
        }
        from["delegations"]["roles"].as_array_mut().unwrap().push(role);
        self.signers.entry(name.to_owned()).or_insert_with(|| keys.to_vec());
        let mut empty = common("targets", 0, self.now + 200 * DAY);
        empty["targets"] = json!({});
        self.roles.entry(name.to_owned()).or_insert(empty);
    }

    /// A role lists a document at `path`.
    pub fn put(&mut self, role: &str, path: &str, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        self.role(role)["targets"][path] =
            json!({ "length": bytes.len(), "hashes": { "sha256": digest } });
        let (folder, file) = path.rsplit_once('/').unwrap();
        self.files.insert(format!("targets/{folder}/{digest}.{file}"), bytes.to_vec());
    }

    pub fn policy(&mut self, channel: &str, floor: u64, revoked: &[u64]) {
        let policy = json!({
            "schema": 1, "app": self.app, "channel": channel, "requires": [],
            "floor": floor, "revoked": revoked,
        });
        let bytes = json::compact(&policy).unwrap();
        self.put(&format!("{channel}-releases"), &format!("{channel}/policy.json"), &bytes);
    }

    pub fn rollout(&mut self, channel: &str, offers: &[Value]) {
        let rollout = json!({
            "schema": 1, "app": self.app, "channel": channel, "requires": [],
            "offers": offers, "paused": false,
        });
        let bytes = json::compact(&rollout).unwrap();
        self.put(&format!("{channel}-rollout"), &format!("{channel}/rollout.json"), &bytes);
    }

    /// Lists a release whose one page shows its version.
    pub fn release(&mut self, channel: &str, sequence: u64, version: &str) -> Release {
        self.release_with(channel, sequence, version, |_| {})
    }

    /// Lists a release whose manifest is changed first.
    pub fn release_with(
        &mut self,
        channel: &str,
        sequence: u64,
        version: &str,
        change: impl FnOnce(&mut Value),
    ) -> Release {
        let manifest = self.manifest(channel, sequence, version, change);
        let path = format!("{channel}/releases/{sequence}.json");
        self.put(&format!("{channel}-releases"), &path, &manifest);
        Release { sequence, manifest: Digest::of(&manifest) }
    }

    /// The web folder of a version.
    pub fn web(&self, version: &str) -> tempfile::TempDir {
        let web = tempfile::tempdir().unwrap();
        fs::write(web.path().join("index.html"), format!("<title>{version}</title>")).unwrap();
        fs::write(web.path().join("app.js"), format!("// {version}\n").repeat(2000)).unwrap();
        if let Some(same) = &self.same {
            fs::write(web.path().join("same.bin"), same).unwrap();
        }
        for (at, noise) in noise(self.noise).chunks(200_000).enumerate() {
            fs::write(web.path().join(format!("noise-{at}.bin")), noise).unwrap();
        }
        for at in 0..self.small {
            fs::write(web.path().join(format!("small-{at}.js")), format!("// {at}")).unwrap();
        }
        web
    }

    /// Makes a release's blobs and its manifest, which nobody lists yet.
    pub fn manifest(
        &mut self,
        channel: &str,
        sequence: u64,
        version: &str,
        change: impl FnOnce(&mut Value),
    ) -> Vec<u8> {
        let web = self.web(version);
        let index = index_folder(web.path()).unwrap();
        let mut pack = Vec::new();
        let (layout, pack_blob) = write_pack(web.path(), &index, None, &mut pack).unwrap();
        let (index_blob, index_bytes) = small_blob(&index.to_bytes(), Object::Index, None).unwrap();
        let (layout_blob, layout_bytes) =
            small_blob(&layout.to_bytes().unwrap(), Object::Layout, None).unwrap();
        for (blob, bytes) in
            [(&index_blob, index_bytes), (&layout_blob, layout_bytes), (&pack_blob, pack)]
        {
            self.files.insert(blob.path(), bytes);
        }
        let mut manifest = json!({
            "schema": 1, "app": self.app, "channel": channel, "requires": [],
            "version": version, "sequence": sequence, "created": time(self.now), "native": {},
            "bundle": { "identity": index.identity() },
            "index": index_blob, "layout": layout_blob, "pack": pack_blob,
        });
        change(&mut manifest);
        json::compact(&manifest).unwrap()
    }

    /// Signs everything under the next versions, each role by its signers.
    pub fn publish(&mut self) {
        self.publish_where(|_| true);
    }

    /// As [`Forge::publish`], by somebody who holds these keys and no other: what others sign stays
    /// as it was listed last.
    pub fn publish_holding(&mut self, keys: &[&str]) {
        self.publish_where(|signers| signers.iter().all(|signer| keys.contains(signer)));
    }

    fn publish_where(&mut self, can_sign: impl Fn(&[&'static str]) -> bool) {
        assert!(can_sign(&self.signers["snapshot"]) && can_sign(&self.signers["timestamp"]));
        let names: Vec<_> = self.roles.keys().filter(|name| *name != "root").cloned().collect();
        for name in names
            .into_iter()
            .filter(|name| can_sign(&self.signers[name.as_str()]))
            .collect::<Vec<_>>()
        {
            let role = self.role(&name);
            let version = role["version"].as_i64().unwrap().saturating_add(1);
            role["version"] = json!(version);
            let listing = self.publish_role(&name);
            self.listed.insert(format!("{name}.json"), listing);
        }
        self.publish_snapshot(Value::Object(self.listed.clone()));
    }

    /// Signs a role as it stands and returns how the snapshot lists it.
    pub fn publish_role(&mut self, name: &str) -> Value {
        let role = &self.roles[name];
        let bytes = sign(role, &self.signers[name]);
        let listing = listing(&role["version"], &bytes);
        let path = format!("metadata/{}.{}.json", role["version"], quoted(name));
        self.files.insert(path, bytes);
        listing
    }

    pub fn publish_snapshot(&mut self, meta: Value) {
        self.snapshot += 1;
        let mut snapshot = common("snapshot", self.snapshot, self.now + 30 * DAY);
        snapshot["meta"] = meta;
        (self.change_snapshot)(&mut snapshot);
        let bytes = sign(&snapshot, &self.signers["snapshot"]);
        let listing = listing(&snapshot["version"], &bytes);
        self.files.insert(format!("metadata/{}.snapshot.json", snapshot["version"]), bytes);
        self.publish_timestamp(&listing);
    }

    pub fn publish_timestamp(&mut self, snapshot: &Value) {
        self.timestamp += 1;
        let mut timestamp = common("timestamp", self.timestamp, self.now + 14 * DAY);
        timestamp["meta"] = json!({ "snapshot.json": snapshot });
        timestamp["signed_at"] = json!(time(self.now));
        (self.change_timestamp)(&mut timestamp);
        let bytes = sign(&timestamp, &self.signers["timestamp"]);
        self.files.insert("metadata/timestamp.json".to_owned(), bytes);
    }

    /// Publishes the next root, changed first and signed by these keys.
    pub fn next_root(&mut self, signers: &[&str], change: impl FnOnce(&mut Value)) {
        let root = self.role("root");
        root["version"] = json!(root["version"].as_u64().unwrap() + 1);
        change(root);
        let path = format!("metadata/{}.root.json", root["version"]);
        let bytes = sign(root, signers);
        self.files.insert(path, bytes);
    }

    /// What an app that is built now would bring along of production.
    pub fn embed(&self, release: Release, version: &str) -> Value {
        let manifest: Value = json::parse(
            &self.files[&format!(
                "targets/production/releases/{}.{}.json",
                release.manifest, release.sequence
            )],
        )
        .unwrap();
        let index =
            &self.files[&format!("blobs/{}", manifest["index"]["sha256"].as_str().unwrap())];
        let blob = serde_json::from_value(manifest["index"].clone()).unwrap();
        let index = farad::unpack::decode(index, None, &blob, "index").unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut metadata = serde_json::Map::new();
        metadata.insert(
            "timestamp.json".to_owned(),
            json!(text(&self.files["metadata/timestamp.json"])),
        );
        let snapshot = &self.files[&format!("metadata/{}.snapshot.json", self.snapshot)];
        metadata.insert("snapshot.json".to_owned(), json!(text(snapshot)));
        json!({
            "schema": 1, "app": self.app, "channel": "production",
            "sequence": release.sequence, "version": version, "manifest": release.manifest,
            "index": text(&index), "metadata": metadata,
        })
    }
}

/// Bytes that do not compress, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// How timestamp and snapshot list a file.
pub fn listing(version: &Value, bytes: &[u8]) -> Value {
    json!({ "version": version, "length": bytes.len(), "hashes": { "sha256": Digest::of(bytes) } })
}

/// What every role's signed part has.
pub fn common(role: &str, version: u64, expires: u64) -> Value {
    json!({
        "_type": role, "spec_version": "1.0.34", "version": version, "expires": time(expires),
    })
}

/// A role name as one segment of a URL.
pub fn quoted(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
