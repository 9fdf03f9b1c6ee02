//! From a patch to files: what stays is copied, what is new is made and hashed as it is written.
//!
//! Enters: a plan and its frames, verified as they travelled; places that may hold the base's
//! contents. Leaves: files below one folder, each synced, with the digests that they have; whether
//! the whole is what was signed is for the caller to say. A group that cannot be made costs the
//! contents that it touches, and nothing else.

use std::collections::HashSet;
use std::io::{Read, Write};

use super::local::{Contents, copy_local};
use super::writer::Target;
use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::patch::{Base, Content, Groups, Made, Outline, Plan};
use crate::progress::Cancel;
use crate::release::{File, Index};
use crate::store::{Disk, NewFile};

/// What came of a patch.
#[derive(Debug)]
pub struct Patched {
    /// Digest of each content that the patch makes; nothing where it could not be made.
    made: Vec<Option<Digest>>,
    /// Contents of the base that are not on the device any more.
    missing: HashSet<Digest>,
}

impl Patched {
    /// The new index, if everything was written.
    #[must_use]
    pub fn index(&self, outline: &Outline) -> Option<Index> {
        let made: Option<Vec<Digest>> = self.made.iter().copied().collect();
        made.filter(|_| self.missing.is_empty()).and_then(|made| outline.complete(&made).ok())
    }

    /// Contents that were written, and the path of each.
    pub fn written(&self, outline: &Outline) -> impl Iterator<Item = (Digest, String)> {
        outline.files().filter_map(|(file, content)| {
            let digest = match content {
                Content::Made(at) => self.made.get(at).copied().flatten()?,
                Content::Base if self.missing.contains(&file.sha256) => return None,
                Content::Base | Content::Empty => file.sha256,
            };
            Some((digest, file.path.clone()))
        })
    }
}

/// Writes below `folder` the files that `plan` makes of `base` with `frames`. After an error the
/// folder is to be thrown away.
///
/// # Errors
/// [`Error::Document`] for a patch that ends too early or too late; storage errors;
/// [`Error::Cancelled`].
pub fn apply_patch(
    plan: &Plan,
    base: &Index,
    frames: &mut dyn Read,
    sources: &[&dyn Contents],
    (disk, folder): (&dyn Disk, &str),
    cancel: &Cancel,
) -> Result<Patched> {
    let outline = plan.outline();
    let target = Target { index: outline.as_index(), disk, folder };
    target.prepare()?;
    let stays = outline.files().filter(|(_, content)| *content == Content::Base);
    let stays = Index::new(stays.map(|(file, _)| file.clone()).collect())?;
    let missing = copy_local(disk, folder, &stays, sources, cancel)?;
    let mut writer = MadeWriter::new(target, outline);
    let mut old = Old { sources, proven: HashSet::new() };
    let mut groups = Groups::new(plan, base, frames);
    while let Some(made) = groups.make(&mut old)? {
        cancel.check()?;
        match made {
            Made::Bytes(bytes) => writer.write(bytes)?,
            Made::Lost(length) => writer.lose(length),
        }
    }
    Ok(Patched { made: writer.digests, missing })
}

/// The base's files, wherever their contents are. A file is hashed whole when it is first used.
struct Old<'a> {
    sources: &'a [&'a dyn Contents],
    /// Which source has which content undamaged.
    proven: HashSet<(usize, Digest)>,
}

impl Base for Old<'_> {
    fn part(&mut self, file: &File, from: u64, to: u64, into: &mut Vec<u8>) -> Result<bool> {
        let begin = into.len();
        let sources = self.sources.iter().enumerate();
        for (at, source) in sources.filter(|(_, source)| source.lists(&file.sha256)) {
            into.truncate(begin);
            let mut append = |bytes: &[u8]| {
                into.extend_from_slice(bytes);
                Ok(())
            };
            let sound = if self.proven.contains(&(at, file.sha256)) {
                source.pour_part(&file.sha256, file.length, (from, to), &mut append)?
            } else {
                let sound = prove(*source, file, (from, to), &mut append)?;
                if sound {
                    self.proven.insert((at, file.sha256));
                }
                sound
            };
            if sound && (into.len() - begin) as u64 == to - from {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Hands out a part of a file and hashes all of it; false if it is not what it was.
fn prove(
    source: &dyn Contents,
    file: &File,
    (from, to): (u64, u64),
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let (mut hasher, mut at) = (Hasher::new(), 0_u64);
    let poured = source.pour(&file.sha256, file.length, &mut |bytes| {
        hasher.update(bytes);
        let within = super::local::part_within(bytes, at, from, to);
        at = at.saturating_add(bytes.len() as u64);
        sink(within)
    })?;
    Ok(poured && hasher.finish() == file.sha256)
}

/// The contents that a patch makes, back to back.
struct MadeWriter<'a> {
    target: Target<'a>,
    /// The files of each content.
    files: Vec<Vec<&'a File>>,
    lengths: &'a [u64],
    digests: Vec<Option<Digest>>,
    current: Option<Current>,
}

/// The content that is being written, or that is lost and only counted.
struct Current {
    writing: Option<(Box<dyn NewFile>, Hasher)>,
    left: u64,
}

impl<'a> MadeWriter<'a> {
    fn new(target: Target<'a>, outline: &'a Outline) -> Self {
        let mut files = vec![Vec::new(); outline.made().len()];
        for (file, content) in outline.files() {
            if let Content::Made(at) = content
                && let Some(files) = files.get_mut(at)
            {
                files.push(file);
            }
        }
        Self { target, files, lengths: outline.made(), digests: Vec::new(), current: None }
    }

    /// The files of the content that comes next, or is under way.
    fn files(&self) -> (Option<&'a File>, Vec<&'a File>) {
        let files = self.files.get(self.digests.len()).cloned().unwrap_or_default();
        (files.first().copied(), files.into_iter().skip(1).collect())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => self.begin()?,
            };
            let take = usize::try_from(current.left).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(take);
            if let (Some((out, hasher)), (Some(file), _)) = (&mut current.writing, self.files()) {
                hasher.update(now);
                out.write_all(now).map_err(|error| super::writer::writing(file, error))?;
            }
            current.left -= take as u64;
            bytes = later;
            self.go_on(current)?;
        }
        Ok(())
    }

    /// So many bytes could not be made: what they belong to is lost.
    fn lose(&mut self, mut length: u64) {
        while length > 0 {
            let left = self.current.take().map_or_else(|| self.next_length(), |c| c.left);
            if left <= length {
                self.digests.push(None);
            } else {
                self.current = Some(Current { writing: None, left: left - length });
            }
            // A plan's groups make no more than its contents need: the end is reached.
            length = if left == 0 { 0 } else { length.saturating_sub(left) };
        }
    }

    fn next_length(&self) -> u64 {
        self.lengths.get(self.digests.len()).copied().unwrap_or(0)
    }

    fn begin(&self) -> Result<Current> {
        let (Some(file), _) = self.files() else {
            return Err(Error::document("patch", "it makes more than it should"));
        };
        let writing = Some((self.target.create(file)?, Hasher::new()));
        Ok(Current { writing, left: self.next_length() })
    }

    /// After some bytes: the content is whole, or more of it will come.
    fn go_on(&mut self, current: Current) -> Result<()> {
        if current.left > 0 {
            self.current = Some(current);
            return Ok(());
        }
        let Some((mut out, hasher)) = current.writing else {
            self.digests.push(None);
            return Ok(());
        };
        let (first, others) = self.files();
        if let Some(first) = first {
            out.sync().map_err(|error| super::writer::writing(first, error))?;
            drop(out);
            self.target.copy(first, &others)?;
        }
        self.digests.push(Some(hasher.finish()));
        Ok(())
    }
}
