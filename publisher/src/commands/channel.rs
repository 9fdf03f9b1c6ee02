//! `farad channel …`: which channels there are. A channel is two delegations of `targets`.

use std::path::Path;

use farad::id::Channel;
use farad::release::SCHEMA;
use farad::rollout::{Policy, Rollout};
use farad::trust::metadata::{Delegations, Targets};
use serde_json::json;

use super::rollout::is_here;
use super::share::{self, Share};
use super::{Report, Workspace, count, dry_note};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::repository::{listed_sequences, target_file};
use crate::roles::{CHANNELS, common, delegations, new_channel};

/// Arguments of `farad channel`.
#[derive(Debug, clap::Args)]
pub(crate) struct ChannelArgs {
    #[command(subcommand)]
    command: ChannelCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ChannelCommand {
    /// Make a channel with keys of its own
    #[command(after_help = "Example: farad channel add beta\n         farad channel add \
                            production --threshold 2of3")]
    Add(Add),
    /// Take a channel away: phones that follow it keep what they have
    #[command(after_help = "Example: farad channel remove beta")]
    Remove(Remove),
    /// Tell which channels there are
    #[command(after_help = "Example: farad channel list")]
    List,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// Name of the channel
    name: String,
    /// How many of how many keys sign its releases
    #[arg(long, value_name = "2of3")]
    threshold: Option<Share>,
    /// Its releases can be read only with a key that the app has
    #[arg(long)]
    sealed: bool,
    /// Leave the keys unencrypted: for trying things only
    #[arg(long)]
    no_passphrase: bool,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct Remove {
    /// Name of the channel
    name: String,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &ChannelArgs, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    match &args.command {
        ChannelCommand::Add(args) => add(args, config, passphrases),
        ChannelCommand::Remove(args) => remove(args, config, passphrases),
        ChannelCommand::List => list(config),
    }
}

fn add(args: &Add, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let channel = new_channel(&args.name)?;
    let workspace = Workspace::open(config, passphrases)?;
    let channels = workspace.current.authority().channels();
    if channels.contains(&channel) {
        return Err(Failure::new("exists", format!("there is a channel {channel} already")));
    }
    if channels.len() >= CHANNELS {
        let message =
            format!("a repository has at most {CHANNELS} channels: phones look no further");
        return Err(Failure::new("too-large", message));
    }
    let earlier = workspace.project.channels.get(channel.as_str());
    if !args.sealed && earlier.is_some_and(|settings| settings.sealed) {
        let message = format!(
            "farad.toml says that {channel} is sealed; pass --sealed, or remove its settings there first"
        );
        return Err(Failure::new("seal-differs", message));
    }
    let mut edit = Edit::default();
    add_roles(&mut edit, &workspace, &channel)?;
    let mut made = Vec::new();
    for (role, share) in [(channel.rollout_role(), None), (channel.releases_role(), args.threshold)]
    {
        let (current, keys) = (&workspace.current, &workspace.keys);
        let encrypt = !args.no_passphrase;
        made.extend(share::make(&mut edit, current, keys, (&role, share), encrypt)?);
    }
    if !args.dry_run {
        // Before there is such a channel: nothing may be released in it by the wrong settings.
        workspace.project.note(config, |notes| {
            notes.channel(channel.as_str(), args.sealed);
            made.iter().for_each(|key| notes.holder(&key.id, &key.name));
        })?;
    }
    let outcome = workspace.publish(edit, args.dry_run)?;
    let files: Vec<_> = made.iter().map(|key| format!("{}/{}.pem", key.group, key.name)).collect();
    let text = format!(
        "Added the channel {channel} with the keys {}{}.",
        files.join(", "),
        dry_note(args.dry_run)
    );
    Ok(outcome.report(text, json!({ "channel": channel, "keys": files })))
}

fn remove(args: &Remove, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, ..) = workspace.channel(&args.name)?;
    let own = [channel.releases_role(), channel.rollout_role()];
    let mut edit = Edit::default();
    if let Some(delegations) = &mut edit.role(&workspace.current, "targets")?.delegations {
        delegations.roles.retain(|role| !own.contains(&role.name));
    }
    edit.forget_unused(&channel.releases_role());
    let outcome = workspace.publish(edit, args.dry_run)?;
    if outcome.is_published() {
        workspace.project.note(config, |notes| notes.remove_channel(channel.as_str()))?;
    }
    let text = format!(
        "Removed the channel {channel}: phones that follow it keep what they have{}.",
        dry_note(args.dry_run)
    );
    Ok(outcome.report(text, json!({ "channel": channel })))
}

fn list(config: &Path) -> Result<Report> {
    let workspace = Workspace::read(config)?;
    let (mut lines, mut all) = (Vec::new(), Vec::new());
    for channel in workspace.current.authority().channels() {
        let (_, settings, documents) = workspace.channel(channel.as_str())?;
        let may = workspace.current.authority().of(&channel.releases_role());
        let (need, of) = may.map_or((0, 0), |may| (may.role.threshold, may.role.keyids.len()));
        lines.push(format!(
            "{channel}: {}, {} listed, {need} of {of} keys sign them, the last {} are kept",
            if settings.sealed { "sealed" } else { "open" },
            count(documents.releases.len(), "release"),
            settings.keep,
        ));
        all.push(json!({
            "channel": channel, "releases": documents.releases.len(), "threshold": need,
            "keys": of, "keep": settings.keep, "sealed": settings.sealed,
        }));
    }
    Ok(Report::new(lines.join("\n"), json!({ "channels": all })))
}

/// The roles of a new channel, still without keys: nothing offered, nothing listed. One that was
/// removed earlier goes on where it was: versions and sequences rise, what was revoked stays
/// revoked, and nothing released before then may be moved to. Patches start from apps' own bundles
/// as far as those are still here.
pub(super) fn add_roles(edit: &mut Edit, workspace: &Workspace, channel: &Channel) -> Result<()> {
    let (current, app) = (&workspace.current, &workspace.project.app);
    let targets = edit.role(current, "targets")?;
    let all = targets.delegations.get_or_insert_with(Delegations::default);
    all.roles.extend(delegations(channel));
    let mut policy = Policy::open(app.clone(), channel.clone());
    if let Some(earlier) = current.roles.get(&channel.releases_role()) {
        let bytes = workspace.repository.target(earlier, &channel.policy_path())?;
        let last = listed_sequences(earlier, channel).into_iter().max().unwrap_or(0);
        policy = Policy::parse(&bytes, app, channel)?;
        policy.floor = last_sequence(&policy).max(last);
        // While the channel was away nothing named what ships inside apps: of what `prune` took no
        // patch can be made, and a policy that names it would not verify.
        policy.builtins.retain(|builtin| {
            let path = channel.release_path(builtin.sequence);
            workspace.repository.has(&target_file(&path, &builtin.manifest.to_string()))
                && [&builtin.index, &builtin.layout, &builtin.pack]
                    .into_iter()
                    .all(|blob| is_here(workspace, blob))
        });
    }
    let rollout = Rollout {
        schema: SCHEMA,
        app: app.clone(),
        channel: channel.clone(),
        requires: Vec::new(),
        offers: Vec::new(),
        paused: false,
    };
    for role in [channel.releases_role(), channel.rollout_role()] {
        let common = common(&role, 0, workspace.now);
        let empty = Targets { common, targets: Default::default(), delegations: None };
        edit.roles.insert(role, empty);
    }
    workspace.put_rollout(edit, channel, &rollout)?;
    workspace.put_policy(edit, channel, &policy)
}

/// The highest sequence that was released as far as a policy tells. What it revokes need not have been:
/// a thief's number may be the last that there is.
pub(super) fn last_sequence(policy: &Policy) -> u64 {
    let built_in = policy.builtins.iter().map(|builtin| builtin.sequence);
    built_in.chain([policy.floor]).max().unwrap_or(0)
}
