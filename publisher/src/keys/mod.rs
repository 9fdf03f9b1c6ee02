//! Keys on the publisher's disk.
//!
//! A key is two files in one of three folders: `NAME.pem`, the private part (see [`pem`]), and
//! `NAME.pub`, the public one, which may be shown to anybody. Folders: `root` (root, recovery,
//! targets), `release` (`<channel>-releases`), `online` (`<channel>-rollout`, snapshot, timestamp).
//! Which roles a key signs for stands in signed metadata, by its id; names are for people. Refuses:
//! a private part that others can read, or that does not belong to the public one beside it.

mod anchor;
mod files;
pub(crate) mod pem;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use farad::trust::key::Key;
use farad::trust::sign::{Ed25519, Signer};
use pkcs8::SecretDocument;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::roles::May;
pub(crate) use files::{private_folder, refuse_shared, write_private};

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

/// Reads the name of a folder of keys.
pub(crate) fn parse_group(text: &str) -> Result<&'static str, String> {
    let found = GROUPS.into_iter().find(|group| *group == text);
    found.ok_or_else(|| format!("it is one of {}", GROUPS.join(", ")))
}

/// Keys in a folder.
pub(crate) struct Keys {
    folder: PathBuf,
    passphrases: Passphrases,
    /// Made, and not yet written.
    fresh: RefCell<Vec<Fresh>>,
    /// Opened already, by id.
    opened: RefCell<Vec<(String, SecretDocument)>>,
}

struct Fresh {
    found: Found,
    document: Zeroizing<Vec<u8>>,
    text: Zeroizing<String>,
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

impl Found {
    /// Whether its private part is here and it is what the role means: the key, and not an id alone.
    pub(crate) fn signs_for(&self, may: May<'_>) -> bool {
        let named = may.role.keyids.contains(&self.id);
        let key = may.keys.get(&self.id).filter(|_| named && self.private);
        key.is_some_and(|key| key.substance() == self.public.substance())
    }
}

impl Keys {
    pub(crate) fn new(folder: PathBuf, passphrases: Passphrases) -> Self {
        Self { folder, passphrases, fresh: RefCell::default(), opened: RefCell::default() }
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
        found.extend(self.fresh.borrow().iter().map(|fresh| fresh.found.clone()));
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

    /// The keys of a role whose private part is here.
    pub(crate) fn holding(&self, may: May<'_>) -> Result<Vec<Found>> {
        let mut found = self.found()?;
        found.retain(|key| key.signs_for(may));
        Ok(found)
    }

    /// Refuses a name that files have already.
    pub(crate) fn refuse_taken(&self, group: &str, name: &str) -> Result<()> {
        let fresh = self.fresh.borrow();
        let mut fresh = fresh.iter().map(|fresh| (fresh.found.group, fresh.found.name.as_str()));
        let made = fresh.any(|taken| taken == (group, name));
        for path in [self.path(group, name), self.public_path(group, name)] {
            if made || path.exists() {
                return Err(Failure::new("exists", format!("{} exists already", path.display())));
            }
        }
        Ok(())
    }

    /// A name of the form `NAME`, `NAME-2`, `NAME-3` that no files have.
    pub(crate) fn free_name(&self, group: &str, name: &str) -> String {
        let candidates = std::iter::once(name.to_owned());
        let mut candidates = candidates.chain((2..).map(|n| format!("{name}-{n}")));
        let free = candidates.find(|name| self.refuse_taken(group, name).is_ok());
        free.unwrap_or_else(|| name.to_owned())
    }

    /// Makes a key, in memory until [`Keys::store`]. `slot` names its passphrase: keys of one slot
    /// share one, which is asked for once; without a slot it is not encrypted.
    pub(crate) fn make(
        &self,
        group: &'static str,
        name: &str,
        slot: Option<&str>,
    ) -> Result<Found> {
        self.refuse_taken(group, name)?;
        let passphrase = slot.map(|slot| self.passphrases.choose(slot, group)).transpose()?;
        let document = pem::generate()?;
        let broken = || Failure::new("key-invalid", "the new key cannot be used");
        let public = pem::signer(&document).ok_or_else(broken)?.public().clone();
        let text = pem::encode(&document, passphrase.as_ref().map(|text| text.as_str()))?;
        let (id, name) = (public.id(), name.to_owned());
        let found = Found { group, name, public, id, private: true };
        self.fresh.borrow_mut().push(Fresh { found: found.clone(), document, text });
        Ok(found)
    }

    /// Writes the keys that were made.
    pub(crate) fn store(&self) -> Result<()> {
        for Fresh { found, text, .. } in self.fresh.take() {
            let (group, name) = (found.group, &found.name);
            let unknown = || Failure::new("key-invalid", "the new key cannot be shown");
            let public = found.public.to_pem().ok_or_else(unknown)?;
            private_folder(&self.folder.join(group))?;
            write_private(&self.path(group, name), text.as_bytes())?;
            files::write_public(&self.public_path(group, name), public.as_bytes())?;
        }
        Ok(())
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
        let text = self.encode(group, document, slot)?;
        private_folder(&self.folder.join(group))?;
        write_private(&self.path(group, name), text.as_bytes())
    }

    /// Writes the private part of a new key in the place of another, which stays under the name
    /// `earlier`. At no moment is there none, and whatever can be refused is before anything changes.
    pub(crate) fn renew_document(
        &self,
        group: &str,
        (name, earlier): (&str, &str),
        document: &[u8],
        slot: Option<&str>,
    ) -> Result<()> {
        self.refuse_taken(group, earlier)?;
        let before = files::read_private(&self.path(group, name), name)?;
        let text = self.encode(group, document, slot)?;
        write_private(&self.path(group, earlier), before.as_bytes())?;
        files::replace_private(&self.path(group, name), text.as_bytes())
    }

    /// The file of a new private part, encrypted if `slot` names a passphrase.
    fn encode(
        &self,
        group: &str,
        document: &[u8],
        slot: Option<&str>,
    ) -> Result<Zeroizing<String>> {
        let passphrase = slot.map(|slot| self.passphrases.choose(slot, group)).transpose()?;
        pem::encode(document, passphrase.as_ref().map(|text| text.as_str()))
    }

    /// The PKCS#8 document of a private part, opened with a passphrase if it needs one.
    pub(crate) fn open_document(&self, group: &str, name: &str) -> Result<SecretDocument> {
        pem::read(&self.path(group, name), name, group, &self.passphrases)
    }

    /// The key, opened with a passphrase if it needs one.
    pub(crate) fn open(&self, key: &Found) -> Result<Ed25519> {
        let path = self.path(key.group, &key.name);
        if let Some(fresh) = self.fresh.borrow().iter().find(|fresh| fresh.found.id == key.id) {
            let broken = || Failure::new("key-invalid", "the new key cannot be used");
            return pem::signer(&fresh.document).ok_or_else(broken);
        }
        // A passphrase is stretched for long on purpose; once in a command is enough.
        let opened = self.opened.borrow().iter().find(|(id, _)| *id == key.id).cloned();
        let document = match opened {
            Some((_, document)) => document,
            None => self.open_document(key.group, &key.name)?,
        };
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
        self.opened.borrow_mut().push((key.id.clone(), document));
        Ok(signer)
    }

    /// Whether a key's private part takes a passphrase.
    pub(crate) fn is_encrypted(&self, group: &str, name: &str) -> Result<bool> {
        let text = files::read_private(&self.path(group, name), name)?;
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
