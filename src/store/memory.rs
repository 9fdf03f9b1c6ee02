//! A disk in memory that forgets what was not synced, and fails where it is told to.
//!
//! For tests: two views are kept, what a running process sees and what would be there after the
//! power went. File bytes become durable by [`NewFile::sync`], names by [`Disk::sync_folder`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, Entry, Held, NewFile};

/// A disk in memory.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It and all that follow fail, as if the process had died before it.
    Kill,
    /// It alone fails with an I/O error.
    Error,
    /// It and every later one that needs room fail: the disk is full.
    Full,
}

type Node = Arc<Mutex<Vec<u8>>>;

#[derive(Default)]
struct State {
    /// What a process sees: files by path.
    files: BTreeMap<String, File>,
    folders: BTreeSet<String>,
    /// What is there after a power cut: names by path, and the bytes synced to each file.
    durable_files: BTreeMap<String, File>,
    durable_folders: BTreeSet<String>,
    locks: BTreeMap<String, Vec<bool>>,
    /// Operations that change something, in order.
    journal: Vec<String>,
    fault: Option<(usize, Fault)>,
    dead: bool,
}

/// A file: bytes as written, and as they were at the last sync.
#[derive(Clone, Default)]
struct File {
    written: Node,
    synced: Node,
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked in another thread has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Operations so far that change something.
    #[must_use]
    pub fn journal(&self) -> Vec<String> {
        self.state().journal.clone()
    }

    /// Lets `fault` happen at the `at`-th changing operation from now (0 is the next).
    pub fn fail_at(&self, at: usize, fault: Fault) {
        let mut state = self.state();
        let at = state.journal.len() + at;
        state.fault = Some((at, fault));
    }

    /// A copy as another process finds it after this one was killed: everything written is there.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let state = self.state();
        Self::from_views(&state.files, &state.folders, |file| &file.written)
    }

    /// A copy as it is after the power went: only what was synced is there.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        let state = self.state();
        Self::from_views(&state.durable_files, &state.durable_folders, |file| &file.synced)
    }

    fn from_views(
        files: &BTreeMap<String, File>,
        folders: &BTreeSet<String>,
        bytes: impl Fn(&File) -> &Node,
    ) -> Self {
        // What stands in a folder whose own name was lost is lost with it.
        let reachable = |path: &str| {
            let folders_above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
            folders_above.into_iter().all(|folder| folders.contains(folder))
        };
        let copy = |file: &File| {
            let bytes = lock(bytes(file)).clone();
            File { written: node(bytes.clone()), synced: node(bytes) }
        };
        let files: BTreeMap<_, _> = files
            .iter()
            .filter(|(path, _)| reachable(path))
            .map(|(path, file)| (path.clone(), copy(file)))
            .collect();
        let folders: BTreeSet<_> =
            folders.iter().filter(|folder| reachable(folder)).cloned().collect();
        let state = State {
            durable_files: files.clone(),
            files,
            folders: folders.clone(),
            durable_folders: folders,
            ..State::default()
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Overwrites a byte of a file, as a failing flash would.
    pub fn damage(&self, path: &str, at: usize) {
        if let Some(file) = self.state().files.get(path) {
            for node in [&file.written, &file.synced] {
                if let Some(byte) = lock(node).get_mut(at) {
                    *byte ^= 0x20;
                }
            }
        }
    }
}

fn node(bytes: Vec<u8>) -> Node {
    Arc::new(Mutex::new(bytes))
}

fn lock(node: &Node) -> MutexGuard<'_, Vec<u8>> {
    node.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl State {
    /// Counts a changing operation and lets the fault happen.
    fn change(&mut self, what: String, needs_room: bool) -> io::Result<()> {
        self.alive()?;
        let at = self.journal.len();
        self.journal.push(what);
        match self.fault {
            Some((when, Fault::Kill)) if at >= when => {
                self.dead = true;
                Err(io::Error::other("killed"))
            }
            Some((when, Fault::Error)) if at == when => Err(io::Error::other("input/output error")),
            Some((when, Fault::Full)) if at >= when && needs_room => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("killed")) } else { Ok(()) }
    }

    fn needs_folder(&self, path: &str) -> io::Result<()> {
        let folder = parent(path);
        if folder.is_empty() || self.folders.contains(folder) {
            return Ok(());
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn under(path: &str) -> String {
        format!("{path}/")
    }
}

impl Disk for MemoryDisk {
    fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let state = self.state();
        state.alive()?;
        let Some(file) = state.files.get(path) else { return Ok(None) };
        let bytes = lock(&file.written).clone();
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it may be"));
        }
        Ok(Some(bytes))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.read(path, u64::MAX)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        let state = self.state();
        state.alive()?;
        Ok(state.files.get(path).map(|file| lock(&file.written).len() as u64))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let state = self.state();
        state.alive()?;
        let inside = |path: &String| {
            let rest = if folder.is_empty() {
                path.as_str()
            } else {
                path.strip_prefix(folder)?.strip_prefix('/')?
            };
            (!rest.is_empty() && !rest.contains('/')).then(|| rest.to_owned())
        };
        let files = state.files.keys().filter_map(inside);
        let folders = state.folders.iter().filter_map(inside);
        Ok(files
            .map(|name| Entry { name, folder: false })
            .chain(folders.map(|name| Entry { name, folder: true }))
            .collect())
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if state.folders.contains(path) {
            return Ok(());
        }
        state.change(format!("create folder {path}"), true)?;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for folder in ends.filter_map(|end| path.get(..end)) {
            state.folders.insert(folder.to_owned());
        }
        Ok(())
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.needs_folder(path)?;
        state.change(format!("create {path}"), true)?;
        // Emptying an existing file keeps its name durable and its old bytes until the sync.
        let file = match state.files.get(path) {
            Some(file) => {
                lock(&file.written).clear();
                file.clone()
            }
            None => File::default(),
        };
        state.files.insert(path.to_owned(), file.clone());
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.needs_folder(path)?;
        let file = match state.files.get(path).cloned() {
            Some(file) => file,
            None => {
                state.change(format!("create {path}"), true)?;
                let file = File::default();
                state.files.insert(path.to_owned(), file.clone());
                file
            }
        };
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change(format!("sync folder {path}"), false)?;
        if !path.is_empty() && !state.folders.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let in_folder = |name: &String| parent(name) == path;
        // Names that are gone become gone, with all that stood below them.
        let State { files, folders, durable_files, durable_folders, .. } = &mut *state;
        let lost: Vec<String> = durable_folders
            .iter()
            .filter(|name| in_folder(name) && !folders.contains(*name))
            .cloned()
            .collect();
        for folder in lost {
            let under = State::under(&folder);
            durable_folders.retain(|name| *name != folder && !name.starts_with(&under));
            durable_files.retain(|name, _| !name.starts_with(&under));
        }
        durable_files.retain(|name, _| !in_folder(name) || files.contains_key(name));
        durable_folders.extend(folders.iter().filter(|name| in_folder(name)).cloned());
        let new = files.iter().filter(|(name, _)| in_folder(name));
        durable_files.extend(new.map(|(name, file)| (name.clone(), file.clone())));
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.needs_folder(to)?;
        state.change(format!("rename {from} {to}"), true)?;
        if let Some(file) = state.files.remove(from) {
            state.files.insert(to.to_owned(), file);
            return Ok(());
        }
        if !state.folders.remove(from) || state.folders.contains(to) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let under = State::under(from);
        let moved = |name: &String| name.strip_prefix(&under).map(|rest| format!("{to}/{rest}"));
        let files: Vec<_> = state
            .files
            .iter()
            .filter_map(|(n, f)| Some((n.clone(), moved(n)?, f.clone())))
            .collect();
        for (old, new, file) in files {
            state.files.remove(&old);
            state.files.insert(new, file);
        }
        let folders: Vec<_> =
            state.folders.iter().filter_map(|n| Some((n.clone(), moved(n)?))).collect();
        for (old, new) in folders {
            state.folders.remove(&old);
            state.folders.insert(new);
        }
        state.folders.insert(to.to_owned());
        // What stood durably below the old name comes along when the new name becomes durable:
        // a journaling file system moves the folder, not its entries.
        let durable: Vec<_> =
            state.durable_files.iter().filter_map(|(n, f)| Some((moved(n)?, f.clone()))).collect();
        let durable_folders: Vec<_> = state.durable_folders.iter().filter_map(moved).collect();
        state.durable_files.extend(durable);
        state.durable_folders.extend(durable_folders);
        Ok(())
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.files.contains_key(path) {
            return Ok(());
        }
        state.change(format!("remove {path}"), false)?;
        state.files.remove(path);
        Ok(())
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if !state.folders.contains(path) {
            return Ok(());
        }
        state.change(format!("remove folder {path}"), false)?;
        let under = State::under(path);
        state.files.retain(|name, _| !name.starts_with(&under));
        state.folders.retain(|name| name != path && !name.starts_with(&under));
        Ok(())
    }

    fn lock(&self, path: &str, exclusive: bool) -> io::Result<Option<Box<dyn Held>>> {
        let mut state = self.state();
        state.alive()?;
        if !state.files.contains_key(path) {
            state.needs_folder(path)?;
            state.change(format!("create {path}"), true)?;
            state.files.insert(path.to_owned(), File::default());
        }
        let holders = state.locks.entry(path.to_owned()).or_default();
        if holders.iter().any(|held| *held || exclusive) {
            return Ok(None);
        }
        holders.push(exclusive);
        drop(state);
        Ok(Some(Box::new(Lock { disk: self.clone(), path: path.to_owned(), exclusive })))
    }

    fn free(&self) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn full_path(&self, path: &str) -> PathBuf {
        PathBuf::from("/memory").join(path)
    }
}

struct Writer {
    disk: MemoryDisk,
    path: String,
    file: File,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.state().change(format!("write {}", self.path), true)?;
        lock(&self.file.written).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Writer {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.state().change(format!("sync {}", self.path), true)?;
        let bytes = lock(&self.file.written).clone();
        *lock(&self.file.synced) = bytes;
        Ok(())
    }
}

struct Lock {
    disk: MemoryDisk,
    path: String,
    exclusive: bool,
}

impl Held for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(holders) = self.disk.state().locks.get_mut(&self.path)
            && let Some(at) = holders.iter().position(|held| *held == self.exclusive)
        {
            holders.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::replace;

    #[test]
    fn a_power_cut_takes_what_was_not_synced() {
        let disk = MemoryDisk::new();
        disk.create_folder("f").unwrap();
        disk.sync_folder("").unwrap();
        let mut file = disk.create("f/a").unwrap();
        file.write_all(b"1").unwrap();
        assert_eq!(disk.after_kill().read("f/a", 9).unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(disk.after_power_cut().read("f/a", 9).unwrap(), None);
        disk.sync_folder("f").unwrap();
        assert_eq!(disk.after_power_cut().read("f/a", 9).unwrap().as_deref(), Some(&b""[..]));
        file.sync().unwrap();
        assert_eq!(disk.after_power_cut().read("f/a", 9).unwrap().as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn replacing_a_file_leaves_the_old_or_the_new_at_every_point() {
        let before = MemoryDisk::new();
        before.create_folder("f").unwrap();
        before.sync_folder("").unwrap();
        replace(&before, "f", "a", b"old").unwrap();
        for at in 0.. {
            let disk = before.after_kill();
            disk.fail_at(at, Fault::Kill);
            let done = replace(&disk, "f", "a", b"new").is_ok();
            for after in [disk.after_kill(), disk.after_power_cut()] {
                let found = after.read("f/a", 9).unwrap().unwrap();
                assert!(found == b"new" || (!done && found == b"old"), "{at}: {found:?}");
            }
            if done {
                assert!(at > 3);
                break;
            }
        }
    }

    #[test]
    fn a_renamed_folder_is_there_once_its_parents_are_synced() {
        let disk = MemoryDisk::new();
        for folder in ["s/x", "b"] {
            disk.create_folder(folder).unwrap();
        }
        let mut file = disk.create("s/x/a").unwrap();
        file.write_all(b"1").unwrap();
        file.sync().unwrap();
        for folder in ["s/x", "s", ""] {
            disk.sync_folder(folder).unwrap();
        }
        disk.rename("s/x", "b/x").unwrap();
        disk.sync_folder("b").unwrap();
        let after = disk.after_power_cut();
        assert_eq!(after.read("b/x/a", 9).unwrap().as_deref(), Some(&b"1"[..]));
    }
}
