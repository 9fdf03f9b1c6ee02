//! Release manifest: what one signed release consists of.
//!
//! Enters: the verified bytes of `<channel>/releases/<sequence>.json`. Leaves: a [`Manifest`]
//! whose every length is within limits. Refuses: another app, channel or sequence than the one
//! asked for. Format: `docs/format.md`.

mod blob;
#[cfg(feature = "publish")]
mod grouping;
mod index;
mod info;
mod layout;
#[cfg(feature = "publish")]
pub mod pack;
mod path;

use serde::{Deserialize, Serialize};

pub use blob::{Blob, Coding};
pub use index::{File, Index};
pub use info::Info;
pub use layout::{Frame, Layout, OpenedPiece, Piece, VerifiedPiece};
pub use path::check_path;

use crate::digest::Digest;
use crate::error::{Error, Result, wrong_repository};
use crate::id::{AppId, BundleId, Channel};
use crate::native::NativeRange;
use crate::seal::{ContentKey, Seal};
use crate::time::UnixTime;
use crate::{json, limits, seal};

/// Value of `schema` in every document of this version of the format.
pub const SCHEMA: u32 = 1;

/// What this client understands of `requires`. Anything else in a document means: take nothing
/// new from it.
pub const FEATURES: &[&str] = &[seal::FEATURE];

/// The first entry of `requires` that this client does not understand.
#[must_use]
pub fn unsupported(requires: &[String]) -> Option<&str> {
    requires.iter().map(String::as_str).find(|feature| !FEATURES.contains(feature))
}

/// What a document asks of its readers. Read before all the rest, whose shape may be one that is
/// still to be thought of.
///
/// # Errors
/// [`Error::Document`] where it is not even that.
pub fn requires(bytes: &[u8], what: &str) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        requires: Vec<String>,
    }
    let head: Head = json::parse_as(bytes).map_err(|error| Error::document(what, error))?;
    Ok(head.requires)
}

/// One release, as its signers described it. Never changed once signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The app it was made for.
    pub app: AppId,
    /// The channel it was made for.
    pub channel: Channel,
    /// Features a client must understand to take it.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Version as the app developer writes it (semver). For people; nothing compares it.
    pub version: String,
    /// Rises with every release of the channel; unique in it.
    pub sequence: u64,
    /// When it was made.
    pub created: UnixTime,
    /// Native builds it can run on.
    #[serde(default)]
    pub native: NativeRange,
    /// What the unpacked folder must be.
    pub bundle: BundleName,
    /// The [`Index`].
    pub index: Blob,
    /// The [`Layout`].
    pub layout: Blob,
    /// All files, as frames that the layout describes.
    pub pack: Blob,
    /// Ways from earlier bundles to this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Notes and custom values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Blob>,
    /// How the blobs are sealed, and for whom. Nothing in an open release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

/// The identity of the unpacked folder, plain or keyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BundleName {
    /// SHA-256 of the index.
    Identity(Digest),
    /// HMAC of the identity under a key of the release (sealed releases).
    Keyed(Digest),
}

/// A patch from one earlier bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The bundle it starts from: identity, or its keyed form in a sealed release.
    pub base: Digest,
    /// The patch.
    pub blob: Blob,
}

impl Manifest {
    /// Reads the manifest of `sequence` in `channel` of `app` from bytes whose digest a trusted
    /// role lists.
    ///
    /// # Errors
    /// [`Error::Document`] where it breaks the format or speaks of something else.
    pub fn parse(bytes: &[u8], app: &AppId, channel: &Channel, sequence: u64) -> Result<Self> {
        let manifest = Self::parse_any(bytes)?;
        let refuse = |detail: String| Err(Error::document(format!("manifest {sequence}"), detail));
        if manifest.app != *app || manifest.channel != *channel {
            return Err(wrong_repository("manifest"));
        }
        if manifest.sequence != sequence {
            return refuse(format!("says that it is {}", manifest.sequence));
        }
        Ok(manifest)
    }

    /// Reads a manifest that names itself, such as one that lies beside an installed bundle.
    ///
    /// # Errors
    /// [`Error::Document`] where it breaks the format.
    pub fn parse_any(bytes: &[u8]) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::document("manifest", detail));
        if bytes.len() as u64 > limits::MANIFEST {
            return refuse("too long");
        }
        let manifest: Self =
            json::parse_as(bytes).map_err(|error| Error::document("manifest", error))?;
        if manifest.schema != SCHEMA {
            return refuse("of another schema");
        }
        if manifest.version.is_empty()
            || manifest.version.len() > limits::TEXT
            || manifest.version.chars().any(char::is_control)
        {
            return refuse("its version is empty, too long or not plain text");
        }
        if manifest.sequence == 0 {
            return refuse("sequences start at 1");
        }
        if !manifest.native.is_valid() {
            return refuse("its native range is empty or malformed");
        }
        for (name, blob, limit) in [
            ("index", &manifest.index, limits::INDEX),
            ("layout", &manifest.layout, limits::INDEX),
            ("pack", &manifest.pack, limits::BUNDLE),
        ] {
            blob.check(limit)
                .map_err(|detail| Error::document(format!("manifest: {name}"), detail))?;
        }
        if manifest.patches.len() > limits::PATCHES {
            return refuse("too many patches");
        }
        for patch in &manifest.patches {
            if patch.blob.coding != Coding::Patch {
                return refuse("a patch is of another coding");
            }
            patch
                .blob
                .check(limits::BUNDLE)
                .map_err(|detail| Error::document("manifest: patch", detail))?;
        }
        if let Some(info) = &manifest.info {
            info.check(limits::INFO).map_err(|detail| Error::document("manifest: info", detail))?;
        }
        manifest.check_seal()?;
        Ok(manifest)
    }

    /// A release is sealed altogether or not at all.
    fn check_seal(&self) -> Result<()> {
        let refuse = |detail: &str| Err(Error::document("manifest: seal", detail));
        if let Some(Err(detail)) = self.seal.as_ref().map(Seal::check) {
            return refuse(detail);
        }
        let sealed = self.seal.is_some();
        if matches!(self.bundle, BundleName::Keyed(_)) != sealed {
            return refuse("the bundle's name is not of its kind");
        }
        if self.requires.iter().any(|feature| feature == seal::FEATURE) != sealed {
            return refuse("it does not stand in requires as it should");
        }
        if self.blobs().any(|blob| blob.salt.is_some() != sealed) {
            return refuse("a blob is not of its kind");
        }
        Ok(())
    }

    /// All blobs that it names.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        let patches = self.patches.iter().map(|patch| &patch.blob);
        [&self.index, &self.layout, &self.pack].into_iter().chain(&self.info).chain(patches)
    }

    /// Whether the bundle with this identity is the one that it describes. A sealed manifest tells
    /// only those who have its content key; without that the answer is no.
    ///
    /// # Errors
    /// As [`ContentKey::label`].
    pub fn is_of(&self, identity: &Digest, content: Option<&ContentKey>) -> Result<bool> {
        Ok(match (&self.bundle, content) {
            (BundleName::Identity(name), _) => name == identity,
            (BundleName::Keyed(label), Some(content)) => content.label(identity)? == *label,
            (BundleName::Keyed(_), None) => false,
        })
    }

    /// The bytes to sign and publish.
    ///
    /// # Errors
    /// Where a field cannot be written as JSON.
    #[cfg(feature = "publish")]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        json::compact(self).map_err(|error| Error::document("manifest", error))
    }
}

/// The id of the bundle that `manifest` (its exact bytes) describes.
#[must_use]
pub fn bundle_id(manifest: &[u8]) -> BundleId {
    BundleId(Digest::of(manifest))
}
