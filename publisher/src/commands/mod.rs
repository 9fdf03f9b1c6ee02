//! One file a command. Each takes its arguments and returns what to say; nothing in here prints.

pub(crate) mod device;
pub(crate) mod embed;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod policy;
pub(crate) mod prune;
pub(crate) mod refresh;
pub(crate) mod release;
pub(crate) mod rollout;
pub(crate) mod status;
pub(crate) mod verify;

use std::fs;
use std::path::Path;

use farad::id::Channel;
use farad::time::UnixTime;
use serde_json::Value;

use crate::clock;
use crate::edit::{self, Edit, Locked};
use crate::failure::{Failure, Result};
use crate::keys::{Keys, random};
use crate::passphrase::Passphrases;
use crate::project::{ChannelSettings, Project};
use crate::repository::{ChannelDocuments, Current, Repository};

/// What a command has to say: for people, and for machines.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) json: Value,
    /// Something is wrong that the command was asked to look for.
    pub(crate) failed: bool,
}

impl Report {
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, failed: false }
    }
}

/// What every command that changes or reads a repository starts from.
pub(crate) struct Workspace {
    pub(crate) project: Project,
    pub(crate) repository: Repository,
    pub(crate) current: Current,
    pub(crate) keys: Keys,
    pub(crate) root: Vec<u8>,
    pub(crate) now: UnixTime,
    _lock: Option<Locked>,
}

impl Workspace {
    /// Opens the project at `config` for changing its repository.
    pub(crate) fn open(config: &Path, passphrases: &Passphrases) -> Result<Self> {
        Self::load(config, passphrases, true)
    }

    /// Opens the project at `config` for reading.
    pub(crate) fn read(config: &Path) -> Result<Self> {
        Self::load(config, &Passphrases::default(), false)
    }

    fn load(config: &Path, passphrases: &Passphrases, change: bool) -> Result<Self> {
        let project = Project::load(config)?;
        let repository = Repository { folder: project.repository() };
        if !repository.folder.is_dir() {
            let message = format!("there is no repository at {}", repository.folder.display());
            return Err(Failure::new("no-repository", message));
        }
        let lock = if change { Some(edit::lock(&repository)?) } else { None };
        let path = project.root_file();
        let root = fs::read(&path).map_err(|error| Failure::file("reading", &path, &error))?;
        let current = repository.load(&root, &project.app)?;
        let keys = Keys::new(project.keys(), passphrases.clone());
        let now = clock::now();
        // Signed by a clock that was wrong: phones hold later files against it.
        if current.timestamp.signed_at.is_some_and(|signed| signed > now.plus(3600)) {
            let message = "the newest timestamp was signed in the future by this machine's clock; set the clock right";
            return Err(Failure::new("clock", message));
        }
        Ok(Self { project, repository, current, keys, root, now, _lock: lock })
    }

    /// A channel of the project, with its documents.
    pub(crate) fn channel(
        &self,
        name: &str,
    ) -> Result<(Channel, ChannelSettings, ChannelDocuments)> {
        let (channel, settings) = self.project.channel(name)?;
        let documents = self.repository.channel(&self.current, &self.project.app, &channel)?;
        Ok((channel, settings.clone(), documents))
    }

    /// Signs and publishes.
    pub(crate) fn publish(&self, edit: Edit, dry: bool) -> Result<()> {
        edit::publish(&self.repository, &self.current, edit, &self.keys, self.now, dry)
    }

    /// Replaces the rollout of a channel.
    pub(crate) fn put_rollout(
        &self,
        edit: &mut Edit,
        channel: &Channel,
        rollout: &farad::rollout::Rollout,
    ) -> Result<()> {
        let bytes = rollout.to_bytes()?;
        edit.put(&self.current, &channel.rollout_role(), &channel.rollout_path(), bytes)
    }

    /// Replaces the policy of a channel.
    pub(crate) fn put_policy(
        &self,
        edit: &mut Edit,
        channel: &Channel,
        policy: &farad::rollout::Policy,
    ) -> Result<()> {
        let bytes = policy.to_bytes()?;
        edit.put(&self.current, &channel.releases_role(), &channel.policy_path(), bytes)
    }
}

/// A fresh salt for an offer.
pub(crate) fn salt() -> Result<String> {
    Ok(farad::hex::encode(&random::<16>()?))
}

/// The suffix of a report about something that was only tried.
pub(crate) fn dry_note(dry: bool) -> &'static str {
    if dry { " (dry run: nothing was written)" } else { "" }
}

/// Basis points as people write them.
pub(crate) fn percent(share: u32) -> String {
    match share % 100 {
        0 => format!("{} %", share / 100),
        rest => format!("{}.{rest:02} %", share / 100),
    }
}
