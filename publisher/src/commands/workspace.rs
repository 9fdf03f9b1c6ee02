//! What every command that changes or reads a repository starts from, and how a change ends:
//! published, or waiting in a file for the signatures that it lacks.

use std::fs;
use std::path::{Path, PathBuf};

use farad::id::{AppId, Channel};
use farad::time::UnixTime;
use farad::trust::metadata::Root;

use super::Outcome;
use super::outcome::lines;
use crate::change::{Change, Wait};
use crate::checkpoint;
use crate::clock;
use crate::commit::{self, Locked};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::keys::Keys;
use crate::passphrase::Passphrases;
use crate::pending;
use crate::project::{ChannelSettings, PENDING, Project, ROOT_FILE};
use crate::repository::{ChannelDocuments, Current, Repository, signed};
use crate::temporary::replace;

/// Clocks of several publishers differ by so many seconds without harm.
const CLOCKS: u64 = 3600;

/// A project, its repository as it is, and the keys that are here.
pub(crate) struct Workspace {
    pub(crate) project: Project,
    pub(crate) repository: Repository,
    pub(crate) current: Current,
    pub(crate) keys: Keys,
    /// The trust anchor.
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
        Self::look(config, &Passphrases::default())
    }

    /// Opens the project at `config` for reading, sealed releases included.
    pub(crate) fn look(config: &Path, passphrases: &Passphrases) -> Result<Self> {
        Self::load(config, passphrases, false)
    }

    /// A project whose repository is still to be made, by whoever holds its lock.
    pub(crate) fn create(
        project: Project,
        passphrases: &Passphrases,
        lock: Locked,
    ) -> Result<Self> {
        let repository = Repository { folder: project.repository() };
        for folder in ["metadata", "targets", "blobs"].map(|name| repository.folder.join(name)) {
            fs::create_dir_all(&folder)
                .map_err(|error| Failure::file("making", &folder, &error))?;
        }
        let keys = Keys::new(project.keys(), passphrases.clone());
        let (current, now) = (Current::nothing(), clock::now());
        Ok(Self { project, repository, current, keys, root: Vec::new(), now, _lock: Some(lock) })
    }

    fn load(config: &Path, passphrases: &Passphrases, change: bool) -> Result<Self> {
        let (project, lock) = if change {
            let (project, lock) = Project::hold(config)?;
            (project, Some(lock))
        } else {
            (Project::load(config)?, None)
        };
        let repository = Repository { folder: project.repository() };
        if !repository.folder.join("metadata").is_dir() {
            let message = format!("there is no repository at {}", repository.folder.display());
            return Err(Failure::new("no-repository", message));
        }
        if commit::is_unfinished(&repository)? {
            if !change {
                return Self::load(config, passphrases, true);
            }
            commit::finish(&repository)?;
        }
        let path = project.root_file();
        let root = fs::read(&path).map_err(|error| Failure::file("reading", &path, &error))?;
        let current = repository.load(&root, &project.app)?;
        let keys = Keys::new(project.keys(), passphrases.clone());
        follow(&keys, &root, &repository, &current, &project.app)?;
        if lock.is_some() {
            commit::refuse_lagging(&repository, &current)?;
        }
        Ok(Self { project, repository, current, keys, root, now: clock::now(), _lock: lock })
    }

    /// A channel of the repository, with its documents and its settings in the project.
    pub(crate) fn channel(
        &self,
        name: &str,
    ) -> Result<(Channel, ChannelSettings, ChannelDocuments)> {
        let channels = self.current.authority().channels();
        let found = channels.iter().find(|channel| channel.as_str() == name);
        let channel = found.cloned().ok_or_else(|| {
            let known: Vec<_> = channels.iter().map(Channel::as_str).collect();
            let message = format!("there is no channel {name:?}; there is: {}", known.join(", "));
            Failure::new("unknown-channel", message)
        })?;
        // Which channels there are is signed; how they are kept is the project's own affair.
        let settings = self.project.channel(name)?.1.clone();
        let documents = self.repository.channel(&self.current, &self.project.app, &channel)?;
        Ok((channel, settings, documents))
    }

    /// Whether the newest timestamp was signed by a clock that was ahead of this one.
    pub(crate) fn is_before_newest(&self) -> bool {
        self.current.timestamp.signed_at.is_some_and(|signed| signed > self.now.plus(CLOCKS))
    }

    /// Phones hold later timestamps of the same keys against the time of this one.
    fn refuse_earlier(&self, change: &Change) -> Result<()> {
        let before = self.current.authority().of("timestamp");
        let same = before.is_some_and(|may| {
            change.after().of("timestamp").is_some_and(|after| after.same_as(&may))
        });
        if !same || !self.is_before_newest() {
            return Ok(());
        }
        let signed = self.current.timestamp.signed_at.unwrap_or(self.now);
        let message = format!(
            "the newest timestamp says that it was signed at {signed}, and it is {now} here; if this clock is right, give the timestamp another key first: farad key rotate timestamp",
            now = self.now
        );
        Err(Failure::new("clock", message))
    }

    /// Removes what commands that died left behind. Only for whoever opened the project to change it, and
    /// is about to.
    pub(crate) fn clear(&self) -> Result<()> {
        commit::remove_strays(&self.repository, &self.current)
    }

    /// Signs an edit with the keys that are here, and publishes it or lets it wait.
    pub(crate) fn publish(&self, edit: Edit, dry: bool) -> Result<Outcome> {
        let mut change = Change::new(edit, &self.repository, &self.current, self.now)?;
        let added = change.sign(&self.keys, &self.current)?;
        let waits = change.waits(&self.keys, &self.current)?;
        if !waits.is_empty() && added.is_empty() {
            let message = format!("no key for this is here: {}", self.tell(&waits).join("; "));
            return Err(Failure::new("key-missing", message));
        }
        let file = self.pending_file(&change);
        if !waits.is_empty() && file.exists() {
            let waits = file.display();
            let stale = pending::read(&file, &self.project, &self.repository, &self.current)
                .err()
                .filter(|failure| failure.code == "stale");
            let message = stale.map_or_else(
                || format!("another change of the same files waits in {waits}; sign it or remove it first"),
                |failure| format!("{waits} can no longer be signed: {}", failure.message),
            );
            return Err(Failure::new("exists", message));
        }
        self.carry_out(&change, waits, &file, dry)
    }

    /// Publishes a change that lacks nothing, else writes it to `file`.
    pub(crate) fn carry_out(
        &self,
        change: &Change,
        waits: Vec<Wait>,
        file: &Path,
        dry: bool,
    ) -> Result<Outcome> {
        if waits.is_empty() {
            self.refuse_earlier(change)?;
        }
        if !dry {
            self.clear()?;
            // Before anything names them.
            self.keys.store()?;
            checkpoint::pass("publish", &self.repository.folder);
        }
        if !waits.is_empty() {
            if !dry {
                pending::write(file, change, &self.project.app)?;
                self.trust()?;
            }
            let labels = waits.iter().flat_map(|wait| &wait.keys);
            let labels = labels.map(|id| (id.clone(), self.project.label(id))).collect();
            let file = (!dry).then(|| file.to_owned());
            return Ok(Outcome::Waits { file, waits, labels });
        }
        let new_root = change.publish(
            (&self.repository, &self.current, &self.keys),
            (&self.root, &self.project.app),
            self.now,
            dry,
        )?;
        if dry {
            return Ok(Outcome::Tried);
        }
        self.keep_anchor(new_root)?;
        Ok(Outcome::Published)
    }

    /// The newest root is what the next build of the app ships. Where a command died before it said
    /// so, or somebody else made the root, the next one that publishes does.
    fn keep_anchor(&self, new_root: Option<Vec<u8>>) -> Result<()> {
        let newest = match new_root {
            Some(root) => root,
            None => self.newest_root()?,
        };
        if newest != self.root {
            replace(&self.project.root_file(), &newest)?;
        }
        self.keys.remember(&self.project.app, &newest)
    }

    /// Has the keys that are here follow the newest root from now on, whoever publishes what they sign.
    pub(crate) fn trust(&self) -> Result<()> {
        self.keys.remember(&self.project.app, &self.newest_root()?)
    }

    /// The file of the newest root.
    fn newest_root(&self) -> Result<Vec<u8>> {
        let path = format!("metadata/{}.root.json", self.current.root.common.version);
        let bytes = self.repository.read(&path)?;
        // It may have been replaced since it was verified.
        if signed::<Root>(&bytes, "root")? == self.current.root {
            return Ok(bytes);
        }
        Err(Failure::new("conflict", format!("{path} changed meanwhile; restore it")))
    }

    /// The name of a key's files, if they are here.
    pub(crate) fn file_name(&self, id: &str) -> Option<String> {
        let found = self.keys.found().ok()?;
        found.into_iter().find(|key| key.id == id).map(|key| key.name)
    }

    /// Ids of the keys of a role that are meant by a holder, a name or the beginning of an id.
    pub(crate) fn keys_meant(&self, role: &str, key: &str) -> Vec<String> {
        let Some(may) = self.current.authority().of(role) else { return Vec::new() };
        let meant = |id: &&String| {
            let holder = self.project.holders.get(*id);
            let begins = key.len() >= 6 && id.starts_with(key);
            begins || holder.is_some_and(|h| h == key) || self.file_name(id).as_deref() == Some(key)
        };
        may.role.keyids.iter().filter(meant).cloned().collect()
    }

    /// One line for each role that waits.
    pub(crate) fn tell(&self, waits: &[Wait]) -> Vec<String> {
        let labels = waits.iter().flat_map(|wait| &wait.keys);
        let labels: Vec<_> = labels.map(|id| (id.clone(), self.project.label(id))).collect();
        lines(waits, &labels)
    }

    /// Where a change waits, named after its most precious role.
    fn pending_file(&self, change: &Change) -> PathBuf {
        let rank = |role: &str| match role {
            "root" => 0,
            "targets" => 1,
            role if role.ends_with("-releases") => 2,
            _ => 3,
        };
        let first = change.builds_on.iter().min_by_key(|(role, _)| rank(role));
        let name = first.map_or_else(
            || "online".to_owned(),
            |(role, base)| format!("{role}-v{}", base.version + 1),
        );
        self.project.base.join(PENDING).join(format!("{name}.zip"))
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

/// Holds the repository against the roots that the keys here trust.
fn follow(
    keys: &Keys,
    root: &[u8],
    repository: &Repository,
    current: &Current,
    app: &AppId,
) -> Result<()> {
    let channels = current.authority().channels();
    for (path, anchor) in keys.anchors(app)? {
        if anchor == root {
            continue;
        }
        let same = repository
            .trusted_root(&anchor, app, &channels)
            .is_ok_and(|newest| newest == current.root);
        if !same {
            let message = format!(
                "{}, kept beside the keys, does not lead to the root of this repository: metadata or {ROOT_FILE} was changed by somebody else; restore both",
                path.display()
            );
            return Err(Failure::new("root-differs", message));
        }
    }
    Ok(())
}
