//! `farad key add`, `rotate`, `revoke` and `threshold`: who may sign for a role.
//!
//! Keys of root, targets, snapshot and timestamp stand in a new root, which the old root's threshold
//! and its own must sign; keys of a channel stand in `targets`. A role whose present file no longer
//! stands under its new keys is signed anew in the same change.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use farad::trust::key::Key;
use serde_json::json;

use crate::commands::share::role_of;
use crate::commands::{Report, Workspace, dry_note};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::keys::{self, group, read_public};
use crate::passphrase::Passphrases;
use crate::plain;
use crate::roles::is_offline;

/// Arguments of `farad key add`.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The role, or a channel for its releases
    role: String,
    /// The public part of a key that somebody made; without it a new key is made here
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// Who holds it; the file's name by default
    #[arg(long)]
    holder: Option<String>,
    /// How many keys must sign from now on
    #[arg(long)]
    threshold: Option<u64>,
    #[command(flatten)]
    how: How,
}

/// Arguments of `farad key rotate`.
#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// The roles, or channels for their releases
    #[arg(required = true)]
    roles: Vec<String>,
    /// The key to replace, by holder, name or the beginning of its id; needed where a role has
    /// several
    #[arg(long)]
    key: Option<String>,
    /// The public part of a key that somebody made; without it a new key is made here
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// Who holds the new key; the file's name by default
    #[arg(long)]
    holder: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Arguments of `farad key revoke`.
#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The key, by holder, name or the beginning of its id
    key: String,
    /// Only in these roles; by default in all that name it
    #[arg(long = "role")]
    roles: Vec<String>,
    /// How many keys must sign from now on, where fewer are left
    #[arg(long)]
    threshold: Option<u64>,
    #[command(flatten)]
    how: How,
}

/// Arguments of `farad key threshold`.
#[derive(Debug, clap::Args)]
pub(super) struct Threshold {
    /// The role, or a channel for its releases
    role: String,
    /// How many keys must sign
    need: u64,
    #[command(flatten)]
    how: How,
}

/// How a change of keys is made.
#[derive(Debug, clap::Args)]
struct How {
    /// Leave new keys unencrypted: for trying things only
    #[arg(long)]
    no_passphrase: bool,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn add(args: &Add, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let mut change = KeyChange::open(config, passphrases, &args.how)?;
    let role = change.role(&args.role)?;
    let (key, holder) =
        change.new_key(&role, &role, args.public.as_deref(), args.holder.as_deref())?;
    change.edit.grant(&change.workspace.current, &role, &key)?;
    change.set_threshold(&role, args.threshold)?;
    let text = format!("{holder} may sign for {role}, by the key {}", key.id());
    change.end(config, &text)
}

pub(super) fn rotate(args: &Rotate, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    if args.roles.len() > 1 && (args.public.is_some() || args.key.is_some()) {
        let message = "--key and --public are for one role; rotate the roles one by one";
        return Err(Failure::new("bad-usage", message));
    }
    let mut change = KeyChange::open(config, passphrases, &args.how)?;
    let mut done = Vec::new();
    for name in &args.roles {
        let role = change.role(name)?;
        let old = change.key_of(&role, args.key.as_deref())?;
        let old_name = change.name_of(&old).unwrap_or_else(|| role.clone());
        let (key, holder) =
            change.new_key(&role, &old_name, args.public.as_deref(), args.holder.as_deref())?;
        change.edit.withdraw(&change.workspace.current, &role, &old)?;
        change.edit.grant(&change.workspace.current, &role, &key)?;
        let old = change.workspace.project.label(&old);
        done.push(format!("{holder} signs for {role} in place of {old}"));
    }
    change.end(config, &done.join("; "))
}

pub(super) fn revoke(args: &Revoke, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let mut change = KeyChange::open(config, passphrases, &args.how)?;
    let only = args.roles.iter().map(|role| change.role(role)).collect::<Result<Vec<_>>>()?;
    let mut named = Vec::new();
    for role in change.workspace.current.authority().names() {
        if only.is_empty() || only.contains(&role) {
            let ids = change.workspace.keys_meant(&role, &args.key);
            named.extend(ids.into_iter().map(|id| (role.clone(), id)));
        }
    }
    let (Some((_, id)), true) =
        (named.first(), named.iter().all(|(_, id)| Some(id) == named.first().map(|(_, id)| id)))
    else {
        return Err(no_such_key(&args.key, named.is_empty()));
    };
    let label = change.workspace.project.label(id);
    let mut thresholds = String::new();
    for (role, id) in &named {
        change.edit.withdraw(&change.workspace.current, role, id)?;
        let may = change.workspace.current.authority().of(role);
        let (until_now, left) =
            may.map_or((0, 0), |may| (may.role.threshold, may.role.keyids.len() as u64 - 1));
        // A role that can be signed as before is signed as before.
        let need = args.threshold.filter(|_| left < until_now);
        change.set_threshold(role, need)?;
        if let Some(need) = need {
            let _ = write!(thresholds, "; {role} takes {need} of {left}, until now {until_now}");
        }
    }
    if let (Some(need), true) = (args.threshold, thresholds.is_empty()) {
        let message = format!(
            "enough keys are left everywhere, so --threshold {need} is for no role; see farad key threshold"
        );
        return Err(Failure::new("bad-usage", message));
    }
    let roles: Vec<_> = named.iter().map(|(role, _)| role.as_str()).collect();
    let text = format!("{label} signs no more for {}{thresholds}", roles.join(", "));
    change.end(config, &text)
}

pub(super) fn threshold(
    args: &Threshold,
    config: &Path,
    passphrases: &Passphrases,
) -> Result<Report> {
    let mut change = KeyChange::open(config, passphrases, &args.how)?;
    let role = change.role(&args.role)?;
    change.set_threshold(&role, Some(args.need))?;
    let may = change.workspace.current.authority().of(&role);
    let of = may.map_or(0, |may| may.role.keyids.len());
    let text = format!("{role} takes {} of {of} signatures", args.need);
    change.end(config, &text)
}

/// A change of keys in the making.
struct KeyChange<'a> {
    workspace: Workspace,
    edit: Edit,
    how: &'a How,
    /// Holders to note, by key id.
    holders: BTreeMap<String, String>,
}

impl<'a> KeyChange<'a> {
    fn open(config: &Path, passphrases: &Passphrases, how: &'a How) -> Result<Self> {
        let workspace = Workspace::open(config, passphrases)?;
        Ok(Self { workspace, edit: Edit::default(), how, holders: BTreeMap::new() })
    }

    fn role(&self, name: &str) -> Result<String> {
        role_of(name, &self.workspace.current.authority().names())
    }

    /// The key that is given, or a new one made here under a name like `like`.
    fn new_key(
        &mut self,
        role: &str,
        like: &str,
        public: Option<&Path>,
        holder: Option<&str>,
    ) -> Result<(Key, String)> {
        let (key, name) = match public {
            Some(path) => {
                let key = read_public(path)?;
                if key.scheme() != "ed25519" && !is_offline(role) {
                    let message = format!(
                        "{role} is signed by this command every day, with Ed25519 keys in files"
                    );
                    return Err(Failure::new("key-invalid", message));
                }
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                (key, name.into_owned())
            }
            None => {
                let group = group(role);
                // timestamp, timestamp-2, timestamp-3.
                let base = like.trim_end_matches(|c: char| c.is_ascii_digit());
                let base = base.strip_suffix('-').unwrap_or(like);
                let name = holder.unwrap_or(base);
                keys::check_name(name)?;
                let name = self.workspace.keys.free_name(group, name);
                // A key that is one of several is somebody's own, and so is its passphrase.
                let may = self.workspace.current.authority().of(role);
                let alone = may.is_none_or(|may| may.role.keyids.len() < 2);
                let slot = if alone { group } else { name.as_str() };
                let slot = (!self.how.no_passphrase).then_some(slot);
                (self.workspace.keys.make(group, &name, slot)?.public, name)
            }
        };
        let holder = holder.map_or(name, str::to_owned);
        if !plain::is_name(&holder) {
            let message = format!("{holder:?} is no name that can be shown; pass --holder");
            return Err(Failure::new("bad-name", message));
        }
        self.holders.insert(key.id(), holder.clone());
        Ok((key, holder))
    }

    /// What a key's files are called, or were: the holder's name often is.
    fn name_of(&self, id: &str) -> Option<String> {
        let holder = || self.workspace.project.holders.get(id).cloned();
        let holder = || holder().filter(|name| keys::check_name(name).is_ok());
        self.workspace.file_name(id).or_else(holder)
    }

    /// The one key of a role, or the one that is meant.
    fn key_of(&self, role: &str, key: Option<&str>) -> Result<String> {
        let may = self.workspace.current.authority().of(role);
        let all = may.map(|may| may.role.keyids.clone()).unwrap_or_default();
        let found = key.map_or_else(|| all.clone(), |key| self.workspace.keys_meant(role, key));
        if let [one] = found.as_slice() {
            return Ok(one.clone());
        }
        let Some(key) = key else {
            let labels: Vec<_> = all.iter().map(|id| self.workspace.project.label(id)).collect();
            let message = format!("{role} has several keys; pass --key: {}", labels.join(", "));
            return Err(Failure::new("unknown-key", message));
        };
        Err(no_such_key(key, found.is_empty()))
    }

    fn set_threshold(&mut self, role: &str, need: Option<u64>) -> Result<()> {
        let current = &self.workspace.current;
        if let Some(need) = need {
            self.edit.set_threshold(current, role, need)?;
        }
        self.edit.check_threshold(current, role)
    }

    fn end(self, config: &Path, text: &str) -> Result<Report> {
        let Self { workspace, edit, how, holders } = self;
        let outcome = workspace.publish(edit, how.dry_run)?;
        if !how.dry_run && !holders.is_empty() {
            workspace.project.note(config, |notes| {
                holders.iter().for_each(|(id, holder)| notes.holder(id, holder));
            })?;
        }
        let text = format!("{text}{}.", dry_note(how.dry_run));
        let ids: Vec<_> = holders.keys().collect();
        Ok(outcome.report(text, json!({ "keys": ids })))
    }
}

fn no_such_key(key: &str, none: bool) -> Failure {
    let detail = if none { "is no key of that role" } else { "may mean several keys" };
    Failure::new("unknown-key", format!("{key} {detail}; see farad key list"))
}
