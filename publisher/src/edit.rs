//! Changing the repository: sign what changed, write it in an order that never shows half of it.
//!
//! Enters: new documents and blobs. Leaves: the next version of the roles that changed, of snapshot
//! and timestamp. The timestamp comes last and is replaced only if it is still the one that was
//! read: until then no phone can reach anything new. Strays of a run that died are removed by the
//! next one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use farad::digest::Digest;
use farad::time::UnixTime;
use farad::trust::metadata::{Common, MetaFile, Snapshot, Targets, Timestamp};
use farad::trust::sign::{SPEC_VERSION, Signer, sign};

use crate::failure::{Failure, Result};
use crate::keys::Keys;
use crate::repository::{Current, Repository, listing, target_file};

const DAY: u64 = 86_400;
/// Two people who release at once are no error: the second waits half a minute.
const LOCK_TRIES: u32 = 300;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// How long a role's signature is valid, seconds.
pub(crate) fn lifetime(role: &str) -> u64 {
    let days = match role {
        "root" => 730,
        "targets" => 365,
        "snapshot" => 30,
        "timestamp" => 14,
        role if role.ends_with("-rollout") => 90,
        _ => 365,
    };
    days * DAY
}

/// The fields that every role begins with.
pub(crate) fn common(role: &str, role_type: &str, version: u64, now: UnixTime) -> Common {
    Common {
        role_type: role_type.to_owned(),
        spec_version: SPEC_VERSION.to_owned(),
        version,
        expires: now.plus(lifetime(role)),
    }
}

/// A change in the making.
#[derive(Default)]
pub(crate) struct Edit {
    /// Roles to sign anew, by name, as they shall be (version and expiry are set when signing).
    roles: BTreeMap<String, Targets>,
    /// Target files to write, by path.
    targets: Vec<(String, Vec<u8>)>,
    /// Blobs to write: finished files elsewhere, or bytes.
    blobs: Vec<(Digest, BlobSource)>,
    /// Sign snapshot even if no role changed.
    pub(crate) snapshot: bool,
}

/// Where a blob's bytes are until they are published.
pub(crate) enum BlobSource {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file.
    File(PathBuf),
}

impl Edit {
    /// The role of this name, to be changed.
    pub(crate) fn role(&mut self, current: &Current, name: &str) -> Result<&mut Targets> {
        if !self.roles.contains_key(name) {
            let found = if name == "targets" {
                Some(current.targets.clone())
            } else {
                current.roles.get(name).cloned()
            };
            let missing = || Failure::new("unknown-role", format!("there is no role {name}"));
            self.roles.insert(name.to_owned(), found.ok_or_else(missing)?);
        }
        let unreachable = || Failure::new("unknown-role", format!("there is no role {name}"));
        self.roles.get_mut(name).ok_or_else(unreachable)
    }

    /// Lists `bytes` under `path` in a role.
    pub(crate) fn put(
        &mut self,
        current: &Current,
        role: &str,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<()> {
        self.role(current, role)?.targets.insert(path.to_owned(), listing(&bytes));
        self.targets.push((path.to_owned(), bytes));
        Ok(())
    }

    /// Adds a blob.
    pub(crate) fn blob(&mut self, digest: Digest, source: BlobSource) {
        self.blobs.push((digest, source));
    }
}

/// The right to change a repository, for as long as it is held.
pub(crate) struct Locked {
    _file: File,
}

/// Takes the repository's lock; waits a while for a command that has it.
pub(crate) fn lock(repository: &Repository) -> Result<Locked> {
    let path = repository.folder.join(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| Failure::file("opening", &path, &error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Locked { _file: file }),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(fs::TryLockError::Error(error)) => {
                return Err(Failure::file("locking", &path, &error));
            }
        }
    }
    Err(Failure::new("busy", "another command is changing this repository; wait for it"))
}

/// Signs and publishes an edit. With `dry`, signs and writes nothing.
pub(crate) fn publish(
    repository: &Repository,
    current: &Current,
    edit: Edit,
    keys: &Keys,
    now: UnixTime,
    dry: bool,
) -> Result<()> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut meta = current.snapshot.meta.clone();
    // Delegated roles before targets: nothing is named before it is there.
    let (top, delegated): (Vec<_>, Vec<_>) =
        edit.roles.into_iter().partition(|(name, _)| name == "targets");
    for (name, mut role) in delegated.into_iter().chain(top) {
        let version = meta.get(&format!("{name}.json")).map_or(0, |file| file.version) + 1;
        role.common = common(&name, "targets", version, now);
        let bytes = sign_with(keys, &name, &role)?;
        check_half(&name, &bytes)?;
        meta.insert(format!("{name}.json"), meta_file(version, &bytes));
        files.push((format!("metadata/{version}.{name}.json"), bytes));
    }
    let mut snapshot_file = current
        .timestamp
        .meta
        .get("snapshot.json")
        .cloned()
        .ok_or_else(|| Failure::new("malformed", "the current timestamp names no snapshot"))?;
    if !files.is_empty() || edit.snapshot {
        let version = current.snapshot.common.version + 1;
        let common = common("snapshot", "snapshot", version, now);
        let bytes = sign_with(keys, "snapshot", &Snapshot { common, meta })?;
        check_half("snapshot", &bytes)?;
        snapshot_file = meta_file(version, &bytes);
        files.push((format!("metadata/{version}.snapshot.json"), bytes));
    }
    let timestamp = new_timestamp(current.timestamp.common.version + 1, snapshot_file, now);
    let timestamp = sign_with(keys, "timestamp", &timestamp)?;
    if dry {
        return Ok(());
    }
    remove_strays(repository, current)?;
    for (digest, source) in edit.blobs {
        let bytes = match source {
            BlobSource::Bytes(bytes) => bytes,
            BlobSource::File(path) => {
                fs::read(&path).map_err(|error| Failure::file("reading", &path, &error))?
            }
        };
        create(&repository.folder.join("blobs").join(digest.to_string()), &bytes)?;
    }
    for (path, bytes) in edit.targets {
        let file = target_file(&path, &Digest::of(&bytes).to_string());
        create(&repository.folder.join(file), &bytes)?;
    }
    for (path, bytes) in files {
        create(&repository.folder.join(path), &bytes)?;
    }
    replace_timestamp(repository, &current.timestamp_bytes, &timestamp)
}

/// A timestamp for a snapshot.
pub(crate) fn new_timestamp(version: u64, snapshot: MetaFile, now: UnixTime) -> Timestamp {
    Timestamp {
        common: common("timestamp", "timestamp", version, now),
        signed_at: Some(now),
        meta: BTreeMap::from([("snapshot.json".to_owned(), snapshot)]),
    }
}

/// How timestamp and snapshot name a file.
pub(crate) fn meta_file(version: u64, bytes: &[u8]) -> MetaFile {
    let hashes = BTreeMap::from([("sha256".to_owned(), Digest::of(bytes).to_string())]);
    MetaFile { version, length: Some(bytes.len() as u64), hashes: Some(hashes) }
}

/// Signs a role with its own key.
pub(crate) fn sign_with<T: serde::Serialize>(
    keys: &Keys,
    role: &str,
    document: &T,
) -> Result<Vec<u8>> {
    let key = keys.open(&keys.named(role)?)?;
    let signers: [&dyn Signer; 1] = [&key];
    Ok(sign(document, &signers)?)
}

/// Clients refuse what is over the limit; the publisher stops at half, while there is still room to
/// mend it.
fn check_half(role: &str, bytes: &[u8]) -> Result<()> {
    let limit = farad::limits::ROLE / 2;
    if bytes.len() as u64 <= limit {
        return Ok(());
    }
    let message = format!("{role} would be longer than {limit} bytes; list fewer releases (keep)");
    Err(Failure::new("too-large", message))
}

/// Writes a file that must not exist with other bytes.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Ok(found) = fs::read(path) {
        if found == bytes {
            return Ok(());
        }
        let message = format!("{} exists with other content", path.display());
        return Err(Failure::new("conflict", message));
    }
    write_whole(path, bytes)
}

/// Writes a file so that a reader sees all of it or none: temporary file, fsync, rename.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    // The parent of a bare name is the empty path, which is no folder.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.tmp"));
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        Failure::file("writing", path, &error)
    })
}

fn replace_timestamp(repository: &Repository, read: &[u8], new: &[u8]) -> Result<()> {
    if repository.read("metadata/timestamp.json")? != read {
        let message = "somebody else changed the repository meanwhile; run the command again";
        return Err(Failure::new("conflict", message));
    }
    write_whole(&repository.folder.join("metadata/timestamp.json"), new)
}

/// Removes what a run that died left behind: metadata newer than what the timestamp leads to, and
/// temporary files.
fn remove_strays(repository: &Repository, current: &Current) -> Result<()> {
    let folder = repository.folder.join("metadata");
    let failed = |error: std::io::Error| Failure::file("reading", &folder, &error);
    let mut strays = BTreeSet::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        let version_of = |name: &str| -> Option<(u64, String)> {
            let (version, rest) = name.split_once('.')?;
            Some((version.parse().ok()?, rest.to_owned()))
        };
        let newer = version_of(&name).is_some_and(|(version, rest)| {
            let known = match rest.as_str() {
                "root.json" => return false,
                "snapshot.json" => Some(current.snapshot.common.version),
                rest => current.snapshot.meta.get(rest).map(|file| file.version),
            };
            known.is_none_or(|known| version > known)
        });
        if newer || name.ends_with(".tmp") {
            strays.insert(folder.join(name));
        }
    }
    for stray in strays {
        fs::remove_file(&stray).map_err(|error| Failure::file("removing", &stray, &error))?;
    }
    Ok(())
}
