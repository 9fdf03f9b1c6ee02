//! From a plan and its frames to contents, one group at a time.

use std::io::Read;

use zstd::zstd_safe::{DCtx, find_frame_compressed_size};

use super::{Group, Plan, WHAT, refuse};
use crate::error::Result;
use crate::release::{File, Index};
use crate::wire;

/// Where parts of the base's files come from.
pub trait Base {
    /// Appends the bytes `from..to` of `file` to `into`. False if they are not here: missing,
    /// damaged, of another length. What `into` holds then does not matter.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] and the like: what ends the whole work.
    fn part(&mut self, file: &File, from: u64, to: u64, into: &mut Vec<u8>) -> Result<bool>;
}

/// What one group came to.
#[derive(Debug)]
pub enum Made<'a> {
    /// The next bytes of the new contents, back to back.
    Bytes(&'a [u8]),
    /// As many bytes could not be made: an old file is not what it was, or the frame is none.
    Lost(u64),
}

/// The groups of a patch, one after the other. Holds one group's old parts, frame and new bytes.
pub struct Groups<'a> {
    plan: &'a Plan,
    base: &'a Index,
    frames: &'a mut dyn Read,
    next: usize,
    prefix: Vec<u8>,
    made: Vec<u8>,
}

impl<'a> Groups<'a> {
    /// The groups of `plan`, which was read against `base` from the beginning of `frames`.
    pub fn new(plan: &'a Plan, base: &'a Index, frames: &'a mut dyn Read) -> Self {
        Self { plan, base, frames, next: 0, prefix: Vec::new(), made: Vec::new() }
    }

    /// Makes the next group; nothing after the last.
    ///
    /// # Errors
    /// [`crate::Error::Document`] where the patch is cut short or goes on after its last group;
    /// those of reading and of `old`. A group that alone cannot be made is no error.
    pub fn make(&mut self, old: &mut dyn Base) -> Result<Option<Made<'_>>> {
        let Some(group) = self.plan.groups.get(self.next) else {
            return match self.frames.read(&mut [0]) {
                Ok(0) => Ok(None),
                Ok(_) => Err(refuse("it goes on after its last group")),
                Err(error) => Err(wire::failed(error, WHAT)),
            };
        };
        self.next += 1;
        // Lengths were held against the limit when the plan was read.
        let frame = wire::bytes(self.frames, group.frame, WHAT)?;
        self.prefix.clear();
        // Grown by doubling, the buffers would take twice what the limit allows.
        self.prefix.reserve_exact(usize::try_from(self.plan.prefix(group)).unwrap_or(0));
        self.prefix.extend_from_slice(self.plan.outline.names());
        if !gather(group, self.base, old, &mut self.prefix)? {
            return Ok(Some(Made::Lost(group.length)));
        }
        Ok(Some(match decode_into(&self.prefix, &frame, group.length, &mut self.made) {
            Some(()) => Made::Bytes(&self.made),
            None => Made::Lost(group.length),
        }))
    }
}

/// The parts of old files, one after the other; false if one is not there.
fn gather(group: &Group, base: &Index, old: &mut dyn Base, prefix: &mut Vec<u8>) -> Result<bool> {
    for part in &group.parts {
        let Some(file) = base.files().get(part.file) else { return Ok(false) };
        let due = (prefix.len() as u64).saturating_add(part.to - part.from);
        if !old.part(file, part.from, part.to, prefix)? || prefix.len() as u64 != due {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Decodes a frame to exactly `length` bytes; the caller knows that they are not too many.
pub(super) fn decode(prefix: &[u8], frame: &[u8], length: u64) -> Result<Vec<u8>> {
    let mut decoded = Vec::new();
    decode_into(prefix, frame, length, &mut decoded)
        .map(|()| decoded)
        .ok_or_else(|| refuse("a frame cannot be decoded"))
}

/// In one go into room of the exact size: no window is kept beside it.
fn decode_into(prefix: &[u8], frame: &[u8], length: u64, into: &mut Vec<u8>) -> Option<()> {
    let length = usize::try_from(length).ok()?;
    into.clear();
    into.reserve_exact(length);
    into.resize(length, 0);
    // One frame and nothing behind it.
    if find_frame_compressed_size(frame).ok()? != frame.len() {
        return None;
    }
    let mut context = DCtx::try_create()?;
    context.ref_prefix(prefix).ok()?;
    let decoded = context.decompress(into.as_mut_slice(), frame).ok()?;
    (decoded == length).then_some(())
}
