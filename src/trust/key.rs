//! Public keys and signatures as TUF writes them.
//!
//! Enters: key objects of root and targets metadata. Leaves: a yes or no to "does this signature of
//! these bytes come from that key". A key of an unknown type is no error: it verifies nothing.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::{hex, json};

const P256: &str = "ecdsa-sha2-nistp256";
const RSA: &str = "rsassa-pss-sha256";
/// SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410, section 4).
#[cfg(feature = "publish")]
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

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

    /// The key in a SubjectPublicKeyInfo in PEM (RFC 7468), as OpenSSL writes public keys: Ed25519,
    /// P-256, or RSA of 2048 to 8192 bits.
    #[cfg(feature = "publish")]
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let der = spki(pem)?;
        if let Some(public) = der.strip_prefix(&ED25519_SPKI).filter(|public| public.len() == 32) {
            return Some(Self::ed25519(public));
        }
        let (keytype, scheme) = if p256_point(pem).is_some() {
            ("ecdsa", P256)
        } else {
            // What ring verifies with: an RSAPublicKey of 2048 bits has 270 bytes, of 8192 1038.
            rsa_public_key(pem).filter(|key| (260..1050).contains(&key.len()))?;
            ("rsa", RSA)
        };
        let public = to_pem(&der)?;
        let key = serde_json::json!({
            "keytype": keytype, "scheme": scheme, "keyval": { "public": public },
        });
        Some(Self(key))
    }

    /// The key as [`Key::from_pem`] reads it; nothing for a key of an unknown type.
    #[cfg(feature = "publish")]
    #[must_use]
    pub fn to_pem(&self) -> Option<String> {
        let public = self.text("/keyval/public");
        match self.text("/scheme") {
            "ed25519" => to_pem(&[&ED25519_SPKI[..], &hex::decode(public)?].concat()),
            P256 | RSA => to_pem(&spki(public)?),
            _ => None,
        }
    }

    /// The signature scheme, for people.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text("/scheme")
    }

    /// What tells two keys apart, whatever their ids: scheme and public part. The latter decoded,
    /// where it can be: hex has two cases, and PEM more than one way to end a line.
    #[must_use]
    pub fn substance(&self) -> (String, Vec<u8>) {
        let text = || self.text("/keyval/public").trim().as_bytes().to_vec();
        let public = self.decoded().map_or_else(text, |(_, public)| public);
        (self.text("/scheme").to_owned(), public)
    }

    /// Whether `signed` is this key's signature of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signed: &[u8]) -> bool {
        self.decoded().is_some_and(|(algorithm, public)| {
            UnparsedPublicKey::new(algorithm, public).verify(message, signed).is_ok()
        })
    }

    /// The algorithm and the public part as it takes it.
    fn decoded(&self) -> Option<(&'static dyn VerificationAlgorithm, Vec<u8>)> {
        let public = self.text("/keyval/public");
        match (self.text("/keytype"), self.text("/scheme")) {
            ("ed25519", "ed25519") => Some((&signature::ED25519, hex::decode(public)?)),
            // Old metadata repeats the scheme as the type.
            ("ecdsa" | P256, P256) => {
                Some((&signature::ECDSA_P256_SHA256_ASN1, p256_point(public)?))
            }
            ("rsa", RSA) => Some((&signature::RSA_PSS_2048_8192_SHA256, rsa_public_key(public)?)),
            _ => None,
        }
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The uncompressed point in a SubjectPublicKeyInfo of P-256 (RFC 5480). All of it before the point is
/// fixed, so it is compared and not parsed.
fn p256_point(pem: &str) -> Option<Vec<u8>> {
    const PREFIX: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let der = spki(pem)?;
    let point = der.strip_prefix(hex::decode(PREFIX)?.as_slice())?;
    (point.len() == 65).then(|| point.to_vec())
}

/// The RSAPublicKey in a SubjectPublicKeyInfo (RFC 8017, appendix A.1).
fn rsa_public_key(pem: &str) -> Option<Vec<u8>> {
    const ALGORITHM: &str = "300d06092a864886f70d0101010500";
    let der = spki(pem)?;
    let inside = der_content(&der, 0x30)?;
    let bits = inside.strip_prefix(hex::decode(ALGORITHM)?.as_slice())?;
    // No unused bits, then the key.
    der_content(bits, 0x03)?.strip_prefix(&[0]).map(<[u8]>::to_vec)
}

fn spki(pem: &str) -> Option<Vec<u8>> {
    let (label, der) = pem_rfc7468::decode_vec(pem.trim().as_bytes()).ok()?;
    (label == "PUBLIC KEY").then_some(der)
}

#[cfg(feature = "publish")]
fn to_pem(der: &[u8]) -> Option<String> {
    use pem_rfc7468::{LineEnding, encode_string};
    encode_string("PUBLIC KEY", LineEnding::LF, der).ok()
}

/// The content of the one DER value of type `tag` that `bytes` are.
fn der_content(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, content) = match first {
        0x82 => {
            let (length, content) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), content)
        }
        0x81 => rest.split_first().map(|(length, content)| (usize::from(*length), content))?,
        short => (usize::from(*short), rest),
    };
    (*found == tag && content.len() == length).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and signatures of "a message" by Python's `cryptography`, one of each type.
    fn vectors() -> Vec<(Key, Vec<u8>)> {
        let text = include_str!("../../tests/vectors/signatures.json");
        let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
        let read = |vector: &Value| {
            let signature = hex::decode(vector["sig"].as_str().unwrap()).unwrap();
            (Key(vector["key"].clone()), signature)
        };
        vectors.iter().map(read).collect()
    }

    #[test]
    fn signatures_of_another_implementation_verify() {
        assert_eq!(vectors().len(), 3);
        for (key, signature) in vectors() {
            assert!(key.verifies(b"a message", &signature), "{key:?}");
            assert!(!key.verifies(b"a massage", &signature), "{key:?}");
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert!(!key.verifies(b"a message", &changed), "{key:?}");
            }
            assert!(!key.verifies(b"a message", b""));
        }
    }

    #[cfg(feature = "publish")]
    #[test]
    fn a_key_is_the_same_after_pem_and_back() {
        for (key, signature) in vectors() {
            let pem = key.to_pem().unwrap();
            assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
            let read = Key::from_pem(&pem).unwrap();
            assert_eq!(read.substance(), key.substance());
            assert!(read.verifies(b"a message", &signature));
        }
        for bad in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "x"] {
            assert_eq!(Key::from_pem(bad), None);
        }
    }

    #[test]
    fn one_key_in_two_spellings_is_one_key() {
        for (key, signature) in vectors() {
            let public = key.text("/keyval/public");
            let spellings = if public.starts_with("-----") {
                [public.replace('\n', "\r\n"), public.trim().to_owned(), format!("\n{public}")]
            } else {
                [public.to_uppercase(), public.to_lowercase(), public.replace('c', "C")]
            };
            for spelling in spellings {
                let mut other = key.clone();
                *other.0.pointer_mut("/keyval/public").unwrap() = spelling.into();
                assert!(other.verifies(b"a message", &signature), "{other:?}");
                assert_eq!(other.substance(), key.substance());
            }
        }
        let substances: std::collections::BTreeSet<_> =
            vectors().iter().map(|(key, _)| key.substance()).collect();
        assert_eq!(substances.len(), 3);
    }

    #[test]
    fn keys_that_make_no_sense_verify_nothing() {
        for (key, signature) in vectors() {
            for (field, value) in [
                ("/keytype", "x"),
                ("/scheme", "x"),
                ("/keyval/public", ""),
                ("/keyval/public", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
                ("/keyval/public", "00"),
            ] {
                let mut strange = key.clone();
                *strange.0.pointer_mut(field).unwrap() = value.into();
                assert!(!strange.verifies(b"a message", &signature), "{field} {value}");
            }
        }
        assert!(!Key(Value::Null).verifies(b"", b""));
    }
}
