//! Private keys on the publisher's disk.
//!
//! A key is a PKCS#8 document (RFC 5958) in PEM, encrypted with a passphrase (PBES2: scrypt and
//! AES-256-CBC, RFC 8018) unless made without one; OpenSSL reads both. The file is named after its
//! role and lies in one of three folders: `root` (root, recovery, targets), `release`
//! (`<channel>-releases`), `online` (`<channel>-rollout`, snapshot, timestamp). Refuses: a file that
//! others can read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use farad::trust::key::Key;
use farad::trust::sign::{Ed25519, Signer};
use pkcs8::der::pem::LineEnding;
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo, SecretDocument};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;

/// PKCS#8 version 1 of an Ed25519 seed, up to the seed (RFC 8410, section 7). Version 2 would
/// carry the public key too, which OpenSSL 3.0 refuses.
const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// scrypt's cost: N = 2^14, r = 8, p = 5 (16 MiB, five times over). OpenSSL refuses 32 MiB and more
/// unless told otherwise.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// Folders of keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    folder: PathBuf,
    passphrases: Passphrases,
}

/// The folder that a role's key lies in.
fn group(role: &str) -> &'static str {
    match role {
        "root" | "recovery" | "targets" => "root",
        role if role.ends_with("-releases") => "release",
        _ => "online",
    }
}

impl Keys {
    pub(crate) fn new(folder: PathBuf, passphrases: Passphrases) -> Self {
        Self { folder, passphrases }
    }

    /// Where the key of `role` lies.
    pub(crate) fn path(&self, role: &str) -> PathBuf {
        self.folder.join(group(role)).join(format!("{role}.pem"))
    }

    /// Whether the key of `role` lies here.
    pub(crate) fn has(&self, role: &str) -> bool {
        self.path(role).exists()
    }

    /// Makes keys for `roles`, one passphrase a folder, and returns their public parts. No file is
    /// made where one of them exists.
    pub(crate) fn create(&self, roles: &[String], encrypt: bool) -> Result<Vec<Key>> {
        if let Some(role) = roles.iter().find(|role| self.has(role)) {
            let path = self.path(role);
            return Err(Failure::new("exists", format!("{} exists already", path.display())));
        }
        let mut chosen: Vec<(&str, Zeroizing<String>)> = Vec::new();
        if encrypt {
            for group in ["root", "release", "online"] {
                if roles.iter().any(|role| self::group(role) == group) {
                    chosen.push((group, self.passphrases.choose(group)?));
                }
            }
        }
        roles
            .iter()
            .map(|role| {
                let passphrase = chosen.iter().find(|(name, _)| *name == group(role));
                self.create_one(role, passphrase.map(|(_, passphrase)| passphrase.as_str()))
            })
            .collect()
    }

    fn create_one(&self, role: &str, passphrase: Option<&str>) -> Result<Key> {
        let mut document = Zeroizing::new(PREFIX.to_vec());
        document.extend_from_slice(&*Zeroizing::new(random::<32>()?));
        let pem = encode(&document, passphrase)?;
        let path = self.path(role);
        private_folder(path.parent().unwrap_or(&self.folder))?;
        write_private(&path, pem.as_bytes())?;
        Ok(Ed25519::from_pkcs8(&document)?.public().clone())
    }

    /// The key of `role`, opened with a passphrase if it needs one.
    pub(crate) fn open(&self, role: &str) -> Result<Ed25519> {
        let path = self.path(role);
        refuse_shared(&path)?;
        let pem = fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                let place = path.display();
                Failure::new("key-missing", format!("the key of {role} is not here ({place})"))
            } else {
                Failure::file("reading the key", &path, &error)
            }
        })?;
        let broken =
            || Failure::new("key-invalid", format!("{} is no private key", path.display()));
        let (label, document) = SecretDocument::from_pem(&pem).map_err(|_| broken())?;
        let document = match label {
            PLAIN => document,
            ENCRYPTED => {
                let passphrase = self.passphrases.ask(group(role))?;
                EncryptedPrivateKeyInfo::try_from(document.as_bytes())
                    .map_err(|_| broken())?
                    .decrypt(passphrase.as_bytes())
                    .map_err(|_| {
                        let group = group(role);
                        let message = format!("wrong passphrase for the {group} keys; try again");
                        Failure::new("wrong-passphrase", message)
                    })?
            }
            _ => return Err(broken()),
        };
        Ed25519::from_pkcs8(document.as_bytes()).map_err(|_| broken())
    }
}

fn encode(document: &[u8], passphrase: Option<&str>) -> Result<Zeroizing<String>> {
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

pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new("storage", "the system has no randomness to give"))?;
    Ok(bytes)
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .map_err(|error| Failure::file("making", folder, &error))
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Failure::file("making", folder, &error))
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::file("writing", path, &error))
}

#[cfg(unix)]
fn refuse_shared(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("others can read {0}; run: chmod 600 {0}", path.display());
    Err(Failure::new("key-readable", message))
}

#[cfg(not(unix))]
fn refuse_shared(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_it_was_after_encryption_and_back() {
        let document = [&PREFIX[..], &[7; 32]].concat();
        let pem = encode(&document, Some("correct horse")).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let (_, encrypted) = SecretDocument::from_pem(&pem).unwrap();
        let info = EncryptedPrivateKeyInfo::try_from(encrypted.as_bytes()).unwrap();
        assert_eq!(info.decrypt("correct horse").unwrap().as_bytes(), document);
        assert!(info.decrypt("correct horsf").is_err());
    }
}
