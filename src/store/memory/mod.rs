//! A disk in memory that forgets what was not synced, and fails where it is told to.
//!
//! For tests. Enters: the store's calls, and which of them is to fail, how. Leaves: what a process
//! sees, and every state that a power cut can leave behind. Bytes become durable by
//! [`NewFile::sync`], names by [`Disk::sync_folder`]; until then each change is pending by itself
//! and may or may not survive, whatever came before or after it. A rename survives as the new name
//! alone, both names, or the old one alone. A killed process takes nothing with it: what it left
//! pending stays so for the next one.

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::tree::{Change, Inode, Tree};
use super::disk::{Disk, Entry, Held, NewFile};
use crate::digest::Digest;

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
    /// As [`Fault::Kill`], but half of the bytes that it was to write are written.
    Torn,
    /// It alone fails with an I/O error.
    Error,
    /// It and every later one that needs room fail: the disk is full.
    Full,
    /// It and every later one fail: the storage can only be read from now on.
    ReadOnly,
}

/// EIO; the same number on every system that phones have.
const INPUT_OUTPUT_ERROR: i32 = 5;

#[derive(Clone)]
struct State {
    /// As processes see it.
    now: Tree,
    /// As it is on the medium, whatever happens.
    medium: Tree,
    /// Changes that may or may not be on the medium, by number, oldest first.
    pending: Vec<(u64, Change)>,
    changes: u64,
    next: Inode,
    /// Files that cannot be removed.
    pinned: BTreeSet<Inode>,
    /// Holders of locks: exclusive ones or not.
    locks: BTreeMap<Inode, Vec<bool>>,
    /// Operations that change something, in order.
    journal: Vec<String>,
    fault: Option<(usize, Fault)>,
    /// Operations that a fault hit.
    faults: usize,
    /// Bytes that fit.
    capacity: u64,
    dead: bool,
    /// Nothing can be read or written, as on a phone that was not unlocked yet.
    locked: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            now: Tree::new(),
            medium: Tree::new(),
            pending: Vec::new(),
            changes: 0,
            next: tree::ROOT + 1,
            pinned: BTreeSet::new(),
            locks: BTreeMap::new(),
            journal: Vec::new(),
            fault: None,
            faults: 0,
            capacity: 1 << 40,
            dead: false,
            locked: false,
        }
    }
}

/// What is done to the disk, as the fault sees it.
#[derive(Clone, Copy)]
enum Need {
    Room,
    Nothing,
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

    fn with(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
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

    /// No fault happens any more.
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// Whether the process that uses this disk was killed.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Operations that a fault hit so far.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.state().faults
    }

    /// From now on no more than so many bytes fit.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Whether the storage can be read and written at all: a phone that was restarted and not yet
    /// unlocked refuses both.
    pub fn set_locked(&self, locked: bool) {
        self.state().locked = locked;
    }

    /// Lets the file at `path` never be removed, wherever it is moved.
    pub fn pin(&self, path: &str) {
        let mut state = self.state();
        let inode = state.now.find(path);
        state.pinned.extend(inode);
    }

    /// The pinned files can be removed again.
    pub fn unpin(&self) {
        self.state().pinned.clear();
    }

    /// A copy as another process finds it after this one was killed: everything written is there,
    /// and what is pending stays so.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let state = self.state();
        Self::with(State {
            now: state.now.clone(),
            medium: state.medium.clone(),
            pending: state.pending.clone(),
            changes: state.changes,
            next: state.next,
            pinned: state.pinned.clone(),
            capacity: state.capacity,
            ..State::default()
        })
    }

    /// A copy as it is after the power went and nothing that was pending had reached the medium.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        self.after_power_cut_with(&|_| false, false)
    }

    /// A copy as it is after the power went and, of the pending changes, those had reached the
    /// medium that `kept` says, counted from the oldest; the last kept bytes half, if `torn`.
    #[must_use]
    pub fn after_power_cut_with(&self, kept: &dyn Fn(usize) -> bool, torn: bool) -> Self {
        let state = self.state();
        let kept: Vec<_> =
            state.pending.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, c)| c).collect();
        let number = |number: u64| kept.iter().any(|(other, _)| *other == number);
        let was_pending = |number: u64| state.pending.iter().any(|(other, _)| *other == number);
        let last = kept.iter().rposition(|(_, change)| matches!(change, Change::Write { .. }));
        let mut medium = state.medium.clone();
        for (at, (_, change)) in kept.iter().enumerate() {
            match change {
                Change::Unlink { moved: Some(new), .. } if was_pending(*new) && !number(*new) => {}
                change if torn && Some(at) == last => medium.apply(&change.torn()),
                change => medium.apply(change),
            }
        }
        let (now, next) = medium.reachable();
        let medium = now.clone();
        Self::with(State { now, medium, next, capacity: state.capacity, ..State::default() })
    }

    /// How many changes are pending.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.state().pending.len()
    }

    /// The same for disks that show a process the same.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.state().now.digest()
    }

    /// Overwrites a byte of a file, as a failing flash would.
    pub fn damage(&self, path: &str, at: usize) {
        let mut state = self.state();
        let Some(file) = state.now.find(path) else { return };
        let byte = state.now.file(file).and_then(|bytes| bytes.get(at).copied());
        let Some(byte) = byte else { return };
        let change = Change::Write { file, at, bytes: vec![byte ^ 0x20] };
        state.now.apply(&change);
        state.medium.apply(&change);
    }
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("killed"));
        }
        if self.locked { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    /// Counts a changing operation and lets the fault happen. True if only half of it is done.
    fn change(&mut self, what: String, need: Need) -> io::Result<bool> {
        self.alive()?;
        let at = self.journal.len();
        self.journal.push(what);
        let done = self.fault_at(at, need);
        self.faults += usize::from(!matches!(done, Ok(false)));
        done
    }

    fn fault_at(&mut self, at: usize, need: Need) -> io::Result<bool> {
        match self.fault {
            Some((when, Fault::Kill)) if at >= when => {
                self.dead = true;
                Err(io::Error::other("killed"))
            }
            Some((when, Fault::Torn)) if at >= when => {
                self.dead = true;
                Ok(true)
            }
            Some((when, Fault::Error)) if at == when => {
                Err(io::Error::from_raw_os_error(INPUT_OUTPUT_ERROR))
            }
            Some((when, Fault::Full)) if at >= when && matches!(need, Need::Room) => {
                Err(io::ErrorKind::StorageFull.into())
            }
            Some((when, Fault::ReadOnly)) if at >= when => {
                Err(io::ErrorKind::ReadOnlyFilesystem.into())
            }
            _ => Ok(false),
        }
    }

    /// As [`State::change`], for what is done whole or not at all.
    fn whole_change(&mut self, what: String, need: Need) -> io::Result<()> {
        if self.change(what, need)? { Err(io::Error::other("killed")) } else { Ok(()) }
    }

    /// Makes a change that is pending from now on.
    fn apply(&mut self, change: Change) -> u64 {
        self.now.apply(&change);
        self.changes += 1;
        self.pending.push((self.changes, change));
        self.changes
    }

    /// Makes the changes durable that `due` names.
    fn settle(&mut self, due: impl Fn(&Change) -> bool) {
        let moved: BTreeSet<u64> = self
            .pending
            .iter()
            .filter(|(_, change)| due(change))
            .filter_map(|(_, change)| match change {
                Change::Unlink { moved, .. } => *moved,
                _ => None,
            })
            .collect();
        let medium = &mut self.medium;
        self.pending.retain(|(number, change)| {
            let due = due(change) || moved.contains(number);
            if due {
                medium.apply(change);
            }
            !due
        });
    }

    fn link(&mut self, path: &str, inode: Inode, is_folder: bool) -> io::Result<u64> {
        let (folder, name) = self.now.place(path)?;
        Ok(self.apply(Change::Link { folder, name: name.to_owned(), inode, is_folder }))
    }

    fn unlink(&mut self, path: &str, moved: Option<u64>) -> io::Result<()> {
        let (folder, name) = self.now.place(path)?;
        self.apply(Change::Unlink { folder, name: name.to_owned(), moved });
        Ok(())
    }

    fn new_inode(&mut self) -> Inode {
        self.next += 1;
        self.next - 1
    }

    fn find_file(&self, path: &str) -> Option<(Inode, Arc<Vec<u8>>)> {
        let inode = self.now.find(path)?;
        Some((inode, self.now.file(inode)?.clone()))
    }

    /// The file at `path`, made if need be.
    fn create(&mut self, path: &str) -> io::Result<Inode> {
        if let Some((inode, _)) = self.find_file(path) {
            return Ok(inode);
        }
        self.now.place(path)?;
        self.whole_change(format!("create {path}"), Need::Room)?;
        let inode = self.new_inode();
        self.link(path, inode, false)?;
        Ok(inode)
    }

    /// Removes what stands at `path`, one name after the other.
    fn remove(&mut self, path: &str) -> io::Result<()> {
        let Some(inode) = self.now.find(path) else { return Ok(()) };
        let inside: Vec<_> = self.now.folder(inode).into_iter().flatten().collect();
        let inside: Vec<_> = inside.into_iter().map(|(name, _)| format!("{path}/{name}")).collect();
        for path in inside {
            self.remove(&path)?;
        }
        if self.pinned.contains(&inode) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.whole_change(format!("remove {path}"), Need::Nothing)?;
        self.unlink(path, None)
    }
}

impl Disk for MemoryDisk {
    fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let state = self.state();
        state.alive()?;
        let Some((_, bytes)) = state.find_file(path) else { return Ok(None) };
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it may be"));
        }
        Ok(Some(bytes.to_vec()))
    }

    fn open_at(&self, path: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let state = self.state();
        state.alive()?;
        let (_, bytes) = state.find_file(path).ok_or(io::ErrorKind::NotFound)?;
        let mut file = Cursor::new(bytes.to_vec());
        file.set_position(from);
        Ok(Box::new(file))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        let state = self.state();
        state.alive()?;
        Ok(state.find_file(path).map(|(_, bytes)| bytes.len() as u64))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let state = self.state();
        state.alive()?;
        let names = state.now.find(folder).and_then(|inode| state.now.folder(inode));
        let entry = |(name, inode): (&String, &Inode)| Entry {
            name: name.clone(),
            folder: state.now.folder(*inode).is_some(),
        };
        Ok(names.into_iter().flatten().map(entry).collect())
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for folder in ends.filter_map(|end| path.get(..end)) {
            if state.now.find(folder).is_some() {
                continue;
            }
            state.whole_change(format!("create folder {folder}"), Need::Room)?;
            let inode = state.new_inode();
            state.link(folder, inode, true)?;
        }
        Ok(())
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.alive()?;
        let (file, old) = match state.find_file(path) {
            Some((file, bytes)) => (file, bytes.len()),
            None => (state.create(path)?, 0),
        };
        if old > 0 {
            state.whole_change(format!("empty {path}"), Need::Room)?;
            state.apply(Change::Empty { file });
        }
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file, at: 0 }))
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.alive()?;
        let file = state.create(path)?;
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file, at: 0 }))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.alive()?;
        let file = state.create(path)?;
        let at = state.now.file(file).map_or(0, |content| content.len());
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file, at }))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.whole_change(format!("sync folder {path}"), Need::Nothing)?;
        let folder = state.now.find(path).filter(|inode| state.now.folder(*inode).is_some());
        let folder = folder.ok_or(io::ErrorKind::NotFound)?;
        state.settle(|change| change.folder() == Some(folder));
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let inode = state.now.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.now.place(to)?;
        let is_folder = state.now.folder(inode).is_some();
        if is_folder && state.now.find(to).is_some() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.whole_change(format!("rename {from} {to}"), Need::Room)?;
        let link = state.link(to, inode, is_folder)?;
        state.unlink(from, Some(link))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if state.find_file(path).is_some() { state.remove(path) } else { Ok(()) }
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        state.remove(path)
    }

    fn lock(&self, path: &str, exclusive: bool) -> io::Result<Option<Box<dyn Held>>> {
        let mut state = self.state();
        state.alive()?;
        let file = state.create(path)?;
        let holders = state.locks.entry(file).or_default();
        if holders.iter().any(|held| *held || exclusive) {
            return Ok(None);
        }
        holders.push(exclusive);
        drop(state);
        Ok(Some(Box::new(Lock { disk: self.clone(), file, exclusive })))
    }

    fn free(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        Ok(state.capacity.saturating_sub(state.now.bytes()))
    }

    fn full_path(&self, path: &str) -> PathBuf {
        PathBuf::from("/memory").join(path)
    }
}

/// Writes a file from some position on.
struct Writer {
    disk: MemoryDisk,
    path: String,
    file: Inode,
    at: usize,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let length = state.now.file(self.file).map_or(0, |content| content.len());
        let more = (self.at + bytes.len()).saturating_sub(length);
        let need = if more > 0 { Need::Room } else { Need::Nothing };
        let torn = state.change(format!("write {}", self.path), need)?;
        if more > 0 && state.now.bytes().saturating_add(more as u64) > state.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let change = Change::Write { file: self.file, at: self.at, bytes: bytes.to_vec() };
        state.apply(if torn { change.torn() } else { change });
        self.at += bytes.len();
        if torn { Err(io::Error::other("killed")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Writer {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        // Some file systems look for room only now.
        let grows = |change: &Change| match change {
            Change::Write { file, at, bytes } => {
                let medium = state.medium.file(*file).map_or(0, |content| content.len());
                *file == self.file && at + bytes.len() > medium
            }
            _ => false,
        };
        let grows = state.pending.iter().any(|(_, change)| grows(change));
        let need = if grows { Need::Room } else { Need::Nothing };
        state.whole_change(format!("sync {}", self.path), need)?;
        state.settle(|change| change.file() == Some(self.file));
        Ok(())
    }
}

struct Lock {
    disk: MemoryDisk,
    file: Inode,
    exclusive: bool,
}

impl Held for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(holders) = self.disk.state().locks.get_mut(&self.file)
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
