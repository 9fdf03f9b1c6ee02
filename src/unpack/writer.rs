//! Writing the files of a bundle, each hashed on the way.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::release::{File, Frame, Index};
use crate::store::{Disk, NewFile};

/// A bundle being written: its index, and where it goes.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) index: &'a Index,
    pub(super) disk: &'a dyn Disk,
    /// Folder of the files, relative to the store.
    pub(super) folder: &'a str,
}

impl<'a> Target<'a> {
    /// Makes the folders of the bundle, and its empty files: they stand in no pack.
    pub(super) fn prepare(self) -> Result<()> {
        let making = |error| Error::storage("making folders", error);
        let parent = |file: &File| file.path.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        let parents: BTreeSet<_> = self.index.files().iter().filter_map(parent).collect();
        self.disk.create_folder(self.folder).map_err(making)?;
        for parent in parents {
            self.disk.create_folder(&format!("{}/{parent}", self.folder)).map_err(making)?;
        }
        for file in self.index.files().iter().filter(|file| file.length == 0) {
            if file.sha256 != Digest::of(b"") {
                return Err(Error::document("index", "an empty file with another digest"));
            }
            ContentWriter::new(self, &[file])?.finish()?;
        }
        Ok(())
    }

    /// The files of each content, in the order of their paths.
    pub(super) fn by_content(self) -> HashMap<Digest, Vec<&'a File>> {
        let mut files: HashMap<_, Vec<_>> = HashMap::new();
        for file in self.index.files() {
            files.entry(file.sha256).or_default().push(file);
        }
        files
    }

    fn path(self, file: &File) -> String {
        format!("{}/{}", self.folder, file.path)
    }

    pub(super) fn create(self, file: &File) -> Result<Box<dyn NewFile>> {
        self.disk.create(&self.path(file)).map_err(|error| writing(file, error))
    }

    /// Writes `others` from `first`, one at a time, since a phone has few file handles.
    pub(super) fn copy(self, first: &File, others: &[&File]) -> Result<()> {
        for other in others {
            let mut copy = self.create(other)?;
            self.disk
                .open(&self.path(first))
                .and_then(|mut first| std::io::copy(&mut first, &mut copy))
                .and_then(|_| copy.sync())
                .map_err(|error| writing(other, error))?;
        }
        Ok(())
    }
}

pub(super) fn writing(file: &File, error: std::io::Error) -> Error {
    Error::storage(format!("writing {}", file.path), error)
}

/// One content, written to every path that has it: the first as the bytes come, the others from the
/// first.
pub(super) struct ContentWriter<'a> {
    target: Target<'a>,
    first: &'a File,
    others: Vec<&'a File>,
    file: Box<dyn NewFile>,
    hasher: Hasher,
    left: u64,
}

impl<'a> ContentWriter<'a> {
    /// Begins the content that all `files` share.
    pub(super) fn new(target: Target<'a>, files: &[&'a File]) -> Result<Self> {
        let (first, others) =
            files.split_first().ok_or_else(|| Error::document("index", "no such content"))?;
        Ok(Self {
            target,
            first,
            others: others.to_vec(),
            file: target.create(first)?,
            hasher: Hasher::new(),
            left: first.length,
        })
    }

    /// Bytes that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Writes the next bytes; never more than are left.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| self.wrong())?;
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|error| writing(self.first, error))
    }

    /// Whether all bytes came and have the signed digest.
    pub(super) fn is_right(&self) -> bool {
        self.left == 0 && self.hasher.clone().finish() == self.first.sha256
    }

    /// Checks the digest, makes the file durable, and writes the others.
    pub(super) fn finish(&mut self) -> Result<()> {
        if !self.is_right() {
            return Err(self.wrong());
        }
        self.file.sync().map_err(|error| writing(self.first, error))?;
        self.target.copy(self.first, &self.others)
    }

    fn wrong(&self) -> Error {
        Error::Digest { what: self.first.path.clone() }
    }
}

/// The files of one frame, back to back.
pub(super) struct FrameWriter<'a, 'f> {
    target: Target<'a>,
    frame: &'f Frame,
    by_content: &'f HashMap<Digest, Vec<&'a File>>,
    /// Position in the frame of the content after the current one.
    next: usize,
    current: Option<ContentWriter<'a>>,
}

impl<'a, 'f> FrameWriter<'a, 'f> {
    pub(super) fn new(
        target: Target<'a>,
        frame: &'f Frame,
        by_content: &'f HashMap<Digest, Vec<&'a File>>,
    ) -> Self {
        Self { target, frame, by_content, next: 0, current: None }
    }

    /// Spreads decoded bytes over the files, in order.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let mut content = match self.current.take() {
                Some(content) => content,
                None => self.open_next()?,
            };
            let take = usize::try_from(content.left()).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(take);
            content.write(now)?;
            bytes = later;
            if content.left() == 0 {
                content.finish()?;
            } else {
                self.current = Some(content);
            }
        }
        Ok(())
    }

    /// The frame has ended: nothing may be missing.
    pub(super) fn finish(self) -> Result<()> {
        if self.current.is_some() || self.next != self.frame.files.len() {
            return Err(super::not_a_frame());
        }
        Ok(())
    }

    fn open_next(&mut self) -> Result<ContentWriter<'a>> {
        let at = self.frame.files.get(self.next).ok_or_else(super::not_a_frame)?;
        self.next += 1;
        let file = self.target.index.files().get(*at).ok_or_else(super::not_a_frame)?;
        let files = self.by_content.get(&file.sha256).map_or(&[][..], Vec::as_slice);
        ContentWriter::new(self.target, files)
    }
}
