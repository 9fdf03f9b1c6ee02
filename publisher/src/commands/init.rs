//! `farad init`: keys, `farad.toml`, a signed empty repository, the trust anchor.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use farad::id::{AppId, Channel};
use farad::rollout::{Policy, Rollout};
use farad::trust::key::Key;
use farad::trust::metadata::{Delegation, Delegations, RoleKeys, Root, Snapshot, Targets};
use farad::trust::sign::{Signer, sign};
use serde_json::json;

use super::Report;
use crate::clock;
use crate::edit::{common, create, meta_file, new_timestamp, sign_with};
use crate::failure::{Failure, Result};
use crate::keys::{Keys, group};
use crate::opening;
use crate::passphrase::Passphrases;
use crate::project::{ChannelSettings, Project, ROOT_FILE};
use crate::repository::{listing, target_file};

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
    /// Leave the keys unencrypted: for trying things only
    #[arg(long)]
    no_passphrase: bool,
}

pub(crate) fn run(init: &Init, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let invalid = |error: &dyn std::fmt::Display| Failure::new("config-invalid", error.to_string());
    let app: AppId = init.app.parse().map_err(|error| invalid(&error))?;
    let channels = init
        .channels
        .iter()
        .map(|name| name.parse().map_err(|error| invalid(&error)))
        .collect::<Result<Vec<Channel>>>()?;
    let base = config.parent().map(Path::to_owned).unwrap_or_default();
    let settings = ChannelSettings { sealed: init.sealed, ..ChannelSettings::default() };
    let mut project = Project {
        app,
        repository: init.repo.clone(),
        keys: init.keys.clone(),
        channels: channels.iter().map(|c| (c.to_string(), settings.clone())).collect(),
        holders: BTreeMap::new(),
        recipients: BTreeMap::new(),
        base,
    };
    for path in [config.to_owned(), project.root_file(), project.repository(), project.keys()] {
        let taken =
            path.is_file() || fs::read_dir(&path).is_ok_and(|mut found| found.next().is_some());
        if taken {
            let message = format!("{} exists already; nothing was made", path.display());
            return Err(Failure::new("exists", message));
        }
    }
    let keys = Keys::new(project.keys(), passphrases.clone());
    let root = make_repository(&project, &channels, &keys, !init.no_passphrase)?;
    create(&project.root_file(), &root)?;
    // Private keys are not committed by accident.
    create(&project.keys().join(".gitignore"), b"*\n")?;
    project.holders = keys.found()?.into_iter().map(|key| (key.id, key.name)).collect();
    if init.sealed {
        let slot = (!init.no_passphrase).then_some(opening::GROUP);
        for (name, slot) in [(opening::OWN, slot), ("app", None)] {
            let key = opening::create(&keys, name, slot)?;
            project.recipients.insert(name.to_owned(), opening::recipient(key, &[]));
        }
    }
    project.save(config)?;
    let keys_at = project.keys();
    let opening = if init.sealed {
        let key = keys.path(opening::GROUP, "app");
        let key = key.display();
        format!(
            "ship {key} in the app too, or hand it to phones at run time: it opens releases\n  "
        )
    } else {
        String::new()
    };
    let text = format!(
        "Made {repo}, {config}, {keys} and {anchor}.\n\
         Next:\n  \
         ship {anchor} in the app: it is the trust anchor\n  \
         {opening}move {keys}/root/recovery.pem to another safe place: it replaces a lost root key\n  \
         move {keys}/root away from this machine: only key changes need it\n  \
         farad release WEB_DIR --channel {first} --version 1.0.0",
        repo = project.repository().display(),
        config = config.display(),
        keys = keys_at.display(),
        anchor = ROOT_FILE,
        first = channels.first().map_or("production", Channel::as_str),
    );
    let channels: Vec<_> = channels.iter().map(Channel::as_str).collect();
    Ok(Report::new(text, json!({ "app": project.app, "channels": channels })))
}

fn make_repository(
    project: &Project,
    channels: &[Channel],
    keys: &Keys,
    encrypt: bool,
) -> Result<Vec<u8>> {
    let now = clock::now();
    let top = ["root", "recovery", "targets", "snapshot", "timestamp"].map(str::to_owned);
    let own = |channel: &Channel| [channel.releases_role(), channel.rollout_role()];
    let roles: Vec<String> = top.into_iter().chain(channels.iter().flat_map(own)).collect();
    let mut public: BTreeMap<String, Key> = BTreeMap::new();
    for role in &roles {
        // A forgotten root passphrase is what the recovery key is for: it has one of its own.
        let slot = if role == "recovery" { "recovery" } else { group(role) };
        public.insert(role.clone(), keys.create(group(role), role, encrypt.then_some(slot))?);
    }
    let key = |role: &str| {
        let missing = || Failure::new("key-missing", format!("no key for {role}"));
        public.get(role).cloned().ok_or_else(missing)
    };
    let one_of = |names: &[&str]| -> Result<RoleKeys> {
        let keyids = names.iter().map(|name| Ok(key(name)?.id())).collect::<Result<_>>()?;
        Ok(RoleKeys { keyids, threshold: 1 })
    };

    let mut top_keys = BTreeMap::new();
    for name in ["root", "recovery", "targets", "snapshot", "timestamp"] {
        top_keys.insert(key(name)?.id(), key(name)?);
    }
    let root = Root {
        common: common("root", "root", 1, now),
        consistent_snapshot: true,
        keys: top_keys,
        roles: BTreeMap::from([
            ("root".to_owned(), one_of(&["root", "recovery"])?),
            ("targets".to_owned(), one_of(&["targets"])?),
            ("snapshot".to_owned(), one_of(&["snapshot"])?),
            ("timestamp".to_owned(), one_of(&["timestamp"])?),
        ]),
    };
    // The recovery key signs too, so that its file is proven to open before it is put away.
    let (signer, recovery) =
        (keys.open(&keys.named("root")?)?, keys.open(&keys.named("recovery")?)?);
    let signers: [&dyn Signer; 2] = [&signer, &recovery];
    let root = sign(&root, &signers)?;

    let folder = project.repository();
    let (mut delegations, mut meta) = (Delegations::default(), BTreeMap::new());
    let (mut targets, mut metadata) = (Vec::new(), Vec::new());
    for channel in channels {
        let rollout = Rollout {
            schema: farad::release::SCHEMA,
            app: project.app.clone(),
            channel: channel.clone(),
            requires: Vec::new(),
            offers: Vec::new(),
            paused: false,
        };
        let policy = Policy::open(project.app.clone(), channel.clone());
        let patterns = vec![channel.policy_path(), format!("{channel}/releases/*")];
        for (role, path, bytes, paths) in [
            (
                channel.rollout_role(),
                channel.rollout_path(),
                rollout.to_bytes()?,
                vec![channel.rollout_path()],
            ),
            (channel.releases_role(), channel.policy_path(), policy.to_bytes()?, patterns),
        ] {
            delegations.keys.insert(key(&role)?.id(), key(&role)?);
            delegations.roles.push(Delegation {
                name: role.clone(),
                keys: one_of(&[&role])?,
                terminating: true,
                paths: Some(paths),
                path_hash_prefixes: None,
            });
            let listed = BTreeMap::from([(path.clone(), listing(&bytes))]);
            let common = common(&role, "targets", 1, now);
            let document = Targets { common, targets: listed, delegations: None };
            let signed = sign_with(keys, &role, &document)?;
            meta.insert(format!("{role}.json"), meta_file(1, &signed));
            metadata.push((format!("metadata/1.{role}.json"), signed));
            targets.push((path, bytes));
        }
    }
    let common_targets = common("targets", "targets", 1, now);
    let top = Targets {
        common: common_targets,
        targets: BTreeMap::new(),
        delegations: Some(delegations),
    };
    let top = sign_with(keys, "targets", &top)?;
    meta.insert("targets.json".to_owned(), meta_file(1, &top));
    metadata.push(("metadata/1.targets.json".to_owned(), top));
    let snapshot = Snapshot { common: common("snapshot", "snapshot", 1, now), meta };
    let snapshot = sign_with(keys, "snapshot", &snapshot)?;
    let timestamp = new_timestamp(1, meta_file(1, &snapshot), now);
    let timestamp = sign_with(keys, "timestamp", &timestamp)?;
    metadata.push(("metadata/1.snapshot.json".to_owned(), snapshot));
    metadata.push(("metadata/1.root.json".to_owned(), root.clone()));
    metadata.push(("metadata/timestamp.json".to_owned(), timestamp));

    let blobs = folder.join("blobs");
    fs::create_dir_all(&blobs).map_err(|error| Failure::file("making", &blobs, &error))?;
    for (path, bytes) in targets {
        let digest = farad::digest::Digest::of(&bytes).to_string();
        create(&folder.join(target_file(&path, &digest)), &bytes)?;
    }
    for (path, bytes) in metadata {
        create(&folder.join(path), &bytes)?;
    }
    Ok(root)
}
