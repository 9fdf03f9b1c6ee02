//! A disk in memory that forgets what was not synced, and fails where it is told to.
//!
//! For tests. Enters: the store's calls, and which of them is to fail, how. Leaves: what a process
//! sees, and every state that a power cut can leave behind. Bytes become durable by
//! `NewFile::sync`, names by `Disk::sync_folder`; until then each change is pending by itself
//! and may or may not survive, whatever came before or after it. A rename survives as the new name
//! alone, both names, or the old one alone. A killed process takes nothing with it: what it left
//! pending stays so for the next one.

mod calls;
mod state;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::state::State;
use self::tree::Change;
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

    /// Lets somebody else take the lock at `path` once it was granted so often, for so many tries.
    pub fn contend(&self, path: &str, granted: u32, tries: u32) {
        self.state().contended.insert(path.to_owned(), (granted, tries));
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
            lost: state.lost.clone(),
            broken: state.broken.clone(),
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

    /// From now on the file at `path` cannot be read where it lies: its sector is bad, and the error has
    /// this number. Written over, it lies elsewhere.
    pub fn lose(&self, path: &str, errno: i32) {
        let mut state = self.state();
        let inode = state.now.find(path);
        state.lost.extend(inode.map(|inode| (inode, errno)));
    }

    /// From now on no call gets to what stands at `path`, not even to remove it: its inode is damaged, and
    /// the error has this number. It moves with the folder that it stands in.
    pub fn break_inode(&self, path: &str, errno: i32) {
        let mut state = self.state();
        let inode = state.now.find(path);
        state.broken.extend(inode.map(|inode| (inode, errno)));
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
