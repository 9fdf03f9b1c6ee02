//! Signing metadata: the publisher's side of [`super::key`].

use serde::Serialize;

use super::key::Key;
use crate::error::{Error, Result};
use crate::{hex, json};

/// Version of the specification that we write.
pub const SPEC_VERSION: &str = "1.0.34";

/// Something that holds a private key.
pub trait Signer {
    /// The public part.
    fn public(&self) -> &Key;
    /// Signs `message`.
    ///
    /// # Errors
    /// Where the key cannot be used.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>>;
}

/// An Ed25519 key pair in memory.
pub struct Ed25519 {
    pair: ring::signature::Ed25519KeyPair,
    public: Key,
}

impl Ed25519 {
    /// The key pair in a PKCS#8 document (RFC 5958), of version 1 or 2.
    ///
    /// # Errors
    /// [`Error::Config`] where it is something else.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self> {
        let pair = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(document)
            .map_err(|_| Error::Config("not an Ed25519 private key".to_owned()))?;
        let public = Key::ed25519(ring::signature::KeyPair::public_key(&pair).as_ref());
        Ok(Self { pair, public })
    }
}

impl Signer for Ed25519 {
    fn public(&self) -> &Key {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }
}

/// Signs `document` (a struct of [`super::metadata`]) and returns the bytes of the file: compact
/// JSON with one signature a signer, each over the canonical form of the signed part.
///
/// # Errors
/// Where a signer refuses.
pub fn sign<T: Serialize>(document: &T, signers: &[&dyn Signer]) -> Result<Vec<u8>> {
    let malformed = |error: json::BadJson| Error::document("metadata", error);
    let signed =
        serde_json::to_value(document).map_err(|error| Error::document("metadata", error))?;
    let message = json::canonical(&signed).map_err(malformed)?;
    let signatures = signers
        .iter()
        .map(|signer| {
            let signature = hex::encode(&signer.sign(&message)?);
            Ok(serde_json::json!({ "keyid": signer.public().id(), "sig": signature }))
        })
        .collect::<Result<Vec<_>>>()?;
    let file = serde_json::json!({ "signatures": signatures, "signed": signed });
    json::compact(&file).map_err(malformed)
}
