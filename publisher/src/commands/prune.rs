//! `farad prune`: removes what no current metadata or policy names, some time after it was superseded.
//! Roots never; nor links, or anything that only a link leads to: it is not the repository's. What no
//! metadata names that is there, current or not, has only the age of its file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use farad::release::Blob;
use farad::time::UnixTime;
use serde_json::json;

use super::{Report, Workspace, count, dry_note};
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::places::SERVED;
use crate::repository::target_file;
use crate::superseded::superseded;

/// Arguments of `farad prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Prune {
    /// Leave what was superseded later than so many days ago: phones and caches may still ask for it
    #[arg(long, default_value_t = 30)]
    keep_days: u32,
    /// Say what would go, remove nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Prune, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    if !args.dry_run {
        workspace.clear()?;
    }
    let named = named(&workspace)?;
    let since = superseded(&workspace.repository, &workspace.current, &workspace.project.app)?;
    let age = u64::from(args.keep_days) * 86_400;
    let (mut removed, mut bytes) = (0, 0_u64);
    let (mut paths, mut links) = (Vec::new(), Vec::new());
    // Metadata last: it tells since when the rest is superseded, should this one die.
    for folder in SERVED.into_iter().rev() {
        find(&workspace.repository.folder.join(folder), &mut paths, &mut links)?;
    }
    for path in paths {
        let inside = path.strip_prefix(&workspace.repository.folder).unwrap_or(&path);
        let inside = inside.to_string_lossy().replace('\\', "/");
        if named.contains(&inside) || inside.ends_with(".root.json") {
            continue;
        }
        let failed = |error: std::io::Error| Failure::file("looking at", &path, &error);
        let found = fs::symlink_metadata(&path).map_err(failed)?;
        let since = match since.get(&inside) {
            Some(since) => *since,
            None => modified(&found).map_err(failed)?,
        };
        // What is from the future is as young as can be.
        if workspace.now.seconds().saturating_sub(since.seconds()) < age {
            continue;
        }
        removed += 1;
        bytes += found.len();
        if !args.dry_run {
            fs::remove_file(&path).map_err(|error| Failure::file("removing", &path, &error))?;
        }
    }
    let mut text = format!(
        "{}, {bytes} bytes that nothing names{}.",
        count(removed, "file"),
        dry_note(args.dry_run)
    );
    if let Some(first) = links.first() {
        let links = count(links.len(), "link");
        let _ = write!(text, "\n{links} left alone, and what they lead to: {}", first.display());
    }
    Ok(Report::new(text, json!({ "files": removed, "bytes": bytes, "links": links })))
}

/// When a file was written, seconds since the epoch.
fn modified(found: &fs::Metadata) -> std::io::Result<UnixTime> {
    let since = found.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(UnixTime::from_seconds(since.as_secs()))
}

/// Every file that current metadata leads to.
fn named(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let current = &workspace.current;
    let mut named = BTreeSet::from(["metadata/timestamp.json".to_owned()]);
    named.insert(format!("metadata/{}.snapshot.json", current.snapshot.common.version));
    for (file, meta) in &current.snapshot.meta {
        named.insert(format!("metadata/{}.{file}", meta.version));
    }
    for role in current.roles.values() {
        for (path, file) in &role.targets {
            let digest = file.hashes.get("sha256").map_or("", String::as_str);
            named.insert(target_file(path, digest));
        }
    }
    let mut kept = Vec::new();
    let mut blob = |blob: &Blob| {
        named.insert(blob.path());
    };
    for channel in current.authority().channels() {
        let documents = workspace.repository.channel(current, &workspace.project.app, &channel)?;
        for (_, manifest) in documents.releases.values() {
            manifest.blobs().for_each(&mut blob);
        }
        for builtin in &documents.policy.builtins {
            [&builtin.index, &builtin.layout, &builtin.pack].into_iter().for_each(&mut blob);
            // A manifest that left the list still says what opens the release.
            let path = channel.release_path(builtin.sequence);
            kept.push(target_file(&path, &builtin.manifest.to_string()));
        }
    }
    named.extend(kept);
    Ok(named)
}

/// Files and links below a folder; a link is not followed.
fn find(place: &Path, files: &mut Vec<PathBuf>, links: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error: std::io::Error| Failure::file("reading", place, &error);
    let kind = match fs::symlink_metadata(place) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if kind.is_symlink() {
        links.push(place.to_owned());
    } else if kind.is_dir() {
        for entry in fs::read_dir(place).map_err(failed)? {
            find(&entry.map_err(failed)?.path(), files, links)?;
        }
    } else {
        files.push(place.to_owned());
    }
    Ok(())
}
