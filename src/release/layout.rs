//! Layout: where each content lies in the pack, and the digest of each piece that travels.
//!
//! Enters: decoded bytes of a layout blob and the index it belongs to. Leaves: frames in the order
//! of the pack, whose lengths add up. Refuses: another spelling, a content that is missing, doubled or
//! out of limits, anything behind the last digest.
//!
//! A piece holds up to 64 KiB of a frame. In a sealed pack each piece is one segment, with its tag,
//! and filler behind the last one makes the pack's length tell little.
//!
//! Every device without a patch fetches the layout whole, however little it lacks. So it is columns
//! of numbers, and of each piece's digest it has half (ADR 9).

use super::{Blob, Coding, Index};
use crate::digest::Truncated;
use crate::error::{Error, Result};
use crate::limits;
use crate::seal::{ObjectKey, PADDING, TAG};
#[cfg(feature = "publish")]
use crate::wire::Writer;
use crate::wire::{self, Reader};

/// Its name in errors.
const WHAT: &str = "layout";
/// First byte of a layout: the only spelling so far.
const SPELLING: u8 = 1;
/// Codings of frames as the layout spells them: their places here.
const CODINGS: [Coding; 2] = [Coding::Zstd, Coding::Brotli];

/// The frames of a pack, back to back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    frames: Vec<Frame>,
    /// Bytes behind the last frame of a sealed pack that stand for nothing.
    filler: u64,
    /// Bytes of a whole piece as it travels.
    piece: u64,
}

/// One frame: one file's content, or several ones back to back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What was done to them: zstd or brotli.
    pub coding: Coding,
    /// Bytes of the frame as it travels.
    pub length: u64,
    /// Positions in the index of the contents that it holds, in order.
    pub files: Vec<usize>,
    /// Truncated SHA-256 of its pieces as they travel: 64 KiB each (sealed: and a tag), the last one
    /// what remains.
    pub pieces: Vec<Truncated>,
}

/// Bytes of a whole piece as it travels.
fn piece(sealed: bool) -> u64 {
    if sealed { limits::PIECE + TAG } else { limits::PIECE }
}

impl Layout {
    /// The layout of `frames`; a sealed pack has `filler` bytes behind them. Whether it describes a
    /// pack is for [`Layout::parse`] to say.
    #[cfg(feature = "publish")]
    #[must_use]
    pub fn new(frames: Vec<Frame>, filler: u64, sealed: bool) -> Self {
        Self { frames, filler, piece: piece(sealed) }
    }

    /// Reads a layout and holds it against the index and the pack it describes.
    ///
    /// # Errors
    /// [`Error::Document`] where the three do not fit each other.
    pub fn parse(bytes: &[u8], index: &Index, pack: &Blob) -> Result<Self> {
        let sealed = pack.salt.is_some();
        let layout = Self::read(bytes, index, piece(sealed))?;
        if layout.filler >= if sealed { PADDING } else { 1 } {
            return Err(refuse("too much of the pack stands for nothing"));
        }
        let mut length = layout.filler;
        let mut decoded = 0_u64;
        let mut held = Vec::new();
        for frame in &layout.frames {
            if sealed && (1..=TAG).contains(&(frame.length % layout.piece)) {
                return Err(refuse("a piece is a tag and nothing else"));
            }
            length = length.saturating_add(frame.length);
            for file in frame.files.iter().filter_map(|at| index.files().get(*at)) {
                decoded = decoded.saturating_add(file.length);
            }
            held.extend_from_slice(&frame.files);
        }
        held.sort_unstable();
        if held != index.contents() {
            return Err(refuse("the pack does not hold each content once"));
        }
        if length != pack.length || !pack.fits(decoded) {
            return Err(refuse("its lengths are not those of the pack"));
        }
        Ok(layout)
    }

    /// The columns, back to back.
    fn read(bytes: &[u8], index: &Index, piece: u64) -> Result<Self> {
        let mut bytes = bytes;
        if wire::byte(&mut bytes, WHAT)? != SPELLING {
            return Err(refuse("of another spelling"));
        }
        let mut reader = Reader::new(WHAT, bytes);
        let filler = reader.number()?;
        let count = reader.count(limits::FILES)?;
        let codings = reader.numbers(count)?;
        let (held, lengths) = (reader.numbers(count)?, reader.numbers(count)?);
        let all = held.iter().fold(0, |sum: u64, held| sum.saturating_add(*held));
        let all = wire::within(WHAT, all, limits::FILES)?;
        let mut files = reader.positions(all, index.files().len())?.into_iter();
        let mut frames = Vec::new();
        for ((coding, held), length) in codings.into_iter().zip(held).zip(lengths) {
            let coding = usize::try_from(coding).ok().and_then(|coding| CODINGS.get(coding));
            let coding = *coding.ok_or_else(|| refuse("a frame of a coding that no frame has"))?;
            if held == 0 || length == 0 {
                return Err(refuse("a frame is empty"));
            }
            // All of them together were counted above.
            let held = usize::try_from(held).unwrap_or(usize::MAX);
            let files = files.by_ref().take(held).collect();
            let digests = length.div_ceil(piece).saturating_mul(Truncated::LEN as u64);
            let (digests, _) = reader.take(digests)?.as_chunks();
            let pieces = digests.iter().copied().map(Truncated::from_bytes).collect();
            frames.push(Frame { coding, length, files, pieces });
        }
        if !reader.is_empty() {
            return Err(refuse("it goes on behind its last digest"));
        }
        Ok(Self { frames, filler, piece })
    }

    /// The bytes to publish.
    ///
    /// # Errors
    /// [`Error::Document`] where a frame is of a coding that no frame has.
    #[cfg(feature = "publish")]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Writer::default();
        let frames = &self.frames;
        for number in [SPELLING.into(), self.filler, frames.len() as u64] {
            out.number(number);
        }
        for frame in frames {
            let coding = CODINGS.iter().position(|coding| *coding == frame.coding);
            let coding = coding.ok_or_else(|| refuse("a frame of a coding that no frame has"))?;
            out.number(coding as u64);
        }
        frames.iter().for_each(|frame| out.number(frame.files.len() as u64));
        frames.iter().for_each(|frame| out.number(frame.length));
        out.positions(frames.iter().flat_map(|frame| frame.files.iter().copied()));
        let digests = frames.iter().flat_map(|frame| &frame.pieces);
        digests.for_each(|digest| out.0.extend_from_slice(digest.as_bytes()));
        Ok(out.0)
    }

    /// The pieces of each frame, frame by frame in the order of the pack.
    pub fn pieces(&self) -> impl Iterator<Item = (&Frame, Vec<Piece>)> {
        let count: usize = self.frames.iter().map(|frame| frame.pieces.len()).sum();
        self.frames.iter().scan((0_u64, 0_usize), move |(offset, number), frame| {
            let cut = frame.pieces.iter().enumerate().map(|(at, digest)| {
                let (begin, this) = (*offset, *number);
                let length = frame.length.saturating_sub(at as u64 * self.piece).min(self.piece);
                *offset = offset.saturating_add(length);
                *number += 1;
                // Layouts have fewer pieces than this by their own length.
                let place = u32::try_from(this).unwrap_or(u32::MAX);
                let last = *number == count;
                Piece { offset: begin, length, digest: *digest, number: place, last }
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

    /// Bytes behind the last frame of a sealed pack that stand for nothing.
    #[must_use]
    pub fn filler(&self) -> u64 {
        self.filler
    }
}

/// One piece of a pack, as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Position of its first byte in the pack.
    pub offset: u64,
    /// Length, bytes; at most [`limits::PIECE`] and a tag.
    pub length: u64,
    /// Truncated SHA-256 of its bytes.
    pub digest: Truncated,
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
        let right = bytes.len() as u64 == self.length && Truncated::of(&bytes) == self.digest;
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

fn refuse(detail: &str) -> Error {
    Error::document(WHAT, detail)
}
