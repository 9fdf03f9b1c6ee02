//! Since when files of a repository are superseded, as the metadata itself tells: a file is superseded from
//! the moment on at which the first snapshot was signed that no longer leads to it. A snapshot is signed when
//! a change is published; a role's own version says less, as it may have waited for signatures for weeks.
//! What the disk says of a file's age tells nothing: it was made when it was current, and in a clone it is
//! as young as that.
//!
//! Enters: a repository, and what is current in it. Leaves: a time for each file that a version of metadata
//! leads to that is there and is not the newest. Where snapshots between are gone, the time is that of the
//! next one that is there, which is later: nothing is ever taken for older than it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use farad::id::{AppId, Channel};
use farad::release::{Blob, Manifest};
use farad::rollout::Policy;
use farad::time::UnixTime;
use farad::trust::metadata::{MetaFile, Snapshot, Targets};

use crate::failure::{Failure, Result};
use crate::repository::{Current, Repository, listed_sequences, signed, target_file};
use crate::roles::{channels, lifetime};

/// When each file that is no longer current was superseded, by its path in the repository.
pub(crate) fn superseded(
    repository: &Repository,
    current: &Current,
    app: &AppId,
) -> Result<BTreeMap<String, UnixTime>> {
    let mut since = BTreeMap::new();
    let mut note = |file: String, at: UnixTime| {
        let known = since.entry(file).or_insert(at);
        *known = (*known).max(at);
    };
    let mut versions = versions(repository, current)?;
    let snapshots = versions.remove("snapshot").unwrap_or_default();
    let published = Published::read(repository, &snapshots)?;
    for (version, next) in snapshots.iter().zip(published.0.iter().skip(1)) {
        note(file("snapshot", *version), next.at);
    }
    for (role, versions) in &versions {
        for pair in versions.windows(2) {
            let [version, next] = pair else { continue };
            let Some(at) = published.at(role, *next) else { continue };
            note(file(role, *version), at);
            let targets: Targets = read(repository, role, *version)?;
            leads_to(repository, app, role, &targets).into_iter().for_each(|f| note(f, at));
        }
    }
    // A channel that was taken away keeps its newest metadata, and nothing that this leads to.
    let left = current.authority().channels();
    for (role, targets) in &current.roles {
        let Some(channel) = channel_of(role).filter(|channel| !left.contains(channel)) else {
            continue;
        };
        let all = versions.get("targets").map(Vec::as_slice).unwrap_or_default();
        if let Some(at) = removed_at(repository, &published, all, &channel)? {
            leads_to(repository, app, role, targets).into_iter().for_each(|f| note(f, at));
        }
    }
    Ok(since)
}

/// The versions of each role but root that are there, in their order, up to the one that is current.
fn versions(repository: &Repository, current: &Current) -> Result<BTreeMap<String, Vec<u64>>> {
    let folder = repository.folder.join("metadata");
    let failed = |error: std::io::Error| Failure::file("reading", &folder, &error);
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        let parts = name.strip_suffix(".json").and_then(|name| name.split_once('.'));
        let Some((version, role)) = parts.filter(|(_, role)| *role != "root") else { continue };
        if let Ok(version) = version.parse::<u64>()
            && name == format!("{version}.{role}.json")
            && newest(current, role).is_none_or(|newest| version <= newest)
        {
            found.entry(role.to_owned()).or_default().push(version);
        }
    }
    found.values_mut().for_each(|versions| versions.sort_unstable());
    Ok(found)
}

/// The version of a role that is current. What is newer, a command that died left behind.
fn newest(current: &Current, role: &str) -> Option<u64> {
    match role {
        "snapshot" => Some(current.snapshot.common.version),
        role => current.snapshot.meta.get(&format!("{role}.json")).map(|file| file.version),
    }
}

/// What was published when: the snapshots that are there, the oldest first.
struct Published(Vec<Step>);

/// One of them.
struct Step {
    at: UnixTime,
    /// Versions of the roles, by file.
    meta: BTreeMap<String, MetaFile>,
}

impl Published {
    fn read(repository: &Repository, snapshots: &[u64]) -> Result<Self> {
        let step = |version: &u64| {
            let Snapshot { common, meta } = read(repository, "snapshot", *version)?;
            // Signed a lifetime before it expires.
            let signed = common.expires.seconds().saturating_sub(lifetime("snapshot"));
            Ok(Step { at: UnixTime::from_seconds(signed), meta })
        };
        snapshots.iter().map(step).collect::<Result<_>>().map(Self)
    }

    /// Since when phones are led to a version of a role, or a later one.
    fn at(&self, role: &str, version: u64) -> Option<UnixTime> {
        let file = format!("{role}.json");
        let leads = |step: &&Step| step.meta.get(&file).is_some_and(|f| f.version >= version);
        self.0.iter().find(leads).or(self.0.last()).map(|step| step.at)
    }
}

/// When phones were first led to a `targets` that no longer had a channel, after the last that had it.
fn removed_at(
    repository: &Repository,
    published: &Published,
    versions: &[u64],
    channel: &Channel,
) -> Result<Option<UnixTime>> {
    let mut removed = None;
    for version in versions {
        let targets: Targets = read(repository, "targets", *version)?;
        if channels(&targets).contains(channel) {
            removed = None;
        } else if removed.is_none() {
            removed = published.at("targets", *version);
        }
    }
    Ok(removed)
}

/// Every file that a targets role leads to, as far as what it names is still there.
fn leads_to(
    repository: &Repository,
    app: &AppId,
    role: &str,
    targets: &Targets,
) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for (path, listed) in &targets.targets {
        files.extend(listed.hashes.get("sha256").map(|digest| target_file(path, digest)));
    }
    let Some(channel) = channel_of(role) else { return files };
    for sequence in listed_sequences(targets, &channel) {
        let bytes = repository.target(targets, &channel.release_path(sequence));
        let manifest = bytes.ok().and_then(|b| Manifest::parse(&b, app, &channel, sequence).ok());
        files.extend(manifest.iter().flat_map(Manifest::blobs).map(Blob::path));
    }
    let bytes = repository.target(targets, &channel.policy_path());
    let policy = bytes.ok().and_then(|bytes| Policy::parse(&bytes, app, &channel).ok());
    for builtin in policy.iter().flat_map(|policy| &policy.builtins) {
        files.extend([&builtin.index, &builtin.layout, &builtin.pack].map(Blob::path));
        let path = channel.release_path(builtin.sequence);
        files.insert(target_file(&path, &builtin.manifest.to_string()));
    }
    files
}

/// The channel whose releases a role lists.
fn channel_of(role: &str) -> Option<Channel> {
    role.strip_suffix("-releases")?.parse().ok()
}

fn file(role: &str, version: u64) -> String {
    format!("metadata/{version}.{role}.json")
}

fn read<T: serde::de::DeserializeOwned>(
    repository: &Repository,
    role: &str,
    version: u64,
) -> Result<T> {
    signed(&repository.read(&file(role, version))?, role)
}
