//! The repository on the publisher's disk: reading what is current.
//!
//! Enters: a folder, and the trust anchor beside `farad.toml`. Leaves: current metadata and
//! documents, verified as a phone would verify them, expiry aside: what has expired is what
//! `refresh` is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use farad::digest::Digest;
use farad::error::Result as CoreResult;
use farad::id::{AppId, Channel};
use farad::release::{Manifest, unsupported};
use farad::rollout::{Policy, Rollout};
use farad::time::UnixTime;
use farad::trust::metadata::{MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp};
use farad::trust::{Keep, Order, Setting, Source, TimestampAnswer, with_session};
use farad::{json, limits};
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Result};
use crate::plain::one_line;
use crate::roles::{Authority, channels, common};

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
    /// The timestamp's bytes, if there is one: replaced only if they are still the same.
    pub(crate) timestamp_bytes: Option<Vec<u8>>,
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
        fs::read(&place).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                let message = format!("{path} is missing in the repository; restore it");
                return Failure::new("hash-mismatch", message);
            }
            Failure::file("reading", &place, &error)
        })
    }

    /// A file's whole content, if there is such a file.
    pub(crate) fn read_if_there(&self, path: &str) -> Result<Option<Vec<u8>>> {
        if self.has(path) { self.read(path).map(Some) } else { Ok(None) }
    }

    /// Reads and verifies what is current, from the trust anchor `root` on.
    pub(crate) fn load(&self, root: &[u8], app: &AppId) -> Result<Current> {
        let timestamp_bytes = self.read("metadata/timestamp.json")?;
        let timestamp: Timestamp = signed(&timestamp_bytes, "timestamp")?;
        let snapshot = self.snapshot()?;
        let targets: Targets = self.listed("targets", &snapshot)?;
        let mut roles = BTreeMap::new();
        for file in snapshot.meta.keys().filter(|file| *file != "targets.json") {
            let name = file.strip_suffix(".json").unwrap_or(file);
            roles.insert(name.to_owned(), self.listed(name, &snapshot)?);
        }
        let channels = channels(&targets);
        refuse_unvouched(&snapshot, &channels)?;
        // Of root only what was verified is built upon: a key that signs the next one vouches for
        // every key in it.
        let root = self.trusted_root(root, app, &channels).map_err(|failure| {
            let message =
                format!("the repository does not verify: {}; restore it first", failure.message);
            Failure { message, ..failure }
        })?;
        let timestamp_bytes = Some(timestamp_bytes);
        Ok(Current { root, timestamp, timestamp_bytes, snapshot, targets, roles })
    }

    /// The newest root, as somebody arrives at it who trusts `anchor` and follows what is published.
    pub(crate) fn trusted_root(
        &self,
        anchor: &[u8],
        app: &AppId,
        channels: &[Channel],
    ) -> Result<Root> {
        let version = signed::<Root>(anchor, "root")?.common.version;
        let path = format!("metadata/{version}.root.json");
        if self.read_if_there(&path)?.as_deref() != Some(anchor) {
            let message = format!("{path} is missing or not the root that is trusted");
            return Err(Failure::new("hash-mismatch", message));
        }
        let mut source = Overlay { folder: self.folder.clone(), files: BTreeMap::new() };
        verify(anchor, app, channels, any_time(), &mut source)
    }

    /// The snapshot that the timestamp names, not verified.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let timestamp: Timestamp = signed(&self.read("metadata/timestamp.json")?, "timestamp")?;
        let version = timestamp.meta.get("snapshot.json").map_or(0, |file| file.version);
        self.role("snapshot", version)
    }

    fn role<T: DeserializeOwned>(&self, name: &str, version: u64) -> Result<T> {
        signed(&self.read(&format!("metadata/{version}.{name}.json"))?, name)
    }

    /// A role as a snapshot lists it.
    fn listed(&self, name: &str, snapshot: &Snapshot) -> Result<Targets> {
        let listing = snapshot.meta.get(&format!("{name}.json"));
        let path = format!("metadata/{}.{name}.json", listing.map_or(0, |file| file.version));
        let bytes = self.read(&path)?;
        if listing.and_then(digest).is_some_and(|digest| *digest != Digest::of(&bytes).to_string())
        {
            let message = format!("{path} is not the file that the snapshot lists; restore it");
            return Err(Failure::new("hash-mismatch", message));
        }
        signed(&bytes, name)
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
        let mut found = BTreeMap::new();
        for sequence in listed_sequences(releases, channel) {
            let bytes = self.target(releases, &channel.release_path(sequence))?;
            let manifest = Manifest::parse(&bytes, app, channel, sequence)?;
            found.insert(sequence, (Digest::of(&bytes), manifest));
        }
        let rollout = Rollout::parse(&rollout, app, channel)?;
        let policy = Policy::parse(&policy, app, channel)?;
        // What a newer version wrote is not written over by one that would leave half of it out.
        if let Some(feature) = unsupported(&rollout.requires).or(unsupported(&policy.requires)) {
            let message = format!(
                "{channel} requires {}, which this version of farad does not know; update farad",
                one_line(feature)
            );
            return Err(Failure::new("unsupported", message));
        }
        Ok(ChannelDocuments { rollout, policy, releases: found })
    }

    /// A target's bytes, held against its listing.
    pub(crate) fn target(&self, role: &Targets, path: &str) -> Result<Vec<u8>> {
        let damaged = || Failure::new("hash-mismatch", format!("{path} is missing or damaged"));
        let digest = role.targets.get(path).and_then(|file| file.hashes.get("sha256"));
        let bytes = self.read(&target_file(path, digest.ok_or_else(damaged)?))?;
        if Some(&Digest::of(&bytes).to_string()) == digest { Ok(bytes) } else { Err(damaged()) }
    }
}

impl ChannelDocuments {
    /// Refuses a release that the channel's policy does not let run.
    pub(crate) fn may_run(&self, sequence: u64) -> Result<()> {
        let name = || match self.releases.get(&sequence) {
            Some((_, manifest)) => manifest.version.clone(),
            None => format!("sequence {sequence}"),
        };
        let channel = &self.policy.channel;
        if self.policy.revokes(sequence) {
            let message = format!(
                "{} is revoked in {channel}, so that it may not run there; release what is to run",
                name()
            );
            return Err(Failure::new("revoked", message));
        }
        if sequence < self.policy.floor {
            let message = format!(
                "{} lies below the floor of {channel}, so that it may not run there; release what is to run",
                name()
            );
            return Err(Failure::new("below-floor", message));
        }
        Ok(())
    }
}

impl Current {
    /// What is current before anything is: everything at version 0, no keys, no channels.
    pub(crate) fn nothing() -> Self {
        let zero = |role| common(role, 0, UnixTime::from_seconds(0));
        let (keys, roles) = (BTreeMap::new(), BTreeMap::new());
        Self {
            root: Root { common: zero("root"), consistent_snapshot: true, keys, roles },
            timestamp: Timestamp {
                common: zero("timestamp"),
                signed_at: None,
                meta: BTreeMap::new(),
            },
            timestamp_bytes: None,
            snapshot: Snapshot { common: zero("snapshot"), meta: BTreeMap::new() },
            targets: Targets {
                common: zero("targets"),
                targets: BTreeMap::new(),
                delegations: None,
            },
            roles: BTreeMap::new(),
        }
    }

    /// Who may sign what.
    pub(crate) fn authority(&self) -> Authority<'_> {
        Authority { root: &self.root, targets: &self.targets }
    }

    /// Whether the snapshot lists this role.
    pub(crate) fn lists(&self, role: &str) -> bool {
        self.snapshot.meta.contains_key(&format!("{role}.json"))
    }
}

/// Refuses a role that is listed without a digest where no phone comes to it, whose walk holds every role
/// against its keys: of the roles of a channel that was removed the digest is all that vouches.
fn refuse_unvouched(snapshot: &Snapshot, channels: &[Channel]) -> Result<()> {
    let walked = |file: &str| {
        let is = |role: String| file.strip_suffix(".json") == Some(role.as_str());
        let own =
            |c: &Channel| file == "targets.json" || is(c.releases_role()) || is(c.rollout_role());
        channels.iter().any(own)
    };
    let mut files = snapshot.meta.iter();
    match files.find(|(file, listing)| digest(listing).is_none() && !walked(file)) {
        None => Ok(()),
        Some((file, _)) => {
            let file = one_line(file);
            let message = format!(
                "the snapshot lists {file} without a digest, and no channel leads there: nobody vouches for it"
            );
            Err(Failure::new("hash-mismatch", message))
        }
    }
}

fn digest(listing: &MetaFile) -> Option<&String> {
    listing.hashes.as_ref()?.get("sha256")
}

/// A time at which nothing has expired.
pub(crate) fn any_time() -> UnixTime {
    UnixTime::from_seconds(0)
}

/// Walks channels as a phone would at a time, from the trust anchor on, and returns the newest root.
pub(crate) fn verify(
    anchor: &[u8],
    app: &AppId,
    channels: &[Channel],
    now: UnixTime,
    source: &mut dyn Source,
) -> Result<Root> {
    let seed = BTreeMap::new();
    let setting =
        Setting { root: anchor, now, built: any_time(), order: Order::Strict, seed: &seed };
    let root = with_session(&setting, &mut MemoryKeep::default(), source, |session| {
        for channel in channels {
            let policy = session.target(&channel.policy_path(), limits::ROLE)?;
            Policy::parse(&policy, app, channel)?;
            let rollout = session.target(&channel.rollout_path(), limits::ROLE)?;
            Rollout::parse(&rollout, app, channel)?;
        }
        Ok(session.root().clone())
    })?;
    Ok(root)
}

/// The sequences of the releases that a channel's role lists.
pub(crate) fn listed_sequences(releases: &Targets, channel: &Channel) -> Vec<u64> {
    let prefix = format!("{channel}/releases/");
    let sequence = |path: &String| {
        let number = path.strip_prefix(&prefix)?.strip_suffix(".json")?.parse().ok()?;
        // One spelling only: 07.json is no release.
        (*path == channel.release_path(number)).then_some(number)
    };
    releases.targets.keys().filter_map(sequence).collect()
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
pub(crate) fn signed<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T> {
    let malformed = |detail: String| Failure::new("malformed", format!("{name}: {detail}"));
    // As git leaves a file that two sides changed.
    if bytes.starts_with(b"<<<<<<< ") {
        let message = format!(
            "{name} holds two states that git could not merge: two people published at once. Take one side's farad.toml, farad-root.json, updates and pending whole, and run the other's command again"
        );
        return Err(Failure::new("conflict", message));
    }
    let mut file = json::parse(bytes).map_err(|error| malformed(error.to_string()))?;
    let signed = file.get_mut("signed").map(serde_json::Value::take).unwrap_or_default();
    serde_json::from_value(signed).map_err(|error| malformed(error.to_string()))
}

/// A repository in a folder, with some files before they are written, as a phone would see it
/// through a server.
pub(crate) struct Overlay {
    pub(crate) folder: PathBuf,
    /// By path in the repository; these come first.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Overlay {
    fn file(&self, path: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        let read = match self.files.get(path) {
            Some(bytes) => Ok(bytes.clone()),
            None => fs::read(self.folder.join(path)),
        };
        match read {
            Ok(bytes) if bytes.len() as u64 <= limit => Ok(Some(bytes)),
            Ok(_) => Err(farad::Error::TooLarge { what: path.to_owned(), limit }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(farad::Error::storage(path, error)),
        }
    }
}

impl Source for Overlay {
    fn metadata(&mut self, file: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        self.file(&format!("metadata/{file}"), limit)
    }

    fn timestamp(&mut self, _: Option<&str>, limit: u64) -> CoreResult<TimestampAnswer> {
        Ok(match self.file("metadata/timestamp.json", limit)? {
            Some(bytes) => TimestampAnswer::Found { etag: None, date: None, bytes },
            None => TimestampAnswer::Missing,
        })
    }

    fn target(&mut self, path: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        self.file(&format!("targets/{path}"), limit)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_no_channel_leads_to_is_listed_by_its_digest() {
        let listing = |hashes| MetaFile { version: 3, length: None, hashes };
        let digest = BTreeMap::from([("sha256".to_owned(), Digest::of(b"").to_string())]);
        let mut snapshot = Current::nothing().snapshot;
        let all = ["targets", "beta-releases", "beta-rollout"];
        snapshot.meta.extend(all.map(|role| (format!("{role}.json"), listing(None))));
        let beta: Channel = "beta".parse().unwrap();
        refuse_unvouched(&snapshot, std::slice::from_ref(&beta)).unwrap();
        for role in all {
            let failure = refuse_unvouched(&snapshot, &[]).unwrap_err();
            assert_eq!(failure.code, "hash-mismatch", "{role}");
            snapshot.meta.insert(format!("{role}.json"), listing(Some(digest.clone())));
        }
        refuse_unvouched(&snapshot, &[]).unwrap();
        snapshot.meta.insert("gamma-releases.json".to_owned(), listing(None));
        let failure = refuse_unvouched(&snapshot, &[beta]).unwrap_err();
        assert!(failure.message.contains("gamma-releases.json"), "{}", failure.message);
    }
}
