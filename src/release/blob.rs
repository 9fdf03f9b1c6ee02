//! A blob: an immutable file of the repository, named by the bytes that travel.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::seal::{ContentKey, Object, ObjectKey, PADDING, Shape};

/// A signed reference to `blobs/<sha256>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 of the bytes that travel; also the file's name.
    pub sha256: Digest,
    /// Number of bytes that travel.
    pub length: u64,
    /// What was done to the bytes before they travelled.
    pub coding: Coding,
    /// Number of bytes after undoing the coding; in a sealed release rounded up to 1 KiB, so that it
    /// tells little.
    pub decoded: u64,
    /// Salt of the object's key, in a sealed release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Digest>,
}

/// How a blob is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// As it is.
    Identity,
    /// One zstd frame (RFC 8878).
    Zstd,
    /// One brotli stream (RFC 7932).
    Brotli,
    /// Frames back to back, each of them zstd or brotli, described by the layout.
    Frames,
    /// A patch, as it is; its first byte names the algorithm.
    Patch,
}

impl Blob {
    /// Path within the repository.
    #[must_use]
    pub fn path(&self) -> String {
        format!("blobs/{}", self.sha256)
    }

    /// Holds both lengths against `limit`.
    ///
    /// # Errors
    /// A sentence for the error that the caller makes.
    pub fn check(&self, limit: u64) -> Result<(), String> {
        if self.length > limit || self.decoded > limit {
            return Err(format!("longer than {limit} bytes"));
        }
        let same = matches!(self.coding, Coding::Identity | Coding::Patch);
        if self.salt.is_none() && same && self.length != self.decoded {
            return Err("two lengths for the same bytes".to_owned());
        }
        if self.salt.is_some() {
            // A pack is cut as its layout says; of it only the padding can be seen from here.
            let cut = self.coding == Coding::Frames || Shape::travelling(self.length).is_some();
            if !cut || !self.length.is_multiple_of(PADDING) && self.coding == Coding::Frames {
                return Err("no sealed object has this length".to_owned());
            }
        }
        Ok(())
    }

    /// The key of the object that it is, from what opens its release; none of an open one.
    ///
    /// # Errors
    /// [`Error::Seal`] where it is sealed and there is nothing that opens it.
    pub fn key(
        &self,
        app: &AppId,
        kind: Object,
        content: Option<&ContentKey>,
    ) -> Result<Option<ObjectKey>> {
        let Some(salt) = &self.salt else { return Ok(None) };
        content.ok_or(Error::Seal)?.object(app, kind, salt).map(Some)
    }

    /// Whether `decoded` bytes are as many as the entry says.
    #[must_use]
    pub fn fits(&self, decoded: u64) -> bool {
        self.decoded == said(decoded, self.salt.is_some())
    }
}

/// What an entry says of a decoded length.
pub(super) fn said(decoded: u64, sealed: bool) -> u64 {
    if sealed { decoded.checked_next_multiple_of(PADDING).unwrap_or(u64::MAX) } else { decoded }
}
