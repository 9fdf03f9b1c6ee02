//! Public keys and signatures as TUF writes them.
//!
//! Enters: key objects of root and targets metadata. Leaves: a yes or no to "does this signature of
//! these bytes come from that key". A key of an unknown type is no error: it verifies nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::{hex, json};

/// A public key as it stands in metadata, unknown fields included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Value);

impl Key {
    /// The Ed25519 key of these 32 bytes.
    #[must_use]
    pub fn ed25519(public: &[u8]) -> Self {
        Self(serde_json::json!({
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": { "public": hex::encode(public) },
        }))
    }

    /// The id that our publisher gives a key: SHA-256 of its canonical form (TUF 1.0, section 4.2).
    /// Readers take ids as they stand (TAP 12) and count keys by their bytes.
    #[must_use]
    pub fn id(&self) -> String {
        // A key that came through the strict reader or from ed25519() holds no fractions.
        json::canonical(&self.0)
            .map_or_else(|_| String::new(), |bytes| Digest::of(&bytes).to_string())
    }

    /// What tells two keys apart, whatever their ids: scheme and public part.
    #[must_use]
    pub fn substance(&self) -> (String, String) {
        (self.text("/scheme").to_owned(), self.text("/keyval/public").trim().to_owned())
    }

    /// Whether `signature` is this key's signature of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (keytype, scheme) = (self.text("/keytype"), self.text("/scheme"));
        match (keytype, scheme) {
            ("ed25519", "ed25519") => {
                hex::decode(self.text("/keyval/public")).is_some_and(|public| {
                    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public)
                        .verify(message, signature)
                        .is_ok()
                })
            }
            _ => false,
        }
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
