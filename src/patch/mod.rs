//! Patches: the way from one bundle that a device has to another, as few bytes.
//!
//! Enters: a patch that was verified whole, the index of the bundle it starts from, and that
//! bundle's files. Leaves: the new index, and the contents that the old bundle lacks, group by group
//! in the order of the patch. Refuses: another algorithm, a count or length out of limits or that
//! does not add up, a path that a bundle cannot hold. What comes out is right only if the whole
//! equals the signed identity; the caller sees to that. No I/O of its own: old files and frames are
//! read through what is passed in. Memory is bounded by the largest group, whatever the bundle's
//! size. Format: `docs/format.md`; why it is so: ADR 5.

mod apply;
mod difference;
#[cfg(feature = "publish")]
pub mod make;
#[cfg(feature = "publish")]
mod similar;

pub use apply::{Base, Groups, Made};
pub use difference::{Content, Outline};

use std::io::Read;

use crate::error::{Error, Result};
use crate::limits;
use crate::release::Index;
use crate::wire::{self, Reader};

/// Its name in errors.
const WHAT: &str = "patch";
/// First byte of a patch: grouped zstd frames with a raw prefix.
const ALGORITHM: u8 = 1;

/// What a patch makes, and of what: everything but the frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    outline: Outline,
    groups: Vec<Group>,
}

/// One group: a frame that decodes, with the parts of old files before it, to a stretch of the new
/// contents.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    /// Parts of the base's files, in the order they stand in the prefix.
    parts: Vec<Part>,
    /// Bytes that it decodes to.
    length: u64,
    /// Bytes of its frame.
    frame: u64,
}

/// A part of a file of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// Position of the file in the base's index.
    file: usize,
    /// First byte.
    from: u64,
    /// Byte after the last.
    to: u64,
}

impl Plan {
    /// Reads the beginning of a patch against `base`; what `patch` holds then are the frames.
    ///
    /// # Errors
    /// [`Error::Document`] for a patch that breaks the format or does not fit this base; those of
    /// reading.
    pub fn read(patch: &mut dyn Read, base: &Index) -> Result<Self> {
        let head = read_head(patch)?;
        let mut reader = Reader::new(WHAT, &head);
        let outline = Outline::read(&mut reader, base)?;
        let groups = read_groups(&mut reader, base)?;
        let made = sum(outline.made().iter().copied());
        if !reader.is_empty() || made != sum(groups.iter().map(|group| group.length)) {
            return Err(refuse("its groups are not what it makes"));
        }
        let plan = Self { outline, groups };
        let size = |group: &Group| sum([plan.prefix(group), group.length, group.frame]);
        if plan.groups.iter().any(|group| size(group) > limits::GROUP) {
            return Err(refuse("a group is too large"));
        }
        Ok(plan)
    }

    /// Bytes before a group's new ones: names, and parts of old files.
    fn prefix(&self, group: &Group) -> u64 {
        let parts = group.parts.iter().map(|part| part.to - part.from);
        sum(parts.chain([self.outline.names().len() as u64]))
    }

    /// The new bundle's files, and where the content of each comes from.
    #[must_use]
    pub fn outline(&self) -> &Outline {
        &self.outline
    }
}

/// Algorithm, lengths, head.
fn read_head(patch: &mut dyn Read) -> Result<Vec<u8>> {
    if wire::byte(patch, WHAT)? != ALGORITHM {
        return Err(refuse("of another algorithm"));
    }
    let (frame, decoded) = (wire::number(patch, WHAT)?, wire::number(patch, WHAT)?);
    if frame > limits::INDEX || decoded > limits::INDEX {
        return Err(refuse("its head is too long"));
    }
    let frame = wire::bytes(patch, frame, WHAT)?;
    apply::decode(&[], &frame, decoded)
}

fn read_groups(reader: &mut Reader<'_>, base: &Index) -> Result<Vec<Group>> {
    let count = reader.count(limits::FILES)?;
    let parts = reader.numbers(count)?;
    let lengths = reader.numbers(count)?;
    let frames = reader.numbers(count)?;
    let all = wire::within(WHAT, sum(parts.iter().copied()), limits::PARTS)?;
    let files = reader.positions(all, base.files().len())?;
    let (froms, taken) = (reader.numbers(all)?, reader.numbers(all)?);
    let mut places = files.into_iter().zip(froms).zip(taken).map(|((file, from), taken)| {
        let whole = base.files().get(file).ok_or_else(|| refuse("no such file in the base"))?;
        let to = if taken == 0 { whole.length } else { from.saturating_add(taken) };
        if from > to || to > whole.length {
            return Err(refuse("a part leaves its file"));
        }
        Ok(Part { file, from, to })
    });
    let mut groups = Vec::new();
    for ((parts, length), frame) in parts.into_iter().zip(lengths).zip(frames) {
        // All of them together were counted above.
        let parts = usize::try_from(parts).unwrap_or(usize::MAX);
        let parts = places.by_ref().take(parts).collect::<Result<_>>()?;
        if length == 0 || frame == 0 {
            return Err(refuse("a group is empty"));
        }
        groups.push(Group { parts, length, frame });
    }
    Ok(groups)
}

fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}

fn refuse(detail: &str) -> Error {
    Error::document(WHAT, detail)
}

#[cfg(all(test, feature = "publish"))]
mod tests;
