//! Writing the files of a bundle, each hashed on the way.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::release::{File, Frame, Index};
use crate::store::{Disk, NewFile};

/// Makes the folders of a bundle, and its empty files: they stand in no pack.
pub(super) fn prepare(index: &Index, disk: &dyn Disk, folder: &str) -> Result<()> {
    let making = |error| Error::storage("making folders", error);
    let parent = |file: &File| file.path.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    let parents: BTreeSet<_> = index.files().iter().filter_map(parent).collect();
    disk.create_folder(folder).map_err(making)?;
    for parent in parents {
        disk.create_folder(&format!("{folder}/{parent}")).map_err(making)?;
    }
    for file in index.files().iter().filter(|file| file.length == 0) {
        if file.sha256 != Digest::of(b"") {
            return Err(Error::document("index", "an empty file with another digest"));
        }
        let mut writer = ContentWriter::new(&[file], disk, folder)?;
        writer.finish()?;
    }
    Ok(())
}

/// One content, written to every path that has it.
pub(super) struct ContentWriter {
    files: Vec<Box<dyn NewFile>>,
    hasher: Hasher,
    left: u64,
    sha256: Digest,
    path: String,
}

impl ContentWriter {
    /// Begins the content that all `files` share.
    pub(super) fn new(files: &[&File], disk: &dyn Disk, folder: &str) -> Result<Self> {
        let first = files.first().ok_or_else(|| Error::document("index", "no such content"))?;
        let opened = files
            .iter()
            .map(|file| {
                disk.create(&format!("{folder}/{}", file.path))
                    .map_err(|error| Error::storage(format!("writing {}", file.path), error))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            files: opened,
            hasher: Hasher::new(),
            left: first.length,
            sha256: first.sha256,
            path: first.path.clone(),
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
        for file in &mut self.files {
            file.write_all(bytes)
                .map_err(|error| Error::storage(format!("writing {}", self.path), error))?;
        }
        Ok(())
    }

    /// Whether all bytes came and have the signed digest.
    pub(super) fn is_right(&self) -> bool {
        self.left == 0 && self.hasher.clone().finish() == self.sha256
    }

    /// Checks the digest, and makes the files durable.
    pub(super) fn finish(&mut self) -> Result<()> {
        if !self.is_right() {
            return Err(self.wrong());
        }
        for file in &mut self.files {
            file.sync().map_err(|error| Error::storage(format!("writing {}", self.path), error))?;
        }
        Ok(())
    }

    fn wrong(&self) -> Error {
        Error::Digest { what: self.path.clone() }
    }
}

/// The files of one frame, back to back.
pub(super) struct FrameWriter<'a> {
    index: &'a Index,
    frame: &'a Frame,
    disk: &'a dyn Disk,
    folder: &'a str,
    /// Position in the frame of the content after the current one.
    next: usize,
    current: Option<ContentWriter>,
    /// Paths of each content that this frame holds.
    paths: HashMap<Digest, Vec<usize>>,
}

impl<'a> FrameWriter<'a> {
    pub(super) fn new(
        index: &'a Index,
        frame: &'a Frame,
        disk: &'a dyn Disk,
        folder: &'a str,
    ) -> Self {
        let held = |at: &usize| Some((index.files().get(*at)?.sha256, Vec::new()));
        let mut paths: HashMap<_, _> = frame.files.iter().filter_map(held).collect();
        for (at, file) in index.files().iter().enumerate() {
            if let Some(paths) = paths.get_mut(&file.sha256) {
                paths.push(at);
            }
        }
        Self { index, frame, disk, folder, next: 0, current: None, paths }
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

    fn open_next(&mut self) -> Result<ContentWriter> {
        let at = self.frame.files.get(self.next).ok_or_else(super::not_a_frame)?;
        self.next += 1;
        let file = self.index.files().get(*at).ok_or_else(super::not_a_frame)?;
        let paths = self.paths.get(&file.sha256).map_or(&[][..], Vec::as_slice);
        let files: Vec<_> = paths.iter().filter_map(|at| self.index.files().get(*at)).collect();
        ContentWriter::new(&files, self.disk, self.folder)
    }
}
