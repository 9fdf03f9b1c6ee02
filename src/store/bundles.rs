//! Bundles on the device: staged, committed, checked, removed.
//!
//! `bundles/<id>/` holds `files/`, the `index`, the signed `manifest.json`, a `lease` to lock while
//! a process shows it, and `committed`, written last into staging, with the plain identity. A folder
//! without a sound marker is none; one with `damaged` in it waits to be staged again.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use super::disk::{Disk, Held, TEMPORARY, holds, read_small, ready_folder, unless_damaged};
use crate::digest::{Digest, Hasher};
use crate::id::BundleId;
use crate::limits;
use crate::release::{File, Index, Manifest, bundle_id};

const BUNDLES: &str = "bundles";
const STAGING: &str = "staging";
const TRASH: &str = "trash";
/// The file that a WebView asks for first.
const ENTRY: &str = "index.html";
/// Folders with more in them than small files of ours, and one whose files others may be replacing
/// under a lock of its own.
const NOT_OURS: [&str; 5] = [BUNDLES, STAGING, TRASH, "downloads", "outbox"];

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
    ready_folder(disk, STAGING)?;
    drop_folder(disk, &format!("{STAGING}/{id}"))?;
    disk.create_folder(&staging_files(id))
}

/// Removes a folder of which nothing is needed; what cannot be removed can often be moved.
pub(crate) fn drop_folder(disk: &dyn Disk, folder: &str) -> io::Result<()> {
    disk.remove_folder(folder).or_else(|error| {
        log::warn!("{folder}: {error}");
        to_trash(disk, folder)
    })
}

/// Removes what was staged of `id`.
pub(super) fn abandon(disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
    disk.remove_folder(&format!("{STAGING}/{id}"))
}

/// Moves the files of `id` that were staged so far aside, and begins with none.
pub(super) fn set_aside(disk: &dyn Disk, id: &BundleId) -> io::Result<String> {
    let aside = format!("{STAGING}/{id}/aside");
    disk.rename(&staging_files(id), &aside)?;
    disk.create_folder(&staging_files(id))?;
    Ok(aside)
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
    ready_folder(disk, BUNDLES)?;
    disk.sync_folder("")?;
    // A damaged bundle of the same id makes way; a sound one would not be staged again. Its lease
    // comes along: whoever shows the old files goes on to show the new ones.
    let committed = format!("{BUNDLES}/{id}");
    if has_lease(disk, id)? {
        disk.rename(&format!("{committed}/lease"), &format!("{staged}/lease"))?;
        disk.sync_folder(&staged)?;
    }
    clear(disk, &committed)?;
    disk.rename(&staged, &committed)?;
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

/// Moves a folder out of the way: a crash in between leaves only trash.
fn clear(disk: &dyn Disk, folder: &str) -> io::Result<()> {
    let Some((parent, name)) = folder.rsplit_once('/') else { return Ok(()) };
    if !holds(disk, parent, name)? {
        return Ok(());
    }
    match to_trash(disk, folder) {
        Ok(()) => disk.sync_folder(parent),
        // A full disk may have no room for the move. Without its marker it is no bundle.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            disk.remove_file(&format!("{folder}/committed"))?;
            disk.sync_folder(folder)?;
            disk.remove_folder(folder)?;
            disk.sync_folder(parent)
        }
        Err(error) => Err(error),
    }
}

/// Moves a folder to the trash.
fn to_trash(disk: &dyn Disk, folder: &str) -> io::Result<()> {
    let name = folder.rsplit_once('/').map_or(folder, |(_, name)| name);
    ready_folder(disk, TRASH)?;
    let taken = disk.list(TRASH)?;
    let is_taken = |name: &str| taken.iter().any(|entry| entry.name == name);
    let others = (1..).map(|n: u64| format!("{name}.{n}"));
    let mut names = std::iter::once(name.to_owned()).chain(others);
    let free = names.find(|name| !is_taken(name)).unwrap_or_default();
    disk.rename(folder, &format!("{TRASH}/{free}"))
}

/// Ids of everything in `bundles/`, sound or not.
pub(super) fn ids(disk: &dyn Disk) -> io::Result<Vec<BundleId>> {
    Ok(disk.list(BUNDLES)?.iter().filter_map(|entry| entry.name.parse().ok()).collect())
}

/// The signed manifest of a bundle: its digest is the id, so it cannot have become another's.
pub(super) fn manifest(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Manifest>> {
    let path = format!("{BUNDLES}/{id}/manifest.json");
    let bytes = read_small(disk, &path, limits::MANIFEST)?;
    let sound = bytes.filter(|bytes| bundle_id(bytes) == *id);
    Ok(sound.and_then(|bytes| Manifest::parse_any(&bytes).ok()))
}

/// The index of a committed bundle, if marker and index agree.
pub(super) fn index(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Index>> {
    Ok(index_bytes(disk, id)?.and_then(|bytes| Index::parse(&bytes).ok()))
}

/// The bytes of the index, if they have the digest that the marker names.
fn index_bytes(disk: &dyn Disk, id: &BundleId) -> io::Result<Option<Vec<u8>>> {
    let marker = read_small(disk, &format!("{BUNDLES}/{id}/committed"), 256)?;
    let identity = marker.as_deref().and_then(|marker| {
        let text = std::str::from_utf8(marker).ok()?;
        text.strip_prefix("farad-bundle 1\n")?.strip_suffix('\n')?.parse::<Digest>().ok()
    });
    let bytes = read_small(disk, &format!("{BUNDLES}/{id}/index"), limits::INDEX)?;
    Ok(bytes.filter(|bytes| identity == Some(Digest::of(bytes))))
}

/// Whether a bundle is complete and, as far as a start can tell, undamaged: marker, index, the
/// entry file's digest, every file's length. The digests of the rest are for a re-hash, which leaves
/// word of what it finds.
///
/// # Errors
/// Where the storage as a whole cannot be read, as opposed to this bundle.
pub(super) fn sound(disk: &dyn Disk, id: &BundleId) -> io::Result<bool> {
    unless_damaged(looks_sound(disk, id))
}

fn looks_sound(disk: &dyn Disk, id: &BundleId) -> io::Result<bool> {
    let Some(index) = index_bytes(disk, id)? else { return Ok(false) };
    if disk.length(&damage(id))?.is_some() {
        return Ok(false);
    }
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

/// The file whose presence says that a bundle is damaged.
fn damage(id: &BundleId) -> String {
    format!("{BUNDLES}/{id}/damaged")
}

/// Leaves word that a bundle is damaged; durable when it returns.
pub(super) fn mark_damaged(disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
    write(disk, &damage(id), b"")?;
    disk.sync_folder(&format!("{BUNDLES}/{id}"))
}

/// Whether a file of a bundle has the bytes that its index signs. Reads all of it.
///
/// # Errors
/// Where the storage as a whole cannot be read, as opposed to this file.
pub(super) fn is_whole(disk: &dyn Disk, id: &BundleId, file: &File) -> io::Result<bool> {
    let path = format!("{}/{}", files_folder(id), file.path);
    unless_damaged(disk.length(&path).and_then(|length| {
        Ok(length == Some(file.length) && digest_of(disk, &path)? == file.sha256)
    }))
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

/// Moves bundles that are not in `keep` and that no process shows out of the way, and what killed runs
/// left behind: [`empty_trash`] removes it. Only where no other sync is under way: nothing names yet what
/// that has committed, and it reads from what nothing names any more.
///
/// # Errors
/// The first of what could not be moved; all the rest is gone all the same.
pub(super) fn collect(disk: &dyn Disk, keep: &[BundleId]) -> io::Result<()> {
    let mut failed = None;
    let mut try_to = |done: io::Result<()>| {
        if let Err(error) = done {
            failed.get_or_insert(error);
        }
    };
    for id in ids(disk)? {
        if !keep.contains(&id) {
            try_to(clear_unless_shown(disk, &id));
        }
    }
    for entry in disk.list(STAGING)? {
        try_to(clear(disk, &format!("{STAGING}/{}", entry.name)));
    }
    remove_temporary(disk, "", &mut try_to)?;
    failed.map_or(Ok(()), Err)
}

/// Removes what was moved out of the way. That may be thousands of files: nobody has to wait for it,
/// so no lock is held.
///
/// # Errors
/// The first of what could not be removed; all the rest is gone all the same.
pub(super) fn empty_trash(disk: &dyn Disk) -> io::Result<()> {
    let mut failed = None;
    for entry in disk.list(TRASH)? {
        if let Err(error) = disk.remove_folder(&format!("{TRASH}/{}", entry.name)) {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Whether a lease can be asked for: not where damage took its file.
fn has_lease(disk: &dyn Disk, id: &BundleId) -> io::Result<bool> {
    unless_damaged(disk.length(&format!("{BUNDLES}/{id}/lease")).map(|length| length.is_some()))
}

fn clear_unless_shown(disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
    // Without a lease file nobody can show it; taking the lock must not make one.
    let lease = format!("{BUNDLES}/{id}/lease");
    let held = has_lease(disk, id)?.then(|| disk.lock(&lease, true)).transpose()?;
    if matches!(held, Some(None)) {
        return Ok(());
    }
    // Windows moves no folder in which a file is open; nothing there shows bundles.
    #[cfg(windows)]
    drop(held);
    clear(disk, &format!("{BUNDLES}/{id}"))
}

/// Removes files that a crash kept from taking another's place.
fn remove_temporary(
    disk: &dyn Disk,
    folder: &str,
    try_to: &mut dyn FnMut(io::Result<()>),
) -> io::Result<()> {
    for entry in disk.list(folder)? {
        let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
        if entry.folder && !NOT_OURS.contains(&path.as_str()) {
            remove_temporary(disk, &path, try_to)?;
        } else if !entry.folder && path.ends_with(TEMPORARY) {
            try_to(disk.remove_file(&path));
        }
    }
    Ok(())
}
