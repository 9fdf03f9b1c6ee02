//! The trusted metadata of one moment, and the rules by which it grows (TUF 1.0, section 5).
//!
//! Enters: raw bytes of the next file, in the order root, timestamp, snapshot, targets. Leaves: a
//! set in which every file vouches for the next. Refuses: everything that
//! [`crate::TrustKind`] names. Pure: time is passed in, nothing is kept or fetched here.

use std::collections::{BTreeMap, BTreeSet};

use super::envelope::Envelope;
use super::key::Key;
use super::metadata::{Common, MetaFile, RoleKeys, Root, Snapshot, Targets, Timestamp};
use crate::digest::Digest;
use crate::error::{TrustError, TrustKind};
use crate::limits;
use crate::time::UnixTime;

type Checked<T> = Result<T, TrustError>;

const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// Who may sign a delegated role, as its delegator says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a> {
    pub(super) keys: &'a BTreeMap<String, Key>,
    pub(super) role: &'a RoleKeys,
}

/// Trusted metadata of the top-level roles.
#[derive(Debug, Clone)]
pub(super) struct Set {
    root: Root,
    /// The moment that all expiries are held against.
    now: UnixTime,
    /// What the source's clock says, for the reader of an error.
    source_clock: Option<UnixTime>,
    timestamp: Option<Timestamp>,
    snapshot: Option<Snapshot>,
}

impl Set {
    /// Starts from the root that ships with the app: it must be signed by itself; its expiry does
    /// not matter, since a newer one may follow (5.2, 5.3).
    pub(super) fn new(shipped: &[u8], now: UnixTime) -> Checked<Self> {
        let root = read_root(shipped, None).map_err(|error| {
            TrustError::new("root", TrustKind::BadRoot, format!("{}: {}", error.kind, error.detail))
        })?;
        Ok(Self { root, now, source_clock: None, timestamp: None, snapshot: None })
    }

    /// Holds all expiries against another moment from here on.
    pub(super) fn set_now(&mut self, now: UnixTime) {
        self.now = now;
    }

    /// Notes what the source's clock says; whether to believe it is decided elsewhere.
    pub(super) fn note_source_clock(&mut self, clock: UnixTime) {
        self.source_clock = Some(clock);
    }

    /// Whether the root or a timestamp that was read is past its expiry.
    pub(super) fn looks_expired(&self, timestamp: &Timestamp) -> bool {
        let expiries = [timestamp.common.expires, self.root.common.expires];
        expiries.iter().any(|expires| *expires <= self.now)
    }

    /// The trusted root.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The trusted snapshot, once there is one.
    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Follows one step of the root chain (5.3.4–5.3.8): signed by the trusted root's keys and by
    /// its own, and exactly the next version. Intermediate roots may have expired.
    pub(super) fn update_root(&mut self, bytes: &[u8]) -> Checked<()> {
        let next = read_root(bytes, Some(&self.root))?;
        let (have, got) = (self.root.common.version, next.common.version);
        if Some(got) != have.checked_add(1) {
            let detail = format!("version {got} after {have}");
            return Err(TrustError::new("root", TrustKind::RootVersion, detail));
        }
        self.root = next;
        self.timestamp = None;
        self.snapshot = None;
        Ok(())
    }

    /// Reads a timestamp that was kept earlier, as what newer ones are held against. Its expiry
    /// does not matter for that.
    pub(super) fn read_timestamp(&self, bytes: &[u8]) -> Checked<Timestamp> {
        let timestamp: Timestamp = self.read_top("timestamp", bytes, limits::TIMESTAMP)?;
        if !timestamp.meta.contains_key("snapshot.json") {
            let detail = "it names no snapshot";
            return Err(TrustError::new("timestamp", TrustKind::Malformed, detail));
        }
        Ok(timestamp)
    }

    /// Takes a timestamp (5.4), held against the kept one. True if it is newer than that; an equal
    /// version stands for the kept one and changes nothing. The last root of the chain must not
    /// have expired by then (5.3.10).
    pub(super) fn update_timestamp(
        &mut self,
        bytes: &[u8],
        kept: Option<&Timestamp>,
    ) -> Checked<bool> {
        self.fresh("root", &self.root.common)?;
        let new = self.read_timestamp(bytes)?;
        let effective = match kept {
            Some(kept) => {
                let (old, got) = (kept.common.version, new.common.version);
                if got < old {
                    let detail = format!("version {got} after {old}");
                    return Err(TrustError::new("timestamp", TrustKind::Rollback, detail));
                }
                let version = |timestamp: &Timestamp| {
                    timestamp.meta.get("snapshot.json").map_or(0, |file| file.version)
                };
                if version(&new) < version(kept) {
                    let detail = format!("version {} after {}", version(&new), version(kept));
                    return Err(TrustError::new("snapshot", TrustKind::Rollback, detail));
                }
                if got == old { kept.clone() } else { new }
            }
            None => new,
        };
        self.fresh("timestamp", &effective.common)?;
        let newer = kept.is_none_or(|kept| kept.common.version < effective.common.version);
        self.timestamp = Some(effective);
        Ok(newer)
    }

    /// What the trusted timestamp says of the snapshot.
    pub(super) fn snapshot_listing(&self) -> Checked<&MetaFile> {
        self.timestamp
            .as_ref()
            .and_then(|timestamp| timestamp.meta.get("snapshot.json"))
            .ok_or_else(|| TrustError::new("snapshot", TrustKind::Missing, "no timestamp yet"))
    }

    /// Reads a snapshot that was kept earlier, as what newer ones are held against. Neither expiry
    /// nor the timestamp's listing matters for that; its signatures do.
    pub(super) fn read_snapshot(&self, bytes: &[u8]) -> Checked<Snapshot> {
        self.read_top("snapshot", bytes, limits::ROLE)
    }

    /// Takes the snapshot that the timestamp names (5.5), held against the kept one: no role may
    /// vanish from it or go back.
    pub(super) fn update_snapshot(&mut self, bytes: &[u8], kept: Option<&Snapshot>) -> Checked<()> {
        let listing = self.snapshot_listing()?;
        check_listing("snapshot", bytes, listing)?;
        let snapshot = self.read_snapshot(bytes)?;
        check_version("snapshot", &snapshot.common, listing)?;
        for (file, old) in kept.iter().flat_map(|kept| &kept.meta) {
            let role = file.strip_suffix(".json").unwrap_or(file);
            match snapshot.meta.get(file) {
                None => return Err(TrustError::new(role, TrustKind::RoleRemoved, "")),
                Some(new) if new.version < old.version => {
                    let detail = format!("version {} after {}", new.version, old.version);
                    return Err(TrustError::new(role, TrustKind::Rollback, detail));
                }
                Some(_) => {}
            }
        }
        self.fresh("snapshot", &snapshot.common)?;
        self.snapshot = Some(snapshot);
        Ok(())
    }

    /// What the trusted snapshot says of a targets role (5.6).
    pub(super) fn listing(&self, role: &str) -> Checked<&MetaFile> {
        self.snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.meta.get(&format!("{role}.json")))
            .ok_or_else(|| TrustError::new(role, TrustKind::NotInSnapshot, ""))
    }

    /// Reads `targets` or a delegated role, by the keys of whoever delegated to it: the same checks
    /// for all of them (5.6.2–5.6.6).
    pub(super) fn read_targets(
        &self,
        role: &str,
        bytes: &[u8],
        delegator: Option<Keys<'_>>,
    ) -> Checked<Targets> {
        let listing = self.listing(role)?;
        check_listing(role, bytes, listing)?;
        let envelope = Envelope::open(role, bytes, limits::ROLE)?;
        let keys = match delegator {
            Some(keys) => keys,
            None => top_level(&self.root, role)?,
        };
        envelope.verify(keys.keys, keys.role)?;
        let targets: Targets = envelope.read("targets")?;
        check_version(role, &targets.common, listing)?;
        self.fresh(role, &targets.common)?;
        // A delegated file that were kept in the snapshot's place would take with it the memory of
        // which versions this device has seen. And what verified by the keys of one delegation must
        // not pass for what another of the same name asks for.
        let delegations = targets.delegations.iter().flat_map(|delegations| &delegations.roles);
        let mut names = BTreeSet::new();
        for name in delegations.map(|delegation| delegation.name.as_str()) {
            if name.is_empty() || TOP_LEVEL.contains(&name) || !names.insert(name) {
                let detail = format!("it delegates to a role named {name:?}, or twice to it");
                return Err(TrustError::new(role, TrustKind::Malformed, detail));
            }
        }
        Ok(targets)
    }

    fn read_top<T: serde::de::DeserializeOwned>(
        &self,
        role: &str,
        bytes: &[u8],
        limit: u64,
    ) -> Checked<T> {
        let envelope = Envelope::open(role, bytes, limit)?;
        let keys = top_level(&self.root, role)?;
        envelope.verify(keys.keys, keys.role)?;
        envelope.read(role)
    }

    fn fresh(&self, role: &str, common: &Common) -> Checked<()> {
        if common.expires > self.now {
            return Ok(());
        }
        let mut detail = format!("at {}; now {}", common.expires, self.now);
        // Whoever reads this wants to know whether the device's clock is to blame.
        if let Some(clock) = self.source_clock {
            detail += &format!(", by the server's clock {clock}");
        }
        Err(TrustError::new(role, TrustKind::Expired, detail))
    }
}

/// Whether `old` and `new` give timestamp or snapshot to different keys or thresholds: then what
/// the old keys signed binds nobody, however high its version (5.3.11).
pub(super) fn recovers(old: &Root, new: &Root) -> bool {
    let substance = |root: &Root, role: &str| {
        let keys = root.roles.get(role)?;
        let mut substance: Vec<_> =
            keys.keyids.iter().filter_map(|id| root.keys.get(id)).map(Key::substance).collect();
        substance.sort();
        Some((substance, keys.threshold))
    };
    ["timestamp", "snapshot"].iter().any(|role| substance(old, role) != substance(new, role))
}

/// What the root of this version says that its own keys vouch for, in the form that they signed: the same
/// for two files that differ only in what nobody signed.
pub(super) fn root_content(bytes: &[u8], version: u64) -> Checked<Vec<u8>> {
    let got = read_root(bytes, None)?.common.version;
    if got != version {
        let detail = format!("version {got} in the place of {version}");
        return Err(TrustError::new("root", TrustKind::RootVersion, detail));
    }
    Ok(Envelope::open("root", bytes, limits::ROOT)?.message)
}

fn read_root(bytes: &[u8], previous: Option<&Root>) -> Checked<Root> {
    let envelope = Envelope::open("root", bytes, limits::ROOT)?;
    if let Some(previous) = previous {
        let keys = top_level(previous, "root")?;
        envelope.verify(keys.keys, keys.role)?;
    }
    // The keys stand inside what they sign: a copy is read for them, and nothing else of it is
    // used before it verified.
    let claimed: Root = Envelope::open("root", bytes, limits::ROOT)?.read("root")?;
    for role in TOP_LEVEL {
        let keys = top_level(&claimed, role)?;
        let unresolved = keys.role.keyids.iter().any(|id| !claimed.keys.contains_key(id));
        if unresolved || keys.role.threshold == 0 {
            let detail = format!("the keys of {role} are not complete");
            return Err(TrustError::new("root", TrustKind::Malformed, detail));
        }
    }
    let keys = top_level(&claimed, "root")?;
    envelope.verify(keys.keys, keys.role)?;
    Ok(claimed)
}

fn top_level<'a>(root: &'a Root, role: &str) -> Checked<Keys<'a>> {
    let keys = root.roles.get(role).ok_or_else(|| {
        TrustError::new("root", TrustKind::Malformed, format!("it names no {role}"))
    })?;
    Ok(Keys { keys: &root.keys, role: keys })
}

/// Length and digests as the referring role lists them, before anything is read (C2).
fn check_listing(role: &str, bytes: &[u8], listing: &MetaFile) -> Checked<()> {
    let refuse = |kind, detail: &str| Err(TrustError::new(role, kind, detail));
    if listing.length.is_some_and(|length| bytes.len() as u64 > length) {
        return refuse(TrustKind::TooLarge, "longer than announced");
    }
    if listing.length.is_some_and(|length| (bytes.len() as u64) < length) {
        return refuse(TrustKind::HashMismatch, "shorter than announced");
    }
    match &listing.hashes {
        None => Ok(()),
        Some(hashes) => check_hashes(role, bytes, hashes),
    }
}

/// Every digest of a known algorithm must match, and there must be one.
pub(super) fn check_hashes(
    what: &str,
    bytes: &[u8],
    hashes: &BTreeMap<String, String>,
) -> Checked<()> {
    let mut known = false;
    for (algorithm, expected) in hashes {
        let actual = match algorithm.as_str() {
            "sha256" => Digest::of(bytes).to_string(),
            "sha512" => {
                crate::hex::encode(ring::digest::digest(&ring::digest::SHA512, bytes).as_ref())
            }
            _ => continue,
        };
        known = true;
        if !actual.eq_ignore_ascii_case(expected) {
            return Err(TrustError::new(what, TrustKind::HashMismatch, algorithm.as_str()));
        }
    }
    if known { Ok(()) } else { Err(TrustError::new(what, TrustKind::NoUsableHash, "")) }
}

fn check_version(role: &str, common: &Common, listing: &MetaFile) -> Checked<()> {
    if common.version == listing.version {
        return Ok(());
    }
    let detail = format!("version {}, announced was {}", common.version, listing.version);
    Err(TrustError::new(role, TrustKind::VersionMismatch, detail))
}
