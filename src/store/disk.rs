//! The disk as the store needs it: few operations, each either durable or said not to be.
//!
//! Paths are relative to the store's folder, with `/` between segments; they are made by the
//! store, never by anything from outside. The real disk and an in-memory one that loses what was
//! not synced both implement [`Disk`], so that every crash point can be tried.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// A disk.
pub trait Disk: Send + Sync {
    /// The whole file, or nothing if there is none. Longer than `limit` is an error, and so is one that
    /// is damaged so that it cannot be read any more (both `InvalidData`).
    fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>>;
    /// Opens a file for reading from its start.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        self.open_at(path, 0)
    }
    /// Opens a file for reading from `from` on.
    fn open_at(&self, path: &str, from: u64) -> io::Result<Box<dyn Read + Send>>;
    /// Length of a file, or nothing if there is no such file.
    fn length(&self, path: &str) -> io::Result<Option<u64>>;
    /// What a folder holds, in no order; nothing if there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<Entry>>;
    /// Makes a folder and those above it. Not durable before [`Disk::sync_folder`] of its parent.
    fn create_folder(&self, path: &str) -> io::Result<()>;
    /// Makes an empty file, or empties one. Its folder must exist. Durable are the bytes after
    /// [`NewFile::sync`] and the name after [`Disk::sync_folder`].
    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>>;
    /// Opens a file for writing from its start, over the bytes that it has, making it if need be.
    /// Most file systems need no room for what is there already.
    fn overwrite(&self, path: &str) -> io::Result<Box<dyn NewFile>>;
    /// Opens a file for writing at its end, making it if need be.
    fn append(&self, path: &str) -> io::Result<Box<dyn NewFile>>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &str) -> io::Result<()>;
    /// Renames a file over a file, or a folder to a name that is free. Atomic; durable after
    /// [`Disk::sync_folder`] of the parents.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file, or the folder that some damage put in its place; none there is fine.
    fn remove_file(&self, path: &str) -> io::Result<()>;
    /// Removes a folder and all in it, not at once; none there is fine.
    fn remove_folder(&self, path: &str) -> io::Result<()>;
    /// Takes a lock on a file, making it if need be, without waiting; nothing if somebody else has
    /// it. The system releases it when the process dies. Writes nothing if the file exists.
    fn lock(&self, path: &str, exclusive: bool) -> io::Result<Option<Box<dyn Held>>>;
    /// Bytes that may still be written, as the system estimates them.
    fn free(&self) -> io::Result<u64>;
    /// Where the host finds `path`.
    fn full_path(&self, path: &str) -> PathBuf;
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
}

/// A file being written.
pub trait NewFile: Write + Send {
    /// Makes the bytes written so far durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// A lock; dropping it releases it.
pub trait Held: Send + Sync {}

/// How often a lock is tried, 10 ms apart, before somebody else is said to have it.
const TRIES: u32 = 20;

/// How the name ends of a file that is to take another's place.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Replaces a small file so that a crash leaves the old or the new bytes, never a mix: temporary
/// file → fsync → rename → fsync of the folder. The store's root is the empty folder name.
pub(crate) fn replace(disk: &dyn Disk, folder: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let at =
        |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let temporary = at(&format!("{name}{TEMPORARY}"));
    let mut file = disk.create(&temporary)?;
    file.write_all(bytes)?;
    file.sync()?;
    drop(file);
    match disk.rename(&temporary, &at(name)) {
        // Damage put a folder there.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            disk.remove_folder(&at(name))?;
            disk.rename(&temporary, &at(name))?;
        }
        renamed => renamed?,
    }
    disk.sync_folder(folder)
}

/// Makes a folder; a file that damage put in its place makes way.
pub(crate) fn ready_folder(disk: &dyn Disk, folder: &str) -> io::Result<()> {
    if disk.length(folder)?.is_some() {
        disk.remove_file(folder)?;
    }
    disk.create_folder(folder)
}

/// Whether something of this name, sound or not, stands in a folder.
pub(super) fn holds(disk: &dyn Disk, folder: &str, name: &str) -> io::Result<bool> {
    Ok(disk.list(folder)?.iter().any(|entry| entry.name == name))
}

/// EIO, ENOTDIR, EISDIR, which are the same on every system that phones have; what Linux calls EBADMSG
/// and EUCLEAN, and Apple's systems EBADMSG.
const DAMAGE: [i32; 6] = [5, 20, 21, 74, 117, 94];

/// Whether the storage has lost what was asked for, or has something else in its place, as opposed to
/// not giving it out now.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| DAMAGE.contains(&number))
}

/// What [`Disk::read`] makes of an error: what cannot be read is damage to what lay there, and no more;
/// a phone that is locked says something else.
pub(super) fn damage(error: io::Error) -> io::Error {
    if is_damage(&error) { io::Error::new(io::ErrorKind::InvalidData, error) } else { error }
}

/// What is asked of something damaged does not hold.
pub(super) fn unless_damaged(asked: io::Result<bool>) -> io::Result<bool> {
    match asked {
        Err(error) if is_damage(&error) => Ok(false),
        asked => asked,
    }
}

/// A small file of ours, or nothing: one that is longer than ours can be, or that cannot be read any
/// more, is damaged, and as good as none.
pub(crate) fn read_small(disk: &dyn Disk, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    match disk.read(path, limit) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        read => read,
    }
}

/// Takes a lock that others hold for moments only; nothing if somebody has it for longer.
pub(crate) fn lock_soon(disk: &dyn Disk, path: &str) -> io::Result<Option<Box<dyn Held>>> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            thread::sleep(Duration::from_millis(10));
        }
        if let Some(held) = disk.lock(path, true)? {
            return Ok(Some(held));
        }
    }
    Ok(None)
}
