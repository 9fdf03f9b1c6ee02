//! From a verified manifest to a staged bundle: fetch, verify, open, decode, write.
//!
//! Enters: a manifest that trust verified, and the key that opens it if it is sealed. Leaves: a complete folder in staging whose every file
//! has the signed digest, or nothing. Files that an installed bundle or the built-in one has are
//! copied instead of fetched; of the pack only the frames that hold something lacking travel.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::limits;
use crate::progress::Progress;
use crate::release::{Blob, Index, Layout, Manifest};
use crate::seal::{ContentKey, Object, ObjectKey};
use crate::store::Disk;
use crate::unpack::{self, Contents};

use super::Via;
use super::pack::PackFetch;
use super::remote::Remote;
use super::spool::Spool;

/// What fetching a release needs.
pub(crate) struct Install<'a, 'r> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) remote: &'a mut Remote<'r>,
    pub(crate) progress: &'a mut dyn FnMut(Progress),
    /// Contents that are on the device already.
    pub(crate) local: &'a [&'a dyn Contents],
    /// Largest bundle that is taken.
    pub(crate) max_bundle: u64,
    /// What opens the release, if it is sealed.
    pub(crate) opening: Option<Opening<'a>>,
}

/// What opens the objects of one sealed release.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) app: &'a AppId,
    pub(crate) content: &'a ContentKey,
}

impl Install<'_, '_> {
    /// Fetches the index of a release and holds it against the manifest's identity.
    pub(crate) fn index(&mut self, manifest: &Manifest) -> Result<Index> {
        let index = Index::parse(&self.small(&manifest.index, Object::Index)?)?;
        let content = self.opening.map(|opening| opening.content);
        if !manifest.is_of(&index.identity(), content)? {
            return Err(Error::Digest { what: "index".to_owned() });
        }
        if index.total() > self.max_bundle {
            return Err(Error::TooLarge { what: "the bundle".to_owned(), limit: self.max_bundle });
        }
        if index.file("index.html").is_none() {
            return Err(Error::document("index", "there is no index.html"));
        }
        Ok(index)
    }

    /// Writes all files of the release into `folder`, each synced, and says how they came. At most
    /// `allowance` bytes of the pack travel.
    pub(crate) fn fill(
        &mut self,
        manifest: &Manifest,
        index: &Index,
        folder: &str,
        allowance: u64,
    ) -> Result<Via> {
        let cancel = self.remote.cancel;
        let missing = unpack::copy_local(self.disk, folder, index, self.local, cancel)?;
        if missing.is_empty() {
            return Ok(Via::Local);
        }
        let layout = self.small(&manifest.layout, Object::Layout)?;
        let layout = Layout::parse(&layout, index, &manifest.pack)?;
        let wanted = |sha256: &Digest| missing.contains(sha256);
        let frames = layout.pieces();
        let frames: Vec<_> =
            frames.filter(|(frame, _)| unpack::holds(frame, index, &wanted)).collect();
        let all = frames.len() == layout.frames().len();
        let pieces: Vec<_> = frames.into_iter().flat_map(|(_, pieces)| pieces).collect();
        let key = self.key(&manifest.pack, Object::Pack)?;
        let spool = Spool::open(self.disk, &manifest.pack.sha256)?;
        let (remote, progress) = (&mut *self.remote, &mut *self.progress);
        let mut fetch = PackFetch::new(remote, spool, &manifest.pack, &pieces, allowance, progress);
        unpack::unpack(&mut fetch, key.as_ref(), &wanted, index, &layout, self.disk, folder)?;
        Ok(if all { Via::Pack } else { Via::Ranges })
    }

    /// The key of an object, in a sealed release.
    fn key(&self, blob: &Blob, kind: Object) -> Result<Option<ObjectKey>> {
        let both = self.opening.zip(blob.salt);
        both.map(|(opening, salt)| opening.content.object(opening.app, kind, &salt)).transpose()
    }

    /// Fetches a small blob whole, verifies it as it travelled, then opens and decodes it.
    fn small(&mut self, blob: &Blob, kind: Object) -> Result<Vec<u8>> {
        let what = kind.as_str();
        let (path, limit) = (blob.path(), blob.length.min(limits::INDEX));
        let mut tries = self.remote.mirrors().max(2);
        loop {
            let bytes = self.remote.whole(&path, limit)?;
            let bytes = bytes.ok_or_else(|| Error::http(404, what));
            let verified = bytes.and_then(|bytes| {
                let right = bytes.len() as u64 == blob.length && Digest::of(&bytes) == blob.sha256;
                if right { Ok(bytes) } else { Err(Error::Digest { what: what.to_owned() }) }
            });
            tries -= 1;
            match verified {
                Ok(bytes) => {
                    let key = self.key(blob, kind)?;
                    return unpack::decode(&bytes, key, blob, what);
                }
                Err(error) if tries == 0 => return Err(error),
                // Once more, from another mirror if there is one.
                Err(_) => self.remote.turn(),
            }
        }
    }
}
