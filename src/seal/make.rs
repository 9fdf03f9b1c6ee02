//! Sealing: the publisher's side.
//!
//! Enters: an app, the recipients, plain bytes, randomness. Leaves: a seal for the manifest, and
//! objects that only the recipients open. A content key, a salt and an encapsulated key are drawn
//! anew each time; nothing is ever sealed under a nonce that was used before.

use std::io::{self, Read, Write};

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeS, Serializable};

use super::object::{Object, SEGMENT, Shape};
use super::{ALGORITHM, ContentKey, ObjectKey, Recipient, RecipientKey, Seal, info};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::hex::Hex;
use crate::host::Random;
use crate::id::AppId;

/// Seals the objects of one release, or of one that was opened before.
pub struct Sealer<'a> {
    app: &'a AppId,
    content: ContentKey,
    random: &'a dyn Random,
}

impl<'a> Sealer<'a> {
    /// Begins a release: draws its content key.
    ///
    /// # Errors
    /// [`Error::Storage`] where the system has no randomness.
    pub fn new(app: &'a AppId, random: &'a dyn Random) -> Result<Self> {
        let content = ContentKey::from_bytes(draw(random)?);
        Ok(Self { app, content, random })
    }

    /// Goes on with a release that was opened: for other recipients, or more objects.
    #[must_use]
    pub fn again(app: &'a AppId, content: ContentKey, random: &'a dyn Random) -> Self {
        Self { app, content, random }
    }

    /// The content key, to compare and to open what was sealed.
    #[must_use]
    pub fn content(&self) -> &ContentKey {
        &self.content
    }

    /// The seal for the manifest: the content key wrapped for each of `recipients`.
    ///
    /// # Errors
    /// [`Error::Config`] for a recipient whose key is none; [`Error::Storage`] without randomness.
    pub fn seal(&self, recipients: &[RecipientKey]) -> Result<Seal> {
        let commit = self.content.commit()?;
        let info = info(self.app, &commit);
        let wrapped = recipients.iter().map(|key| self.wrap(key, &info)).collect::<Result<_>>()?;
        Ok(Seal { alg: ALGORITHM.to_owned(), commit, recipients: wrapped })
    }

    fn wrap(&self, key: &RecipientKey, info: &[u8]) -> Result<Recipient> {
        let refused = || Error::Config(format!("{} cannot be sealed for", key.id()));
        let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key.as_bytes());
        let mut drawn = Drawn { random: self.random, dry: false };
        let (enc, wrapped) =
            hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &public.map_err(|_| refused())?,
                info,
                self.content.bytes(),
                &[],
                &mut drawn,
            )
            .map_err(|_| refused())?;
        if drawn.dry {
            return Err(no_randomness());
        }
        let wrapped = wrapped.try_into().map_err(|_| refused())?;
        Ok(Recipient {
            kid: key.id(),
            enc: Hex::new(enc.to_bytes().into()),
            wrapped: Hex::new(wrapped),
        })
    }

    /// A salt for one object, and its key.
    ///
    /// # Errors
    /// [`Error::Storage`] without randomness.
    pub fn object(&self, kind: Object) -> Result<(Digest, ObjectKey)> {
        let salt = Digest::from_bytes(draw(self.random)?);
        let key = self.content.object(self.app, kind, &salt)?;
        Ok((salt, key))
    }

    /// So many bytes that look like sealed ones and stand for nothing.
    ///
    /// # Errors
    /// [`Error::Storage`] without randomness.
    pub fn filler(&self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            bytes.extend_from_slice(&draw(self.random)?);
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Seals `length` bytes that `content` reads as one object, segment by segment, into `out`.
    /// Returns the object's salt.
    ///
    /// # Errors
    /// [`Error::Storage`] where reading or writing fails, or `content` is shorter.
    pub fn stream(
        &self,
        kind: Object,
        content: &mut dyn Read,
        length: u64,
        out: &mut dyn Write,
    ) -> Result<Digest> {
        let failed = |error| Error::storage("sealing", error);
        let shape = Shape::holding(length).ok_or(Error::Seal)?;
        let (salt, key) = self.object(kind)?;
        let prefix = length.to_be_bytes();
        let mut padded = prefix.chain(content.take(length)).chain(io::repeat(0)).take(shape.padded);
        for number in 0..shape.segments {
            let mut segment = Vec::new();
            padded.by_ref().take(SEGMENT).read_to_end(&mut segment).map_err(failed)?;
            key.seal(number, shape.is_last(number), &mut segment)?;
            out.write_all(&segment).map_err(failed)?;
        }
        Ok(salt)
    }
}

fn draw(random: &dyn Random) -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    for half in bytes.chunks_mut(16) {
        half.copy_from_slice(&random.bytes().ok_or_else(no_randomness)?);
    }
    Ok(bytes)
}

fn no_randomness() -> Error {
    Error::storage("drawing a key", io::Error::other("the system has no randomness to give"))
}

/// Our randomness as HPKE's crate wants it, which knows no failure: so it is noted here, and nothing
/// that was made from it leaves.
struct Drawn<'a> {
    random: &'a dyn Random,
    dry: bool,
}

impl TryRng for Drawn<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(16) {
            let bytes = self.random.bytes();
            self.dry |= bytes.is_none();
            chunk.iter_mut().zip(bytes.unwrap_or_default()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}
