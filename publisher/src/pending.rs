//! A change that waits for signatures, as one file: to be mailed, committed or put in a bucket.
//!
//! A zip archive: `pending.json` says what every role builds on and holds the roles as far as they
//! are signed; `targets/…` and `blobs/…` are the files that the repository does not have yet. Nobody
//! has vouched for any of it. Enters: such a file, and the repository as it is. Leaves: a change of
//! which every byte is named by a digest in a role that is shown to whoever signs. Refuses: another
//! app's; one that builds on other versions than the current ones; roles that say more than this
//! version knows; signatures of something else. Nothing is unpacked by the archive's own names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use farad::digest::{Digest, Hasher};
use farad::id::AppId;
use farad::release::{Blob, Manifest};
use farad::rollout::Policy;
use farad::trust::draft::Draft;
use farad::trust::metadata::{TargetFile, Targets};
use farad::{json, limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::change::{Base, Change, base_of};
use crate::edit::BlobSource;
use crate::failure::{Failure, Result};
use crate::project::{PENDING, Project};
use crate::repository::{Current, Repository, listed_sequences, target_file};
use crate::{temporary, webfolder};

const SCHEMA: u64 = 1;
const PAPER: &str = "pending.json";
/// Root and targets, and two roles for each of 15 channels, are far below this.
const PAPER_LIMIT: u64 = 8 << 20;

/// `pending.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paper {
    schema: u64,
    app: AppId,
    builds_on: BTreeMap<String, Base>,
    roles: BTreeMap<String, Value>,
}

/// Writes a change to `path`, over a file that is there.
pub(crate) fn write(path: &Path, change: &Change, app: &AppId) -> Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| Failure::file("writing", path, &error);
    fs::create_dir_all(folder).map_err(failed)?;
    // Colleagues read it in a folder that they share.
    let temporary = temporary::public_in(folder).map_err(failed)?;
    let mut roles = BTreeMap::new();
    for (role, draft) in &change.drafts {
        let file = json::parse(&draft.to_bytes()?).map_err(|e| malformed(&e))?;
        roles.insert(role.clone(), file);
    }
    let builds_on = change.builds_on.clone();
    let paper = Paper { schema: SCHEMA, app: app.clone(), builds_on, roles };
    let paper = json::compact(&paper).map_err(|e| malformed(&e))?;
    let mut zip = ZipWriter::new(temporary.as_file());
    let mut entry = |name: &str, bytes: &mut dyn Read| -> std::io::Result<()> {
        // What is in there is compressed already.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        zip.start_file(name, options)?;
        std::io::copy(bytes, &mut zip).map(|_| ())
    };
    entry(PAPER, &mut paper.as_slice()).map_err(failed)?;
    for (place, bytes) in &change.targets {
        entry(place, &mut bytes.as_slice()).map_err(failed)?;
    }
    for (digest, source) in &change.blobs {
        let name = format!("blobs/{digest}");
        match source {
            BlobSource::Bytes(bytes) => entry(&name, &mut bytes.as_slice()),
            BlobSource::File(from) => File::open(from).and_then(|mut file| entry(&name, &mut file)),
        }
        .map_err(failed)?;
    }
    zip.finish().map_err(|error| failed(error.into()))?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A change that was read, and the folder that holds its blobs for as long as it is needed.
pub(crate) struct Pending {
    pub(crate) change: Change,
    _blobs: TempDir,
}

/// Reads the change that waits in the file at `path`.
pub(crate) fn read(
    path: &Path,
    project: &Project,
    repository: &Repository,
    current: &Current,
) -> Result<Pending> {
    let (mut archive, paper) = open(path, project, repository, current)?;
    let mut drafts = BTreeMap::new();
    for (role, file) in paper.roles {
        let limit = if role == "root" { limits::ROOT } else { limits::ROLE };
        let bytes = json::compact(&file).map_err(|error| malformed(&error))?;
        drafts.insert(role.clone(), Draft::parse(&role, &bytes, limit)?);
    }
    let mut change = Change::begun(drafts, paper.builds_on, current)?;
    refuse_altered(project, current, &change)?;
    let blobs = temporary::folder()?;
    for role in change.drafts.keys().filter(|role| *role != "root").cloned().collect::<Vec<_>>() {
        read_role(&mut archive, &mut change, &role, (project, repository, current), blobs.path())?;
    }
    Ok(Pending { change, _blobs: blobs })
}

/// Reads what a file that waits says of itself, and refuses one that nobody can sign any more.
fn open(
    path: &Path,
    project: &Project,
    repository: &Repository,
    current: &Current,
) -> Result<(Archive, Paper)> {
    let opened = || File::open(path).map_err(|error| Failure::file("reading", path, &error));
    let unusable = |_| malformed(&"no pending file of Farad's");
    if let Some(name) = webfolder::doubled(opened()?).map_err(unusable)? {
        return Err(malformed(&format!("{name:?} stands twice in it")));
    }
    let archive =
        ZipArchive::new(opened()?).map_err(|_| malformed(&"no pending file of Farad's"))?;
    let mut archive = Archive(archive);
    let paper = archive.small(PAPER, PAPER_LIMIT)?;
    let paper: Paper = json::parse_as(&paper).map_err(|error| malformed(&error))?;
    if paper.schema != SCHEMA {
        return Err(malformed(&format!("schema {}; update farad", paper.schema)));
    }
    if paper.app != project.app {
        let message = format!("it is a change for the app {}", paper.app);
        return Err(Failure::new("wrong-repository", message));
    }
    if paper.roles.is_empty() || !paper.roles.keys().eq(paper.builds_on.keys()) {
        return Err(malformed(&"what it changes and what it builds on differ"));
    }
    for (role, base) in &paper.builds_on {
        let now = base_of(repository, current, role)?;
        if *base != now {
            let message = format!(
                "it builds on version {} of {role}, and the repository is at version {}: remove the file and make the change anew",
                base.version, now.version
            );
            return Err(Failure::new("stale", message));
        }
    }
    Ok((archive, paper))
}

/// The files that wait, and why one cannot be signed any more.
pub(crate) fn waiting(
    project: &Project,
    repository: &Repository,
    current: &Current,
) -> Result<Vec<(String, Option<Failure>)>> {
    let folder = project.base.join(PENDING);
    let mut waiting = Vec::new();
    for name in files_of(&folder).map_err(|error| Failure::file("reading", &folder, &error))? {
        let opened = open(&folder.join(&name), project, repository, current);
        waiting.push((format!("{PENDING}/{name}"), opened.err()));
    }
    waiting.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(waiting)
}

/// Names of the waiting files in a folder, which need not be there.
fn files_of(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "zip") {
            names.push(name);
        }
    }
    Ok(names)
}

/// Versions are the next ones, and whoever is said to have signed signed this.
fn refuse_altered(project: &Project, current: &Current, change: &Change) -> Result<()> {
    for (role, draft) in &change.drafts {
        let version = if role == "root" {
            draft.read::<farad::trust::metadata::Root>()?.common
        } else {
            draft.read::<Targets>()?.common
        };
        let next = change.builds_on.get(role).map_or(0, |base| base.version + 1);
        let expected = crate::roles::common(role, next, version.expires);
        if (version.version, &version.role_type) != (next, &expected.role_type) {
            return Err(malformed(&format!("{role} is not the next version of its kind")));
        }
        for may in change.judges(current, role) {
            if let Some(id) = draft.standing(may.keys, may.role).wrong.first() {
                let who = project.label(id);
                let message =
                    format!("{role} was altered after {who} signed it, or the signature was");
                return Err(Failure::new("signature", message));
            }
        }
    }
    Ok(())
}

/// Reads the files that a role newly lists, and the blobs that those name.
fn read_role(
    archive: &mut Archive,
    change: &mut Change,
    role: &str,
    (project, repository, current): (&Project, &Repository, &Current),
    folder: &Path,
) -> Result<()> {
    let draft = change.drafts.get(role).ok_or_else(|| malformed(&role))?;
    let listed: Targets = draft.read()?;
    let known = if role == "targets" { Some(&current.targets) } else { current.roles.get(role) };
    let known = |path: &str| known.and_then(|known| known.targets.get(path));
    let new = listed.targets.iter().filter(|(path, file)| known(path) != Some(*file));
    let mut documents: BTreeMap<&String, Vec<u8>> = BTreeMap::new();
    for (path, file) in new {
        let digest = file.hashes.get("sha256").ok_or_else(|| malformed(path))?;
        let place = target_file(path, digest);
        let bytes = match archive.small(&place, limits::ROLE) {
            Ok(bytes) => bytes,
            // Offered once before, say.
            Err(_) if repository.has(&place) => repository.read(&place)?,
            Err(failure) => return Err(failure),
        };
        check_listing(path, file, &bytes)?;
        change.targets.insert(place, bytes.clone());
        documents.insert(path, bytes);
    }
    let Some(channel) = role.strip_suffix("-releases").and_then(|name| name.parse().ok()) else {
        return Ok(());
    };
    let mut blobs: Vec<Blob> = Vec::new();
    for sequence in listed_sequences(&listed, &channel) {
        if let Some(bytes) = documents.get(&channel.release_path(sequence)) {
            let manifest = Manifest::parse(bytes, &project.app, &channel, sequence)?;
            blobs.extend(manifest.blobs().cloned());
        }
    }
    if let Some(bytes) = documents.get(&channel.policy_path()) {
        let builtins = Policy::parse(bytes, &project.app, &channel)?.builtins;
        blobs.extend(builtins.into_iter().flat_map(|b| [b.index, b.layout, b.pack]));
    }
    for blob in blobs {
        if !repository.has(&blob.path()) {
            let to = folder.join(blob.sha256.to_string());
            archive.blob(&blob, &to)?;
            change.blobs.insert(blob.sha256, BlobSource::File(to));
        }
    }
    Ok(())
}

fn check_listing(path: &str, file: &TargetFile, bytes: &[u8]) -> Result<()> {
    // What it says would be signed, and shown to nobody.
    if file.custom.is_some() {
        return Err(malformed(&format!("its role says more of {path} than this version knows")));
    }
    let digest = Digest::of(bytes).to_string();
    if file.length == bytes.len() as u64
        && file.hashes == BTreeMap::from([("sha256".into(), digest)])
    {
        return Ok(());
    }
    let message = format!("{path} is not what its role lists: the file was altered");
    Err(Failure::new("hash-mismatch", message))
}

struct Archive(ZipArchive<File>);

impl Archive {
    fn small(&mut self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let entry = self.0.by_name(name).map_err(|_| malformed(&format!("{name} is missing")))?;
        let mut bytes = Vec::new();
        // Whatever length the archive claims.
        let read = entry.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| malformed(&format!("{name}: {error}")))?;
        if bytes.len() as u64 > limit {
            return Err(Failure::new("too-large", format!("{name} is over {limit} bytes")));
        }
        Ok(bytes)
    }

    /// Copies a blob to a file, and holds it against its digest.
    fn blob(&mut self, blob: &Blob, to: &Path) -> Result<()> {
        let name = blob.path();
        let entry = self.0.by_name(&name).map_err(|_| malformed(&format!("{name} is missing")))?;
        let failed = |error: std::io::Error| Failure::file("writing", to, &error);
        let mut file = File::create(to).map_err(failed)?;
        let copied = std::io::copy(&mut entry.take(blob.length.saturating_add(1)), &mut file);
        copied.map_err(|error| malformed(&format!("{name}: {error}")))?;
        check_blob(blob, &mut File::open(to).map_err(failed)?)
    }
}

/// Holds a blob's bytes against what a manifest says of them.
pub(crate) fn check_blob(blob: &Blob, bytes: &mut dyn Read) -> Result<()> {
    let wrong = || {
        let message = format!("{} is damaged or was altered", blob.path());
        Failure::new("hash-mismatch", message)
    };
    let (mut hasher, mut buffer, mut length) = (Hasher::new(), vec![0; 64 << 10], 0);
    loop {
        let count = bytes.read(&mut buffer).map_err(|_| wrong())?;
        if count == 0 {
            break;
        }
        length += count as u64;
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
    if length == blob.length && hasher.finish() == blob.sha256 { Ok(()) } else { Err(wrong()) }
}

fn malformed(detail: &dyn std::fmt::Display) -> Failure {
    Failure::new("malformed", format!("the pending file cannot be used: {detail}"))
}
