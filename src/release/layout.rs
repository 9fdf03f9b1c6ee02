//! Layout: where each content lies in the pack, and the digest of each piece that travels.
//!
//! Enters: decoded bytes of a layout blob and the index it belongs to. Leaves: frames in the order
//! of the pack, whose lengths add up. Refuses: a content that is missing, doubled or out of limits.

use serde::{Deserialize, Serialize};

use super::{Blob, Index, SCHEMA};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::{json, limits};

/// The frames of a pack, back to back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    schema: u32,
    #[serde(default)]
    requires: Vec<String>,
    frames: Vec<Frame>,
}

/// One zstd frame: one file's content, or several small ones back to back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Bytes of the frame as it travels.
    pub length: u64,
    /// Positions in the index of the contents that it holds, in order.
    pub files: Vec<usize>,
    /// SHA-256 of its pieces: 64 KiB each, the last one what remains.
    pub pieces: Vec<Digest>,
}

impl Layout {
    /// The layout of `frames`.
    #[must_use]
    pub fn new(frames: Vec<Frame>) -> Self {
        Self { schema: SCHEMA, requires: Vec::new(), frames }
    }

    /// Reads a layout and holds it against the index and the pack it describes.
    ///
    /// # Errors
    /// [`Error::Document`] where the three do not fit each other.
    pub fn parse(bytes: &[u8], index: &Index, pack: &Blob) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::document("layout", detail));
        let layout: Self =
            json::parse_as(bytes).map_err(|error| Error::document("layout", error))?;
        if layout.schema != SCHEMA || super::unsupported(&layout.requires).is_some() {
            return refuse("of another schema");
        }
        let mut length = 0_u64;
        let mut decoded = 0_u64;
        let mut held = Vec::new();
        for frame in &layout.frames {
            if frame.length == 0 || frame.files.is_empty() {
                return refuse("a frame is empty");
            }
            if frame.pieces.len() as u64 != frame.length.div_ceil(limits::PIECE) {
                return refuse("a frame has too few or too many pieces");
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
        if length != pack.length || decoded != pack.decoded {
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
        self.frames.iter().scan(0_u64, |offset, frame| {
            let cut = frame.pieces.iter().enumerate().map(|(at, sha256)| {
                let (begin, length) = (*offset, frame.piece_length(at));
                *offset = offset.saturating_add(length);
                Piece { offset: begin, length, sha256: *sha256 }
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
    /// Length, bytes; at most [`limits::PIECE`].
    pub length: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// Bytes of a piece that have the signed digest. Nothing else reaches a decoder.
#[derive(Debug)]
pub struct VerifiedPiece(Vec<u8>);

impl Piece {
    /// Holds `bytes` against the digest.
    #[must_use]
    pub fn verify(&self, bytes: Vec<u8>) -> Option<VerifiedPiece> {
        let right = bytes.len() as u64 == self.length && Digest::of(&bytes) == self.sha256;
        right.then_some(VerifiedPiece(bytes))
    }

    /// Position after its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

impl VerifiedPiece {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Frame {
    /// Length of piece `at`, bytes.
    #[must_use]
    pub fn piece_length(&self, at: usize) -> u64 {
        self.length.saturating_sub(at as u64 * limits::PIECE).min(limits::PIECE)
    }
}
