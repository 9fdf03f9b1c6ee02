//! Layout: where each content lies in the pack, and the digest of each piece that travels.
//!
//! Enters: decoded bytes of a layout blob and the index it belongs to. Leaves: frames in the order
//! of the pack, whose lengths add up. Refuses: a content that is missing, doubled or out of limits.
//!
//! A piece holds up to 64 KiB of a frame. In a sealed pack each piece is one segment, with its tag,
//! and filler behind the last one makes the pack's length tell little.

use serde::{Deserialize, Serialize};

use super::{Blob, Coding, Index, SCHEMA};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::seal::{ObjectKey, PADDING, TAG};
use crate::{json, limits};

/// The frames of a pack, back to back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    schema: u32,
    #[serde(default)]
    requires: Vec<String>,
    frames: Vec<Frame>,
    /// Bytes behind the last frame of a sealed pack that stand for nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    filler: u64,
    /// Bytes of a whole piece as it travels.
    #[serde(skip, default = "open_piece")]
    piece: u64,
}

fn open_piece() -> u64 {
    limits::PIECE
}

fn sealed_piece() -> u64 {
    limits::PIECE + TAG
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One frame: one file's content, or several small ones back to back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// What was done to them: zstd or brotli.
    pub coding: Coding,
    /// Bytes of the frame as it travels.
    pub length: u64,
    /// Positions in the index of the contents that it holds, in order.
    pub files: Vec<usize>,
    /// SHA-256 of its pieces as they travel: 64 KiB each (sealed: and a tag), the last one what
    /// remains.
    pub pieces: Vec<Digest>,
}

impl Layout {
    /// The layout of `frames`; a sealed pack has `filler` bytes behind them.
    #[cfg(feature = "publish")]
    #[must_use]
    pub(crate) fn new(frames: Vec<Frame>, filler: u64, sealed: bool) -> Self {
        let piece = if sealed { sealed_piece() } else { open_piece() };
        Self { schema: SCHEMA, requires: Vec::new(), frames, filler, piece }
    }

    /// Reads a layout and holds it against the index and the pack it describes.
    ///
    /// # Errors
    /// [`Error::Document`] where the three do not fit each other.
    pub fn parse(bytes: &[u8], index: &Index, pack: &Blob) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::document("layout", detail));
        let mut layout: Self =
            json::parse_as(bytes).map_err(|error| Error::document("layout", error))?;
        let sealed = pack.salt.is_some();
        layout.piece = if sealed { sealed_piece() } else { open_piece() };
        if layout.schema != SCHEMA || super::unsupported(&layout.requires).is_some() {
            return refuse("of another schema");
        }
        if layout.filler >= if sealed { PADDING } else { 1 } {
            return refuse("too much of the pack stands for nothing");
        }
        let mut length = layout.filler;
        let mut decoded = 0_u64;
        let mut held = Vec::new();
        for frame in &layout.frames {
            if !matches!(frame.coding, Coding::Zstd | Coding::Brotli) {
                return refuse("a frame of a coding that no frame has");
            }
            if frame.length == 0 || frame.files.is_empty() {
                return refuse("a frame is empty");
            }
            if frame.pieces.len() as u64 != frame.length.div_ceil(layout.piece) {
                return refuse("a frame has too few or too many pieces");
            }
            if sealed && (1..=TAG).contains(&(frame.length % layout.piece)) {
                return refuse("a piece is a tag and nothing else");
            }
            length = length.saturating_add(frame.length);
            for at in &frame.files {
                let Some(file) = index.files().get(*at) else {
                    return refuse("a frame names a file that is not in the index");
                };
                decoded = decoded.saturating_add(file.length);
                held.push(*at);
            }
        }
        held.sort_unstable();
        if held != index.contents() {
            return refuse("the pack does not hold each content once");
        }
        if length != pack.length || !pack.fits(decoded) {
            return refuse("its lengths are not those of the pack");
        }
        Ok(layout)
    }

    /// The bytes to publish.
    ///
    /// # Errors
    /// Where a field cannot be written as JSON.
    #[cfg(feature = "publish")]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        json::compact(self).map_err(|error| Error::document("layout", error))
    }

    /// The pieces of each frame, frame by frame in the order of the pack.
    pub fn pieces(&self) -> impl Iterator<Item = (&Frame, Vec<Piece>)> {
        let count: usize = self.frames.iter().map(|frame| frame.pieces.len()).sum();
        self.frames.iter().scan((0_u64, 0_usize), move |(offset, number), frame| {
            let cut = frame.pieces.iter().enumerate().map(|(at, sha256)| {
                let (begin, this) = (*offset, *number);
                let length = frame.length.saturating_sub(at as u64 * self.piece).min(self.piece);
                *offset = offset.saturating_add(length);
                *number += 1;
                // Layouts have fewer pieces than this by their own length.
                let place = u32::try_from(this).unwrap_or(u32::MAX);
                let last = *number == count;
                Piece { offset: begin, length, sha256: *sha256, number: place, last }
            });
            let pieces = cut.collect();
            Some((frame, pieces))
        })
    }

    /// The frames, in the order of the pack.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

/// One piece of a pack, as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Position of its first byte in the pack.
    pub offset: u64,
    /// Length, bytes; at most [`limits::PIECE`] and a tag.
    pub length: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its place among the pieces of the pack: the number of its segment.
    pub number: u32,
    /// The pack ends with it, filler aside.
    pub last: bool,
}

/// Bytes of a piece that have the signed digest. Nothing else is opened.
#[derive(Debug)]
pub struct VerifiedPiece {
    bytes: Vec<u8>,
    number: u32,
    last: bool,
}

/// Bytes of a piece without their seal, if they had one. Nothing else reaches a decoder.
#[derive(Debug)]
pub struct OpenedPiece(Vec<u8>);

impl Piece {
    /// Holds `bytes` against the digest.
    #[must_use]
    pub fn verify(&self, bytes: Vec<u8>) -> Option<VerifiedPiece> {
        let right = bytes.len() as u64 == self.length && Digest::of(&bytes) == self.sha256;
        right.then_some(VerifiedPiece { bytes, number: self.number, last: self.last })
    }

    /// Position after its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

impl VerifiedPiece {
    /// The bytes as they travelled.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens the segment that it is; an open release has no `key`.
    ///
    /// # Errors
    /// [`Error::Seal`].
    pub fn open(self, key: Option<&ObjectKey>) -> Result<OpenedPiece> {
        let mut bytes = self.bytes;
        if let Some(key) = key {
            key.open(self.number, self.last, &mut bytes)?;
        }
        Ok(OpenedPiece(bytes))
    }
}

impl OpenedPiece {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
