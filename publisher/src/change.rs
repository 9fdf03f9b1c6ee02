//! A change of the repository: an edit as files, signed as far as the keys at hand go.
//!
//! Enters: an [`Edit`], or what others began to sign (see [`crate::pending`]). Leaves: signatures
//! added, and, once every role has its threshold, the next version of the repository. A new root needs
//! the old root's threshold and its own. A role whose keys change so that its present file no longer
//! stands is signed anew in the same change, or phones would refuse it.

use std::collections::{BTreeMap, BTreeSet};

use farad::digest::Digest;
use farad::id::{AppId, Channel};
use farad::limits;
use farad::time::UnixTime;
use farad::trust::draft::Draft;
use farad::trust::metadata::{MetaFile, Root, Snapshot, Targets, Timestamp};
use serde::{Deserialize, Serialize};

use crate::commit::{Step, commit};
use crate::edit::{BlobSource, Edit};
use crate::failure::{Failure, Result};
use crate::keys::{Found, Keys};
use crate::repository::{self, Current, Overlay, Repository};
use crate::roles::{Authority, May, common};

/// A change, signed by nobody or by some.
pub(crate) struct Change {
    /// Root and targets roles in their next version, by name.
    pub(crate) drafts: BTreeMap<String, Draft>,
    /// What each of them builds on.
    pub(crate) builds_on: BTreeMap<String, Base>,
    /// Target files by place in the repository.
    pub(crate) targets: BTreeMap<String, Vec<u8>>,
    pub(crate) blobs: BTreeMap<Digest, BlobSource>,
    /// Root and targets as they will be.
    pub(crate) root: Root,
    pub(crate) top: Targets,
    /// Which of the online roles are to be signed when it is published.
    pub(crate) snapshot: bool,
    pub(crate) timestamp: bool,
}

/// The version of a role that a change builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base {
    /// 0 where there is none yet.
    pub(crate) version: u64,
    /// Its file.
    pub(crate) sha256: Option<Digest>,
}

/// A role that lacks signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Wait {
    pub(crate) role: String,
    pub(crate) have: u64,
    pub(crate) need: u64,
    /// Ids of the keys that may still sign.
    pub(crate) keys: Vec<String>,
}

impl Change {
    /// The change that makes an edit true.
    pub(crate) fn new(
        mut edit: Edit,
        repository: &Repository,
        current: &Current,
        now: UnixTime,
    ) -> Result<Self> {
        let root = edit.root.clone().unwrap_or_else(|| current.root.clone());
        let top = edit.roles.get("targets").unwrap_or(&current.targets).clone();
        let (before, after) = (current.authority(), Authority { root: &root, targets: &top });
        for role in after.names().iter().filter(|role| current.lists(role)) {
            if !same(before, after, role) && !stands(repository, current, after, role)? {
                edit.role(current, role)?;
            }
        }
        let snapshot = edit.snapshot || !edit.roles.is_empty() || !same(before, after, "snapshot");
        let timestamp = snapshot || edit.timestamp || !same(before, after, "timestamp");
        let (mut drafts, mut builds_on) = (BTreeMap::new(), BTreeMap::new());
        let mut version_after = |role: &str| -> Result<u64> {
            let base = base_of(repository, current, role)?;
            builds_on.insert(role.to_owned(), base);
            Ok(base.version + 1)
        };
        if let Some(mut next) = edit.root {
            next.common = common("root", version_after("root")?, now);
            drafts.insert("root".to_owned(), Draft::new("root", &next)?);
        }
        for (name, mut role) in edit.roles {
            role.common = common(&name, version_after(&name)?, now);
            drafts.insert(name.clone(), Draft::new(&name, &role)?);
        }
        let Edit { targets, blobs, .. } = edit;
        Ok(Self { drafts, builds_on, targets, blobs, root, top, snapshot, timestamp })
    }

    /// A change that others began: roles in their next version, and what they build on.
    pub(crate) fn begun(
        drafts: BTreeMap<String, Draft>,
        builds_on: BTreeMap<String, Base>,
        current: &Current,
    ) -> Result<Self> {
        let root = drafts.get("root").map(Draft::read).transpose()?;
        let top = drafts.get("targets").map(Draft::read).transpose()?;
        let root = root.unwrap_or_else(|| current.root.clone());
        let top = top.unwrap_or_else(|| current.targets.clone());
        let (before, after) = (current.authority(), Authority { root: &root, targets: &top });
        let snapshot = drafts.keys().any(|role| role != "root") || !same(before, after, "snapshot");
        let timestamp = snapshot || !same(before, after, "timestamp");
        let (targets, blobs) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { drafts, builds_on, targets, blobs, root, top, snapshot, timestamp })
    }

    /// Root and targets as they will be.
    pub(crate) fn after(&self) -> Authority<'_> {
        Authority { root: &self.root, targets: &self.top }
    }

    /// Who judges a role's file: those who will; and, of root, those who did until now.
    pub(crate) fn judges<'a>(&'a self, current: &'a Current, role: &str) -> Vec<May<'a>> {
        let before = current.authority().of(role).filter(|_| role == "root");
        before.into_iter().chain(self.after().of(role)).collect()
    }

    /// Signs what lacks signatures with the keys that are here, as few as needed: those first that
    /// keep their role. Returns role and id of each.
    pub(crate) fn sign(&mut self, keys: &Keys, current: &Current) -> Result<Vec<(String, String)>> {
        let mut added = Vec::new();
        let mut drafts = std::mem::take(&mut self.drafts);
        for (role, draft) in &mut drafts {
            let keeps = self.after().of(role);
            let keeps = |key: &Found| keeps.is_some_and(|may| may.role.keyids.contains(&key.id));
            for may in self.judges(current, role) {
                let mut holding = keys.holding(may)?;
                holding.sort_by_key(|key| !keeps(key));
                for key in holding {
                    if draft.standing(may.keys, may.role).have >= may.role.threshold {
                        break;
                    }
                    if !draft.names(&key.id) {
                        draft.sign(&keys.open(&key)?)?;
                        added.push((role.clone(), key.id));
                    }
                }
            }
        }
        self.drafts = drafts;
        Ok(added)
    }

    /// What still lacks signatures, those included that publishing makes.
    pub(crate) fn waits(&self, keys: &Keys, current: &Current) -> Result<Vec<Wait>> {
        let mut waits = Vec::new();
        for (role, draft) in &self.drafts {
            let waiting = self.judges(current, role).into_iter().find_map(|may| {
                let have = draft.standing(may.keys, may.role).have;
                let left = may.role.keyids.iter().filter(|id| !draft.names(id));
                let (role, need) = (role.clone(), may.role.threshold);
                let wait = || Wait { role, have, need, keys: left.cloned().collect() };
                (have < need).then(wait)
            });
            waits.extend(waiting);
        }
        for (role, signed) in [("snapshot", self.snapshot), ("timestamp", self.timestamp)] {
            let Some(may) = self.after().of(role).filter(|_| signed) else { continue };
            let have = keys.holding(may)?.len() as u64;
            if have < may.role.threshold {
                let (need, keys) = (may.role.threshold, may.role.keyids.clone());
                waits.push(Wait { role: role.to_owned(), have, need, keys });
            }
        }
        Ok(waits)
    }

    /// Publishes it, and returns the new root's file if there is one. With `dry`, makes and verifies
    /// every file and writes none.
    pub(crate) fn publish(
        &self,
        (repository, current, keys): (&Repository, &Current, &Keys),
        (anchor, app): (&[u8], &AppId),
        now: UnixTime,
        dry: bool,
    ) -> Result<Option<Vec<u8>>> {
        let mut files: Vec<_> =
            self.targets.iter().map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
        let mut meta = current.snapshot.meta.clone();
        // Delegated roles before targets: nothing is named before it is there.
        let (top, delegated): (Vec<_>, Vec<_>) =
            self.drafts.keys().partition(|role| *role == "targets");
        for role in delegated.into_iter().chain(top).filter(|role| *role != "root") {
            let (version, bytes) = self.finished(current, role)?;
            meta.insert(format!("{role}.json"), meta_file(version, &bytes));
            files.push((format!("metadata/{version}.{role}.json"), bytes));
        }
        let mut listing = current.timestamp.meta.get("snapshot.json").cloned();
        if self.snapshot {
            let version = current.snapshot.common.version + 1;
            let document = Snapshot { common: common("snapshot", version, now), meta };
            let bytes = self.sign_online(keys, "snapshot", &document)?;
            listing = Some(meta_file(version, &bytes));
            files.push((format!("metadata/{version}.snapshot.json"), bytes));
        }
        let timestamp = if self.timestamp {
            let lost = || Failure::new("malformed", "the current timestamp names no snapshot");
            let document = Timestamp {
                common: common("timestamp", current.timestamp.common.version + 1, now),
                signed_at: Some(now),
                meta: BTreeMap::from([("snapshot.json".to_owned(), listing.ok_or_else(lost)?)]),
            };
            Some(self.sign_online(keys, "timestamp", &document)?)
        } else {
            None
        };
        let root = self.drafts.get("root").map(|_| self.finished(current, "root")).transpose()?;

        // As a phone would, before a phone could.
        let mut overlay: BTreeMap<String, Vec<u8>> = files.iter().cloned().collect();
        overlay.extend(
            root.iter().map(|(n, bytes)| (format!("metadata/{n}.root.json"), bytes.clone())),
        );
        overlay.extend(timestamp.iter().map(|b| ("metadata/timestamp.json".to_owned(), b.clone())));
        let mut source = Overlay { folder: repository.folder.clone(), files: overlay };
        let new_root = root.as_ref().map(|(_, bytes)| bytes.clone());
        // The first root is an anchor itself.
        let first = new_root.as_ref().filter(|_| current.root.common.version == 0);
        let anchor = first.map_or(anchor, Vec::as_slice);
        let channels = self.after().channels();
        repository::verify(anchor, app, &channels, repository::any_time(), &mut source)?;
        let told: Vec<_> = channels.into_iter().filter(|channel| self.tells(channel)).collect();
        if !told.is_empty() {
            repository::verify(anchor, app, &told, now, &mut source).map_err(expired)?;
        }
        if !dry {
            let blobs = self.blobs.iter().map(|(digest, source)| (*digest, source)).collect();
            commit(repository, current, Step { blobs, files, root, timestamp })?;
        }
        Ok(new_root)
    }

    /// Whether it tells the phones of a channel something new. What is only signed anew, or by other keys,
    /// does not: that is how what has expired is mended, role by role.
    fn tells(&self, channel: &Channel) -> bool {
        let documents = format!("targets/{channel}/");
        self.targets.keys().any(|place| place.starts_with(&documents))
    }

    /// A role's version and file, with the signatures that count and no others.
    fn finished(&self, current: &Current, role: &str) -> Result<(u64, Vec<u8>)> {
        let missing = || Failure::new("unknown-role", format!("there is no role {role}"));
        let mut draft = self.drafts.get(role).ok_or_else(missing)?.clone();
        let mut counted = BTreeSet::new();
        for may in self.judges(current, role) {
            counted.extend(draft.standing(may.keys, may.role).signed);
        }
        draft.retain(&counted);
        let bytes = draft.to_bytes()?;
        check_half(role, &bytes)?;
        let version = self.builds_on.get(role).ok_or_else(missing)?.version + 1;
        Ok((version, bytes))
    }

    fn sign_online<T: Serialize>(&self, keys: &Keys, role: &str, document: &T) -> Result<Vec<u8>> {
        let missing = || Failure::new("key-missing", format!("the keys of {role} are not here"));
        let may = self.after().of(role).ok_or_else(missing)?;
        let mut draft = Draft::new(role, document)?;
        for key in keys.holding(may)? {
            if draft.standing(may.keys, may.role).have < may.role.threshold {
                draft.sign(&keys.open(&key)?)?;
            }
        }
        if draft.standing(may.keys, may.role).have < may.role.threshold {
            return Err(missing());
        }
        let bytes = draft.to_bytes()?;
        check_half(role, &bytes)?;
        Ok(bytes)
    }
}

/// The version of a role that a change made now builds on.
pub(crate) fn base_of(repository: &Repository, current: &Current, role: &str) -> Result<Base> {
    if role == "root" {
        let version = current.root.common.version;
        let path = format!("metadata/{version}.root.json");
        let sha256 = if version == 0 { None } else { Some(Digest::of(&repository.read(&path)?)) };
        return Ok(Base { version, sha256 });
    }
    let listed = current.snapshot.meta.get(&format!("{role}.json"));
    let sha256 = listed.and_then(|file| file.hashes.as_ref()?.get("sha256")?.parse().ok());
    Ok(Base { version: listed.map_or(0, |file| file.version), sha256 })
}

/// Whether a role's present file has the threshold of those who will judge it.
fn stands(
    repository: &Repository,
    current: &Current,
    after: Authority<'_>,
    role: &str,
) -> Result<bool> {
    let Some(may) = after.of(role) else { return Ok(false) };
    let version = base_of(repository, current, role)?.version;
    let bytes = repository.read(&format!("metadata/{version}.{role}.json"))?;
    let draft = Draft::parse(role, &bytes, limits::ROLE)?;
    Ok(draft.standing(may.keys, may.role).have >= may.role.threshold)
}

fn same(before: Authority<'_>, after: Authority<'_>, role: &str) -> bool {
    match (before.of(role), after.of(role)) {
        (Some(before), Some(after)) => before.same_as(&after),
        (before, after) => before.is_none() && after.is_none(),
    }
}

/// What no phone would take, since something that the change does not sign has expired.
fn expired(failure: Failure) -> Failure {
    match &failure.role {
        Some(role) if failure.code == "expired" => {
            let message = format!(
                "{role} has expired, and no phone would take this; sign it anew first: farad refresh {role}"
            );
            Failure { message, ..failure }
        }
        _ => failure,
    }
}

/// How timestamp and snapshot name a file.
fn meta_file(version: u64, bytes: &[u8]) -> MetaFile {
    let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(bytes).to_string())]);
    MetaFile { version, length: Some(bytes.len() as u64), hashes: Some(hashes) }
}

/// Clients refuse what is over the limit; the publisher stops at half, while there is still room to
/// mend it.
fn check_half(role: &str, bytes: &[u8]) -> Result<()> {
    let limit = match role {
        "root" => limits::ROOT / 2,
        "timestamp" => limits::TIMESTAMP / 2,
        _ => limits::ROLE / 2,
    };
    if bytes.len() as u64 <= limit {
        return Ok(());
    }
    let message = format!("{role} would be longer than {limit} bytes; list fewer releases (keep)");
    Err(Failure::new("too-large", message))
}
