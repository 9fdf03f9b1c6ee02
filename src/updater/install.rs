//! From a verified manifest to a staged bundle: fetch, verify, decode, write.
//!
//! Enters: a manifest that trust verified. Leaves: a complete folder in staging whose every file
//! has the signed digest, or nothing. Files that an installed bundle or the built-in one has are
//! copied instead of fetched; when all are there, the pack is not asked for at all.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fetch::Response;
use crate::limits;
use crate::progress::{Cancel, Progress};
use crate::release::{Blob, BundleName, Index, Layout, Manifest};
use crate::store::Disk;
use crate::unpack::{self, Contents};

use super::Via;
use super::remote::Remote;

/// What fetching a release needs.
pub(crate) struct Install<'a, 'r> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) remote: &'a mut Remote<'r>,
    pub(crate) cancel: &'a Cancel,
    pub(crate) progress: &'a mut dyn FnMut(Progress),
    /// Contents that are on the device already.
    pub(crate) local: &'a [&'a dyn Contents],
    /// Largest bundle that is taken.
    pub(crate) max_bundle: u64,
}

impl Install<'_, '_> {
    /// Fetches the index of a release and holds it against the manifest's identity.
    pub(crate) fn index(&mut self, manifest: &Manifest) -> Result<Index> {
        let index = Index::parse(&self.small(&manifest.index, "index")?)?;
        match manifest.bundle {
            BundleName::Identity(identity) if identity == index.identity() => {}
            _ => return Err(Error::Digest { what: "index".to_owned() }),
        }
        if index.total() > self.max_bundle {
            return Err(Error::TooLarge { what: "the bundle".to_owned(), limit: self.max_bundle });
        }
        if index.file("index.html").is_none() {
            return Err(Error::document("index", "there is no index.html"));
        }
        Ok(index)
    }

    /// Writes all files of the release into `folder`, each synced, and says how they came.
    pub(crate) fn fill(&mut self, manifest: &Manifest, index: &Index, folder: &str) -> Result<Via> {
        let missing = unpack::copy_local(self.disk, folder, index, self.local, self.cancel)?;
        if missing.is_empty() {
            return Ok(Via::Local);
        }
        let layout = self.small(&manifest.layout, "layout")?;
        let layout = Layout::parse(&layout, index, &manifest.pack)?;
        let pack = &manifest.pack;
        let path = pack.path();
        let Response::Found { body, .. } = self.remote.open(&path, None, pack.length)? else {
            return Err(missing_blob("pack"));
        };
        let before = self.remote.bytes;
        let (remote, progress, cancel) = (&mut *self.remote, &mut *self.progress, self.cancel);
        let mut travelled = |bytes: u64| {
            cancel.check()?;
            remote.bytes = before + bytes;
            progress(Progress { bytes, total: pack.length });
            Ok(())
        };
        unpack::unpack(body, index, &layout, self.disk, folder, &mut travelled)
            .map_err(|error| self.cancel.check().err().unwrap_or(error))?;
        Ok(Via::Pack)
    }

    /// Fetches a small blob whole, verifies it as it travelled, then decodes it.
    fn small(&mut self, blob: &Blob, what: &str) -> Result<Vec<u8>> {
        let bytes = self
            .remote
            .whole(&blob.path(), blob.length.min(limits::INDEX))?
            .ok_or_else(|| missing_blob(what))?;
        if bytes.len() as u64 != blob.length || Digest::of(&bytes) != blob.sha256 {
            return Err(Error::Digest { what: what.to_owned() });
        }
        unpack::decode(&bytes, blob, what)
    }
}

/// A blob that signed metadata names and the server lacks: an upload that is not finished, or a
/// prune that went too far.
fn missing_blob(what: &str) -> Error {
    Error::Http { status: 404, file: what.to_owned() }
}
