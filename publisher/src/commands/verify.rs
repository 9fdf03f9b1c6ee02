//! `farad verify`: reads a repository as a phone would, and re-hashes everything it names.
//!
//! Enters: a folder or a URL, and the trust anchor. Leaves: what was read, and which channels have
//! expired: their phones take nothing new, and those of others do, so that this alone fails nothing.
//! Refuses: whatever a phone would; a folder with what an upload must not take along.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use farad::digest::Hasher;
use farad::error::Result as CoreResult;
use farad::fetch::{Http, HttpOptions, Request, Response, Transport, read_all};
use farad::id::{AppId, Channel};
use farad::progress::Cancel;
use farad::release::{Blob, Index, Layout, Manifest, unsupported};
use farad::rollout::{Policy, Rollout};
use farad::seal::{ContentKey, Object, OpeningKey};
use farad::time::UnixTime;
use farad::trust::key::Key;
use farad::trust::metadata::Targets;
use farad::trust::{Order, Session, Setting, Source, TimestampAnswer, with_session};
use farad::unpack::{Pieces, Stream};
use farad::{json, limits, unpack};
use serde_json::json;

use super::{Report, count};
use crate::clock;
use crate::commit;
use crate::failure::{Failure, Result};
use crate::foreign::{refuse_foreign, refuse_later_roots};
use crate::opening;
use crate::passphrase::Passphrases;
use crate::plain::one_line;
use crate::project::{Project, ROOT_FILE};
use crate::repository::{MemoryKeep, Repository, any_time, listed_sequences};
use crate::roles::channels;

/// Arguments of `farad verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The repository: a folder or a URL
    place: String,
    /// The trust anchor; farad-root.json beside farad.toml by default
    #[arg(long)]
    root: Option<PathBuf>,
    /// A file with an opening key, to look into sealed releases; may be given several times
    #[arg(long = "recipient-key", value_name = "FILE")]
    recipient_keys: Vec<PathBuf>,
}

pub(crate) fn run(args: &Verify, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let base = config.parent().unwrap_or(Path::new(""));
    let path = args.root.clone().unwrap_or_else(|| base.join(ROOT_FILE));
    let root = fs::read(&path)
        .map_err(|error| Failure::file("reading the trust anchor", &path, &error))?;
    // Without the project, the first document says which app it is for.
    let app = Project::load(config).ok().map(|project| project.app);
    let transport: Box<dyn Transport> = if args.place.contains("://") {
        Box::new(Http::new(&args.place, &HttpOptions::default())?)
    } else {
        let folder = FolderTransport::open(&args.place)?;
        refuse_unfinished(&args.place)?;
        refuse_foreign(Path::new(&args.place))?;
        Box::new(folder)
    };
    let keys = args.recipient_keys.iter().map(|path| opening::read(path, passphrases));
    let keys: Vec<OpeningKey> = keys.collect::<Result<_>>()?;
    let walked = walk(&root, app.as_ref(), &keys, &*transport)?;
    if !args.place.contains("://") {
        refuse_later_roots(Path::new(&args.place), walked.root)?;
    }
    let unread = match walked.sealed {
        0 => String::new(),
        sealed => format!(" Not opened: {} (--recipient-key).", count(sealed, "sealed release")),
    };
    let mut text = format!(
        "Good: {}, {}, {}, {} bytes, all as signed.{unread}",
        count(walked.channels, "channel"),
        count(walked.releases, "release"),
        count(walked.files, "file"),
        walked.bytes
    );
    for (role, channel) in &walked.expired {
        let _ = write!(
            text,
            "\nExpired: {role}. Phones on {channel} take nothing new until it is signed anew (farad refresh {role})."
        );
    }
    let expired: Vec<_> = walked.expired.iter().map(|(role, _)| role).collect();
    let json = json!({
        "channels": walked.channels, "releases": walked.releases, "expired": expired,
        "files": walked.files, "bytes": walked.bytes, "unopened": walked.sealed,
    });
    Ok(Report::new(text, json))
}

#[derive(Default)]
struct Walked {
    /// Version of the newest root.
    root: u64,
    channels: usize,
    releases: usize,
    /// Sealed releases that no key here opens.
    sealed: usize,
    /// Channels' roles that no phone takes any more.
    expired: Vec<(String, Channel)>,
    /// Paths of the blobs that were read.
    blobs: BTreeSet<String>,
    files: usize,
    bytes: u64,
}

fn walk(
    root: &[u8],
    app: Option<&AppId>,
    keys: &Vec<OpeningKey>,
    transport: &dyn Transport,
) -> Result<Walked> {
    let seed = BTreeMap::new();
    let setting = Setting {
        root,
        now: clock::now(),
        built: UnixTime::from_seconds(0),
        order: Order::Strict,
        seed: &seed,
    };
    check_anchor(root, transport)?;
    // What every phone needs, now; then channels, each of which may have expired alone.
    let mut remote = Remote { transport, files: 0, bytes: 0 };
    with_session(&setting, &mut MemoryKeep::default(), &mut remote, |session| {
        session.role_metadata("targets").map(|_| ())
    })?;
    let (mut walked, mut remote) = (Walked::default(), Remote { transport, files: 0, bytes: 0 });
    let any_time = Setting { now: any_time(), ..setting };
    with_session(&any_time, &mut MemoryKeep::default(), &mut remote, |session| {
        walk_channels(session, (app, setting.now), keys, transport, &mut walked)
    })?;
    walked.files += remote.files;
    walked.bytes += remote.bytes;
    check_chain(&setting, transport)?;
    Ok(walked)
}

/// The published copy of the shipped root must be the same file.
fn check_anchor(root: &[u8], transport: &dyn Transport) -> Result<()> {
    let file = json::parse(root).ok();
    let version = file.as_ref().and_then(|file| file.pointer("/signed/version")?.as_u64());
    let Some(version) = version else { return Ok(()) };
    if published_root(version, transport)? == root {
        return Ok(());
    }
    let message = format!("metadata/{version}.root.json is not the root that apps ship with");
    Err(Failure::new("hash-mismatch", message))
}

/// The chain of roots must hold from the first one on: phones with older apps follow it.
fn check_chain(setting: &Setting<'_>, transport: &dyn Transport) -> Result<()> {
    let first = published_root(1, transport)?;
    let setting = Setting { root: &first, ..*setting };
    let mut remote = Remote { transport, files: 0, bytes: 0 };
    let walked = with_session(&setting, &mut MemoryKeep::default(), &mut remote, |_| Ok(()));
    walked.map_err(|error| {
        let failure = Failure::from(error);
        let message = format!("as the oldest apps read it, from root 1 on: {}", failure.message);
        Failure { message, ..failure }
    })
}

/// A root as it is published. What is read here is not counted: the walk reads it again.
fn published_root(version: u64, transport: &dyn Transport) -> Result<Vec<u8>> {
    let name = format!("{version}.root.json");
    let mut remote = Remote { transport, files: 0, bytes: 0 };
    remote.metadata(&name, limits::ROOT)?.ok_or_else(|| {
        let message = format!("metadata/{name} is missing: apps that ship it get no updates");
        Failure::new("hash-mismatch", message)
    })
}

/// What a command that died left behind must not be uploaded: another file will have its name, and no
/// upload replaces what is there. Folders that are a repository's working copy have a lock; whoever
/// holds it is in the middle of something.
fn refuse_unfinished(place: &str) -> Result<()> {
    let repository = Repository { folder: PathBuf::from(place) };
    let left = || commit::left_behind(&repository);
    let _lock = match left() {
        Ok(None) => None,
        // Of two commands in turn, both may be seen.
        _ if repository.has(commit::LOCK) => Some(commit::lock(&repository)?),
        _ => None,
    };
    left()?.map_or(Ok(()), |name| {
        let message = format!(
            "metadata/{name} was left behind by a command that died; run farad refresh, which finishes or removes it, before you upload; if the folder was copied or merged since, fetch the newest timestamp.json first"
        );
        Err(Failure::new("unfinished", message))
    })
}

fn walk_channels(
    session: &mut Session<'_>,
    (app, now): (Option<&AppId>, UnixTime),
    keys: &Vec<OpeningKey>,
    transport: &dyn Transport,
    walked: &mut Walked,
) -> CoreResult<()> {
    let targets: Targets = session.role_metadata("targets")?;
    walked.root = session.root().common.version;
    own_ids("root", &session.root().keys)?;
    own_ids("targets", &targets.delegations.clone().unwrap_or_default().keys)?;
    for channel in channels(&targets) {
        walked.channels += 1;
        let policy = session.target(&channel.policy_path(), limits::ROLE)?;
        let named: Named =
            json::parse_as(&policy).map_err(|error| farad::Error::document("policy", error))?;
        let app = app.unwrap_or(&named.app);
        let policy = Policy::parse(&policy, app, &channel)?;
        let rollout = session.target(&channel.rollout_path(), limits::ROLE)?;
        let rollout = Rollout::parse(&rollout, app, &channel)?;
        known("policy", &policy.requires)?;
        known("rollout", &rollout.requires)?;
        for builtin in policy.builtins {
            for blob in [builtin.index, builtin.layout, builtin.pack] {
                hash_blob(&blob, transport, walked)?;
            }
        }
        for role in [channel.releases_role(), channel.rollout_role()] {
            let signed: Targets = session.role_metadata(&role)?;
            if signed.common.expires <= now {
                walked.expired.push((role, channel.clone()));
            }
        }
        let releases: Targets = session.role_metadata(&channel.releases_role())?;
        for sequence in listed_sequences(&releases, &channel) {
            let bytes = session.target(&channel.release_path(sequence), limits::MANIFEST)?;
            let manifest = Manifest::parse(&bytes, app, &channel, sequence)?;
            // What is damaged is said to be so, before it is read for what it means.
            for blob in manifest.blobs() {
                hash_blob(blob, transport, walked)?;
            }
            let content = manifest.seal.as_ref().map(|seal| seal.open(app, keys)).transpose()?;
            match content {
                Some(None) => walked.sealed += 1,
                content => check_fit(&manifest, content.flatten().as_ref(), transport)?,
            }
            walked.releases += 1;
        }
    }
    Ok(())
}

/// Phones take keys for what they are; people know them by their ids.
fn own_ids(role: &str, keys: &BTreeMap<String, Key>) -> CoreResult<()> {
    match keys.iter().find(|(id, key)| key.id() != **id) {
        None => Ok(()),
        Some((id, key)) => {
            let detail = format!("another key, {}, stands under the id {}", key.id(), one_line(id));
            Err(farad::Error::document(role, detail))
        }
    }
}

/// A phone takes nothing under a document of which it does not know all that it requires.
fn known(what: &str, requires: &[String]) -> CoreResult<()> {
    unsupported(requires).map_or(Ok(()), |feature| {
        let detail = format!("requires {}, which this version does not know", one_line(feature));
        Err(farad::Error::document(what, detail))
    })
}

/// The app that a document names.
#[derive(serde::Deserialize)]
struct Named {
    app: AppId,
}

/// Index, layout and pack must describe each other, as a phone will find only after the download.
fn check_fit(
    manifest: &Manifest,
    content: Option<&ContentKey>,
    transport: &dyn Transport,
) -> CoreResult<()> {
    let small = |blob: &Blob, kind: Object| {
        let bytes = read_all(open(blob, transport)?, &blob.path(), blob.length)?;
        if farad::digest::Digest::of(&bytes) != blob.sha256 {
            return Err(farad::Error::Digest { what: blob.path() });
        }
        unpack::decode(&bytes, blob.key(&manifest.app, kind, content)?, blob, kind.as_str())
    };
    let index = Index::parse(&small(&manifest.index, Object::Index)?)?;
    if !manifest.is_of(&index.identity(), content)? {
        return Err(farad::Error::Digest { what: manifest.index.path() });
    }
    let layout = small(&manifest.layout, Object::Layout)?;
    let layout = Layout::parse(&layout, &index, &manifest.pack)?;
    if let Some(info) = &manifest.info {
        small(info, Object::Info)?;
    }
    // Every piece has its digest and opens: the pack's own digest says neither.
    let key = manifest.pack.key(&manifest.app, Object::Pack, content)?;
    let mut pieces = Stream::new(open(&manifest.pack, transport)?);
    for piece in layout.pieces().flat_map(|(_, pieces)| pieces) {
        pieces.piece(&piece)?.open(key.as_ref())?;
    }
    Ok(())
}

/// The bytes of a blob as they come, not verified.
fn open(blob: &Blob, transport: &dyn Transport) -> CoreResult<Box<dyn Read + Send>> {
    let path = blob.path();
    match transport.get(&Request::whole(&path, blob.length), &Cancel::default())? {
        Response::Found { body, .. } => Ok(body),
        _ => Err(farad::Error::Http { status: 404, retry_after: None, file: path }),
    }
}

/// Reads a blob and holds it against its digest, once.
fn hash_blob(blob: &Blob, transport: &dyn Transport, walked: &mut Walked) -> CoreResult<()> {
    let path = blob.path();
    if !walked.blobs.insert(path.clone()) {
        return Ok(());
    }
    let request = Request::whole(&path, blob.length);
    let Response::Found { mut body, .. } = transport.get(&request, &Cancel::default())? else {
        return Err(farad::Error::Digest { what: format!("{path} (not there)") });
    };
    let (mut hasher, mut buffer, mut length) = (Hasher::new(), vec![0; 64 << 10], 0);
    loop {
        let count = body
            .read(&mut buffer)
            .map_err(|error| farad::Error::Network(format!("{path}: {error}")))?;
        if count == 0 {
            break;
        }
        length += count as u64;
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
    walked.files += 1;
    walked.bytes += length;
    if length == blob.length && hasher.finish() == blob.sha256 {
        return Ok(());
    }
    Err(farad::Error::Digest { what: path })
}

/// A repository behind a transport; counts what was read.
struct Remote<'a> {
    transport: &'a dyn Transport,
    files: usize,
    bytes: u64,
}

impl Remote<'_> {
    fn whole(&mut self, path: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        match self.transport.get(&Request::whole(path, limit), &Cancel::default())? {
            Response::Found { body, .. } => {
                let bytes = read_all(body, path, limit)?;
                self.files += 1;
                self.bytes += bytes.len() as u64;
                Ok(Some(bytes))
            }
            _ => Ok(None),
        }
    }
}

impl Source for Remote<'_> {
    fn metadata(&mut self, file: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        self.whole(&format!("metadata/{file}"), limit)
    }

    fn timestamp(&mut self, _: Option<&str>, limit: u64) -> CoreResult<TimestampAnswer> {
        Ok(match self.whole("metadata/timestamp.json", limit)? {
            Some(bytes) => TimestampAnswer::Found { etag: None, date: None, bytes },
            None => TimestampAnswer::Missing,
        })
    }

    fn target(&mut self, path: &str, limit: u64) -> CoreResult<Option<Vec<u8>>> {
        self.whole(&format!("targets/{path}"), limit)
    }
}

/// A repository in a folder, read as if it came from a server.
struct FolderTransport(PathBuf);

impl FolderTransport {
    fn open(place: &str) -> Result<Self> {
        let folder = PathBuf::from(place);
        if folder.join("metadata").is_dir() {
            return Ok(Self(folder));
        }
        let message = format!("{place} is no repository; it has no folder metadata");
        Err(Failure::new("no-repository", message))
    }
}

impl Transport for FolderTransport {
    fn get(&self, request: &Request<'_>, _: &Cancel) -> CoreResult<Response> {
        match fs::File::open(self.0.join(request.path)) {
            Ok(file) => {
                let body = Box::new(file.take(request.limit.saturating_add(1)));
                Ok(Response::Found { etag: None, date: None, from: 0, body })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Response::Missing),
            Err(error) => Err(farad::Error::storage(request.path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farad::digest::Digest;
    use farad::host::System;
    use farad::native::NativeRange;
    use farad::release::pack::{index_folder, small_blob, write_pack};
    use farad::release::{BundleName, SCHEMA};
    use farad::seal::Sealer;

    /// A release whose signers altered its pack after the layout was made, in a folder of its own.
    fn altered(sealed: bool, alter: fn(&mut Vec<u8>)) -> CoreResult<()> {
        let (web, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(web.path().join("index.html"), "<title>shop</title>".repeat(20)).unwrap();
        let app: AppId = "com.example.shop".parse().unwrap();
        let sealer = sealed.then(|| Sealer::new(&app, &System).unwrap());
        let sealer = sealer.as_ref();
        let index = index_folder(web.path()).unwrap();
        let mut packed = Vec::new();
        let (layout, mut pack) = write_pack(web.path(), &index, sealer, &mut packed)?;
        alter(&mut packed);
        (pack.sha256, pack.length) = (Digest::of(&packed), packed.len() as u64);
        let (index_blob, index_bytes) = small_blob(&index.to_bytes(), Object::Index, sealer)?;
        let layout = layout.to_bytes()?;
        let (layout, layout_bytes) = small_blob(&layout, Object::Layout, sealer)?;
        fs::create_dir(place.path().join("blobs")).unwrap();
        for (blob, bytes) in [(&index_blob, index_bytes), (&layout, layout_bytes), (&pack, packed)]
        {
            fs::write(place.path().join(blob.path()), bytes).unwrap();
        }
        let content = sealer.map(Sealer::content);
        let bundle = match content {
            None => BundleName::Identity(index.identity()),
            Some(content) => BundleName::Keyed(content.label(&index.identity())?),
        };
        let manifest = Manifest {
            schema: SCHEMA,
            app: app.clone(),
            channel: "production".parse().unwrap(),
            requires: Vec::new(),
            version: "1.0.0".to_owned(),
            sequence: 1,
            created: clock::now(),
            native: NativeRange::default(),
            bundle,
            index: index_blob,
            layout,
            pack,
            patches: Vec::new(),
            info: None,
            seal: None,
        };
        check_fit(&manifest, content, &FolderTransport(place.path().to_owned()))
    }

    #[test]
    fn a_pack_whose_pieces_are_not_those_of_the_layout_is_no_release() {
        for sealed in [false, true] {
            altered(sealed, |_| ()).unwrap();
            let flipped = altered(sealed, |pack| pack[20] ^= 1).unwrap_err();
            assert_eq!(flipped.code(), "hash-mismatch");
            let cut = altered(sealed, |pack| pack.truncate(pack.len() - 1)).unwrap_err();
            assert!(["hash-mismatch", "network", "malformed"].contains(&cut.code()), "{cut:?}");
        }
    }
}
