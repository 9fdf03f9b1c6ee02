//! Seals: who can open a release, and the keys that do.
//!
//! Enters: the `seal` of a verified manifest, the app it was made for, and the opening keys at hand.
//! Leaves: the [`ContentKey`] of the release, or nothing where no key fits. Refuses, with one error
//! that says no more ([`Error::Seal`]): an unknown algorithm, a key wrapped for another app, a
//! content key that is not the one the seal commits to.
//!
//! A release has one random content key. HPKE (RFC 9180, base mode) wraps it for every recipient.
//! Every object of the release (index, layout, pack, patch, info) has a key of its own, derived with
//! a salt of its own, and is cut into segments in the manner of STREAM (Hoang, Reyhanitabar,
//! Rogaway, Vizár 2015). Whoever can open a release could forge segments of it, so that signed
//! digests are checked before anything is opened. Format: `docs/format.md`, Sealing.

mod content;
mod keys;
#[cfg(feature = "publish")]
mod make;
mod object;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use content::{ContentKey, ObjectKey};
pub use keys::{KeyId, OpeningKey, OpeningKeys, RecipientKey};
#[cfg(feature = "publish")]
pub use make::Sealer;
pub use object::{Object, PADDING, SEGMENT, Shape, TAG, Unsealed};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::hex::Hex;
use crate::id::AppId;
use crate::limits;

/// The feature that a sealed document names in `requires`.
pub const FEATURE: &str = "seal";
/// HPKE with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM; segments under AES-256-GCM.
pub const ALGORITHM: &str = "hpke-x25519-aes256gcm";

/// How a release is sealed, and for whom. Part of the signed manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// [`ALGORITHM`].
    pub alg: String,
    /// What the content key must be: a digest that only this key gives.
    pub commit: Digest,
    /// The content key, wrapped once for each recipient.
    pub recipients: Vec<Recipient>,
}

/// The content key as one recipient gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Whose key opens it.
    pub kid: KeyId,
    /// HPKE's encapsulated key.
    pub enc: Hex<32>,
    /// The content key under HPKE, with its tag.
    pub wrapped: Hex<48>,
}

impl Seal {
    /// Holds the numbers against the limits. What the seal opens with is a matter of [`Seal::open`].
    ///
    /// # Errors
    /// A sentence for the error that the caller makes.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut kids: Vec<_> = self.recipients.iter().map(|recipient| recipient.kid).collect();
        kids.sort();
        kids.dedup();
        if kids.is_empty() || kids.len() > limits::RECIPIENTS {
            return Err("it has no recipient, or too many");
        }
        if kids.len() != self.recipients.len() {
            return Err("a recipient stands in it twice");
        }
        Ok(())
    }

    /// The content key of a release of `app`, by the first recipient whose key is among `keys`.
    /// Nothing if there is none: the app may get one later. Computes; may ask a key store.
    ///
    /// # Errors
    /// [`Error::Seal`] where a key fits by its id and does not open it.
    pub fn open(&self, app: &AppId, keys: &dyn OpeningKeys) -> Result<Option<ContentKey>> {
        if self.alg != ALGORITHM {
            return Err(Error::Seal);
        }
        let found = self.recipients.iter().find_map(|recipient| {
            // A store that hands out another key than the one it was asked for has none.
            let key = keys.opening_key(&recipient.kid)?;
            (key.id() == recipient.kid).then_some((recipient, key))
        });
        let Some((recipient, key)) = found else { return Ok(None) };
        let content = unwrap(recipient, &key, &info(app, &self.commit)).ok_or(Error::Seal)?;
        // AES-GCM commits to no key: without this, two recipients could be given two contents.
        if content.commit()? != self.commit {
            return Err(Error::Seal);
        }
        Ok(Some(content))
    }
}

fn unwrap(recipient: &Recipient, key: &OpeningKey, info: &[u8]) -> Option<ContentKey> {
    let (enc, wrapped) = (recipient.enc.as_bytes(), recipient.wrapped.as_bytes());
    let content = hpke_open(key.bytes(), enc, info, &[], wrapped)?;
    Some(ContentKey::from_bytes(content.as_slice().try_into().ok()?))
}

/// HPKE's single-shot opening in base mode (RFC 9180, section 6.1).
fn hpke_open(
    private: &[u8],
    enc: &[u8],
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(private).ok()?;
    let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).ok()?;
    let mode = OpModeR::Base;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &mode, &private, &enc, info, sealed, aad,
    )
    .ok()
    .map(Zeroizing::new)
}

/// HPKE's `info`: what the wrapped key is for. The channel is bound by the manifest's signature, so
/// that a promotion can keep its recipients.
fn info(app: &AppId, commit: &Digest) -> Vec<u8> {
    framed(&["farad/seal/1", app.as_str(), &commit.to_string()])
}

/// Texts, each behind its length in bytes (u32, big-endian): no two lists give the same bytes.
fn framed(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        // All of them are names of ours with a limit far below 4 GiB.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(all(test, feature = "publish"))]
mod tests;
