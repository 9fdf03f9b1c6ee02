//! Writing a change into the repository, in an order that never shows half of it.
//!
//! Enters: finished files. Leaves: the next version of the repository. Whatever a phone could reach
//! before is still there; what is new becomes reachable at one moment: when `timestamp.json` is
//! replaced, or, where root gives other keys to online roles, when the new root appears. The
//! timestamp that belongs to it lies ready by then, and the next command puts it in place should
//! this one die in between. `timestamp.json` is replaced only if it is still the one that was read.
//! Strays of a run that died are removed by the next one that writes; a timestamp older than what was
//! published is refused, since what was published would look like them.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use farad::digest::Digest;
use farad::trust::metadata::Snapshot;

use crate::edit::BlobSource;
use crate::failure::{Failure, Result};
use crate::repository::{Current, Repository};
use crate::temporary::{self, replace};

/// Two people who release at once are no error: the second waits half a minute.
const LOCK_TRIES: u32 = 300;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The lock's name in the repository.
pub(crate) const LOCK: &str = ".lock";
const TIMESTAMP: &str = "metadata/timestamp.json";
/// A timestamp that waits for a root: its name ends with version and digest of that.
const READY: &str = ".timestamp.json.for-root-";

/// What is to be written.
pub(crate) struct Step<'a> {
    pub(crate) blobs: Vec<(Digest, &'a BlobSource)>,
    /// Target files and metadata, by path, in this order.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// The next root and its version.
    pub(crate) root: Option<(u64, Vec<u8>)>,
    pub(crate) timestamp: Option<Vec<u8>>,
}

/// Writes it.
pub(crate) fn commit(repository: &Repository, current: &Current, step: Step<'_>) -> Result<()> {
    for (digest, source) in step.blobs {
        let read =
            |path: &Path| fs::read(path).map_err(|error| Failure::file("reading", path, &error));
        let path = repository.folder.join("blobs").join(digest.to_string());
        match source {
            BlobSource::Bytes(bytes) => create(&path, bytes)?,
            BlobSource::File(from) => create(&path, &read(from)?)?,
        }
    }
    for (path, bytes) in step.files {
        create(&repository.folder.join(path), &bytes)?;
    }
    let read = repository.read_if_there(TIMESTAMP)?;
    if read != current.timestamp_bytes {
        let message = "somebody else changed the repository meanwhile; run the command again";
        return Err(Failure::new("conflict", message));
    }
    let place = repository.folder.join(TIMESTAMP);
    let Some((version, root)) = step.root else {
        return step.timestamp.map_or(Ok(()), |bytes| replace(&place, &bytes));
    };
    let ready = place.with_file_name(format!("{READY}{version}-{}", Digest::of(&root)));
    if let Some(bytes) = &step.timestamp {
        replace(&ready, bytes)?;
    }
    create(&repository.folder.join(format!("metadata/{version}.root.json")), &root)?;
    if step.timestamp.is_some() { put_in_place(&ready, &place) } else { Ok(()) }
}

/// Finishes what a command began that died between the new root and its timestamp. True if there
/// was something to finish.
pub(crate) fn finish(repository: &Repository) -> Result<bool> {
    let mut finished = false;
    for Ready { version, root, path } in ready_timestamps(repository)? {
        let found = repository.read_if_there(&format!("metadata/{version}.root.json"))?;
        // Another root of that version is somebody else's: what is here never happened.
        if found.is_some_and(|bytes| Digest::of(&bytes).to_string() == root) {
            put_in_place(&path, &repository.folder.join(TIMESTAMP))?;
            finished = true;
        } else {
            fs::remove_file(&path).map_err(|error| Failure::file("removing", &path, &error))?;
        }
    }
    Ok(finished)
}

/// A timestamp that lies ready.
struct Ready {
    version: u64,
    root: String,
    path: PathBuf,
}

/// Whether [`finish`] has something to do.
pub(crate) fn is_unfinished(repository: &Repository) -> Result<bool> {
    Ok(!ready_timestamps(repository)?.is_empty())
}

fn ready_timestamps(repository: &Repository) -> Result<Vec<Ready>> {
    let folder = repository.folder.join("metadata");
    let failed = |error: std::io::Error| Failure::file("reading", &folder, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parts = name.strip_prefix(READY).and_then(|rest| rest.split_once('-'));
        if let Some((version, root)) = parts
            && let Ok(version) = version.parse()
        {
            found.push(Ready { version, root: root.to_owned(), path });
        }
    }
    Ok(found)
}

fn put_in_place(ready: &Path, place: &Path) -> Result<()> {
    let renamed = fs::rename(ready, place).and_then(|()| sync_folder_of(place));
    renamed.map_err(|error| Failure::file("writing", place, &error))
}

/// The right to change a repository, for as long as it is held.
pub(crate) struct Locked {
    _file: File,
}

/// Takes the repository's lock; waits a while for a command that has it.
pub(crate) fn lock(repository: &Repository) -> Result<Locked> {
    let path = repository.folder.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| Failure::file("opening", &path, &error))?;
    for _ in 0..LOCK_TRIES {
        #[expect(clippy::disallowed_methods, reason = "the command runs on no phone")]
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

/// Writes a file that must not exist with other bytes.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Ok(found) = fs::read(path) {
        if found == bytes {
            return Ok(());
        }
        let message = format!("{} exists with other content", path.display());
        return Err(Failure::new("conflict", message));
    }
    replace(path, bytes)
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    // The parent of a bare name is the empty path, which is no folder.
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// Makes the names in a file's folder durable; Windows has no such thing.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

/// Removes what a run that died left behind: metadata newer than what the timestamp leads to, and
/// temporary files.
pub(crate) fn remove_strays(repository: &Repository, current: &Current) -> Result<()> {
    let channels = current.authority().channels();
    let written =
        channels.iter().flat_map(|c| [format!("targets/{c}"), format!("targets/{c}/releases")]);
    for folder in written.chain(["blobs".to_owned()]) {
        temporary::remove_strays(&repository.folder.join(folder));
    }
    for name in strays(repository, &current.snapshot)? {
        let stray = repository.folder.join("metadata").join(name);
        fs::remove_file(&stray).map_err(|error| Failure::file("removing", &stray, &error))?;
    }
    Ok(())
}

/// Refuses a timestamp that is older than what was published: nothing is to be built upon it, nor is what
/// it does not lead to any more what a run that died left behind.
pub(crate) fn refuse_lagging(repository: &Repository, current: &Current) -> Result<()> {
    strays(repository, &current.snapshot).map(|_| ())
}

/// Something that a run that died left behind, as far as the timestamp can be followed.
pub(crate) fn left_behind(repository: &Repository) -> Result<Option<String>> {
    if let Some(ready) = ready_timestamps(repository)?.first() {
        return Ok(Some(format!("{}.root.json", ready.version)));
    }
    let Ok(snapshot) = repository.snapshot() else { return Ok(None) };
    Ok(strays(repository, &snapshot)?.into_iter().find(|name| !name.ends_with(".tmp")))
}

/// Metadata files that `snapshot` does not lead to and newer than what it does, and temporary ones. A run
/// writes one version of a role: a later one than the next was published, and the timestamp is not the
/// newest.
fn strays(repository: &Repository, snapshot: &Snapshot) -> Result<BTreeSet<String>> {
    let folder = repository.folder.join("metadata");
    let failed = |error: std::io::Error| Failure::file("reading", &folder, &error);
    let mut strays = BTreeSet::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        match ahead(&name, snapshot) {
            0 if !name.ends_with(".tmp") => {}
            0 | 1 => drop(strays.insert(name)),
            _ => {
                let message = format!(
                    "timestamp.json is older than the metadata beside it (metadata/{name}); fetch the newest state of the repository, and run the command again"
                );
                return Err(Failure::new("conflict", message));
            }
        }
    }
    Ok(strays)
}

/// By how many versions a metadata file of this name is newer than what `snapshot` leads to. Roots are led to
/// by nothing but each other.
fn ahead(name: &str, snapshot: &Snapshot) -> u64 {
    let Some((version, role)) = name.strip_suffix(".json").and_then(|name| name.split_once('.'))
    else {
        return 0;
    };
    let Ok(version) = version.parse::<u64>() else { return 0 };
    let known = match role {
        "root" => return 0,
        "snapshot" => snapshot.common.version,
        role => snapshot.meta.get(&format!("{role}.json")).map_or(0, |file| file.version),
    };
    version.saturating_sub(known)
}
