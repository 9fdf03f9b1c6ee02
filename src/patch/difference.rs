//! The new index as a difference on the base's.
//!
//! Which of the base's files stay; which are added, each path as what it does not share with an old
//! one; and where each added file's content comes from. The digests of contents that the patch makes
//! are left out: who applies it computes them.

use super::{refuse, sum};
use crate::digest::Digest;
use crate::error::Result;
use crate::limits;
use crate::release::{File, Index};
use crate::wire::Reader;

/// The files of the new bundle before the digests of what is made are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Sorted by path; of made contents the digest is not filled in.
    files: Index,
    /// Where the content of each file comes from, in the same order.
    contents: Vec<Content>,
    /// Lengths of the contents that are made, in the order they are made.
    made: Vec<u64>,
    /// Paths of the added files in the order of the patch, each ended by a line feed. They begin
    /// the prefix of every group: what imports a file names it.
    names: Vec<u8>,
}

/// Where a content comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The base has it; its digest stands in the outline.
    Base,
    /// It is empty.
    Empty,
    /// The patch makes it, as its n-th.
    Made(usize),
}

impl Outline {
    pub(super) fn read(reader: &mut Reader<'_>, base: &Index) -> Result<Self> {
        let mut entries = read_kept(reader, base)?;
        let count = reader.count(limits::FILES)?;
        // The position after the last file stands for a path and a length of nothing.
        let like = reader.positions(count, base.files().len().saturating_add(1))?;
        let (front, back) = (reader.numbers(count)?, reader.numbers(count)?);
        let own = reader.numbers(count)?;
        let sources = reader.numbers(count)?;
        let like: Vec<_> = like.iter().map(|at| base.files().get(*at)).collect();
        let made = read_lengths(reader, &like, &sources)?;
        let mut names = Vec::new();
        let mut next = 0;
        for ((((like, front), back), own), source) in
            like.iter().zip(front).zip(back).zip(own).zip(sources)
        {
            let (content, length, sha256) = source_of(source, &mut next, &made, base)?;
            let own = reader.take(own)?;
            let path = spell(like.map_or("", |file| &file.path), front, back, own)?;
            names.extend_from_slice(path.as_bytes());
            names.push(b'\n');
            entries.push((File { path, length, sha256 }, content));
        }
        entries.sort_by(|(a, _), (b, _)| a.path.as_bytes().cmp(b.path.as_bytes()));
        let (files, contents): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        // Checks paths and limits; the order stays.
        Ok(Self { files: Index::new(files)?, contents, made, names })
    }

    /// Each file of the new bundle, sorted by path, and where its content comes from. The digest of
    /// a made content is not filled in.
    pub fn files(&self) -> impl Iterator<Item = (&File, Content)> {
        self.files.files().iter().zip(self.contents.iter().copied())
    }

    /// The same files, the digests of what is made not filled in.
    #[must_use]
    pub fn as_index(&self) -> &Index {
        &self.files
    }

    /// Lengths of the contents that the patch makes, in the order it makes them.
    #[must_use]
    pub fn made(&self) -> &[u64] {
        &self.made
    }

    pub(super) fn names(&self) -> &[u8] {
        &self.names
    }

    /// The new index, once the digests of all that is made are known.
    ///
    /// # Errors
    /// [`crate::Error::Document`] where a digest is missing.
    pub fn complete(&self, digests: &[Digest]) -> Result<Index> {
        let complete = |(file, content): (&File, Content)| {
            let sha256 = match content {
                Content::Made(at) => {
                    *digests.get(at).ok_or_else(|| refuse("it made too little"))?
                }
                Content::Base | Content::Empty => file.sha256,
            };
            Ok(File { sha256, ..file.clone() })
        };
        Index::new(self.files().map(complete).collect::<Result<_>>()?)
    }
}

/// The files that stay: numbers of files that stay and go in turn, over all of the base's.
fn read_kept(reader: &mut Reader<'_>, base: &Index) -> Result<Vec<(File, Content)>> {
    // None but the first is empty.
    let count = reader.count(limits::FILES + 1)?;
    let runs = reader.numbers(count)?;
    if sum(runs.iter().copied()) != base.files().len() as u64 {
        return Err(refuse("it was made from another bundle"));
    }
    let mut files = base.files().iter();
    let mut kept = Vec::new();
    for (at, run) in runs.into_iter().enumerate() {
        // No more than the base has, as just checked.
        let run = files.by_ref().take(usize::try_from(run).unwrap_or(usize::MAX));
        if at % 2 == 0 {
            kept.extend(run.map(|file| (file.clone(), kind_of(file))));
        } else {
            run.for_each(drop);
        }
    }
    Ok(kept)
}

fn kind_of(file: &File) -> Content {
    if file.length == 0 { Content::Empty } else { Content::Base }
}

/// The length of every content that is made, as the difference to that of the file it is like.
fn read_lengths(
    reader: &mut Reader<'_>,
    like: &[Option<&File>],
    sources: &[u64],
) -> Result<Vec<u64>> {
    let made = like.iter().zip(sources).filter(|(_, source)| **source == MADE);
    let like: Vec<_> = made.map(|(like, _)| like.map_or(0, |file| file.length)).collect();
    let differences = reader.signed(like.len())?;
    let add = |(like, difference): (u64, i64)| {
        let length = like.checked_add_signed(difference).filter(|length| *length > 0);
        length.ok_or_else(|| refuse("a length is out of bounds"))
    };
    like.into_iter().zip(differences).map(add).collect()
}

/// Code of the next content that is made.
pub(super) const MADE: u64 = 0;
/// Code of an empty content.
pub(super) const EMPTY: u64 = 1;
/// Codes from here on: even ones the content of a file of the base, odd ones a content that was
/// made before.
pub(super) const OTHERS: u64 = 2;

/// What a code of a content means.
fn source_of(
    code: u64,
    next: &mut usize,
    made: &[u64],
    base: &Index,
) -> Result<(Content, u64, Digest)> {
    let unknown = Digest::from([0; Digest::LEN]);
    let length = |at: usize| made.get(at).copied().ok_or_else(|| refuse("no such content"));
    match (code, code.checked_sub(OTHERS).and_then(|code| usize::try_from(code).ok())) {
        (MADE, _) => {
            let at = *next;
            *next += 1;
            Ok((Content::Made(at), length(at)?, unknown))
        }
        (EMPTY, _) => Ok((Content::Empty, 0, Digest::of(b""))),
        (_, Some(code)) if code % 2 == 0 => {
            let file = base.files().get(code / 2).ok_or_else(|| refuse("no such content"))?;
            Ok((kind_of(file), file.length, file.sha256))
        }
        (_, Some(code)) if code / 2 < *next => {
            Ok((Content::Made(code / 2), length(code / 2)?, unknown))
        }
        _ => Err(refuse("no such content")),
    }
}

/// A path from what it shares with `like` and its own middle.
fn spell(like: &str, front: u64, back: u64, own: &[u8]) -> Result<String> {
    let like = like.as_bytes();
    let part = |count: u64| usize::try_from(count).ok().filter(|count| *count <= like.len());
    let shared = part(front).zip(part(back).map(|back| like.len() - back));
    let shared = shared.filter(|(front, back)| front <= back);
    let (front, back) = shared.ok_or_else(|| refuse("a path shares too much"))?;
    let (front, back) = (like.get(..front).unwrap_or(&[]), like.get(back..).unwrap_or(&[]));
    String::from_utf8([front, own, back].concat()).map_err(|_| refuse("a path is not UTF-8"))
}
