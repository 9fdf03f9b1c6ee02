//! `farad key recipient …`: who can read the sealed releases that are still to come.
//!
//! A recipient is a name, an X25519 public key and the sealed channels it may read, in
//! `farad.toml`. Nothing is signed and nothing published: the next release is sealed for those who
//! stand there then. What was sealed for a key stays open to it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use farad::host::System;
use farad::seal::{RecipientKey, Sealer};
use serde_json::json;

use crate::commands::{Report, Workspace};
use crate::commit::Locked;
use crate::failure::{Failure, Result};
use crate::keys::{self, Keys};
use crate::opening::{self, GROUP, OWN};
use crate::passphrase::Passphrases;
use crate::project::Project;

/// Arguments of `farad key recipient`.
#[derive(Debug, clap::Args)]
pub(super) struct RecipientArgs {
    #[command(subcommand)]
    command: RecipientCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RecipientCommand {
    /// Make an opening key and seal coming releases for it
    #[command(
        after_help = "Example: farad key recipient new app\nThen ship keys/opening/app.pem in the app, or hand it to phones at run time."
    )]
    New(New),
    /// Seal coming releases for a key that somebody else made
    #[command(
        after_help = "Example: farad key recipient add fleet fleet.pub   (made by: openssl genpkey -algorithm X25519 -out fleet.pem; openssl pkey -in fleet.pem -pubout -out fleet.pub)"
    )]
    Add(Add),
    /// Give the publisher another opening key of its own; the one before is kept beside it
    #[command(after_help = "Example: farad key recipient renew")]
    Renew(Renew),
    /// Tell for whom releases are sealed
    #[command(after_help = "Example: farad key recipient list")]
    List,
    /// Seal coming releases for this key no longer
    #[command(after_help = "Example: farad key recipient retire app-2025")]
    Retire(Retire),
}

/// Arguments of `farad key recipient new`.
#[derive(Debug, clap::Args)]
struct New {
    /// Name of the recipient, and of its key's file
    name: String,
    /// Only releases of this channel; may be given several times
    #[arg(long = "channel")]
    channels: Vec<String>,
}

/// Arguments of `farad key recipient renew`.
#[derive(Debug, clap::Args)]
struct Renew {
    /// Leave the key unencrypted: for trying things only
    #[arg(long)]
    no_passphrase: bool,
}

/// Arguments of `farad key recipient add`.
#[derive(Debug, clap::Args)]
struct Add {
    /// Name of the recipient
    name: String,
    /// Its public key: X25519 in PEM
    key: PathBuf,
    /// Only releases of this channel; may be given several times
    #[arg(long = "channel")]
    channels: Vec<String>,
}

/// Arguments of `farad key recipient retire`.
#[derive(Debug, clap::Args)]
struct Retire {
    /// Name of the recipient
    name: String,
}

pub(super) fn run(
    args: &RecipientArgs,
    config: &Path,
    passphrases: &Passphrases,
) -> Result<Report> {
    match &args.command {
        RecipientCommand::New(args) => new(args, config, passphrases),
        RecipientCommand::Add(args) => add(args, config),
        RecipientCommand::Renew(args) => renew(args, config, passphrases),
        RecipientCommand::List => list(config),
        RecipientCommand::Retire(args) => retire(args, config),
    }
}

fn new(args: &New, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let (project, _lock) = checked(config, &args.name, &args.channels)?;
    let keys = Keys::new(project.keys(), passphrases.clone());
    let path = keys.path(GROUP, &args.name);
    // A key that is there already, such as a retired one, is taken as it is.
    let (key, made) = if path.exists() {
        (opening::read(&path, passphrases)?.recipient(), "Took")
    } else {
        // A phone has nobody to ask for a passphrase.
        (opening::create(&keys, &args.name, None)?, "Made")
    };
    let settings = opening::recipient(key, &args.channels);
    project.note(config, |notes| notes.recipient(&args.name, &settings))?;
    let text = format!(
        "{made} {} ({}). Whoever has it can read: ship it in the app, or hand it to phones at run time.",
        path.display(),
        key.id()
    );
    Ok(Report::new(text, json!({ "name": args.name, "kid": key.id(), "file": path })))
}

fn renew(args: &Renew, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let (project, _lock) = Project::hold(config)?;
    let keys = Keys::new(project.keys(), passphrases.clone());
    let key = opening::renew(&keys, (!args.no_passphrase).then_some(GROUP))?;
    let mut settings = opening::recipient(key, &[]);
    if let Some(before) = project.recipients.get(OWN) {
        settings.earlier = [before.earlier.as_slice(), &[before.key]].concat();
    }
    project.note(config, |notes| notes.recipient(OWN, &settings))?;
    let path = keys.path(GROUP, OWN);
    let text = format!(
        "Made {} ({}). Coming releases are sealed for it; the key before stays beside it for what it \
         opens. Keep a copy of the folder elsewhere.",
        path.display(),
        key.id()
    );
    Ok(Report::new(text, json!({ "name": OWN, "kid": key.id(), "file": path })))
}

fn add(args: &Add, config: &Path) -> Result<Report> {
    let (project, _lock) = checked(config, &args.name, &args.channels)?;
    let text = fs::read_to_string(&args.key)
        .map_err(|error| Failure::file("reading the public key", &args.key, &error))?;
    let key = RecipientKey::from_pem(&text).map_err(|_| {
        let message = format!("{} is no X25519 public key in PEM", args.key.display());
        Failure::new("key-invalid", message)
    })?;
    if let Some((name, _)) = project.recipients.iter().find(|(_, known)| known.key == key) {
        return Err(Failure::new("exists", format!("that key is {name}'s already")));
    }
    // A point that nobody has a private half of would fail every release to come.
    Sealer::new(&project.app, &System).and_then(|sealer| sealer.seal(&[key])).map_err(|_| {
        let message = format!("{} holds a key that nothing can be sealed for", args.key.display());
        Failure::new("key-invalid", message)
    })?;
    let settings = opening::recipient(key, &args.channels);
    project.note(config, |notes| notes.recipient(&args.name, &settings))?;
    let text = format!("Coming releases are sealed for {} ({}) too.", args.name, key.id());
    Ok(Report::new(text, json!({ "name": args.name, "kid": key.id() })))
}

/// The project, held, if it may get a recipient of this name.
fn checked(config: &Path, name: &str, channels: &[String]) -> Result<(Project, Locked)> {
    keys::check_name(name)?;
    let (project, lock) = Project::hold(config)?;
    if name == OWN || name.starts_with(&format!("{OWN}-")) {
        let message =
            format!("{OWN} is the publisher's own key; `farad key recipient renew` makes another");
        return Err(Failure::new("exists", message));
    }
    if project.recipients.contains_key(name) {
        return Err(Failure::new("exists", format!("there is a recipient {name} already")));
    }
    for channel in channels {
        let (_, settings) = project.channel(channel)?;
        if !settings.sealed {
            let message = format!("{channel} is not sealed: everybody can read it");
            return Err(Failure::new("not-sealed", message));
        }
    }
    Ok((project, lock))
}

fn list(config: &Path) -> Result<Report> {
    let workspace = Workspace::read(config)?;
    let project = &workspace.project;
    let (mut text, mut recipients) = (String::new(), Vec::new());
    for (name, settings) in &project.recipients {
        let channels = match settings.channels.as_slice() {
            [] => "every sealed channel".to_owned(),
            channels => channels.join(", "),
        };
        let _ = writeln!(text, "{name:<20} {}  {channels}", settings.key.id());
        let kid = settings.key.id();
        recipients.push(json!({ "name": name, "kid": kid, "channels": settings.channels }));
    }
    let mut releases = Vec::new();
    for channel in workspace.current.authority().channels() {
        let documents = workspace.repository.channel(&workspace.current, &project.app, &channel)?;
        for (_, manifest) in documents.releases.values() {
            let Some(seal) = &manifest.seal else { continue };
            let names = opening::names(project, seal);
            let _ = writeln!(text, "{channel} {}: {}", manifest.version, names.join(", "));
            releases.push(json!({
                "channel": channel, "version": manifest.version, "recipients": names,
            }));
        }
    }
    if text.is_empty() {
        text.push_str("No recipient: releases are open.");
    }
    let json = json!({ "recipients": recipients, "releases": releases });
    Ok(Report::new(text.trim_end(), json))
}

fn retire(args: &Retire, config: &Path) -> Result<Report> {
    let (mut project, _lock) = Project::hold(config)?;
    if args.name == OWN {
        let message = "the publisher's own key stays a recipient: patches and promotions need it";
        return Err(Failure::new("no-recipient", message));
    }
    if project.recipients.remove(&args.name).is_none() {
        let known: Vec<_> = project.recipients.keys().map(String::as_str).collect();
        let message =
            format!("there is no recipient {:?}; there is: {}", args.name, known.join(", "));
        return Err(Failure::new("unknown-recipient", message));
    }
    // A channel that no phone can read any more is not what anybody wants.
    for (name, _) in project.channels.iter().filter(|(_, settings)| settings.sealed) {
        opening::recipients(&project, &project.channel(name)?.0)?;
    }
    project.note(config, |notes| notes.retire(&args.name))?;
    let text = format!(
        "Coming releases are no longer sealed for {0}. What was sealed stays open to it: after a \
         leak, release again and revoke what must not be run.",
        args.name
    );
    Ok(Report::new(text, json!({ "name": args.name })))
}
