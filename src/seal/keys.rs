//! Opening keys and recipients: X25519 key pairs (RFC 7748), in memory and as files.
//!
//! Enters: PKCS#8 or SubjectPublicKeyInfo in PEM (RFC 8410), as OpenSSL writes them, or 32 raw bytes.
//! Leaves: keys, and the ids by which releases name them. Refuses: keys of another kind. Private
//! halves are wiped when they are dropped, and never shown.

use std::fmt;
use std::str::FromStr;

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, Serializable};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::framed;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::hex::Hex;

/// What stands before the 32 bytes of a private key in PKCS#8 (RFC 8410, section 7).
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];
/// What stands before the 32 bytes of a public key (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0];
const LENGTH: usize = 32;

/// Which key a recipient has: the first 16 bytes of the SHA-256 over the framed text
/// `farad/recipient/1` and the public key. Everyone who reads a manifest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Hex<16>);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The public half: what a release is sealed for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecipientKey(Hex<LENGTH>);

impl RecipientKey {
    /// The key with these raw bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(Hex::new(bytes))
    }

    /// Reads a `PUBLIC KEY` in PEM.
    ///
    /// # Errors
    /// [`Error::Config`] where it is none of X25519.
    pub fn from_pem(text: &str) -> Result<Self> {
        pem(text, "PUBLIC KEY", &SPKI)
            .map(|bytes| Self::from_bytes(*bytes))
            .ok_or_else(|| Error::Config("a recipient is no X25519 public key in PEM".to_owned()))
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; LENGTH] {
        self.0.as_bytes()
    }

    /// The id by which releases name it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let named = [&framed(&["farad/recipient/1"])[..], self.as_bytes()].concat();
        let digest = Digest::of(&named);
        let (id, _) = digest.as_bytes().split_first_chunk().unwrap_or((&[0; 16], &[]));
        KeyId(Hex::new(*id))
    }
}

impl fmt::Display for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RecipientKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let key = text.parse().map(Self);
        key.map_err(|_| Error::Config("a recipient is 64 lower-case hex digits".to_owned()))
    }
}

/// The private half: what opens releases. Wiped when it is dropped.
#[derive(Clone)]
pub struct OpeningKey(Zeroizing<[u8; LENGTH]>);

impl OpeningKey {
    /// The key with these raw bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a `PRIVATE KEY` in PEM, unencrypted: whoever holds an encrypted one decrypts it first.
    ///
    /// # Errors
    /// [`Error::Config`] where it is none of X25519.
    pub fn from_pem(text: &str) -> Result<Self> {
        pem(text, "PRIVATE KEY", &PKCS8)
            .map(Self)
            .ok_or_else(|| Error::Config("an opening key is no X25519 key in PEM".to_owned()))
    }

    /// Reads a PKCS#8 document in DER.
    ///
    /// # Errors
    /// [`Error::Config`] where it is none of X25519.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self> {
        let key = document.strip_prefix(&PKCS8).and_then(|key| key.try_into().ok());
        let key = key.map(|key: [u8; LENGTH]| Self::from_bytes(key));
        key.ok_or_else(|| Error::Config("an opening key is no X25519 key in PKCS#8".to_owned()))
    }

    /// The key as PKCS#8 in DER; the caller sees to it that it is wiped or encrypted.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&PKCS8[..], &self.0[..]].concat())
    }

    /// The id by which releases name it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.recipient().id()
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> RecipientKey {
        // Every 32 bytes are an X25519 private key (RFC 7748, section 5).
        let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&self.0[..]).ok();
        let public = private.map(|private| X25519HkdfSha256::sk_to_pk(&private).to_bytes());
        RecipientKey::from_bytes(public.map_or([0; LENGTH], Into::into))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[..]
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({})", self.id())
    }
}

/// Where a device has its opening keys: shipped with the app, or obtained at run time and kept in
/// the platform's key store.
pub trait OpeningKeys: Send + Sync {
    /// The key with this id, if it is at hand now. Called by syncs and checks, never by a start; may
    /// block.
    fn opening_key(&self, id: &KeyId) -> Option<OpeningKey>;
}

impl OpeningKeys for Vec<OpeningKey> {
    fn opening_key(&self, id: &KeyId) -> Option<OpeningKey> {
        self.iter().find(|key| key.id() == *id).cloned()
    }
}

/// The 32 bytes behind `prefix` in a PEM file with this label.
fn pem(text: &str, label: &str, prefix: &[u8]) -> Option<Zeroizing<[u8; LENGTH]>> {
    let (found, bytes) = pem_rfc7468::decode_vec(text.as_bytes()).ok()?;
    let bytes = Zeroizing::new(bytes);
    let key = bytes.strip_prefix(prefix).filter(|_| found == label)?;
    Some(Zeroizing::new(key.try_into().ok()?))
}
