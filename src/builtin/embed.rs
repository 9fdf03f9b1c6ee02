//! `farad-embed.json`: which release the native app brings along, and the trusted metadata of the
//! day it was built, so that a fresh install is not open to older signed state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::{AppId, Channel};
use crate::json;
use crate::release::{Index, SCHEMA};
use crate::rollout::Policy;

/// Longest description, bytes: an index, and a set of metadata.
pub(super) const LIMIT: usize = 16 << 20;
const METADATA_FILES: usize = 256;

/// The embedded release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embed {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The app it was made for.
    pub app: AppId,
    /// The channel it is a release of.
    pub channel: Channel,
    /// Its sequence in that channel.
    pub sequence: u64,
    /// Its version, for people.
    pub version: String,
    /// SHA-256 of its manifest.
    pub manifest: Digest,
    /// Its index, as text.
    pub index: String,
    /// Metadata files of that day by name without version (`timestamp.json`,
    /// `production-releases.json`), as text.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The channel's policy of that day, as text.
    #[serde(default)]
    pub policy: Option<String>,
}

impl Embed {
    /// Reads a description for `app`.
    ///
    /// # Errors
    /// [`Error::Document`] where it breaks the format or was made for another app.
    pub fn parse(bytes: &[u8], app: &AppId) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::document(super::EMBED_FILE, detail));
        let embed: Self =
            json::parse_as(bytes).map_err(|error| Error::document(super::EMBED_FILE, error))?;
        if embed.schema != SCHEMA {
            return refuse("of another schema");
        }
        if embed.app != *app {
            return refuse("made for another app");
        }
        if embed.metadata.len() > METADATA_FILES {
            return refuse("too many metadata files");
        }
        let plain = |name: &String| {
            name.ends_with(".json")
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.%".contains(&b))
        };
        if !embed.metadata.keys().all(plain) {
            return refuse("a metadata file has a strange name");
        }
        Ok(embed)
    }

    /// The embedded release's index.
    ///
    /// # Errors
    /// [`Error::Document`] where it is malformed.
    pub fn parsed_index(&self) -> Result<Index> {
        Index::parse(self.index.as_bytes())
    }

    /// The channel's policy of the day the app was built.
    #[must_use]
    pub fn parsed_policy(&self) -> Option<Policy> {
        Policy::heed(self.policy.as_ref()?.as_bytes(), &self.app, &self.channel).ok()
    }

    /// The metadata as kept names and bytes.
    #[must_use]
    pub fn seed(&self) -> BTreeMap<String, Vec<u8>> {
        let bytes = |(name, text): (&String, &String)| (name.clone(), text.clone().into_bytes());
        self.metadata.iter().map(bytes).collect()
    }

    /// The bytes to write beside the web files.
    ///
    /// # Errors
    /// Where a field cannot be written as JSON.
    #[cfg(feature = "publish")]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        json::compact(self).map_err(|error| Error::document(super::EMBED_FILE, error))
    }
}
