//! `farad key backup`: the keys that are here, once more in another place.
//!
//! Enters: a folder, such as a stick. Leaves: the same folders and files in it, for their owner
//! alone, each compared with its original. Refuses: a key without a passphrase; one that its
//! passphrase does not open, since such a copy would comfort nobody; a folder inside the repository.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::commands::Report;
use crate::failure::{Failure, Result};
use crate::keys::{self, Keys, private_folder, write_private};
use crate::passphrase::Passphrases;
use crate::project::Project;

/// Arguments of `farad key backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// Folder to copy them to
    to: PathBuf,
    /// Only the keys of this folder; all by default
    #[arg(long, value_parser = keys::parse_group)]
    group: Option<&'static str>,
}

pub(super) fn run(args: &Backup, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let project = Project::load(config)?;
    private_folder(&args.to)?;
    let real = |path: &Path| {
        path.canonicalize().map_err(|error| Failure::file("looking at", path, &error))
    };
    if real(&args.to)?.starts_with(real(&project.repository())?) {
        let message = "that is inside the repository: everybody could fetch the keys";
        return Err(Failure::new("unsafe-path", message));
    }
    let keys = Keys::new(project.keys(), passphrases.clone());
    let mut found = keys.found()?;
    found.retain(|key| key.private && args.group.is_none_or(|only| only == key.group));
    if found.is_empty() {
        return Err(Failure::new("key-missing", "there is no such key here"));
    }
    // All of them before any is copied.
    for key in &found {
        if !keys.is_encrypted(key)? {
            let message = format!(
                "the {} key {} has no passphrase: whoever finds the copy has the key",
                key.group, key.name
            );
            return Err(Failure::new("key-unencrypted", message));
        }
        keys.open(key)?;
    }
    let mut copied = Vec::new();
    for key in &found {
        for from in [keys.path(key.group, &key.name), keys.public_path(key.group, &key.name)] {
            let name = from.file_name().unwrap_or_default();
            private_folder(&args.to.join(key.group))?;
            copy(&from, &args.to.join(key.group).join(name))?;
        }
        copied.push(format!("{}/{}.pem", key.group, key.name));
    }
    let text = format!(
        "Copied to {}, opened and compared: {}.\n\
         Each copy needs its passphrase: keep that elsewhere.",
        args.to.display(),
        copied.join(", "),
    );
    Ok(Report::new(text, json!({ "to": args.to, "keys": copied })))
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
