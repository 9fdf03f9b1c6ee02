//! A blob: an immutable file of the repository, named by the bytes that travel.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A signed reference to `blobs/<sha256>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 of the bytes that travel; also the file's name.
    pub sha256: Digest,
    /// Number of bytes that travel.
    pub length: u64,
    /// What was done to the bytes before they travelled.
    pub coding: Coding,
    /// Number of bytes after undoing the coding.
    pub decoded: u64,
    /// Salt of the seal (sealed releases).
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
    /// zstd frames back to back, described by the layout.
    Frames,
    /// A patch; its first byte names the algorithm.
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
        if self.coding == Coding::Identity && self.length != self.decoded {
            return Err("two lengths for the same bytes".to_owned());
        }
        Ok(())
    }
}
