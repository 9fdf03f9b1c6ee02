//! `farad prune`: removes what no current metadata or policy names. Roots never.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use farad::release::Blob;
use serde_json::json;

use super::{Report, Workspace, count, dry_note};
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::repository::target_file;

/// Arguments of `farad prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Prune {
    /// Leave what is younger: phones and caches may still ask for it
    #[arg(long, default_value_t = 30)]
    keep_days: u32,
    /// Say what would go, remove nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Prune, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let named = named(&workspace)?;
    let age = Duration::from_secs(u64::from(args.keep_days) * 86_400);
    let (mut removed, mut bytes) = (0, 0_u64);
    for path in files(&workspace.repository.folder)? {
        let inside = path.strip_prefix(&workspace.repository.folder).unwrap_or(&path);
        let inside = inside.to_string_lossy().replace('\\', "/");
        let prunable = ["metadata/", "targets/", "blobs/"].iter().any(|f| inside.starts_with(f));
        if !prunable || named.contains(&inside) || inside.ends_with(".root.json") {
            continue;
        }
        let failed = |error: std::io::Error| Failure::file("looking at", &path, &error);
        let found = fs::metadata(&path).map_err(failed)?;
        let modified = found.modified().map_err(failed)?;
        // A file from the future is as young as can be.
        let young = SystemTime::now().duration_since(modified).unwrap_or_default() < age;
        if young && age > Duration::ZERO {
            continue;
        }
        removed += 1;
        bytes += found.len();
        if !args.dry_run {
            fs::remove_file(&path).map_err(|error| Failure::file("removing", &path, &error))?;
        }
    }
    let text = format!(
        "{}, {bytes} bytes that nothing names{}.",
        count(removed, "file"),
        dry_note(args.dry_run)
    );
    Ok(Report::new(text, json!({ "files": removed, "bytes": bytes })))
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

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Failure::file("reading", folder, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
