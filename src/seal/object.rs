//! Sealed objects as they travel: segments, padding, and streams over them.
//!
//! An object is the u64 (big-endian) length of what it holds, what it holds, zeros up to a multiple
//! of 1 KiB; cut into segments of 64 KiB, the last one what remains, each with a tag of 16 bytes. A
//! pack is the exception: its segments are the pieces that its layout describes.
//!
//! Enters: the bytes of an object, held against its signed digest. Leaves: what was sealed. Refuses:
//! every other number, order or end of segments, and padding that is not zero.

use std::io::{self, Read};

use serde::Serialize;

use super::ObjectKey;
use crate::error::{Error, Result};

/// Bytes that a segment holds.
pub const SEGMENT: u64 = 64 << 10;
/// Bytes that sealing adds to a segment.
pub const TAG: u64 = 16;
/// Objects are padded to a multiple of this, bytes, so that lengths tell little.
pub const PADDING: u64 = 1 << 10;
/// Bytes of the true length in front.
const PREFIX: usize = 8;

/// What an object is: part of its key, so that one cannot stand in another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// The list of files.
    Index,
    /// Where each content lies in the pack.
    Layout,
    /// All contents.
    Pack,
    /// A way from an earlier bundle.
    Patch,
    /// Notes and custom values.
    Info,
}

impl Object {
    /// The name of its kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Layout => "layout",
            Self::Pack => "pack",
            Self::Patch => "patch",
            Self::Info => "info",
        }
    }
}

/// How an object is cut, which follows from its length alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Bytes that were sealed: length, content and padding.
    pub padded: u64,
    /// Number of segments.
    pub segments: u32,
}

impl Shape {
    /// The shape of an object that holds `content` bytes.
    #[must_use]
    pub fn holding(content: u64) -> Option<Self> {
        let padded = content.checked_add(PREFIX as u64)?.checked_next_multiple_of(PADDING)?;
        Some(Self { padded, segments: u32::try_from(padded.div_ceil(SEGMENT)).ok()? })
    }

    /// The shape of an object that is `length` bytes long as it travels; nothing if none is.
    #[must_use]
    pub fn travelling(length: u64) -> Option<Self> {
        let segments = u32::try_from(length.div_ceil(SEGMENT + TAG)).ok()?;
        let padded = length.checked_sub(u64::from(segments).checked_mul(TAG)?)?;
        let shape = Self { padded, segments };
        let whole = padded > 0 && padded.is_multiple_of(PADDING);
        (whole && shape.length() == length && padded.div_ceil(SEGMENT) == u64::from(segments))
            .then_some(shape)
    }

    /// Its length as it travels, bytes.
    #[must_use]
    pub fn length(self) -> u64 {
        self.padded.saturating_add(u64::from(self.segments).saturating_mul(TAG))
    }

    /// Whether segment `number` is the last one.
    #[must_use]
    pub fn is_last(self, number: u32) -> bool {
        number.checked_add(1) == Some(self.segments)
    }
}

/// What an object holds, opened segment by segment as it is read. Holds one segment in memory.
///
/// The reader below must hand out bytes that were held against the object's signed digest before: a
/// sealed segment proves only that somebody with the content key made it.
pub struct Unsealed<R> {
    sealed: R,
    key: ObjectKey,
    shape: Shape,
    next: u32,
    segment: Vec<u8>,
    /// How much of the segment was handed out.
    used: usize,
    /// Bytes of content that are still to come; unknown before the first segment.
    left: Option<u64>,
}

impl<R: Read> Unsealed<R> {
    /// Will open an object of `length` bytes that `sealed` reads.
    ///
    /// # Errors
    /// [`Error::Seal`] where no object is that long.
    pub fn new(sealed: R, key: ObjectKey, length: u64) -> Result<Self> {
        let shape = Shape::travelling(length).ok_or(Error::Seal)?;
        Ok(Self { sealed, key, shape, next: 0, segment: Vec::new(), used: 0, left: None })
    }

    /// All that the object holds.
    ///
    /// # Errors
    /// [`Error::Seal`].
    pub fn into_bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|_| Error::Seal)?;
        Ok(bytes)
    }

    /// Opens the next segment; false after the last one.
    fn advance(&mut self) -> io::Result<bool> {
        if self.next == self.shape.segments {
            return Ok(false);
        }
        self.segment.clear();
        self.used = 0;
        let read = self.sealed.by_ref().take(SEGMENT + TAG).read_to_end(&mut self.segment)?;
        let last = self.shape.is_last(self.next);
        let opened = self.key.open(self.next, last, &mut self.segment);
        if opened.is_err() || (!last && read as u64 != SEGMENT + TAG) {
            return Err(broken());
        }
        self.next = self.next.saturating_add(1);
        if self.left.is_none() {
            self.begin()?;
        }
        Ok(true)
    }

    /// Reads the true length. It must be the one that gives this shape: there is one way to write
    /// an object.
    fn begin(&mut self) -> io::Result<()> {
        let prefix = self.segment.first_chunk().ok_or_else(broken)?;
        let length = u64::from_be_bytes(*prefix);
        if Shape::holding(length) != Some(self.shape) {
            return Err(broken());
        }
        (self.used, self.left) = (PREFIX, Some(length));
        Ok(())
    }
}

impl<R: Read> Read for Unsealed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let rest = self.segment.get(self.used..).unwrap_or_default();
            let left = self.left.unwrap_or(0);
            let content = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (content, padding) = rest.split_at_checked(content).ok_or_else(broken)?;
            if !content.is_empty() {
                let count = content.len().min(out.len());
                let both = out.iter_mut().zip(content);
                both.for_each(|(to, from)| *to = *from);
                self.used = self.used.saturating_add(count);
                self.left = Some(left.saturating_sub(count as u64));
                return Ok(count);
            }
            if padding.iter().any(|byte| *byte != 0) {
                return Err(broken());
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Error::Seal)
}
