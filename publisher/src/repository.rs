//! The repository on the publisher's disk: reading what is current.
//!
//! Enters: a folder, and the trust anchor beside `farad.toml`. Leaves: current metadata and
//! documents, verified as a phone would verify them, expiry aside: what has expired is what
//! `refresh` is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use farad::digest::Digest;
use farad::error::Result as CoreResult;
use farad::id::{AppId, Channel};
use farad::release::Manifest;
use farad::rollout::{Policy, Rollout};
use farad::time::UnixTime;
use farad::trust::metadata::{Root, Snapshot, TargetFile, Targets, Timestamp};
use farad::trust::{Keep, Order, Setting, Source, TimestampAnswer, with_session};
use farad::{json, limits};
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Result};

/// A repository's folder.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) folder: PathBuf,
}

/// What is current in a repository.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) root: Root,
    pub(crate) timestamp: Timestamp,
    /// The timestamp's bytes: replaced only if they are still the same.
    pub(crate) timestamp_bytes: Vec<u8>,
    pub(crate) snapshot: Snapshot,
    pub(crate) targets: Targets,
    /// Delegated roles by name.
    pub(crate) roles: BTreeMap<String, Targets>,
}

/// The documents of one channel.
#[derive(Debug, Clone)]
pub(crate) struct ChannelDocuments {
    pub(crate) rollout: Rollout,
    pub(crate) policy: Policy,
    /// Listed releases by sequence, with the digests of their manifests.
    pub(crate) releases: BTreeMap<u64, (Digest, Manifest)>,
}

impl Repository {
    /// A file's whole content.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>> {
        let place = self.folder.join(path);
        fs::read(&place).map_err(|error| Failure::file("reading", &place, &error))
    }

    /// Reads and verifies what is current, from the trust anchor `root` on.
    pub(crate) fn load(&self, root: &[u8], app: &AppId) -> Result<Current> {
        let timestamp_bytes = self.read("metadata/timestamp.json")?;
        let timestamp: Timestamp = signed(&timestamp_bytes, "timestamp")?;
        let version = timestamp.meta.get("snapshot.json").map_or(0, |file| file.version);
        let snapshot: Snapshot = self.role("snapshot", version)?;
        let listed = |name: &str| snapshot.meta.get(name).map_or(0, |file| file.version);
        let targets: Targets = self.role("targets", listed("targets.json"))?;
        let mut roles = BTreeMap::new();
        for file in snapshot.meta.keys().filter(|file| *file != "targets.json") {
            let name = file.strip_suffix(".json").unwrap_or(file);
            roles.insert(name.to_owned(), self.role(name, listed(file))?);
        }
        let root_version =
            (1..).take_while(|n| self.has(&format!("metadata/{n}.root.json"))).last();
        let trusted: Root = self.role("root", root_version.unwrap_or(1))?;
        let current =
            Current { root: trusted, timestamp, timestamp_bytes, snapshot, targets, roles };
        self.verify(root, app, &current)?;
        Ok(current)
    }

    /// Walks every channel as a phone would, at a time when nothing has expired.
    fn verify(&self, root: &[u8], app: &AppId, current: &Current) -> Result<()> {
        let epoch = UnixTime::from_seconds(0);
        let seed = BTreeMap::new();
        let setting = Setting { root, now: epoch, built: epoch, order: Order::Strict, seed: &seed };
        let (mut keep, mut source) = (MemoryKeep::default(), FolderSource(self.folder.clone()));
        with_session(&setting, &mut keep, &mut source, |session| {
            for channel in current.channels() {
                let policy = session.target(&channel.policy_path(), limits::ROLE)?;
                Policy::parse(&policy, app, &channel)?;
                let rollout = session.target(&channel.rollout_path(), limits::ROLE)?;
                Rollout::parse(&rollout, app, &channel)?;
            }
            Ok(())
        })
        .map_err(|error| {
            let failure = Failure::from(error);
            let message =
                format!("the repository does not verify: {}; restore it first", failure.message);
            Failure { message, ..failure }
        })
    }

    fn role<T: DeserializeOwned>(&self, name: &str, version: u64) -> Result<T> {
        signed(&self.read(&format!("metadata/{version}.{name}.json"))?, name)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.folder.join(path).exists()
    }

    /// The documents of a channel.
    pub(crate) fn channel(
        &self,
        current: &Current,
        app: &AppId,
        channel: &Channel,
    ) -> Result<ChannelDocuments> {
        let lists = |role: String| {
            current.roles.get(&role).ok_or_else(|| {
                let message = format!("the repository has no channel {channel}");
                Failure::new("unknown-channel", message)
            })
        };
        let (rollouts, releases) =
            (lists(channel.rollout_role())?, lists(channel.releases_role())?);
        let rollout = self.target(rollouts, &channel.rollout_path())?;
        let policy = self.target(releases, &channel.policy_path())?;
        let prefix = format!("{channel}/releases/");
        let mut found = BTreeMap::new();
        for path in releases.targets.keys() {
            let sequence = path.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".json"));
            if let Some(sequence) = sequence.and_then(|text| text.parse().ok()) {
                let bytes = self.target(releases, path)?;
                let manifest = Manifest::parse(&bytes, app, channel, sequence)?;
                found.insert(sequence, (Digest::of(&bytes), manifest));
            }
        }
        Ok(ChannelDocuments {
            rollout: Rollout::parse(&rollout, app, channel)?,
            policy: Policy::parse(&policy, app, channel)?,
            releases: found,
        })
    }

    /// A target's bytes, held against its listing.
    pub(crate) fn target(&self, role: &Targets, path: &str) -> Result<Vec<u8>> {
        let damaged = || Failure::new("hash-mismatch", format!("{path} is missing or damaged"));
        let digest = role.targets.get(path).and_then(|file| file.hashes.get("sha256"));
        let bytes = self.read(&target_file(path, digest.ok_or_else(damaged)?))?;
        if Some(&Digest::of(&bytes).to_string()) == digest { Ok(bytes) } else { Err(damaged()) }
    }
}

impl Current {
    /// The channels that the targets role delegates to.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let delegations = self.targets.delegations.iter().flat_map(|all| &all.roles);
        delegations.filter_map(|role| role.name.strip_suffix("-releases")?.parse().ok()).collect()
    }
}

/// Where a target lies: its digest stands in front of the last segment.
pub(crate) fn target_file(path: &str, digest: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, file)) => format!("targets/{folder}/{digest}.{file}"),
        None => format!("targets/{digest}.{path}"),
    }
}

/// A listing of `bytes` for a targets role.
pub(crate) fn listing(bytes: &[u8]) -> TargetFile {
    let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(bytes).to_string())]);
    TargetFile { length: bytes.len() as u64, hashes, custom: None }
}

/// The signed part of a metadata file, as it stands: the session verifies it.
fn signed<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T> {
    let malformed = |detail: String| Failure::new("malformed", format!("{name}: {detail}"));
    let mut file = json::parse(bytes).map_err(|error| malformed(error.to_string()))?;
    let signed = file.get_mut("signed").map(serde_json::Value::take).unwrap_or_default();
    serde_json::from_value(signed).map_err(|error| malformed(error.to_string()))
}

/// A repository in a folder, as a phone would see it through a server.
pub(crate) struct FolderSource(pub(crate) PathBuf);

impl FolderSource {
    fn file(&self, path: &Path, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Ok(bytes) if bytes.len() as u64 <= limit => Ok(Some(bytes)),
            Ok(_) => Err(farad::Error::TooLarge { what: path.display().to_string(), limit }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(farad::Error::storage(path.display().to_string(), error)),
        }
    }
}

impl Source for FolderSource {
    fn metadata(&mut self, file: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        self.file(&Path::new("metadata").join(file), limit)
    }

    fn timestamp(&mut self, _: Option<&str>, limit: u64) -> CoreResult<TimestampAnswer> {
        Ok(match self.file(Path::new("metadata/timestamp.json"), limit)? {
            Some(bytes) => TimestampAnswer::Found { etag: None, date: None, bytes },
            None => TimestampAnswer::Missing,
        })
    }

    fn target(&mut self, path: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        self.file(&Path::new("targets").join(path), limit)
    }
}

/// Keeps nothing beyond one run: every verification starts from the anchor.
#[derive(Debug, Default)]
pub(crate) struct MemoryKeep(BTreeMap<String, Vec<u8>>);

impl Keep for MemoryKeep {
    fn load(&self, name: &str) -> CoreResult<Option<Vec<u8>>> {
        Ok(self.0.get(name).cloned())
    }

    fn save(&mut self, name: &str, bytes: &[u8]) -> CoreResult<()> {
        self.0.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&mut self, name: &str) -> CoreResult<()> {
        self.0.remove(name);
        Ok(())
    }

    fn names(&self) -> CoreResult<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}
