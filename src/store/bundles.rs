//! Bundles on the device: staged, committed, checked, removed.
//!
//! `bundles/<id>/` holds `files/`, the `index`, the signed `manifest.json`, a `lease` to lock while
//! a process shows it, and `committed`, written last into staging, with the plain identity. A folder
//! without a sound marker is none.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use super::disk::{Disk, Held};
use crate::digest::{Digest, Hasher};
use crate::id::BundleId;
use crate::limits;
use crate::release::{Index, Manifest, bundle_id};

const BUNDLES: &str = "bundles";
const STAGING: &str = "staging";
const TRASH: &str = "trash";
/// The file that a WebView asks for first.
const ENTRY: &str = "index.html";

/// The folder with the files of a committed bundle.
pub(super) fn files_folder(id: &BundleId) -> String {
    format!("{BUNDLES}/{id}/files")
}

/// The folder with the files of a bundle that is being made.
pub(super) fn staging_files(id: &BundleId) -> String {
    format!("{STAGING}/{id}/files")
}

/// Begins to stage `id`, from nothing.
pub(super) fn begin(disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
    disk.remove_folder(&format!("{STAGING}/{id}"))?;
    disk.create_folder(&staging_files(id))
}

/// Commits what was staged: files and folders are made durable, the marker is written, and one
/// rename makes it a bundle. Every file below `files/` was synced when it was written.
pub(super) fn commit(
    disk: &dyn Disk,
    id: &BundleId,
    manifest: &[u8],
    index: &Index,
) -> io::Result<()> {
    let staged = format!("{STAGING}/{id}");
    for (name, bytes) in [("manifest.json", manifest), ("index", &index.to_bytes()), ("lease", b"")]
    {
        write(disk, &format!("{staged}/{name}"), bytes)?;
    }
    for folder in folders(index) {
        let below = if folder.is_empty() { String::new() } else { format!("/{folder}") };
        disk.sync_folder(&format!("{staged}/files{below}"))?;
    }
    let marker = format!("farad-bundle 1\n{}\n", index.identity());
    write(disk, &format!("{staged}/committed"), marker.as_bytes())?;
    disk.sync_folder(&staged)?;
    disk.create_folder(BUNDLES)?;
    disk.sync_folder("")?;
    // A damaged bundle of the same id makes way; a sound one would not be staged again.
    discard(disk, &format!("{BUNDLES}/{id}"))?;
    disk.rename(&staged, &format!("{BUNDLES}/{id}"))?;
    disk.sync_folder(BUNDLES)?;
    disk.sync_folder(STAGING)
}

/// All folders of an index, deepest first, the root (empty) last.
fn folders(index: &Index) -> Vec<String> {
    let mut folders = BTreeSet::from([String::new()]);
    for file in index.files() {
        let ends = file.path.match_indices('/').map(|(at, _)| at);
        folders.extend(ends.filter_map(|end| file.path.get(..end)).map(str::to_owned));
    }
    // A folder sorts before what stands in it.
    folders.into_iter().rev().collect()
}

fn write(disk: &dyn Disk, path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create(path)?;
    file.write_all(bytes)?;
    file.sync()
}

/// Moves a folder out of the way, then removes it: a crash in between leaves only trash.
pub(super) fn discard(disk: &dyn Disk, folder: &str) -> io::Result<()> {
    let Some((parent, name)) = folder.rsplit_once('/') else { return Ok(()) };
    if !disk.list(parent)?.iter().any(|entry| entry.name == name) {
        return Ok(());
    }
    disk.create_folder(TRASH)?;
    let trash = format!("{TRASH}/{name}");
    disk.remove_folder(&trash)?;
    disk.rename(folder, &trash)?;
    disk.sync_folder(parent)?;
    disk.remove_folder(&trash)
}

/// Ids of everything in `bundles/`, sound or not.
pub(super) fn ids(disk: &dyn Disk) -> io::Result<Vec<BundleId>> {
    Ok(disk.list(BUNDLES)?.iter().filter_map(|entry| entry.name.parse().ok()).collect())
}

/// The signed manifest of a bundle: its digest is the id, so it cannot have become another's.
pub(super) fn manifest(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Manifest>> {
    let path = format!("{BUNDLES}/{id}/manifest.json");
    let bytes = sized(disk.read(&path, limits::MANIFEST))?;
    let sound = bytes.filter(|bytes| bundle_id(bytes) == *id);
    Ok(sound.and_then(|bytes| Manifest::parse_any(&bytes).ok()))
}

/// The index of a committed bundle, if marker and index agree.
pub(super) fn index(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Index>> {
    Ok(index_bytes(disk, id)?.and_then(|bytes| Index::parse(&bytes).ok()))
}

/// The bytes of the index, if they have the digest that the marker names.
fn index_bytes(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Vec<u8>>> {
    let marker = sized(disk.read(&format!("{BUNDLES}/{id}/committed"), 256))?;
    let identity = marker.as_deref().and_then(|marker| {
        let text = std::str::from_utf8(marker).ok()?;
        text.strip_prefix("farad-bundle 1\n")?.strip_suffix('\n')?.parse::<Digest>().ok()
    });
    let bytes = sized(disk.read(&format!("{BUNDLES}/{id}/index"), limits::INDEX))?;
    Ok(bytes.filter(|bytes| identity == Some(Digest::of(bytes))))
}

/// A file that is longer than ours can be is damaged, which is not an I/O error.
fn sized(read: io::Result<Option<Vec<u8>>>) -> io::Result<Option<Vec<u8>>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        read => read,
    }
}

/// Whether a bundle is complete and, as far as a start can tell, undamaged: marker, index, the
/// entry file's digest, every file's length. The digests of the rest are for [`damaged`].
pub(super) fn sound(disk: &dyn Disk, id: &BundleId) -> io::Result<bool> {
    let Some(index) = index_bytes(disk, id)? else { return Ok(false) };
    let folder = files_folder(id);
    let mut entry = None;
    for (sha256, length, path) in Index::lines(&index) {
        if disk.length(&format!("{folder}/{path}"))? != Some(length) {
            return Ok(false);
        }
        if path == ENTRY {
            entry = sha256.parse().ok();
        }
    }
    let Some(entry) = entry else { return Ok(false) };
    Ok(digest_of(disk, &format!("{folder}/{ENTRY}"))? == entry)
}

/// Paths of files whose bytes are not those of the index. Reads the whole bundle.
pub(super) fn damaged(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Vec<String>>> {
    let Some(index) = index(disk, id)? else { return Ok(None) };
    let folder = files_folder(id);
    let mut damaged = Vec::new();
    for file in index.files() {
        let path = format!("{folder}/{}", file.path);
        let found = disk.length(&path)?;
        if found != Some(file.length) || digest_of(disk, &path)? != file.sha256 {
            damaged.push(file.path.clone());
        }
    }
    Ok(Some(damaged))
}

fn digest_of(disk: &dyn Disk, path: &str) -> io::Result<Digest> {
    let mut file = disk.open(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

/// Says that this process shows `id`, for as long as the lease is held.
pub(super) fn lease(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Box<dyn Held>>> {
    disk.lock(&format!("{BUNDLES}/{id}/lease"), false)
}

/// Removes bundles that are not in `keep` and that no process shows, and what killed runs left
/// behind. Returns the ids that are gone. `syncing`: a sync is under way, its staging stays.
pub(super) fn collect(
    disk: &dyn Disk,
    keep: &[BundleId],
    syncing: bool,
) -> io::Result<Vec<BundleId>> {
    let mut gone = Vec::new();
    for entry in disk.list(TRASH)? {
        disk.remove_folder(&format!("{TRASH}/{}", entry.name))?;
    }
    if !syncing {
        for entry in disk.list(STAGING)? {
            disk.remove_folder(&format!("{STAGING}/{}", entry.name))?;
        }
    }
    for id in ids(disk)? {
        if keep.contains(&id) {
            continue;
        }
        let lease = format!("{BUNDLES}/{id}/lease");
        // Without a lease file nobody can show it; taking the lock must not make one.
        let free = disk.length(&lease)?.is_none() || disk.lock(&lease, true)?.is_some();
        if free {
            discard(disk, &format!("{BUNDLES}/{id}"))?;
            gone.push(id);
        }
    }
    Ok(gone)
}
