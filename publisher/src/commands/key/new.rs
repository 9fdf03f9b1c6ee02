//! `farad key new`: a key pair of one's own, on one's own machine. No role names it yet. Where there is a
//! repository, it must verify, and the key follows its root from then on.

use std::path::Path;

use serde_json::json;

use crate::commands::{Report, Workspace};
use crate::failure::Result;
use crate::keys::{self, Keys};
use crate::passphrase::Passphrases;
use crate::project::Project;

/// Arguments of `farad key new`.
#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// Name of the key's files, such as your own
    name: String,
    /// Folder to put it in: release for the releases of a channel, root for root and targets
    #[arg(long, default_value = "release", value_parser = keys::parse_group)]
    group: &'static str,
    /// Leave the key unencrypted: for trying things only
    #[arg(long)]
    no_passphrase: bool,
}

pub(super) fn run(args: &New, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    keys::check_name(&args.name)?;
    let workspace = match Workspace::open(config, passphrases) {
        // The machine of somebody who signs elsewhere may have none, and nobody works on it then.
        Err(failure) if failure.code == "no-repository" => None,
        opened => Some(opened?),
    };
    let alone;
    let keys = match &workspace {
        Some(workspace) => &workspace.keys,
        None => {
            alone = Keys::new(Project::load(config)?.keys(), passphrases.clone());
            &alone
        }
    };
    let slot = (!args.no_passphrase).then_some(args.name.as_str());
    let id = keys.make(args.group, &args.name, slot)?.id;
    keys.store()?;
    // Before it signs anything, and before anybody knows it.
    workspace.iter().try_for_each(Workspace::trust)?;
    let place = keys.public_path(args.group, &args.name);
    let text = format!(
        "Made the {} key {} ({}).\n\
         Send {} to whoever may add it to a role with `farad key add`; keep the .pem beside it.\n\
         Tell them its id another way too: {id}",
        args.group,
        args.name,
        id.get(..8).unwrap_or(&id),
        place.display(),
    );
    Ok(Report::new(text, json!({ "id": id, "name": args.name, "public": place })))
}
