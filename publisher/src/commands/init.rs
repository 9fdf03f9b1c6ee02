//! `farad init`: keys, `farad.toml`, a signed empty repository, the trust anchor. All of them or none:
//! one that is interrupted is finished by the next, or leaves nothing that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use farad::id::{AppId, Channel};
use serde_json::json;

use super::channel::add_roles;
use super::share::{self, Share};
use super::{Report, Workspace};
use crate::commit::{self, create};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::grants::refuse_several;
use crate::keys::{Keys, private_folder};
use crate::making::{ASIDE, Making};
use crate::opening;
use crate::passphrase::Passphrases;
use crate::places;
use crate::project::{ChannelSettings, Project, ROOT_FILE};
use crate::repository::Repository;
use crate::roles::{TOP_LEVEL, new_channel};

/// Arguments of `farad init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The app's id, as in the stores
    #[arg(long)]
    app: String,
    /// Folder of the repository to make
    #[arg(long, default_value = "updates")]
    repo: PathBuf,
    /// Folder of the keys to make
    #[arg(long, default_value = "keys")]
    keys: PathBuf,
    /// A channel to make; may be given several times
    #[arg(long = "channel", default_value = "production")]
    channels: Vec<String>,
    /// Seal every channel: releases can be read only with a key that the app has
    #[arg(long)]
    sealed: bool,
    /// How many of how many keys sign the releases of a channel, or root, or targets; may be given
    /// several times
    #[arg(long = "threshold", value_name = "NAME=2of3", value_parser = share::named)]
    thresholds: Vec<(String, Share)>,
    /// Leave the keys unencrypted: for trying things only
    #[arg(long)]
    no_passphrase: bool,
}

pub(crate) fn run(init: &Init, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let invalid = |error: &dyn std::fmt::Display| Failure::new("config-invalid", error.to_string());
    let app: AppId = init.app.parse().map_err(|error| invalid(&error))?;
    let channels =
        init.channels.iter().map(|name| new_channel(name)).collect::<Result<Vec<Channel>>>()?;
    let mut named = BTreeSet::new();
    if let Some(twice) = channels.iter().find(|channel| !named.insert(channel.as_str())) {
        return Err(Failure::new("exists", format!("the channel {twice} is named twice")));
    }
    let base = config.parent().map(Path::to_owned).unwrap_or_default();
    let settings = ChannelSettings { sealed: init.sealed, ..ChannelSettings::default() };
    let project = Project {
        app,
        repository: init.repo.clone(),
        keys: init.keys.clone(),
        channels: channels.iter().map(|c| (c.to_string(), settings.clone())).collect(),
        holders: BTreeMap::new(),
        recipients: BTreeMap::new(),
        base,
    };
    places::refuse_served(&project.keys(), &project.repository())?;
    if places::real(config)?.starts_with(places::real(&project.repository())?) {
        let message = format!(
            "{} would lie inside the repository; give that a folder of its own with --repo",
            config.display()
        );
        return Err(Failure::new("unsafe-path", message));
    }
    let shares = shares(&init.thresholds, &channels)?;
    let interrupted = Making::complete(&project, config)?;
    if interrupted.is_none() {
        refuse_taken(&project, config)?;
        if !init.no_passphrase {
            choose_passphrases(init.sealed, shares.is_empty(), passphrases)?;
        }
    }
    let place = interrupted.as_ref().unwrap_or(&project).repository();
    fs::create_dir_all(&place).map_err(|error| Failure::file("making", &place, &error))?;
    let lock = commit::lock(&Repository { folder: place })?;
    // Another one may have been at it until now.
    if let Some(made) = Making::complete(&project, config)? {
        return finish(&made, &project, config, (&channels, shares.is_empty()));
    }
    refuse_taken(&project, config)?;
    let making = Making::new(&project, config);
    making.clear()?;
    let mut workspace = Workspace::create(making.aside(&project)?, passphrases, lock)?;
    private_folder(&workspace.project.keys())?;
    // Private keys are not committed by accident.
    create(&workspace.project.keys().join(".gitignore"), b"*\n")?;
    if init.sealed {
        let slot = (!init.no_passphrase).then_some(opening::GROUP);
        for (name, slot) in [(opening::OWN, slot), ("app", None)] {
            let key = opening::recipient(opening::create(&workspace.keys, name, slot)?, &[]);
            workspace.project.recipients.insert(name.to_owned(), key);
        }
    }
    make(&workspace, &channels, &shares, !init.no_passphrase)?;
    let found = workspace.keys.found()?;
    let project = Project {
        holders: found.into_iter().map(|key| (key.id, key.name)).collect(),
        recipients: workspace.project.recipients.clone(),
        ..project
    };
    project.save(&making.made())?;
    making.finish()?;
    Ok(made("Made", &project, config, (&channels, shares.is_empty())))
}

/// Puts what an earlier run made in its place, if it is what this one was asked for.
fn finish(
    made: &Project,
    asked: &Project,
    config: &Path,
    how: (&[Channel], bool),
) -> Result<Report> {
    Making::new(made, config).finish()?;
    let settings = |project: &Project| -> Vec<_> {
        project.channels.iter().map(|(name, of)| (name.clone(), of.sealed)).collect()
    };
    if (&made.app, &made.repository, &made.keys) == (&asked.app, &asked.repository, &asked.keys)
        && settings(made) == settings(asked)
    {
        let done = "Finished, with the keys and passphrases of a run that was interrupted:";
        return Ok(self::made(done, made, config, how));
    }
    let message = format!(
        "{} exists already: a run with other settings was interrupted, and is finished now; nothing else was made",
        config.display()
    );
    Err(Failure::new("exists", message))
}

/// Refuses to make a project where there is something.
fn refuse_taken(project: &Project, config: &Path) -> Result<()> {
    let repository = places::real(&project.repository())?;
    let is_taken = |path: &Path| {
        let ours = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            name == ASIDE
                || name == commit::LOCK
                || places::real(&entry.path()).ok().as_ref() == Some(&repository)
        };
        let entries = fs::read_dir(path).into_iter().flatten();
        path.is_file() || entries.flatten().any(|entry| !ours(&entry))
    };
    for path in [config.to_owned(), project.root_file(), project.repository(), project.keys()] {
        if is_taken(&path) {
            let message = format!("{} exists already; nothing was made", path.display());
            return Err(Failure::new("exists", message));
        }
    }
    Ok(())
}

/// What there is now, and what comes next; `plain` where no role needs several signers.
fn made(
    done: &str,
    project: &Project,
    config: &Path,
    (channels, plain): (&[Channel], bool),
) -> Report {
    let mut opening = String::new();
    if !project.recipients.is_empty() {
        let key = Keys::new(project.keys(), Passphrases::default()).path(opening::GROUP, "app");
        opening = format!(
            "ship {} in the app too, or hand it to phones at run time: it opens releases\n  ",
            key.display()
        );
    }
    let text = format!(
        "{done} {repo}, {config}, {keys} and {anchor}.\n\
         Next:\n  \
         ship {anchor} in the app: it is the trust anchor\n  \
         {opening}{put_away}\n  \
         move {keys}/root away from this machine: only key changes need it\n  \
         farad release WEB_DIR --channel {first} --version 1.0.0",
        repo = project.repository().display(),
        config = config.display(),
        keys = project.keys().display(),
        anchor = ROOT_FILE,
        put_away = if plain {
            "move keys/root/recovery.pem to another safe place: it replaces a lost root key"
        } else {
            "hand each key of a role that needs several to its holder, and remove it here"
        },
        first = channels.first().map_or("production", Channel::as_str),
    );
    let channels: Vec<_> = channels.iter().map(Channel::as_str).collect();
    Report::new(text, json!({ "app": project.app, "channels": channels }))
}

/// Thresholds by role.
fn shares(given: &[(String, Share)], channels: &[Channel]) -> Result<BTreeMap<String, Share>> {
    let mut roles: Vec<String> = TOP_LEVEL.map(str::to_owned).into();
    roles.extend(channels.iter().flat_map(|c| [c.releases_role(), c.rollout_role()]));
    let named = |(name, share): &(String, Share)| -> Result<(String, Share)> {
        let role = share::role_of(name, &roles)?;
        refuse_several(&role, share.need)?;
        Ok((role, *share))
    };
    given.iter().map(named).collect()
}

/// Asks for all passphrases before anything is made: a run that lacks one leaves nothing behind.
fn choose_passphrases(sealed: bool, plain: bool, passphrases: &Passphrases) -> Result<()> {
    let usual =
        [("root", "root"), ("recovery", "root"), ("release", "release"), ("online", "online")];
    // A role that needs several signers has a passphrase for each, which its key asks for.
    let usual = usual.into_iter().filter(|_| plain);
    let opening = sealed.then_some((opening::GROUP, opening::GROUP));
    for (slot, group) in usual.chain(opening) {
        passphrases.choose(slot, group)?;
    }
    Ok(())
}

fn make(
    workspace: &Workspace,
    channels: &[Channel],
    shares: &BTreeMap<String, Share>,
    encrypt: bool,
) -> Result<()> {
    let (current, keys) = (&workspace.current, &workspace.keys);
    let mut edit = Edit::default();
    edit.roles.insert("targets".to_owned(), current.targets.clone());
    for channel in channels {
        add_roles(&mut edit, workspace, channel)?;
    }
    let top = TOP_LEVEL.map(str::to_owned).into_iter();
    let delegated = channels.iter().flat_map(|c| [c.releases_role(), c.rollout_role()]);
    for role in top.chain(delegated) {
        share::make(&mut edit, current, keys, (&role, shares.get(&role).copied()), encrypt)?;
    }
    let outcome = workspace.publish(edit, false)?;
    debug_assert!(outcome.is_published(), "every key was made here");
    Ok(())
}
