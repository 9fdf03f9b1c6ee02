//! One cycle of the client: the order of steps, and what is kept when.
//!
//! The order of *checks* is TUF's. The order of *requests* is not, by default: the timestamp comes
//! first, with the version the client has, so that "nothing new" is one small request; new roots
//! are asked for once a day, and whenever anything fails to verify.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::chain;
use super::clock::{self, BELIEVED, BOUND, Believed, CLOCK, DAY};
use super::key::Key;
use super::metadata::{RoleKeys, Root, TargetFile, Targets, Timestamp};
use super::set::{Keys, Set, check_hashes};
use super::{Keep, Source, TimestampAnswer, kept_name, url_segment};
use crate::digest::Digest;
use crate::error::{Error, Result, TrustError, TrustKind};
use crate::time::UnixTime;
use crate::{json, limits};

/// The name under which hints are kept: nothing in them is believed.
const HINTS: &str = "hints";

/// When new roots are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Before anything else, every time (TUF 1.0, section 5.3).
    Strict,
    /// Once a day, and when anything fails to verify.
    Hot,
}

/// What a session starts from.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The root that ships with the app.
    pub root: &'a [u8],
    /// The clock, read once for the whole session. Where it runs ahead, [`Order::Hot`] may hold
    /// expiries against the source's clock instead.
    pub now: UnixTime,
    /// When the app was built: no clock is believed to be earlier.
    pub built: UnixTime,
    /// When new roots are asked for.
    pub order: Order,
    /// Metadata that ships inside the app, by kept name: a reference against rollback for a
    /// device that has nothing newer.
    pub seed: &'a BTreeMap<String, Vec<u8>>,
}

/// Trusted metadata of this moment, from which target files are asked.
pub struct Session<'a> {
    set: Set,
    keep: &'a mut dyn Keep,
    source: &'a mut dyn Source,
    /// Roles verified in this session, by delegator and name: the same role reached from another
    /// delegator is verified again, by that one's keys.
    roles: BTreeMap<(String, String), Targets>,
    used: BTreeSet<String>,
    /// All earlier state was dropped, since it has nothing to do with the shipped root: the caller
    /// drops what it derived from it. Told until a session ends well.
    pub reset: bool,
    /// The timestamp is newer than the one kept before.
    pub changed: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Hints {
    etag: Option<String>,
    /// The kept timestamp that the ETag stands for.
    timestamp: Option<Digest>,
    /// Seconds since the epoch, by this device's clock.
    root_probe: Option<u64>,
}

/// Refreshes the top-level metadata and hands it to `work`. If anything fails to verify before
/// new roots were asked for, asks for them and starts over: the keys may have changed. Files that
/// a finished session did not use are forgotten.
///
/// # Errors
/// [`Error::Trust`] for what is refused; those of source and keep. What was verified up to then is
/// kept, and the next session starts from it.
pub fn with_session<T>(
    setting: &Setting<'_>,
    keep: &mut dyn Keep,
    source: &mut dyn Source,
    mut work: impl FnMut(&mut Session<'_>) -> Result<T>,
) -> Result<T> {
    let probe = setting.order == Order::Strict || probe_is_due(&load_hints(keep)?, setting.now);
    let mut attempt = |probe: bool| {
        let mut session = Session::refresh(setting, probe, &mut *keep, &mut *source)?;
        let outcome = work(&mut session)?;
        session.end_well(setting)?;
        Ok(outcome)
    };
    match attempt(probe) {
        Err(Error::Trust(error)) if !probe && error.kind != TrustKind::BadRoot => {
            log::info!("{error}: asking for new roots");
            attempt(true)
        }
        outcome => outcome,
    }
}

fn probe_is_due(hints: &Hints, now: UnixTime) -> bool {
    // A clock that went back makes it due as well.
    hints.root_probe.is_none_or(|last| now.seconds().checked_sub(last).is_none_or(|age| age >= DAY))
}

fn load_hints(keep: &dyn Keep) -> Result<Hints> {
    let hints = keep.load(HINTS)?;
    Ok(hints.and_then(|bytes| json::parse_as(&bytes).ok()).unwrap_or_default())
}

impl<'a> Session<'a> {
    fn refresh(
        setting: &Setting<'_>,
        probe: bool,
        keep: &'a mut dyn Keep,
        source: &'a mut dyn Source,
    ) -> Result<Self> {
        let now = clock::now_at_least(setting, keep)?;
        let (set, reset) = chain::begin(setting.root, now, keep, source)?;
        let (roles, used) = (BTreeMap::new(), BTreeSet::new());
        let mut session = Self { set, keep, source, roles, used, reset, changed: false };
        if probe {
            chain::follow_source(&mut session.set, session.keep, session.source)?;
            let mut hints = load_hints(session.keep)?;
            hints.root_probe = Some(setting.now.seconds());
            session.save_hints(&hints)?;
            // New keys for the timestamp drop the bound that the old ones raised.
            session.set.set_now(clock::now_at_least(setting, session.keep)?);
        }
        session.sow(setting.seed)?;
        session.timestamp(setting)?;
        session.snapshot()?;
        session.role("", "targets", None)?;
        Ok(session)
    }

    /// Shipped metadata becomes a reference where it verifies and is newer than what is kept.
    fn sow(&mut self, seed: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        let set = &self.set;
        let timestamp = |bytes: &[u8]| Some(set.read_timestamp(bytes).ok()?.common.version);
        let snapshot = |bytes: &[u8]| Some(set.read_snapshot(bytes).ok()?.common.version);
        let is_newer = |keep: &dyn Keep, name, version: &dyn Fn(&[u8]) -> Option<u64>| {
            let kept = keep.load(name)?;
            Ok::<_, Error>(
                seed.get(name).and_then(|bytes| version(bytes))
                    > kept.and_then(|kept| version(&kept)),
            )
        };
        let newer_timestamp = is_newer(self.keep, "timestamp.json", &timestamp)?;
        let newer_snapshot = is_newer(self.keep, "snapshot.json", &snapshot)?;
        for (name, bytes) in seed {
            let better = match name.as_str() {
                "timestamp.json" => newer_timestamp,
                "snapshot.json" => newer_snapshot,
                // Only a cache, verified against the snapshot whenever it is used: worth a write
                // while its own snapshot is the newest, not at every session ever after.
                _ => newer_snapshot && self.keep.load(name)?.is_none(),
            };
            if better {
                self.keep.save(name, bytes)?;
            }
        }
        Ok(())
    }

    fn timestamp(&mut self, setting: &Setting<'_>) -> Result<()> {
        let kept_bytes = self.keep.load("timestamp.json")?;
        let kept = kept_bytes.as_deref().and_then(|bytes| self.set.read_timestamp(bytes).ok());
        let mut hints = load_hints(self.keep)?;
        let kept_digest = kept_bytes.as_deref().filter(|_| kept.is_some()).map(Digest::of);
        let same = kept_digest.is_some() && hints.timestamp == kept_digest;
        let etag = hints.etag.clone().filter(|_| same);
        match (self.source.timestamp(etag.as_deref(), limits::TIMESTAMP)?, kept_bytes) {
            (TimestampAnswer::Found { etag, date, bytes }, _) => {
                let known = kept.as_ref().zip(kept_digest);
                let believed = self.mind_clock(setting, date, &bytes, known)?;
                self.changed = self.set.update_timestamp(&bytes, kept.as_ref())?;
                let stands = if self.changed {
                    if let Some(believed) = believed {
                        believed.save(self.keep)?;
                        self.used.insert(BELIEVED.to_owned());
                    }
                    self.keep.save("timestamp.json", &bytes)?;
                    if let Some(signed_at) = self.set.read_timestamp(&bytes)?.signed_at {
                        clock::raise_bound(self.keep, signed_at, setting.now)?;
                    }
                    Some(Digest::of(&bytes))
                } else {
                    kept_digest
                };
                if hints.etag != etag || hints.timestamp != stands {
                    (hints.etag, hints.timestamp) = (etag, stands);
                    self.save_hints(&hints)?;
                }
                Ok(())
            }
            // As if the same bytes had come again: the expiry is held against the clock anew.
            (TimestampAnswer::NotModified, Some(bytes)) => {
                self.mind_clock(setting, None, &bytes, kept.as_ref().zip(kept_digest))?;
                self.set.update_timestamp(&bytes, kept.as_ref())?;
                Ok(())
            }
            _ => Err(TrustError::new("timestamp", TrustKind::Missing, "").into()),
        }
    }

    /// Where the device's clock runs ahead, everything fresh looks expired. The source's clock is
    /// believed instead if that brings progress: a timestamp newer than one that is kept or
    /// shipped, at a time that may be. How far the device's clock is ahead is believed once: a source
    /// that lies of it can move a device forward through states that have expired since, but no slower
    /// than they expire. What was believed stands for that timestamp for a day more, so that a check
    /// leaves the sync after it what it found; for longer nobody can hold a device there.
    fn mind_clock(
        &mut self,
        setting: &Setting<'_>,
        date: Option<UnixTime>,
        timestamp: &[u8],
        kept: Option<(&Timestamp, Digest)>,
    ) -> Result<Option<Believed>> {
        if let Some(date) = date {
            self.set.note_source_clock(date);
        }
        let (Ok(new), Some((kept, digest))) = (self.set.read_timestamp(timestamp), kept) else {
            return Ok(None);
        };
        if setting.order != Order::Hot || !self.set.looks_expired(&new) {
            return Ok(None);
        }
        let earliest = clock::earliest(setting, self.keep)?;
        let believed = Believed::load(self.keep, setting.now)?;
        if new.common.version > kept.common.version {
            let Some(date) = date.filter(|date| (earliest..setting.now).contains(date)) else {
                return Ok(None);
            };
            log::warn!("the clock is ahead: it says {}, the server {date}", setting.now);
            let believed = Believed::of(Digest::of(timestamp), date, setting.now, believed);
            self.set.set_now(believed.now(setting.now).max(date));
            return Ok(Some(believed));
        }
        if let Some(believed) = believed.filter(|believed| believed.holds(digest, setting.now)) {
            self.set.set_now(believed.now(setting.now).max(earliest));
            self.used.insert(BELIEVED.to_owned());
        }
        Ok(None)
    }

    fn snapshot(&mut self) -> Result<()> {
        let kept_bytes = self.keep.load("snapshot.json")?;
        let kept = kept_bytes.as_deref().and_then(|bytes| self.set.read_snapshot(bytes).ok());
        let listing = self.set.snapshot_listing()?;
        let (version, length) = (listing.version, listing.length);
        if let (Some(bytes), Some(kept)) = (&kept_bytes, &kept)
            && kept.common.version == version
            && self.set.update_snapshot(bytes, Some(kept)).is_ok()
        {
            return Ok(());
        }
        let bytes = self.download("snapshot", version, length)?;
        self.set.update_snapshot(&bytes, kept.as_ref())?;
        self.keep.save("snapshot.json", &bytes)
    }

    /// `targets` or a delegated role, from what is kept or from the source.
    fn role(
        &mut self,
        delegator: &str,
        role: &str,
        keys: Option<(&BTreeMap<String, Key>, &RoleKeys)>,
    ) -> Result<Targets> {
        let edge = (delegator.to_owned(), role.to_owned());
        if let Some(targets) = self.roles.get(&edge) {
            return Ok(targets.clone());
        }
        let keys = keys.map(|(keys, role)| Keys { keys, role });
        // Not named by the snapshot: an error before any request.
        let listing = self.set.listing(role)?;
        let (version, length) = (listing.version, listing.length);
        let name = kept_name(role);
        let kept = self.keep.load(&name)?;
        let kept = kept.and_then(|bytes| self.set.read_targets(role, &bytes, keys).ok());
        let targets = match kept {
            Some(targets) => targets,
            None => {
                let bytes = self.download(role, version, length)?;
                let targets = self.set.read_targets(role, &bytes, keys)?;
                self.keep.save(&name, &bytes)?;
                targets
            }
        };
        self.used.insert(name);
        self.roles.insert(edge, targets.clone());
        Ok(targets)
    }

    fn download(&mut self, role: &str, version: u64, length: Option<u64>) -> Result<Vec<u8>> {
        let quoted = url_segment(role);
        let file = if self.set.root().consistent_snapshot {
            format!("{version}.{quoted}.json")
        } else {
            format!("{quoted}.json")
        };
        let limit = length.unwrap_or(limits::ROLE).min(limits::ROLE);
        let bytes = self.source.metadata(&file, limit)?;
        bytes.ok_or_else(|| TrustError::new(role, TrustKind::Missing, file).into())
    }

    /// What the roles say of the target at `path`: a walk in pre-order from `targets`, children in
    /// the order they are listed (5.6.7). A terminating delegation that matches ends all hope
    /// outside of itself. A role that fails to verify ends the search: falling through would hand
    /// the path to somebody of lower priority.
    ///
    /// # Errors
    /// [`TrustKind::TargetNotFound`], or the fault of a role on the way.
    pub fn find(&mut self, path: &str) -> Result<TargetFile> {
        let mut visited = BTreeSet::new();
        let mut stack = vec![(String::new(), "targets".to_owned(), None)];
        while let Some((delegator, name, keys)) = stack.pop() {
            if visited.len() >= limits::DELEGATIONS || !visited.insert(name.clone()) {
                continue;
            }
            let edge: Option<&(Rc<BTreeMap<String, Key>>, RoleKeys)> = keys.as_ref();
            let role = self.role(&delegator, &name, edge.map(|(keys, role)| (&**keys, role)))?;
            if let Some(file) = role.targets.get(path) {
                return Ok(file.clone());
            }
            let delegations = role.delegations.unwrap_or_default();
            let mut children = Vec::new();
            let known = Rc::new(delegations.keys);
            for child in delegations.roles.iter().filter(|child| child.matches(path)) {
                let keys = Some((known.clone(), child.keys.clone()));
                children.push((name.clone(), child.name.clone(), keys));
                if child.terminating {
                    stack.clear();
                    break;
                }
            }
            stack.extend(children.into_iter().rev());
        }
        Err(TrustError::new(path, TrustKind::TargetNotFound, "").into())
    }

    /// The root that is trusted now.
    #[must_use]
    pub fn root(&self) -> &Root {
        self.set.root()
    }

    /// The metadata of `targets`, or of a role that `targets` delegates to.
    ///
    /// # Errors
    /// Where the role is none of those, or does not verify.
    pub fn role_metadata(&mut self, role: &str) -> Result<Targets> {
        let top = self.role("", "targets", None)?;
        if role == "targets" {
            return Ok(top);
        }
        let delegations = top.delegations.unwrap_or_default();
        let found = delegations.roles.iter().find(|delegation| delegation.name == role);
        let found = found.ok_or_else(|| TrustError::new(role, TrustKind::TargetNotFound, ""))?;
        self.role("targets", role, Some((&delegations.keys, &found.keys)))
    }

    /// The bytes of the target at `path`, from what is kept or from the source, of at most `limit`
    /// bytes.
    ///
    /// # Errors
    /// As [`Session::find`]; where the bytes are not those listed.
    pub fn target(&mut self, path: &str, limit: u64) -> Result<Vec<u8>> {
        let file = self.find(path)?;
        let refuse = |kind, detail: &str| Error::from(TrustError::new(path, kind, detail));
        if file.length > limit {
            return Err(refuse(TrustKind::TooLarge, "announced longer than it may be"));
        }
        // It becomes part of an address and of a file name: only what is a digest may.
        let hash = [("sha256", 64), ("sha512", 128)].iter().find_map(|(algorithm, length)| {
            let is_one =
                |hash: &&String| hash.len() == *length && crate::hex::decode(hash).is_some();
            file.hashes.get(*algorithm).filter(is_one)
        });
        let hash = hash.ok_or_else(|| refuse(TrustKind::NoUsableHash, ""))?.to_lowercase();
        let check = |bytes: &[u8]| {
            if bytes.len() as u64 != file.length {
                return Err(TrustError::new(path, TrustKind::HashMismatch, "another length"));
            }
            check_hashes(path, bytes, &file.hashes)
        };
        let name = format!("targets/{hash}");
        self.used.insert(name.clone());
        if let Some(bytes) = self.keep.load(&name)?
            && check(&bytes).is_ok()
        {
            return Ok(bytes);
        }
        let bytes = self
            .source
            .target(&self.target_file(path, &hash), file.length)?
            .ok_or_else(|| refuse(TrustKind::Missing, ""))?;
        check(&bytes)?;
        self.keep.save(&name, &bytes)?;
        Ok(bytes)
    }

    /// The target's place at the source: with consistent snapshots, the digest stands in front of
    /// the last segment.
    fn target_file(&self, path: &str, hash: &str) -> String {
        if !self.set.root().consistent_snapshot {
            return path.to_owned();
        }
        match path.rsplit_once('/') {
            Some((folder, file)) => format!("{folder}/{hash}.{file}"),
            None => format!("{hash}.{path}"),
        }
    }

    /// Notes that the device's clock was good enough, if it was, and forgets what was of no use.
    fn end_well(&mut self, setting: &Setting<'_>) -> Result<()> {
        if !self.used.contains(BELIEVED) {
            let now = clock::now_at_least(setting, self.keep)?;
            clock::was_good(self.keep, now)?;
        }
        for name in self.keep.names()? {
            let fixed = ["timestamp.json", "snapshot.json", BOUND, CLOCK, HINTS];
            let fixed = fixed.contains(&name.as_str());
            if !fixed && !name.starts_with("root/") && !self.used.contains(&name) {
                self.keep.remove(&name)?;
            }
        }
        Ok(())
    }

    fn save_hints(&mut self, hints: &Hints) -> Result<()> {
        let bytes = json::compact(hints).map_err(|error| Error::document(HINTS, error))?;
        self.keep.save(HINTS, &bytes)
    }

    /// The newest snapshot's version, for reports.
    #[must_use]
    pub fn snapshot_version(&self) -> u64 {
        self.set.snapshot().map_or(0, |snapshot| snapshot.common.version)
    }
}
