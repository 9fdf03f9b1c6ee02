//! Patches to a new release: from the newest releases of its channel, and from the newest of those that
//! ship inside native apps. What is revoked or below the floor is no exception: until it has the next release,
//! a phone runs it as the last resort.
//!
//! Enters: the new release's files, and the repository. Leaves: patches and their blobs. Each old
//! bundle is unpacked from the repository's own blobs, verified as a phone does it. A patch that
//! would not save much against the parts of the pack that its phones would fetch otherwise is left
//! out, as is one from a bundle whose blobs are gone, and one from a sealed bundle to an open one.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use farad::digest::Digest;
use farad::id::AppId;
use farad::patch::make::{Bundle, Draft, in_parallel, make};
use farad::progress::Progress;
use farad::release::pack::patch_blob;
use farad::release::{Blob, File as Listed, Index, Layout, Manifest, Patch};
use farad::seal::{ContentKey, Object, ObjectKey, Sealer};
use farad::store::RealDisk;
use farad::{limits, unpack};
use tempfile::TempDir;

use crate::commands::Workspace;
use crate::edit::{BlobSource, Edit};
use crate::failure::{Failure, Result};
use crate::opening::Opener;
use crate::repository::{ChannelDocuments, Repository, target_file};
use crate::temporary;

/// A patch that costs more than this share of what it saves, in percent, is left out.
const WORTH: u64 = 60;
/// Patches to one release at most: half of what phones take.
pub(crate) const MOST: usize = limits::PATCHES / 2;

/// Where an old bundle is unpacked, below its temporary folder.
const FILES: &str = "files";

/// What patches lead to.
pub(crate) struct Release<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) index: &'a Index,
    pub(crate) layout: &'a Layout,
    pub(crate) sealer: Option<&'a Sealer<'a>>,
    /// Bytes of index and layout as they travel.
    pub(crate) description: u64,
}

/// An old release in the repository.
struct Base {
    version: String,
    index: Blob,
    layout: Blob,
    pack: Blob,
    content: Option<ContentKey>,
}

/// A bundle from the repository, on this disk.
pub(crate) struct Unpacked {
    folder: TempDir,
    pub(crate) index: Index,
    pub(crate) layout: Layout,
}

impl Unpacked {
    /// Unpacks a release that the repository has.
    pub(crate) fn of(workspace: &Workspace, manifest: &Manifest) -> Result<Self> {
        let base = Base::of(manifest, &Opener::new(workspace))?;
        let (repository, app) = (&workspace.repository, &workspace.project.app);
        let described = Described::of(repository, app, &base)?;
        let folder = described.unpacked(repository, app, &base)?;
        Ok(described.in_folder(folder))
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.folder.path().join(FILES)
    }
}

/// The patches to a release.
#[derive(Default)]
pub(crate) struct Patches {
    pub(crate) made: Vec<Patch>,
    /// From which old releases there is none although there should be, and why.
    pub(crate) lacking: Vec<String>,
}

/// Makes patches to `release` from the newest `count` releases and the newest `count` other built-in ones
/// in `documents`, but from none of the `known` bases, and adds their blobs to `edit`. Uses all cores.
pub(crate) fn add(
    workspace: &Workspace,
    documents: &ChannelDocuments,
    release: &Release<'_>,
    (count, known): (usize, &[Digest]),
    edit: &mut Edit,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Patches> {
    let mut lacking = Vec::new();
    let open = release.sealer.is_none();
    let bases = bases(workspace, documents, (count, open), &mut lacking);
    let (repository, app) = (&workspace.repository, &workspace.project.app);
    let mut wanted = Vec::new();
    let mut seen = HashSet::from([release.label(release.index.identity())?]);
    seen.extend(known);
    for base in &bases {
        match Described::of(repository, app, base) {
            Ok(described) => {
                let label = release.label(described.index.identity())?;
                if seen.insert(label) {
                    wanted.push((label, base, described));
                }
            }
            Err(failure) => lacking.push(format!("{}: {}", base.version, failure.message)),
        }
    }
    // Before any of them is unpacked: a bundle may be large, and those that are embedded grow in number.
    wanted.truncate(MOST.saturating_sub(known.len()));
    let unpacked = in_parallel(&wanted, workers(), |(_, base, described)| {
        Ok(described.unpacked(repository, app, base))
    })?;
    let mut old = Vec::new();
    for ((label, base, described), folder) in wanted.into_iter().zip(unpacked) {
        match folder {
            Ok(folder) => old.push((label, described.in_folder(folder))),
            Err(failure) => lacking.push(format!("{}: {}", base.version, failure.message)),
        }
    }
    let read_new = |file: &Listed, from: u64, to: u64| read(release.folder, file, from, to);
    let new = Bundle { index: release.index, read: &read_new };
    let readers: Vec<_> = old
        .iter()
        .map(|(_, bundle)| {
            let folder = bundle.files();
            move |file: &Listed, from: u64, to: u64| read(&folder, file, from, to)
        })
        .collect();
    let pairs: Vec<_> = old.iter().zip(&readers).collect();
    let drafts = in_parallel(&pairs, workers(), |((_, bundle), read)| {
        Draft::new(Bundle { index: &bundle.index, read: *read }, new)
    })?;
    let total = drafts.iter().map(Draft::work).sum();
    let done = AtomicU64::new(0);
    let made = make(&drafts, workers(), &|work| {
        let bytes = done.fetch_add(work, Ordering::Relaxed) + work;
        progress(Progress { bytes, total });
    })?;
    let mut worth = Vec::new();
    for ((base, bundle), patch) in old.iter().zip(made) {
        let (blob, bytes) = patch_blob(patch, release.sealer)?;
        if blob.length * 100 > release.fetched_without(&bundle.index) * WORTH {
            continue;
        }
        edit.blob(blob.sha256, BlobSource::Bytes(bytes));
        worth.push(Patch { base: *base, blob });
    }
    Ok(Patches { made: worth, lacking })
}

impl Release<'_> {
    /// How the manifest names the bundle with this identity.
    fn label(&self, identity: Digest) -> Result<Digest> {
        match self.sealer {
            None => Ok(identity),
            Some(sealer) => Ok(sealer.content().label(&identity)?),
        }
    }

    /// What a phone with `old` fetches without a patch: frames, index, layout.
    fn fetched_without(&self, old: &Index) -> u64 {
        let has: HashSet<Digest> = old.files().iter().map(|file| file.sha256).collect();
        let wanted = |sha256: &Digest| !has.contains(sha256);
        let frames = self.layout.frames().iter();
        let frames = frames.filter(|frame| unpack::holds(frame, self.index, &wanted));
        frames.map(|frame| frame.length).sum::<u64>() + self.description
    }
}

/// The releases that phones may have: the newest of those that are listed, then the newest of those that
/// ship inside native apps. Without the opening key there are none in a sealed channel, which keeps nobody
/// from releasing. To an `open` release sealed ones are no bases: its patches would tell everybody their
/// identities, paths and lengths.
fn bases(
    workspace: &Workspace,
    documents: &ChannelDocuments,
    (count, open): (usize, bool),
    lacking: &mut Vec<String>,
) -> Vec<Base> {
    let opener = Opener::new(workspace);
    let may = |manifest: &Manifest| !open || manifest.seal.is_none();
    let newest = documents.releases.values().rev().filter(|(_, m)| may(m)).take(count);
    let mut manifests: Vec<Manifest> = newest.clone().map(|(_, m)| m.clone()).collect();
    let taken: BTreeSet<Digest> = newest.map(|(digest, _)| *digest).collect();
    let builtins = documents.policy.builtins.iter();
    let mut builtins: Vec<_> = builtins.filter(|b| !taken.contains(&b.manifest)).collect();
    builtins.sort_by_key(|builtin| Reverse(builtin.sequence));
    for builtin in builtins.into_iter().take(count) {
        let path = documents.policy.channel.release_path(builtin.sequence);
        let file = target_file(&path, &builtin.manifest.to_string());
        let read = workspace.repository.read(&file);
        match read.and_then(|bytes| Ok(Manifest::parse_any(&bytes)?)) {
            Ok(manifest) if may(&manifest) => manifests.push(manifest),
            Ok(_) => {}
            Err(failure) => lacking.push(format!("{path}: {}", failure.message)),
        }
    }
    let mut bases = Vec::new();
    for manifest in &manifests {
        match Base::of(manifest, &opener) {
            Ok(base) => bases.push(base),
            Err(failure) => {
                // All of them need the same key.
                lacking.push(format!("{}: {}", manifest.version, failure.message));
                break;
            }
        }
    }
    bases
}

impl Base {
    fn of(manifest: &Manifest, opener: &Opener<'_>) -> Result<Self> {
        Ok(Self {
            version: manifest.version.clone(),
            index: manifest.index.clone(),
            layout: manifest.layout.clone(),
            pack: manifest.pack.clone(),
            content: opener.content(manifest)?,
        })
    }

    fn key(&self, app: &AppId, blob: &Blob, kind: Object) -> Result<Option<ObjectKey>> {
        Ok(blob.key(app, kind, self.content.as_ref())?)
    }
}

/// What a release in the repository says of itself.
struct Described {
    index: Index,
    layout: Layout,
}

impl Described {
    fn of(repository: &Repository, app: &AppId, base: &Base) -> Result<Self> {
        let small = |blob: &Blob, kind: Object| -> Result<Vec<u8>> {
            let bytes = repository.read(&blob.path())?;
            if Digest::of(&bytes) != blob.sha256 {
                return Err(Failure::new("hash-mismatch", format!("{} is damaged", blob.path())));
            }
            Ok(unpack::decode(&bytes, base.key(app, blob, kind)?, blob, kind.as_str())?)
        };
        let index = Index::parse(&small(&base.index, Object::Index)?)?;
        let layout = Layout::parse(&small(&base.layout, Object::Layout)?, &index, &base.pack)?;
        Ok(Self { index, layout })
    }

    /// A folder with its files, unpacked from the repository's blobs.
    fn unpacked(&self, repository: &Repository, app: &AppId, base: &Base) -> Result<TempDir> {
        let place = repository.folder.join(base.pack.path());
        let pack = File::open(&place).map_err(|error| Failure::file("opening", &place, &error))?;
        let folder = temporary::folder()?;
        let disk = RealDisk::scratch(folder.path())
            .map_err(|error| Failure::file("making", folder.path(), &error))?;
        let key = base.key(app, &base.pack, Object::Pack)?;
        let mut pieces = unpack::Stream::new(BufReader::new(pack));
        let (index, layout) = (&self.index, &self.layout);
        unpack::unpack(&mut pieces, key.as_ref(), &|_| true, index, layout, &disk, FILES)?;
        Ok(folder)
    }

    fn in_folder(self, folder: TempDir) -> Unpacked {
        Unpacked { folder, index: self.index, layout: self.layout }
    }
}

fn read(folder: &Path, file: &Listed, from: u64, to: u64) -> farad::Result<Vec<u8>> {
    let path = folder.join(&file.path);
    let read = || {
        let mut reader = File::open(&path)?;
        reader.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        reader.take(to - from).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes: Vec<u8> =
        read().map_err(|error| farad::Error::storage(format!("reading {}", file.path), error))?;
    if bytes.len() as u64 == to - from {
        return Ok(bytes);
    }
    Err(farad::Error::Digest { what: format!("{} (it changed meanwhile)", file.path) })
}

fn workers() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
