//! Looking into a release before it is signed: every blob hashed again, the pack unpacked, its
//! files compared with another release's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use farad::release::{Blob, Index, Info, Layout, Manifest};
use farad::seal::{ContentKey, Object};
use farad::store::RealDisk;
use farad::unpack::{Stream, decode, unpack};

use crate::change::Change;
use crate::edit::BlobSource;
use crate::failure::{Failure, Result};
use crate::opening::Opener;
use crate::pending::check_blob;
use crate::repository::Repository;
use crate::temporary;

/// What a phone shows first.
const INDEX: &str = "index.html";

/// Where the blobs of a release are: in the change that brings it, or in the repository.
pub(crate) struct Contents<'a> {
    pub(crate) change: &'a Change,
    pub(crate) repository: &'a Repository,
    /// Opens sealed releases, if the publisher's opening key is here.
    pub(crate) opener: Opener<'a>,
}

impl Contents<'_> {
    /// Hashes and unpacks a release, and returns its index; nothing for a sealed one whose key is not
    /// here. Its blobs are hashed all the same.
    pub(crate) fn open(&self, manifest: &Manifest) -> Result<Option<Index>> {
        for blob in manifest.blobs() {
            check_blob(blob, &mut *self.read(blob)?)?;
        }
        let Some(index) = self.index(manifest)? else { return Ok(None) };
        let content = self.opener.content_if_here(manifest)?;
        let content = content.as_ref();
        let layout = self.small(manifest, &manifest.layout, Object::Layout, content)?;
        let layout = Layout::parse(&layout, &index, &manifest.pack)?;
        let failed =
            |error: std::io::Error| Failure::new("storage", format!("a temporary folder: {error}"));
        let folder = temporary::folder()?;
        let disk = RealDisk::new(folder.path()).map_err(failed)?;
        let mut pieces = Stream::new(self.read(&manifest.pack)?);
        let key = manifest.pack.key(&manifest.app, Object::Pack, content)?;
        unpack(&mut pieces, key.as_ref(), &|_| true, &index, &layout, &disk, "files")?;
        Ok(Some(index))
    }

    /// The index of a release, unless it is sealed and its key not here.
    pub(crate) fn index(&self, manifest: &Manifest) -> Result<Option<Index>> {
        let content = self.opener.content_if_here(manifest)?;
        if manifest.seal.is_some() && content.is_none() {
            return Ok(None);
        }
        let bytes = self.small(manifest, &manifest.index, Object::Index, content.as_ref())?;
        let index = Index::parse(&bytes)?;
        if manifest.is_of(&index.identity(), content.as_ref())? {
            return Ok(Some(index));
        }
        let message = format!("the files of {} are not those it names", manifest.version);
        Err(Failure::new("hash-mismatch", message))
    }

    /// What a release tells users, unless it is sealed and its key not here.
    pub(crate) fn notes(&self, manifest: &Manifest) -> Result<Option<String>> {
        let content = self.opener.content_if_here(manifest)?;
        let Some(info) = &manifest.info else { return Ok(None) };
        if manifest.seal.is_some() && content.is_none() {
            return Ok(None);
        }
        let bytes = self.small(manifest, info, Object::Info, content.as_ref())?;
        Ok(Info::parse(&bytes)?.notes)
    }

    fn small(
        &self,
        manifest: &Manifest,
        blob: &Blob,
        kind: Object,
        content: Option<&ContentKey>,
    ) -> Result<Vec<u8>> {
        check_blob(blob, &mut *self.read(blob)?)?;
        let mut bytes = Vec::new();
        self.read(blob)?
            .take(blob.length)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::new("storage", format!("{}: {error}", blob.path())))?;
        let key = blob.key(&manifest.app, kind, content)?;
        Ok(decode(&bytes, key, blob, kind.as_str())?)
    }

    fn read(&self, blob: &Blob) -> Result<Box<dyn Read>> {
        let path = match self.change.blobs.get(&blob.sha256) {
            Some(BlobSource::Bytes(bytes)) => {
                return Ok(Box::new(std::io::Cursor::new(bytes.clone())));
            }
            Some(BlobSource::File(path)) => path.clone(),
            None => self.repository.folder.join(blob.path()),
        };
        let file = File::open(&path).map_err(|error| Failure::file("reading", &path, &error))?;
        Ok(Box::new(file))
    }
}

/// How the files of a release differ from those of another.
pub(crate) struct Differences {
    /// How many of each kind, and what is with `index.html`.
    pub(crate) counts: String,
    /// One line each; `index.html`, if it differs, is the first: it decides what else is loaded.
    pub(crate) lines: Vec<String>,
}

/// How the files of `new` differ from those of `old`.
pub(crate) fn differences(old: Option<&Index>, new: &Index) -> Differences {
    let by_path = |index: &Index| -> BTreeMap<String, (u64, farad::digest::Digest)> {
        let files = index.files().iter();
        files.map(|file| (file.path.clone(), (file.length, file.sha256))).collect()
    };
    let (old, new) = (old.map(by_path).unwrap_or_default(), by_path(new));
    let (mut first, mut lines) = (None, Vec::new());
    let (mut added, mut changed) = (0, 0);
    for (path, (length, digest)) in &new {
        let line = match old.get(path) {
            None => {
                added += 1;
                format!("+ {path}  {length} bytes")
            }
            Some((before, same)) if same != digest => {
                changed += 1;
                format!("~ {path}  {before} to {length} bytes")
            }
            Some(_) => continue,
        };
        if path == INDEX { first = Some(line) } else { lines.push(line) }
    }
    let gone: Vec<_> = old.keys().filter(|path| !new.contains_key(*path)).collect();
    let index = if first.is_none() && new.contains_key(INDEX) {
        format!("; {INDEX} is the same")
    } else {
        String::new()
    };
    let counts = format!("{added} added, {changed} changed, {} removed{index}", gone.len());
    lines.extend(gone.into_iter().map(|path| format!("- {path}")));
    lines.splice(0..0, first);
    Differences { counts, lines }
}
