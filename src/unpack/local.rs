//! Contents that the device has already: copied instead of fetched, whatever they were called.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};

use super::writer::{ContentWriter, Target};
use crate::digest::Digest;
use crate::error::Result;
use crate::progress::Cancel;
use crate::release::Index;
use crate::store::Disk;

/// A place that may hold contents, by digest. What it hands out is hashed again.
pub trait Contents {
    /// Whether this place says that it has the content. Reads nothing: it may be damaged.
    fn lists(&self, sha256: &Digest) -> bool;

    /// Hands the content with this digest and length to `sink`, piece by piece. False if it is not
    /// here or cannot be read to its end.
    ///
    /// # Errors
    /// Those of `sink` alone.
    fn pour(
        &self,
        sha256: &Digest,
        length: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool>;

    /// As [`Contents::pour`], only the bytes from `from` up to `to`.
    ///
    /// # Errors
    /// Those of `sink` alone.
    fn pour_part(
        &self,
        sha256: &Digest,
        length: u64,
        (from, to): (u64, u64),
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let mut at = 0_u64;
        self.pour(sha256, length, &mut |bytes| {
            let within = part_within(bytes, at, from, to);
            at = at.saturating_add(bytes.len() as u64);
            if within.is_empty() { Ok(()) } else { sink(within) }
        })
    }
}

/// The part of `bytes`, which begin at `at`, that lies between `from` and `to`.
pub(super) fn part_within(bytes: &[u8], at: u64, from: u64, to: u64) -> &[u8] {
    let place = |position: u64| {
        usize::try_from(position.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len())
    };
    bytes.get(place(from)..place(to)).unwrap_or_default()
}

/// The files of an installed bundle.
pub struct Folder<'a> {
    disk: &'a dyn Disk,
    folder: String,
    paths: HashMap<Digest, String>,
}

impl<'a> Folder<'a> {
    /// The bundle below `folder` whose files `index` lists.
    #[must_use]
    pub fn new(disk: &'a dyn Disk, folder: String, index: &Index) -> Self {
        let paths = index.files().iter().map(|file| (file.sha256, file.path.clone()));
        Self::of(disk, folder, paths)
    }

    /// The files below `folder` that have these contents.
    pub(crate) fn of(
        disk: &'a dyn Disk,
        folder: String,
        paths: impl IntoIterator<Item = (Digest, String)>,
    ) -> Self {
        Self { disk, folder, paths: paths.into_iter().collect() }
    }

    /// The file with this content, if there is one of this length.
    fn place(&self, sha256: &Digest, length: u64) -> Option<String> {
        let path = format!("{}/{}", self.folder, self.paths.get(sha256)?);
        (self.disk.length(&path).ok()? == Some(length)).then_some(path)
    }
}

impl Contents for Folder<'_> {
    fn lists(&self, sha256: &Digest) -> bool {
        self.paths.contains_key(sha256)
    }

    fn pour(
        &self,
        sha256: &Digest,
        length: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let Some(path) = self.place(sha256, length) else { return Ok(false) };
        match self.disk.open(&path) {
            Ok(file) => pour_reader(file, sink),
            Err(_) => Ok(false),
        }
    }

    fn pour_part(
        &self,
        sha256: &Digest,
        length: u64,
        (from, to): (u64, u64),
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let Some(path) = self.place(sha256, length) else { return Ok(false) };
        match self.disk.open_at(&path, from) {
            Ok(file) => pour_reader(file.take(to.saturating_sub(from)), sink),
            Err(_) => Ok(false),
        }
    }
}

/// Hands what `reader` reads to `sink`; false if it cannot be read to its end.
pub(crate) fn pour_reader(
    mut reader: impl Read,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(count) => sink(buffer.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(false),
        }
    }
}

/// Writes below `folder` every file whose content one of `sources` has, and returns the digests of
/// the contents that none has. A source whose bytes changed counts as not having them.
///
/// # Errors
/// Storage errors of the writing side; [`crate::Error::Cancelled`].
pub fn copy_local(
    disk: &dyn Disk,
    folder: &str,
    index: &Index,
    sources: &[&dyn Contents],
    cancel: &Cancel,
) -> Result<HashSet<Digest>> {
    let target = Target { index, disk, folder };
    target.prepare()?;
    let by_content = target.by_content();
    let mut missing = HashSet::new();
    for at in index.contents() {
        let Some(first) = index.files().get(at) else { continue };
        cancel.check()?;
        let same = by_content.get(&first.sha256).map_or(&[][..], Vec::as_slice);
        let mut copied = false;
        // Another's files are left as they are: they may have been written before.
        for source in sources.iter().filter(|source| source.lists(&first.sha256)) {
            let mut writer = ContentWriter::new(target, same)?;
            // Longer than announced is as good as changed; what is wrong with the writing side is
            // an error of this call.
            let mut too_long = false;
            let poured = source.pour(&first.sha256, first.length, &mut |bytes| {
                too_long |= bytes.len() as u64 > writer.left();
                if too_long { Ok(()) } else { writer.write(bytes) }
            })?;
            if poured && !too_long && writer.is_right() {
                writer.finish()?;
                copied = true;
                break;
            }
        }
        if !copied {
            missing.insert(first.sha256);
        }
    }
    Ok(missing)
}
