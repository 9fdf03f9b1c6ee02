//! `farad.toml`: the app, where its repository and keys lie, its channels.
//!
//! The only place that names a repository or keys; made by `farad init`, found in the folder the
//! command runs in or by `--config`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use farad::id::{AppId, Channel};
use farad::seal::{KeyId, RecipientKey};
use serde::{Deserialize, Serialize};

use crate::commit::{self, Locked};
use crate::failure::{Failure, Result};
use crate::keys::GROUPS;
use crate::repository::Repository;
use crate::temporary::{self, replace};
use crate::{making, opening, places, plain};

/// Its usual name.
pub(crate) const FILE: &str = "farad.toml";
/// The folder of changes that wait for signatures, beside it.
pub(crate) const PENDING: &str = "pending";
/// The trust anchor to ship in the app.
pub(crate) const ROOT_FILE: &str = "farad-root.json";

/// The project of one app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    /// The app's id.
    pub(crate) app: AppId,
    /// Folder of the repository, relative to this file.
    pub(crate) repository: PathBuf,
    /// Folder of the keys, relative to this file.
    pub(crate) keys: PathBuf,
    /// Channels by name; none after the last was taken away.
    #[serde(default)]
    pub(crate) channels: BTreeMap<String, ChannelSettings>,
    /// Who holds a key, by its id: for people, believed by nothing.
    #[serde(default)]
    pub(crate) holders: BTreeMap<String, String>,
    /// Who can read sealed releases, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) recipients: BTreeMap<String, RecipientSettings>,
    /// The folder of this file.
    #[serde(skip)]
    pub(crate) base: PathBuf,
}

/// Settings of a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelSettings {
    /// How many releases stay listed.
    #[serde(default = "default_keep")]
    pub(crate) keep: usize,
    /// Releases can be read by recipients alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sealed: bool,
}

/// One recipient of sealed releases.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecipientSettings {
    /// Its X25519 public key.
    pub(crate) key: RecipientKey,
    /// The channels it may read; every sealed one if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) channels: Vec<String>,
    /// Keys that it had before, of the publisher's own: it can still open what was sealed for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier: Vec<RecipientKey>,
}

impl RecipientSettings {
    /// Whether a key is this recipient's, or was.
    pub(crate) fn had(&self, kid: &KeyId) -> bool {
        self.key.id() == *kid || self.earlier.iter().any(|key| key.id() == *kid)
    }
}

fn default_keep() -> usize {
    10
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self { keep: default_keep(), sealed: false }
    }
}

impl Project {
    /// Reads a project file. Refuses one whose keys lie in the repository.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                let message =
                    format!("there is no {} here; run `farad init` first, or pass --config", FILE);
                Failure::new("no-project", message)
            } else {
                Failure::file("reading", path, &error)
            }
        })?;
        let broken = |detail: String| {
            Failure::new("config-invalid", format!("{}: {detail}", path.display()))
        };
        let mut project: Self =
            toml::from_str(&text).map_err(|e| broken(e.message().to_owned()))?;
        for (name, settings) in &project.channels {
            name.parse::<Channel>().map_err(|error| broken(error.to_string()))?;
            if settings.keep == 0 || settings.keep > 100 {
                return Err(broken(format!("channels.{name}.keep lies between 1 and 100")));
            }
        }
        // They are shown beside what somebody signed.
        if let Some(holder) = project.holders.values().find(|holder| !plain::is_name(holder)) {
            return Err(broken(format!("holders: {holder:?} is no name that can be shown")));
        }
        for (name, recipient) in &project.recipients {
            if !plain::is_name(name) {
                return Err(broken(format!("recipients: {name:?} is no name that can be shown")));
            }
            let mut channels = recipient.channels.iter();
            if let Some(unknown) = channels.find(|name| !project.channels.contains_key(*name)) {
                return Err(broken(format!("recipients.{name}: there is no channel {unknown:?}")));
            }
        }
        project.base = path.parent().map(Path::to_owned).unwrap_or_default();
        places::refuse_served(&project.keys(), &project.repository())?;
        Ok(project)
    }

    /// Reads a project file while nothing else changes it, its keys or its repository, for as long as
    /// the lock is held; and removes what commands left that died meanwhile. Refuses one without a
    /// repository.
    pub(crate) fn hold(path: &Path) -> Result<(Self, Locked)> {
        let before = Self::load(path)?;
        let repository = Repository { folder: before.repository() };
        if !repository.folder.join("metadata").is_dir() {
            let message = format!("there is no repository at {}", repository.folder.display());
            return Err(Failure::new("no-repository", message));
        }
        let lock = commit::lock(&repository)?;
        // Whoever had the lock may have changed it.
        let project = Self::load(path)?;
        if project.repository != before.repository {
            let message = "somebody else changed farad.toml meanwhile; run the command again";
            return Err(Failure::new("conflict", message));
        }
        let groups = GROUPS.into_iter().chain([opening::GROUP]);
        groups.for_each(|group| temporary::remove_strays(&project.keys().join(group)));
        temporary::remove_strays(commit::folder_of(path));
        temporary::remove_strays(&project.base.join(PENDING));
        making::remove_empty(&project.base);
        Ok((project, lock))
    }

    /// Writes a new project file.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self)
            .map_err(|error| Failure::new("config-invalid", error.to_string()))?;
        let text = format!("# Made by `farad init`. Private keys are never in here.\n{text}");
        replace(path, text.as_bytes())
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.base.join(&self.repository)
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.base.join(&self.keys)
    }

    pub(crate) fn root_file(&self) -> PathBuf {
        self.base.join(ROOT_FILE)
    }

    /// A key as people know it: its holder if one is noted, and how its id begins.
    pub(crate) fn label(&self, id: &str) -> String {
        let short = id.get(..8).unwrap_or(id);
        match self.holders.get(id) {
            Some(holder) => format!("{holder} ({short})"),
            None => short.to_owned(),
        }
    }

    /// The settings of the channel of this name.
    pub(crate) fn channel(&self, name: &str) -> Result<(Channel, &ChannelSettings)> {
        let unknown = || {
            let known: Vec<_> = self.channels.keys().map(String::as_str).collect();
            let known = known.join(", ");
            let message = format!("{FILE} has no channel {name:?}; it has: {known}");
            Failure::new("unknown-channel", message)
        };
        let settings = self.channels.get(name).ok_or_else(unknown)?;
        Ok((name.parse().map_err(|_| unknown())?, settings))
    }

    /// Changes the file at `path`, and leaves what its owner wrote in it as it is. Only for whoever
    /// [holds](Self::hold) the project.
    pub(crate) fn note(&self, path: &Path, change: impl FnOnce(&mut Notes)) -> Result<()> {
        let text = fs::read_to_string(path).map_err(|e| Failure::file("reading", path, &e))?;
        let document = text.parse().map_err(|error: toml_edit::TomlError| {
            Failure::new("config-invalid", format!("{}: {}", path.display(), error.message()))
        })?;
        let mut notes = Notes(document);
        change(&mut notes);
        replace(path, notes.0.to_string().as_bytes())
    }
}

/// A project file that is being changed.
pub(crate) struct Notes(toml_edit::DocumentMut);

impl Notes {
    /// Notes who holds a key.
    pub(crate) fn holder(&mut self, id: &str, name: &str) {
        if let Some(holders) = self.table("holders") {
            holders.insert(id, toml_edit::value(name));
        }
    }

    /// Gives a channel its settings. Where it has some already, only whether it is sealed is put
    /// right: settings that stayed from earlier leave no channel open that is to be sealed.
    pub(crate) fn channel(&mut self, name: &str, sealed: bool) {
        let Some(channels) = self.table("channels") else { return };
        let keep = i64::try_from(default_keep()).unwrap_or(i64::MAX);
        let mut new = toml_edit::Table::new();
        new.insert("keep", toml_edit::value(keep));
        let settings = channels.entry(name).or_insert(toml_edit::Item::Table(new));
        let Some(settings) = settings.as_table_like_mut() else { return };
        if sealed {
            settings.insert("sealed", toml_edit::value(true));
        } else {
            settings.remove("sealed");
        }
    }

    /// Drops a channel's settings, and recipients that read nothing else.
    pub(crate) fn remove_channel(&mut self, name: &str) {
        if let Some(channels) = self.table("channels") {
            channels.remove(name);
        }
        let Some(recipients) = self.table("recipients") else { return };
        let mut idle = Vec::new();
        for (recipient, settings) in recipients.iter_mut() {
            let Some(channels) = settings.get_mut("channels").and_then(|item| item.as_array_mut())
            else {
                continue;
            };
            channels.retain(|channel| channel.as_str() != Some(name));
            // No channel named would mean all of them.
            if channels.is_empty() {
                idle.push(recipient.get().to_owned());
            }
        }
        idle.iter().for_each(|recipient| {
            recipients.remove(recipient);
        });
    }

    /// Names a recipient of sealed releases, in another's place if need be.
    pub(crate) fn recipient(&mut self, name: &str, settings: &RecipientSettings) {
        let mut table = toml_edit::Table::new();
        table.insert("key", toml_edit::value(settings.key.to_string()));
        if !settings.channels.is_empty() {
            let channels: toml_edit::Array = settings.channels.iter().collect();
            table.insert("channels", toml_edit::value(channels));
        }
        if !settings.earlier.is_empty() {
            let earlier = settings.earlier.iter().map(ToString::to_string);
            table.insert("earlier", toml_edit::value(earlier.collect::<toml_edit::Array>()));
        }
        if let Some(recipients) = self.table("recipients") {
            recipients.insert(name, toml_edit::Item::Table(table));
        }
    }

    /// Drops a recipient.
    pub(crate) fn retire(&mut self, name: &str) {
        if let Some(recipients) = self.table("recipients") {
            recipients.remove(name);
        }
    }

    /// The table of this name, made if there is none.
    fn table(&mut self, name: &str) -> Option<&mut dyn toml_edit::TableLike> {
        let empty = toml_edit::Item::Table(toml_edit::Table::new());
        self.0.entry(name).or_insert(empty).as_table_like_mut()
    }
}
