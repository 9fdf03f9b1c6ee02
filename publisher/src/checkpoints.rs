//! Deaths at a chosen place, for tests alone: compiled with the feature `checkpoints` only.
//!
//! Every operation that changes a device's disk is a checkpoint. Its name is what is done to which
//! path, with `*` for ids and digests: `rename staging/* bundles/*`. Enters: in the environment,
//! `FARAD_CHECKPOINT`, a name, with `#3` behind it for the third time it is reached; and
//! `FARAD_CHECKPOINTS`, a file to write the names to. Leaves: nothing; the process is killed by
//! SIGKILL before the operation, or in the middle of it where that is to write bytes.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farad::store::{Disk, Entry, Held, NewFile, RealDisk};

/// A real disk with a checkpoint before every change.
pub(crate) struct CheckedDisk {
    disk: RealDisk,
    points: Arc<Points>,
}

struct Points {
    /// Where to die: a name, and how often it is reached before.
    deadly: Option<(String, usize)>,
    log: Option<PathBuf>,
    reached: Mutex<HashMap<String, usize>>,
}

impl CheckedDisk {
    pub(crate) fn new(disk: RealDisk) -> Self {
        let deadly =
            std::env::var("FARAD_CHECKPOINT").ok().map(|wish| match wish.split_once('#') {
                Some((name, time)) => (name.to_owned(), time.parse().unwrap_or(1)),
                None => (wish, 1),
            });
        let log = std::env::var_os("FARAD_CHECKPOINTS").map(PathBuf::from);
        Self { disk, points: Arc::new(Points { deadly, log, reached: Mutex::default() }) }
    }

    fn writer(&self, path: &str, file: Box<dyn NewFile>) -> Box<dyn NewFile> {
        Box::new(Writer { file, path: path.to_owned(), points: self.points.clone() })
    }
}

impl Points {
    /// Whether this is the place to die.
    fn is_deadly(&self, what: &str, paths: &[&str]) -> bool {
        let paths: Vec<_> = paths.iter().map(|path| anonymous(path)).collect();
        let name = format!("{what} {}", paths.join(" "));
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let times = reached.entry(name.clone()).or_default();
        *times += 1;
        if let Some(log) = &self.log {
            let file = OpenOptions::new().append(true).create(true).open(log);
            // Whoever reads it sees that lines are missing.
            let _ = file.and_then(|mut file| writeln!(file, "{name}#{times}"));
        }
        self.deadly.as_ref().is_some_and(|deadly| (&deadly.0, &deadly.1) == (&name, &*times))
    }

    fn pass(&self, what: &str, paths: &[&str]) {
        if self.is_deadly(what, paths) {
            die();
        }
    }
}

/// A path with `*` for every segment that only this run has.
fn anonymous(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let stem = segment.strip_suffix(".tmp").unwrap_or(segment);
        let is_digest = stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
        if is_digest { segment.replace(stem, "*") } else { segment.to_owned() }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Ends the process as a kill does.
pub(crate) fn die() -> ! {
    let me = std::process::id().to_string();
    let killed = Command::new("kill").args(["-KILL", &me]).status();
    if killed.is_ok_and(|status| status.success()) {
        // The signal is on its way.
        std::thread::sleep(Duration::from_secs(60));
    }
    std::process::abort()
}

impl Disk for CheckedDisk {
    fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(path, limit)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        self.disk.open(path)
    }

    fn open_at(&self, path: &str, at: u64) -> io::Result<Box<dyn Read + Send>> {
        self.disk.open_at(path, at)
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        self.disk.length(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        self.points.pass("create-folder", &[path]);
        self.disk.create_folder(path)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        self.points.pass("create", &[path]);
        Ok(self.writer(path, self.disk.create(path)?))
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        self.points.pass("overwrite", &[path]);
        Ok(self.writer(path, self.disk.overwrite(path)?))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        self.points.pass("append", &[path]);
        Ok(self.writer(path, self.disk.append(path)?))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.points.pass("sync-folder", &[path]);
        self.disk.sync_folder(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.points.pass("rename", &[from, to]);
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.points.pass("remove-file", &[path]);
        self.disk.remove_file(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.points.pass("remove-folder", &[path]);
        self.disk.remove_folder(path)
    }

    fn lock(&self, path: &str, exclusive: bool) -> io::Result<Option<Box<dyn Held>>> {
        self.disk.lock(path, exclusive)
    }

    fn free(&self) -> io::Result<u64> {
        self.disk.free()
    }

    fn full_path(&self, path: &str) -> PathBuf {
        self.disk.full_path(path)
    }
}

struct Writer {
    file: Box<dyn NewFile>,
    path: String,
    points: Arc<Points>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.points.is_deadly("write", &[&self.path]) {
            let _ = self.file.write(bytes.get(..bytes.len() / 2).unwrap_or_default());
            die();
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewFile for Writer {
    fn sync(&mut self) -> io::Result<()> {
        self.points.pass("sync", &[&self.path]);
        self.file.sync()
    }
}
