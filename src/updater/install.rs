//! From a verified manifest to a staged bundle: fetch, verify, open, decode, write.
//!
//! Enters: a manifest that trust verified, the key that opens it if it is sealed, and the bundles
//! that the device has. Leaves: a complete folder in staging whose every file has the signed digest,
//! or nothing. The ways are tried from the cheapest: nothing where the same files are here under
//! another release; a patch from a bundle that is here; of the pack the frames that hold something
//! that is nowhere on the device; the pack. A way that fails makes way for the next, and what it
//! brought is used there. A network that fails ends the run: the next one goes on.

use std::io::Read;

use super::Via;
use super::meter::Meter;
use super::pack::{PackFetch, lacking};
use super::remote::Remote;
use super::spool::{Spool, came, folder, is_refused, keep, refuse};
use super::whole;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::{AppId, BundleId};
use crate::limits;
use crate::patch::Plan;
use crate::release::{Blob, Index, Info, Layout, Manifest, Patch, Piece};
use crate::seal::{ContentKey, Object, ObjectKey, Unsealed};
use crate::store::{Disk, Staging, Store};
use crate::unpack::{self, Contents, Folder};

/// The file that a WebView asks for first.
const ENTRY: &str = "index.html";

/// What fetching a release needs.
pub(super) struct Install<'a, 'r, 'm> {
    pub(super) store: &'a Store,
    pub(super) remote: &'a mut Remote<'r>,
    pub(super) meter: Meter<'m>,
    /// Bundles that are on the device already, the built-in one among them.
    pub(super) held: &'a [Held<'a>],
    /// Largest bundle that is taken.
    pub(super) max_bundle: u64,
    /// The app that the release was made for.
    pub(super) app: &'a AppId,
    /// What opens the release, if it is sealed.
    pub(super) content: Option<&'a ContentKey>,
}

/// A bundle on the device.
pub(super) struct Held<'a> {
    identity: Digest,
    index: Index,
    contents: Box<dyn Contents + 'a>,
}

impl<'a> Held<'a> {
    pub(super) fn new(index: Index, contents: Box<dyn Contents + 'a>) -> Self {
        Self { identity: index.identity(), index, contents }
    }
}

/// A bundle that is ready to be committed.
pub(super) struct Brought {
    pub(super) staging: Staging,
    pub(super) index: Index,
    pub(super) via: Via,
    /// Why a cheaper way was left, if one was.
    pub(super) fallback: Option<&'static str>,
}

/// What is left of a patch that did not make everything.
struct Remains {
    staging: Staging,
    /// Folder with what it did make, and the digest and path of each.
    folder: String,
    written: Vec<(Digest, String)>,
}

impl<'a> Install<'a, '_, '_> {
    /// Brings all files of release `id` into staging.
    ///
    /// # Errors
    /// Those of the last way that was tried.
    pub(super) fn bring(&mut self, id: BundleId, manifest: &Manifest) -> Result<Brought> {
        keep(self.disk(), manifest.blobs())?;
        if let Some(held) = self.same(manifest)? {
            return self.by_pack(id, manifest, held.index.clone(), None);
        }
        let mut fallback = None;
        let mut remains = None;
        // Asked before the first byte: a phone without room would fetch it again at every sync.
        let unpacked = manifest.pack.decoded;
        if let Some((base, patch)) = self.patch(manifest)? {
            self.make_room(unpacked, &patch.blob)?;
            match self.by_patch(id, manifest, base, &patch.blob) {
                Ok(Ok(brought)) => return Ok(brought),
                Ok(Err(left)) => {
                    log::info!("a patch could not make everything: the rest comes from the pack");
                    (fallback, remains) = (Some("hash-mismatch"), Some(left));
                }
                // Another way may do better.
                Err(error) if error.blames_file() => {
                    log::warn!("a patch is left alone: {error}");
                    refuse(self.disk(), &patch.blob.sha256);
                    fallback = Some(error.code());
                }
                Err(error) => return Err(error),
            }
        }
        let remains = self.make_room_beside(unpacked, &manifest.pack, remains)?;
        let index = self.index(manifest)?;
        let brought = self.by_pack(id, manifest, index, remains)?;
        Ok(Brought { fallback, ..brought })
    }

    /// Bytes of blobs that [`Install::bring`] would fetch. Where only index and layout tell, they are
    /// fetched if `look` is set, and kept for it; else it is the most that it can be.
    ///
    /// # Errors
    /// As [`Install::bring`].
    pub(super) fn estimate(&mut self, manifest: &Manifest, look: bool) -> Result<u64> {
        keep(self.disk(), manifest.blobs())?;
        let (disk, lists) = (self.disk(), self.lists());
        let left = |blob: &Blob| -> Result<u64> { Ok(blob.length - whole::held(disk, blob)?) };
        if self.same(manifest)?.is_some() {
            return Ok(0);
        }
        if let Some((_, patch)) = self.patch(manifest)? {
            return left(&patch.blob);
        }
        if self.held.is_empty() || !look {
            let pack = Spool::open(disk, &manifest.pack.sha256)?.bytes();
            let pack = manifest.pack.length.saturating_sub(pack);
            return Ok(left(&manifest.index)? + left(&manifest.layout)? + pack);
        }
        let index = self.index(manifest)?;
        let wanted = |sha256: &Digest| !lists(sha256);
        if !index.files().iter().any(|file| file.length > 0 && wanted(&file.sha256)) {
            return Ok(0);
        }
        let layout = self.layout(manifest, &index)?;
        let (pieces, _) = pieces(&layout, &index, &wanted);
        let runs = lacking(&Spool::open(disk, &manifest.pack.sha256)?, &pieces);
        Ok(runs.iter().map(|run| run.to - run.from).sum())
    }

    /// A bundle with the very files of this release.
    fn same(&self, manifest: &Manifest) -> Result<Option<&'a Held<'a>>> {
        for held in self.held {
            if manifest.is_of(&held.identity, self.content)? {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }

    /// The shortest patch from a bundle that is here, if it is worth it.
    fn patch<'p>(&self, manifest: &'p Manifest) -> Result<Option<(&'a Held<'a>, &'p Patch)>> {
        let mut found: Option<(&Held<'_>, &Patch)> = None;
        for held in self.held {
            let label = match self.content {
                Some(content) => content.label(&held.identity)?,
                None => held.identity,
            };
            let patches = manifest.patches.iter().filter(|patch| patch.base == label);
            for patch in patches.filter(|patch| !is_refused(self.disk(), &patch.blob.sha256)) {
                let shortest = found.map_or(manifest.pack.length, |(_, best)| best.blob.length);
                if patch.blob.length < shortest {
                    found = Some((held, patch));
                }
            }
        }
        Ok(found)
    }

    /// The bundle by a patch from `base`; what is left of it where something could not be made.
    fn by_patch(
        &mut self,
        id: BundleId,
        manifest: &Manifest,
        base: &Held<'_>,
        blob: &Blob,
    ) -> Result<Result<Brought, Remains>> {
        let disk = self.disk();
        let path = whole::fetch(disk, blob, "patch", self.remote, &mut self.meter)?;
        let file = disk.open(&path).map_err(|error| Error::storage("opening a patch", error))?;
        let mut patch: Box<dyn Read> = match self.key(blob, Object::Patch)? {
            Some(key) => Box::new(Unsealed::new(file, key, blob.length)?),
            None => file,
        };
        let plan = Plan::read(&mut patch, &base.index)?;
        let outline = plan.outline();
        self.check(outline.as_index())?;
        self.make_room(outline.as_index().total(), blob)?;
        let staging = self.store.stage(id)?;
        let folder = staging.folder();
        let (sources, cancel) = (self.sources(), self.remote.cancel);
        let patched =
            unpack::apply_patch(&plan, &base.index, &mut patch, &sources, (disk, &folder), cancel)?;
        if let Some(index) = patched.index(outline) {
            if manifest.is_of(&index.identity(), self.content)? {
                return Ok(Ok(Brought { staging, index, via: Via::Patch, fallback: None }));
            }
            refuse(disk, &blob.sha256);
        }
        let folder = self.store.set_aside(&staging)?;
        Ok(Err(Remains { staging, folder, written: patched.written(outline).collect() }))
    }

    /// The bundle from what is here and of the pack what is not.
    fn by_pack(
        &mut self,
        id: BundleId,
        manifest: &Manifest,
        index: Index,
        remains: Option<Remains>,
    ) -> Result<Brought> {
        let disk = self.disk();
        let remains = self.make_room_beside(index.total(), &manifest.pack, remains)?;
        let (staged, patched) = match remains {
            None => (None, None),
            Some(Remains { staging, folder, written }) => {
                (Some(staging), Some((folder.clone(), Folder::of(disk, folder, written))))
            }
        };
        let mut sources = self.sources();
        sources.extend(patched.iter().map(|(_, contents)| contents as &dyn Contents));
        let nowhere = |sha256: &Digest| !sources.iter().any(|source| source.lists(sha256));
        let travels = index.files().iter().any(|file| file.length > 0 && nowhere(&file.sha256));
        let fetched = travels.then(|| self.prepare_pack(manifest, &index, &nowhere)).transpose()?;
        let staging = staged.map_or_else(|| self.store.stage(id), Ok)?;
        let folder = staging.folder();
        let mut via = None;
        if let Some(pack) = fetched {
            via = Some(self.unpack_some(manifest, &index, &folder, pack, &nowhere)?);
        }
        // What is here is copied last: the network has done its part then.
        let mut missing = unpack::copy_local(disk, &folder, &index, &sources, self.remote.cancel)?;
        missing.retain(|sha256| !nowhere(sha256));
        if !missing.is_empty() {
            // It turned out to be damaged where it was to be copied from.
            let wanted = |sha256: &Digest| missing.contains(sha256);
            let pack = self.prepare_pack(manifest, &index, &wanted)?;
            let ranges = self.unpack_some(manifest, &index, &folder, pack, &wanted)?;
            via.get_or_insert(ranges);
        }
        let via = via.unwrap_or(if patched.is_some() { Via::Patch } else { Via::Local });
        if let Some((folder, _)) = patched {
            let removing = |error| Error::storage("removing what a patch made", error);
            disk.remove_folder(&folder).map_err(removing)?;
        }
        Ok(Brought { staging, index, via, fallback: None })
    }

    /// Fetches the layout, and opens what came of the pack. Where an earlier run broke off, all that is
    /// wanted is fetched now, before any file is written: a network that breaks off each time must not have
    /// the phone write, and sync, the same files each time.
    fn prepare_pack(
        &mut self,
        manifest: &Manifest,
        index: &Index,
        wanted: &dyn Fn(&Digest) -> bool,
    ) -> Result<(Layout, Spool<'a>)> {
        let layout = self.layout(manifest, index)?;
        let pack = &manifest.pack;
        let mut spool = Spool::open(self.disk(), &pack.sha256)?;
        if spool.bytes() > 0 {
            let (pieces, _) = pieces(&layout, index, wanted);
            let fetch = PackFetch::new(self.remote, spool, pack, &pieces, &mut self.meter);
            spool = fetch.all(&pieces)?;
        }
        Ok((layout, spool))
    }

    /// Writes what is wanted below `folder`, from those frames of the pack that hold it, as their pieces
    /// come.
    fn unpack_some(
        &mut self,
        manifest: &Manifest,
        index: &Index,
        folder: &str,
        (layout, spool): (Layout, Spool<'a>),
        wanted: &dyn Fn(&Digest) -> bool,
    ) -> Result<Via> {
        let (disk, pack) = (self.disk(), &manifest.pack);
        let (pieces, all) = pieces(&layout, index, wanted);
        let key = self.key(pack, Object::Pack)?;
        let mut fetch = PackFetch::new(self.remote, spool, pack, &pieces, &mut self.meter);
        unpack::unpack(&mut fetch, key.as_ref(), wanted, index, &layout, disk, folder)?;
        Ok(if all { Via::Pack } else { Via::Ranges })
    }

    /// The publisher's notes, where there are any: fetched, and kept for the next who asks.
    ///
    /// # Errors
    /// Network and storage errors; a document that is none.
    pub(super) fn notes(&mut self, manifest: &Manifest) -> Result<Option<String>> {
        let Some(info) = &manifest.info else { return Ok(None) };
        self.small(info, Object::Info, Info::parse).map(|info| info.notes)
    }

    /// Fetches the index of a release and holds it against the manifest's identity.
    fn index(&mut self, manifest: &Manifest) -> Result<Index> {
        let index = self.small(&manifest.index, Object::Index, Index::parse)?;
        if !manifest.is_of(&index.identity(), self.content)? {
            return Err(Error::Digest { what: "index".to_owned() });
        }
        self.check(&index)?;
        Ok(index)
    }

    fn layout(&mut self, manifest: &Manifest, index: &Index) -> Result<Layout> {
        let parse = |bytes: &[u8]| Layout::parse(bytes, index, &manifest.pack);
        self.small(&manifest.layout, Object::Layout, parse)
    }

    /// Holds what is to be written against what this app takes.
    fn check(&self, index: &Index) -> Result<()> {
        if index.total() > self.max_bundle {
            return Err(Error::TooLarge { what: "the bundle".to_owned(), limit: self.max_bundle });
        }
        if index.file(ENTRY).is_none() {
            return Err(Error::document("index", format!("there is no {ENTRY}")));
        }
        Ok(())
    }

    /// Fetches a small blob whole, verifies it as it travelled, then opens, decodes and reads it.
    fn small<T>(
        &mut self,
        blob: &Blob,
        kind: Object,
        parse: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let (disk, what) = (self.disk(), kind.as_str());
        let path = whole::fetch(disk, blob, what, self.remote, &mut self.meter)?;
        let reading = |error| Error::storage("reading a download", error);
        let bytes = disk.read(&path, limits::INDEX).map_err(reading)?.unwrap_or_default();
        let key = self.key(blob, kind)?;
        let parsed = unpack::decode(&bytes, key, blob, what).and_then(|bytes| parse(&bytes));
        if parsed.is_err() {
            // Signed, and of no use to anybody.
            disk.remove_folder(&folder(&blob.sha256)).map_err(reading)?;
        }
        parsed
    }

    /// The key of an object, in a sealed release.
    fn key(&self, blob: &Blob, kind: Object) -> Result<Option<ObjectKey>> {
        blob.key(self.app, kind, self.content)
    }

    fn disk(&self) -> &'a dyn Disk {
        &**self.store.disk()
    }

    fn sources(&self) -> Vec<&'a dyn Contents> {
        self.held.iter().map(|held| &*held.contents as &dyn Contents).collect()
    }

    /// Whether a bundle that is here says that it has a content.
    fn lists(&self) -> impl Fn(&Digest) -> bool + use<'a> {
        let held = self.held;
        move |sha256| held.iter().any(|held| held.contents.lists(sha256))
    }

    /// Room for the unpacked bundle, what has not come yet of a blob and a tenth more, tidying up if
    /// need be: what is in staging goes too.
    fn make_room(&self, unpacked: u64, blob: &Blob) -> Result<()> {
        let needed = self.needed(unpacked, blob)?;
        if self.free()? >= needed {
            return Ok(());
        }
        let tidied = self.store.collect();
        if self.free()? >= needed {
            return Ok(());
        }
        tidied?;
        Err(Error::NoSpace { doing: format!("{needed} bytes are needed for the new bundle") })
    }

    /// As [`Install::make_room`]; what a patch made is given up where there is no room beside it.
    fn make_room_beside(
        &self,
        unpacked: u64,
        blob: &Blob,
        remains: Option<Remains>,
    ) -> Result<Option<Remains>> {
        if remains.is_some() && self.free()? >= self.needed(unpacked, blob)? {
            return Ok(remains);
        }
        self.make_room(unpacked, blob).map(|()| None)
    }

    fn needed(&self, unpacked: u64, blob: &Blob) -> Result<u64> {
        let needed = unpacked.saturating_add(blob.length - came(self.disk(), blob)?);
        Ok(needed.saturating_add(needed / 10))
    }

    fn free(&self) -> Result<u64> {
        self.disk().free().map_err(|error| Error::storage("asking for free space", error))
    }
}

/// The pieces of all frames that hold something wanted, and whether these are all frames.
fn pieces(layout: &Layout, index: &Index, wanted: &dyn Fn(&Digest) -> bool) -> (Vec<Piece>, bool) {
    let frames = layout.pieces().filter(|(frame, _)| unpack::holds(frame, index, wanted));
    let pieces: Vec<Vec<Piece>> = frames.map(|(_, pieces)| pieces).collect();
    let all = pieces.len() == layout.frames().len();
    (pieces.concat(), all)
}
