//! Keys on the publisher's disk.
//!
//! A key is two files in one of three folders: `NAME.pem`, the private part (see [`pem`]), and
//! `NAME.pub`, the public one, which may be shown to anybody. Folders: `root` (root, recovery,
//! targets), `release` (`<channel>-releases`), `online` (`<channel>-rollout`, snapshot, timestamp).
//! Which roles a key signs for stands in signed metadata, by its id; names are for people. Refuses:
//! a private part that others can read, or that does not belong to the public one beside it.

mod files;
pub(crate) mod pem;

use std::fs;
use std::path::{Path, PathBuf};

use farad::trust::key::Key;
use farad::trust::sign::{Ed25519, Signer};
use pkcs8::SecretDocument;
use ring::rand::{SecureRandom, SystemRandom};

use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
pub(crate) use files::{private_folder, write_private};

/// The folders of keys, the most precious first.
pub(crate) const GROUPS: [&str; 3] = ["root", "release", "online"];

/// The folder that the keys of a role lie in.
pub(crate) fn group(role: &str) -> &'static str {
    match role {
        "root" | "recovery" | "targets" => "root",
        role if role.ends_with("-releases") => "release",
        _ => "online",
    }
}

/// Keys in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    folder: PathBuf,
    passphrases: Passphrases,
}

/// A key of which at least the public part lies here.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Folder.
    pub(crate) group: &'static str,
    /// Name of the files.
    pub(crate) name: String,
    /// The public part.
    pub(crate) public: Key,
    /// Its id.
    pub(crate) id: String,
    /// Whether the private part lies here too.
    pub(crate) private: bool,
}

impl Keys {
    pub(crate) fn new(folder: PathBuf, passphrases: Passphrases) -> Self {
        Self { folder, passphrases }
    }

    /// Where the private part of a key lies.
    pub(crate) fn path(&self, group: &str, name: &str) -> PathBuf {
        self.folder.join(group).join(format!("{name}.pem"))
    }

    /// Where the public part of a key lies.
    pub(crate) fn public_path(&self, group: &str, name: &str) -> PathBuf {
        self.folder.join(group).join(format!("{name}.pub"))
    }

    /// Every key here, by folder and name.
    pub(crate) fn found(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for group in GROUPS {
            for name in self.names(group, "pub")? {
                let public = read_public(&self.public_path(group, &name))?;
                let (id, private) = (public.id(), self.path(group, &name).exists());
                found.push(Found { group, name, public, id, private });
            }
        }
        Ok(found)
    }

    /// Private parts without a public one beside them, which nothing can be said of before they
    /// are opened.
    pub(crate) fn nameless(&self) -> Result<Vec<PathBuf>> {
        let mut nameless = Vec::new();
        for group in GROUPS {
            for name in self.names(group, "pem")? {
                if !self.public_path(group, &name).exists() {
                    nameless.push(self.path(group, &name));
                }
            }
        }
        Ok(nameless)
    }

    fn names(&self, group: &str, extension: &str) -> Result<Vec<String>> {
        let folder = self.folder.join(group);
        let failed = |error: std::io::Error| Failure::file("reading", &folder, &error);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // A folder that was put away is the usual state.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let (Some(stem), Some(found)) = (stem, path.extension())
                && found == extension
            {
                names.push(stem.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The key that is named after its role.
    pub(crate) fn named(&self, role: &str) -> Result<Found> {
        let found = self.found()?.into_iter().find(|key| key.private && key.name == role);
        found.ok_or_else(|| {
            let place = self.path(group(role), role);
            let message = format!("the key of {role} is not here ({})", place.display());
            Failure::new("key-missing", message)
        })
    }

    /// Whether the key that is named after its role lies here.
    pub(crate) fn has(&self, role: &str) -> bool {
        self.named(role).is_ok()
    }

    /// Refuses a name that files have already.
    pub(crate) fn refuse_taken(&self, group: &str, name: &str) -> Result<()> {
        for path in [self.path(group, name), self.public_path(group, name)] {
            if path.exists() {
                return Err(Failure::new("exists", format!("{} exists already", path.display())));
            }
        }
        Ok(())
    }

    /// Makes a key. `slot` names its passphrase: keys of one slot share one, which is asked for
    /// once; without a slot it is not encrypted.
    pub(crate) fn create(&self, group: &str, name: &str, slot: Option<&str>) -> Result<Key> {
        let document = pem::generate()?;
        let broken = || Failure::new("key-invalid", "the new key cannot be used");
        let public = pem::signer(&document).ok_or_else(broken)?.public().clone();
        self.create_document(group, name, &document, slot)?;
        let shown = public.to_pem().ok_or_else(broken)?;
        write_private(&self.public_path(group, name), shown.as_bytes())?;
        Ok(public)
    }

    /// Writes the private part of a new key, encrypted if `slot` names a passphrase.
    pub(crate) fn create_document(
        &self,
        group: &str,
        name: &str,
        document: &[u8],
        slot: Option<&str>,
    ) -> Result<()> {
        self.refuse_taken(group, name)?;
        let passphrase = slot.map(|slot| self.passphrases.choose(slot, group)).transpose()?;
        let text = pem::encode(document, passphrase.as_ref().map(|text| text.as_str()))?;
        private_folder(&self.folder.join(group))?;
        write_private(&self.path(group, name), text.as_bytes())
    }

    /// The PKCS#8 document of a private part, opened with a passphrase if it needs one.
    pub(crate) fn open_document(&self, group: &str, name: &str) -> Result<SecretDocument> {
        pem::read(&self.path(group, name), name, group, &self.passphrases)
    }

    /// The key, opened with a passphrase if it needs one.
    pub(crate) fn open(&self, key: &Found) -> Result<Ed25519> {
        let path = self.path(key.group, &key.name);
        let document = self.open_document(key.group, &key.name)?;
        let broken = || {
            let path = path.display();
            Failure::new("key-invalid", format!("{path} is no Ed25519 private key"))
        };
        let signer = pem::signer(document.as_bytes()).ok_or_else(broken)?;
        if signer.public().substance() != key.public.substance() {
            let message = format!(
                "{} does not belong to {}.pub beside it; restore both from a backup",
                path.display(),
                key.name
            );
            return Err(Failure::new("key-invalid", message));
        }
        Ok(signer)
    }

    /// Whether a key's private part takes a passphrase.
    pub(crate) fn is_encrypted(&self, key: &Found) -> Result<bool> {
        let text = files::read_private(&self.path(key.group, &key.name), &key.name)?;
        Ok(matches!(pem::Sealed::parse(&text), Some(pem::Sealed::Encrypted(_))))
    }
}

/// The public key in a file.
pub(crate) fn read_public(path: &Path) -> Result<Key> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::file("reading the public key", path, &error))?;
    Key::from_pem(&text).ok_or_else(|| {
        let path = path.display();
        let message = format!(
            "{path} is no public key in PEM that Farad knows (Ed25519, P-256, RSA of 2048 to 8192 bits)"
        );
        Failure::new("key-invalid", message)
    })
}

/// Holds a name for key files against its form.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(letters) && !name.starts_with('-') {
        return Ok(());
    }
    let message = format!("{name:?}: a key's name has 1 to 64 of a-z, 0-9 and -");
    Err(Failure::new("bad-name", message))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new("storage", "the system has no randomness to give"))?;
    Ok(bytes)
}
