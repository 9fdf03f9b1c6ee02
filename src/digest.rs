//! SHA-256 digests: what every byte from outside is held against.
//!
//! Enters: bytes. Leaves: a [`Digest`], shown as 64 lower-case hex digits, or a [`Truncated`] one.
//! Refuses: any other text.

use std::fmt;
use std::str::FromStr;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; Digest::LEN]);

impl Digest {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// The digest that these raw bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl From<[u8; Digest::LEN]> for Digest {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest in lower-case hex")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    /// One spelling only: a second one would give one bundle two folder names.
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(NotADigest);
        }
        let bytes = crate::hex::decode(text).ok_or(NotADigest)?;
        Ok(Self(bytes.try_into().map_err(|_| NotADigest)?))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A SHA-256 digest cut to its first 128 bits (NIST SP 800-107, section 5.1). It resists a second
/// preimage, not somebody who chooses both of two contents that collide: only for what is held
/// against a whole digest as well before it is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Truncated([u8; Truncated::LEN]);

impl Truncated {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// The truncated digest that these raw bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The truncated digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let Digest(whole) = Digest::of(bytes);
        let (first, _) = whole.split_at(Self::LEN);
        let mut truncated = [0; Self::LEN];
        truncated.copy_from_slice(first);
        Self(truncated)
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// SHA-256 over bytes that arrive piece by piece.
#[derive(Clone)]
pub struct Hasher(ring::digest::Context);

impl Hasher {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds `text` behind its length in bytes (u32, big-endian), so that no two lists of texts
    /// hash alike.
    pub fn update_framed(&mut self, text: &str) {
        // Every text hashed this way has a limit far below 4 GiB.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.update(&length.to_be_bytes());
        self.update(text.as_bytes());
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(self) -> Digest {
        let mut bytes = [0; Digest::LEN];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Digest(bytes)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_and_reads_lower_case_hex() {
        // FIPS 180-2, appendix B.1.
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), text);
        assert_eq!(text.parse(), Ok(Digest::of(b"abc")));
    }

    #[test]
    fn a_truncated_digest_is_the_beginning_of_the_whole_one() {
        let whole = Digest::of(b"abc");
        assert_eq!(Truncated::of(b"abc").as_bytes()[..], whole.as_bytes()[..16]);
        assert_ne!(Truncated::of(b"abc"), Truncated::of(b"abd"));
    }

    #[test]
    fn refuses_other_spellings() {
        let text = Digest::of(b"abc").to_string();
        assert!(text.to_uppercase().parse::<Digest>().is_err());
        assert!(text[1..].parse::<Digest>().is_err());
        assert!(format!("{text}00").parse::<Digest>().is_err());
        assert!(format!("{}zz", &text[2..]).parse::<Digest>().is_err());
    }

    #[test]
    fn framed_texts_keep_their_borders() {
        let digest = |texts: &[&str]| {
            let mut hasher = Hasher::new();
            texts.iter().for_each(|text| hasher.update_framed(text));
            hasher.finish()
        };
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }
}
