//! What the disk remembers, and what a fault does to an operation.
//!
//! Every operation that changes something passes [`State::change`] and gets its number there. Made
//! changes are pending until [`State::settle`] puts them on the medium.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::Fault;
use super::tree::{self, Change, Inode, Tree};

/// EIO, ENOTDIR, EISDIR; the same numbers on every system that phones have.
const INPUT_OUTPUT_ERROR: i32 = 5;
const NOT_A_FOLDER: i32 = 20;
pub(super) const IS_A_FOLDER: i32 = 21;

#[derive(Clone)]
pub(super) struct State {
    /// As processes see it.
    pub(super) now: Tree,
    /// As it is on the medium, whatever happens.
    pub(super) medium: Tree,
    /// Changes that may or may not be on the medium, by number, oldest first.
    pub(super) pending: Vec<(u64, Change)>,
    pub(super) changes: u64,
    pub(super) next: Inode,
    /// Files that cannot be removed.
    pub(super) pinned: BTreeSet<Inode>,
    /// Files whose sectors cannot be read, and the number of the error.
    pub(super) lost: BTreeMap<Inode, i32>,
    /// What no name leads to any more, and the number of the error.
    pub(super) broken: BTreeMap<Inode, i32>,
    /// Holders of locks: exclusive ones or not.
    pub(super) locks: BTreeMap<Inode, Vec<bool>>,
    /// After so many grants of the lock at a path, so many tries find it taken.
    pub(super) contended: BTreeMap<String, (u32, u32)>,
    /// Operations that change something, in order.
    pub(super) journal: Vec<String>,
    pub(super) fault: Option<(usize, Fault)>,
    /// Operations that a fault hit.
    pub(super) faults: usize,
    /// Bytes that fit.
    pub(super) capacity: u64,
    pub(super) dead: bool,
    /// Nothing can be read or written, as on a phone that was not unlocked yet.
    pub(super) locked: bool,
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
            lost: BTreeMap::new(),
            broken: BTreeMap::new(),
            locks: BTreeMap::new(),
            contended: BTreeMap::new(),
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
pub(super) enum Need {
    Room,
    Nothing,
}

impl State {
    pub(super) fn alive(&self) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("killed"));
        }
        if self.locked { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    /// Counts a changing operation and lets the fault happen. True if only half of it is done.
    pub(super) fn change(&mut self, what: String, need: Need) -> io::Result<bool> {
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
    pub(super) fn whole_change(&mut self, what: String, need: Need) -> io::Result<()> {
        if self.change(what, need)? { Err(io::Error::other("killed")) } else { Ok(()) }
    }

    /// Makes a change that is pending from now on.
    pub(super) fn apply(&mut self, change: Change) -> u64 {
        if let Change::Write { file, .. } | Change::Empty { file } = &change {
            self.lost.remove(file);
        }
        self.now.apply(&change);
        self.changes += 1;
        self.pending.push((self.changes, change));
        self.changes
    }

    /// Makes the changes durable that `due` names.
    pub(super) fn settle(&mut self, due: impl Fn(&Change) -> bool) {
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

    pub(super) fn link(&mut self, path: &str, inode: Inode, is_folder: bool) -> io::Result<u64> {
        let (folder, name) = self.now.place(path)?;
        Ok(self.apply(Change::Link { folder, name: name.to_owned(), inode, is_folder }))
    }

    pub(super) fn unlink(&mut self, path: &str, moved: Option<u64>) -> io::Result<()> {
        let (folder, name) = self.now.place(path)?;
        self.apply(Change::Unlink { folder, name: name.to_owned(), moved });
        Ok(())
    }

    pub(super) fn new_inode(&mut self) -> Inode {
        self.next += 1;
        self.next - 1
    }

    /// What `path` leads to.
    pub(super) fn find(&self, path: &str) -> io::Result<Option<Inode>> {
        let mut at = tree::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Some(names) = self.now.folder(at) else {
                return Err(io::Error::from_raw_os_error(NOT_A_FOLDER));
            };
            let Some(inode) = names.get(name) else { return Ok(None) };
            if let Some(errno) = self.broken.get(inode) {
                return Err(io::Error::from_raw_os_error(*errno));
            }
            at = *inode;
        }
        Ok(Some(at))
    }

    /// The same; below a file there is nothing.
    pub(super) fn seek(&self, path: &str) -> io::Result<Option<Inode>> {
        match self.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            found => found,
        }
    }

    /// A file to be read.
    pub(super) fn read_file(&self, inode: Inode) -> io::Result<Arc<Vec<u8>>> {
        match (self.lost.get(&inode), self.now.file(inode)) {
            (Some(errno), _) => Err(io::Error::from_raw_os_error(*errno)),
            (None, Some(bytes)) => Ok(bytes.clone()),
            (None, None) => Err(io::Error::from_raw_os_error(IS_A_FOLDER)),
        }
    }

    /// The file at `path`, made if need be.
    pub(super) fn create(&mut self, path: &str) -> io::Result<Inode> {
        match self.find(path)? {
            Some(inode) if self.now.file(inode).is_some() => return Ok(inode),
            Some(_) => return Err(io::Error::from_raw_os_error(IS_A_FOLDER)),
            None => {}
        }
        self.now.place(path)?;
        self.whole_change(format!("create {path}"), Need::Room)?;
        let inode = self.new_inode();
        self.link(path, inode, false)?;
        Ok(inode)
    }

    /// Removes what stands at `path`, one name after the other.
    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        let Some(inode) = self.seek(path)? else { return Ok(()) };
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
