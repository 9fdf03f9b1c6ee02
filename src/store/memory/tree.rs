//! Files and folders by inode, and the changes that lead from one state of them to the next.
//!
//! A file system makes each change at its own time unless it is told to sync: so a tree as
//! processes see it and the tree on the medium differ by changes that are still pending.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::digest::{Digest, Hasher};

/// Number of a file or folder; it keeps it under any name.
pub(super) type Inode = u64;

/// The root folder.
pub(super) const ROOT: Inode = 0;

/// A file or a folder.
#[derive(Debug, Clone)]
pub(super) enum Node {
    File(Arc<Vec<u8>>),
    Folder(BTreeMap<String, Inode>),
}

/// Files and folders; what names reach from the root is there.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: BTreeMap<Inode, Node>,
}

/// One change of a tree.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Bytes of a file, from a position on.
    Write { file: Inode, at: usize, bytes: Vec<u8> },
    /// A file becomes empty.
    Empty { file: Inode },
    /// A name in a folder; it may stand for something else until then.
    Link { folder: Inode, name: String, inode: Inode, is_folder: bool },
    /// A name goes. If it was renamed, the change of this number gives it its new one, and comes
    /// first: a file system may show both names after a crash, but never neither.
    Unlink { folder: Inode, name: String, moved: Option<u64> },
}

impl Change {
    /// The file whose sync makes it durable.
    pub(super) fn file(&self) -> Option<Inode> {
        match self {
            Self::Write { file, .. } | Self::Empty { file } => Some(*file),
            Self::Link { .. } | Self::Unlink { .. } => None,
        }
    }

    /// The folder whose sync makes it durable.
    pub(super) fn folder(&self) -> Option<Inode> {
        match self {
            Self::Link { folder, .. } | Self::Unlink { folder, .. } => Some(*folder),
            Self::Write { .. } | Self::Empty { .. } => None,
        }
    }

    /// The same with half of its bytes, if it has any.
    pub(super) fn torn(&self) -> Self {
        let mut torn = self.clone();
        if let Self::Write { bytes, .. } = &mut torn {
            bytes.truncate(bytes.len() / 2);
        }
        torn
    }
}

impl Tree {
    /// An empty root.
    pub(super) fn new() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Folder(BTreeMap::new()))]) }
    }

    /// What `path` names; the empty path is the root.
    pub(super) fn find(&self, path: &str) -> Option<Inode> {
        let mut at = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = *self.folder(at)?.get(name)?;
        }
        Some(at)
    }

    /// The folder that `path` stands in, and its name there.
    ///
    /// # Errors
    /// `NotFound` where there is no such folder.
    pub(super) fn place<'p>(&self, path: &'p str) -> io::Result<(Inode, &'p str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.find(folder).filter(|inode| self.folder(*inode).is_some());
        Ok((folder.ok_or(io::ErrorKind::NotFound)?, name))
    }

    /// The bytes of a file.
    pub(super) fn file(&self, inode: Inode) -> Option<&Arc<Vec<u8>>> {
        match self.nodes.get(&inode)? {
            Node::File(bytes) => Some(bytes),
            Node::Folder(_) => None,
        }
    }

    /// The names in a folder.
    pub(super) fn folder(&self, inode: Inode) -> Option<&BTreeMap<String, Inode>> {
        match self.nodes.get(&inode)? {
            Node::Folder(names) => Some(names),
            Node::File(_) => None,
        }
    }

    /// Makes a change. What a lost change would have made is made on the way.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { file, at, bytes } => {
                let content = self.file_mut(*file);
                // What was to stand in between is lost: a hole of zeros.
                content.resize(content.len().max(at + bytes.len()), 0);
                if let Some(place) = content.get_mut(*at..at + bytes.len()) {
                    place.copy_from_slice(bytes);
                }
            }
            Change::Empty { file } => self.file_mut(*file).clear(),
            Change::Link { folder, name, inode, is_folder } => {
                if *is_folder {
                    self.folder_mut(*inode);
                } else {
                    self.file_mut(*inode);
                }
                self.folder_mut(*folder).insert(name.clone(), *inode);
            }
            Change::Unlink { folder, name, .. } => {
                self.folder_mut(*folder).remove(name);
            }
        }
    }

    fn file_mut(&mut self, inode: Inode) -> &mut Vec<u8> {
        let node = self.nodes.entry(inode).or_insert_with(|| Node::File(Arc::default()));
        match node {
            Node::File(bytes) => Arc::make_mut(bytes),
            Node::Folder(_) => unreachable!("an inode is a file or a folder for good"),
        }
    }

    fn folder_mut(&mut self, inode: Inode) -> &mut BTreeMap<String, Inode> {
        let node = self.nodes.entry(inode).or_insert_with(|| Node::Folder(BTreeMap::new()));
        match node {
            Node::Folder(names) => names,
            Node::File(_) => unreachable!("an inode is a file or a folder for good"),
        }
    }

    /// A copy of what names reach; a file under two names becomes two files.
    pub(super) fn reachable(&self) -> (Self, Inode) {
        let mut copy = Self::new();
        let mut next = ROOT;
        self.copy_folder(ROOT, ROOT, &mut copy, &mut next);
        (copy, next + 1)
    }

    fn copy_folder(&self, from: Inode, to: Inode, copy: &mut Self, next: &mut Inode) {
        for (name, inode) in self.folder(from).into_iter().flatten() {
            *next += 1;
            let new = *next;
            let link =
                |is_folder| Change::Link { folder: to, name: name.clone(), inode: new, is_folder };
            match self.nodes.get(inode) {
                Some(Node::File(bytes)) => {
                    copy.apply(&link(false));
                    copy.nodes.insert(new, Node::File(bytes.clone()));
                }
                Some(Node::Folder(_)) => {
                    copy.apply(&link(true));
                    self.copy_folder(*inode, new, copy, next);
                }
                None => {}
            }
        }
    }

    /// Bytes of all files that names reach.
    pub(super) fn bytes(&self) -> u64 {
        let length = |inode: &Inode| self.file(*inode).map_or(0, |bytes| bytes.len() as u64);
        self.paths().iter().map(|(_, inode)| length(inode)).sum()
    }

    /// The same for the same names with the same bytes.
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        for (path, inode) in self.paths() {
            hasher.update(path.as_bytes());
            hasher.update(&[0]);
            if let Some(bytes) = self.file(inode) {
                hasher.update(&(bytes.len() as u64).to_be_bytes());
                hasher.update(bytes);
            }
        }
        hasher.finish()
    }

    /// Everything that names reach, in the order of the paths within each folder.
    fn paths(&self) -> Vec<(String, Inode)> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), ROOT)];
        while let Some((path, inode)) = folders.pop() {
            for (name, inode) in self.folder(inode).into_iter().flatten() {
                let path = format!("{path}/{name}");
                if self.folder(*inode).is_some() {
                    folders.push((path.clone(), *inode));
                }
                found.push((path, *inode));
            }
        }
        found
    }
}
