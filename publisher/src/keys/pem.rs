//! Private keys as files: PKCS#8 (RFC 5958) in PEM, encrypted with a passphrase (PBES2: scrypt and
//! AES-256-CBC, RFC 8018) unless made without one. OpenSSL reads both.

use std::path::Path;

use farad::trust::sign::Ed25519;
use pkcs8::der::pem::LineEnding;
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo, SecretDocument};
use zeroize::Zeroizing;

use super::files::read_private;
use super::random;
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;

/// PKCS#8 version 1 of an Ed25519 seed, up to the seed (RFC 8410, section 7). Version 2 would
/// carry the public key too, which OpenSSL 3.0 refuses.
const ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// scrypt's cost: N = 2^14, r = 8, p = 5 (16 MiB, five times over). OpenSSL refuses 32 MiB and more
/// unless told otherwise.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// A private key as it lies in a file.
pub(crate) enum Sealed {
    /// Anybody who has the file has the key.
    Plain(SecretDocument),
    /// It takes a passphrase.
    Encrypted(SecretDocument),
}

impl Sealed {
    /// Reads a PEM file; nothing if it is no private key.
    pub(crate) fn parse(pem: &str) -> Option<Self> {
        match SecretDocument::from_pem(pem).ok()? {
            (PLAIN, document) => Some(Self::Plain(document)),
            (ENCRYPTED, document) => Some(Self::Encrypted(document)),
            _ => None,
        }
    }

    /// The PKCS#8 document, if `passphrase` opens it. Takes a tenth of a second on purpose.
    pub(crate) fn open(&self, passphrase: &str) -> Option<SecretDocument> {
        match self {
            Self::Plain(document) => Some(document.clone()),
            Self::Encrypted(document) => {
                let info = EncryptedPrivateKeyInfo::try_from(document.as_bytes()).ok()?;
                info.decrypt(passphrase.as_bytes()).ok()
            }
        }
    }
}

/// The PKCS#8 document in the file of the key `name`, opened with the passphrase of its folder
/// `group` if it needs one. Refuses a file that others can read.
pub(crate) fn read(
    path: &Path,
    name: &str,
    group: &str,
    passphrases: &Passphrases,
) -> Result<SecretDocument> {
    let text = read_private(path, name)?;
    let broken =
        || Failure::new("key-invalid", format!("{} is no private key in PEM", path.display()));
    let sealed = Sealed::parse(&text).ok_or_else(broken)?;
    match &sealed {
        Sealed::Plain(document) => Ok(document.clone()),
        Sealed::Encrypted(_) => passphrases.unlock(name, group, |text| sealed.open(text)),
    }
}

/// A new Ed25519 key, as a PKCS#8 document.
pub(crate) fn generate() -> Result<Zeroizing<Vec<u8>>> {
    let mut document = Zeroizing::new(ED25519.to_vec());
    document.extend_from_slice(&*Zeroizing::new(random::<32>()?));
    Ok(document)
}

/// The signer in a PKCS#8 document.
pub(crate) fn signer(document: &[u8]) -> Option<Ed25519> {
    Ed25519::from_pkcs8(document).ok()
}

/// The PEM file of a PKCS#8 document.
pub(crate) fn encode(document: &[u8], passphrase: Option<&str>) -> Result<Zeroizing<String>> {
    let broken = |_| Failure::new("key-invalid", "the key cannot be written");
    let info = PrivateKeyInfo::try_from(document).map_err(broken)?;
    let Some(passphrase) = passphrase else {
        let document = SecretDocument::encode_msg(&info).map_err(|e| broken(e.into()))?;
        return document.to_pem(PLAIN, LineEnding::LF).map_err(|e| broken(e.into()));
    };
    let (salt, iv) = (random::<16>()?, random::<16>()?);
    let (log_n, r, p) = SCRYPT;
    let cost = scrypt::Params::new(log_n, r, p, 32)
        .map_err(|_| Failure::new("key-invalid", "scrypt refuses its parameters"))?;
    let parameters = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv)
        .map_err(|_| Failure::new("key-invalid", "the key cannot be encrypted"))?;
    let encrypted = info.encrypt_with_params(parameters, passphrase.as_bytes()).map_err(broken)?;
    encrypted.to_pem(ENCRYPTED, LineEnding::LF).map_err(|e| broken(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_it_was_after_encryption_and_back() {
        let document = generate().unwrap();
        let pem = encode(&document, Some("correct horse")).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let sealed = Sealed::parse(&pem).unwrap();
        assert_eq!(sealed.open("correct horse").unwrap().as_bytes(), &**document);
        assert!(sealed.open("correct horsf").is_none());
    }
}
