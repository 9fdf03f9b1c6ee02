//! `farad key backup`: the keys that are here, once more in another place.
//!
//! Enters: a folder, such as a stick. Leaves: the same folders and files in it, for their owner
//! alone, each compared with its original: signing keys, and the publisher's own opening keys, without
//! which old sealed releases stay closed. An app's opening key is none of them: it ships in the app.
//! Refuses: a key without a passphrase; one that its passphrase does not open, since such a copy would
//! comfort nobody; a folder inside the repository, or the one that the keys lie in. Nothing is made before all of that is looked at, and
//! a folder that is there already keeps its mode.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::commands::Report;
use crate::failure::{Failure, Result};
use crate::keys::{self, Keys, private_folder, write_private};
use crate::opening;
use crate::passphrase::Passphrases;
use crate::places;
use crate::project::Project;
use crate::temporary::{self, replace};

/// Arguments of `farad key backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// Folder to copy them to
    to: PathBuf,
    /// Only the keys of this folder; all by default
    #[arg(long, value_parser = parse_group)]
    group: Option<&'static str>,
}

pub(super) fn run(args: &Backup, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let (project, _lock) = Project::hold(config)?;
    places::refuse_served(&args.to, &project.repository())?;
    let keys = Keys::new(project.keys(), passphrases.clone());
    let wanted = |group: &str| args.group.is_none_or(|only| only == group);
    let mut signing = keys.found()?;
    signing.retain(|key| key.private && wanted(key.group));
    let opening = if wanted(opening::GROUP) { opening::own_names(&keys) } else { Vec::new() };
    let all: Vec<(&str, &str)> = signing
        .iter()
        .map(|key| (key.group, key.name.as_str()))
        .chain(opening.iter().map(|name| (opening::GROUP, name.as_str())))
        .collect();
    if all.is_empty() {
        return Err(Failure::new("key-missing", "there is no such key here"));
    }
    for (group, _) in &all {
        let (from, to) = (project.keys().join(group), args.to.join(group));
        if places::real(&from)? == places::real(&to)? {
            let to = args.to.display();
            let message = format!("the keys lie there already; {to} is no other place");
            return Err(Failure::new("exists", message));
        }
    }
    // All of them before any is copied.
    for (group, name) in &all {
        if !keys.is_encrypted(group, name)? {
            let message = format!(
                "the {group} key {name} has no passphrase: whoever finds the copy has the key"
            );
            return Err(Failure::new("key-unencrypted", message));
        }
    }
    signing.iter().try_for_each(|key| keys.open(key).map(|_| ()))?;
    opening.iter().try_for_each(|name| opening::open_own(&keys, name).map(|_| ()))?;
    let mut copied = Vec::new();
    for (group, name) in &all {
        let public = keys.public_path(group, name);
        let folder = args.to.join(group);
        private_folder(&folder)?;
        temporary::remove_strays(&folder);
        // An opening key has no public part beside it: farad.toml names it.
        for from in [keys.path(group, name)].into_iter().chain(Some(public).filter(|p| p.exists()))
        {
            copy(&from, &folder.join(from.file_name().unwrap_or_default()))?;
        }
        copied.push(format!("{group}/{name}.pem"));
    }
    for (from, anchor) in keys.anchors(&project.app)? {
        let group = from.parent().and_then(Path::file_name).unwrap_or_default();
        let folder = args.to.join(group);
        // The newest stands for all before it.
        if folder.is_dir() {
            replace(&folder.join(from.file_name().unwrap_or_default()), &anchor)?;
        }
    }
    let text = format!(
        "Copied to {}, opened and compared: {}.\n\
         Each copy needs its passphrase: keep that elsewhere.",
        args.to.display(),
        copied.join(", "),
    );
    Ok(Report::new(text, json!({ "to": args.to, "keys": copied })))
}

/// Reads the name of a folder of keys, opening keys among them.
fn parse_group(text: &str) -> Result<&'static str, String> {
    match text {
        opening::GROUP => Ok(opening::GROUP),
        text => keys::parse_group(text).map_err(|why| format!("{why}, {}", opening::GROUP)),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let read = |path: &Path| fs::read(path).map_err(|error| Failure::file("reading", path, &error));
    let bytes = zeroize::Zeroizing::new(read(from)?);
    if !to.exists() {
        write_private(to, &bytes)?;
    }
    if *zeroize::Zeroizing::new(read(to)?) != *bytes {
        let message =
            format!("{} exists with other content; nothing of it was touched", to.display());
        return Err(Failure::new("exists", message));
    }
    Ok(())
}
