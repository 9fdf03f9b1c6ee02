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

    /// The frames, in the order of the pack.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

impl Frame {
    /// Length of piece `at`, bytes.
    #[must_use]
    pub fn piece_length(&self, at: usize) -> u64 {
        self.length.saturating_sub(at as u64 * limits::PIECE).min(limits::PIECE)
    }
}
