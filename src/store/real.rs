//! The real disk: one folder of the app's private storage.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};

use super::disk::{Disk, Entry, Held, NewFile, damage};

/// A folder on a file system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
    /// Nothing needs to survive.
    scratch: bool,
}

impl RealDisk {
    /// The disk in `root`, which is made if need be.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        Ok(Self { root, scratch: false })
    }

    /// The disk in `root` for what is thrown away afterwards: syncing a file does nothing.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    #[cfg(feature = "publish")]
    pub fn scratch(root: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self { scratch: true, ..Self::new(root)? })
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

/// Turns "there is none" into nothing; below a file there is none either.
fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}

impl Disk for RealDisk {
    fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let opened = optional(File::open(self.at(path))).map_err(damage)?;
        let Some(file) = opened else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(damage)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it may be"));
        }
        Ok(Some(bytes))
    }

    fn open_at(&self, path: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(self.at(path))?;
        if from > 0 {
            file.seek(SeekFrom::Start(from))?;
        }
        Ok(Box::new(file))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        // Not followed: nothing of ours is a link.
        let found = optional(fs::symlink_metadata(self.at(path)))?;
        Ok(found.filter(fs::Metadata::is_file).map(|found| found.len()))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let Some(entries) = optional(fs::read_dir(self.at(folder)))? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().into_string() {
                // What is damaged so that nobody can say is a name all the same.
                let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                found.push(Entry { name, folder });
            }
        }
        Ok(found)
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.at(path))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let file = File::create(self.at(path))?;
        Ok(if self.scratch { Box::new(ScratchFile(file)) } else { Box::new(file) })
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut options = OpenOptions::new();
        Ok(Box::new(options.write(true).create(true).truncate(false).open(self.at(path))?))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let file = OpenOptions::new().append(true).create(true).open(self.at(path))?;
        Ok(Box::new(file))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        sync_folder(&self.at(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.remove_folder(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let path = self.at(path);
        let is_folder = optional(fs::symlink_metadata(&path))?.is_some_and(|found| found.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        optional(removed).map(|_| ())
    }

    fn lock(&self, path: &str, exclusive: bool) -> io::Result<Option<Box<dyn Held>>> {
        let path = self.at(path);
        // Opened without making it first: a start on a confirmed bundle writes nothing. Opened for
        // reading: storage that takes no writes can be locked all the same.
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?,
            found => found?,
        };
        // Not those of std, which refuse to lock anything on Android.
        let taken =
            if exclusive { FileExt::try_lock(&file) } else { FileExt::try_lock_shared(&file) };
        match taken {
            Ok(()) => Ok(Some(Box::new(LockedFile(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn free(&self) -> io::Result<u64> {
        fs4::available_space(&self.root)
    }

    fn full_path(&self, path: &str) -> PathBuf {
        self.at(path)
    }
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Windows has no such call; its file systems journal names.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl NewFile for File {
    // On Apple's systems std makes this F_FULLFSYNC, which reaches the flash and not just its
    // cache.
    fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.sync_all()
    }
}

/// A file that nobody misses.
struct ScratchFile(File);

impl Write for ScratchFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl NewFile for ScratchFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Closing the file releases the lock; so does the death of the process.
struct LockedFile(#[expect(dead_code, reason = "held open for its lock")] File);

impl Held for LockedFile {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_and_removes_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path().join("store")).unwrap();
        disk.create_folder("a/b").unwrap();
        disk.create("a/b/c").unwrap().write_all(b"12").unwrap();
        disk.append("a/b/c").unwrap().write_all(b"3").unwrap();
        assert_eq!(disk.read("a/b/c", 3).unwrap().as_deref(), Some(&b"123"[..]));
        assert_eq!(disk.read("a/b/c", 2).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(disk.read("a/b/d", 2).unwrap(), None);
        assert_eq!(disk.length("a/b/c").unwrap(), Some(3));
        disk.overwrite("a/b/c").unwrap().write_all(b"45").unwrap();
        assert_eq!(disk.read("a/b/c", 3).unwrap().as_deref(), Some(&b"453"[..]));
        assert_eq!(disk.length("a/b").unwrap(), None);
        assert_eq!(disk.list("a").unwrap(), [Entry { name: "b".to_owned(), folder: true }]);
        disk.remove_folder("a").unwrap();
        disk.remove_folder("a").unwrap();
        disk.create("a").unwrap();
        disk.remove_folder("a").unwrap();
        assert_eq!(disk.list("a").unwrap(), []);
        assert!(disk.free().unwrap() > 0);
    }

    #[test]
    fn an_exclusive_lock_keeps_others_out_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path()).unwrap();
        let shared = disk.lock("lock", false).unwrap().unwrap();
        let also = disk.lock("lock", false).unwrap().unwrap();
        assert!(disk.lock("lock", true).unwrap().is_none());
        drop((shared, also));
        assert!(disk.lock("lock", true).unwrap().is_some());
    }
}
