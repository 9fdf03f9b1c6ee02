//! What a change would do, for whoever is asked to sign it: worked out from the signed files
//! themselves, and from nothing that its author says of it.
//!
//! Enters: a change, and the repository as it is. Leaves: one line for each difference. Every blob
//! that a new release names is hashed again, its pack is unpacked, and its files are compared with
//! those of the release that is offered now. No line means that nothing differs, not that nothing was
//! found. Refuses: a role that lists what no phone asks for, a manifest in place of another,
//! delegations of another shape, offers of what is not listed, a key under the id of another,
//! documents that say or require more than this version knows.

mod documents;

use std::collections::{BTreeMap, BTreeSet};

use farad::id::Channel;
use farad::native::NativeRange;
use farad::release::Manifest;
use farad::rollout::{Offered, Policy, Rollout};
use farad::time::UnixTime;
use farad::trust::key::Key;
use farad::trust::metadata::{Root, Targets};
use serde::Serialize;

use self::documents::{Names, policy_changes, refuse_unknown, rollout_changes};
use crate::change::Change;
use crate::commands::{Workspace, count};
use crate::content::{Contents, Differences, differences};
use crate::failure::{Failure, Result};
use crate::opening::{self, Opener};
use crate::plain::one_line;
use crate::project::Project;
use crate::repository::{Current, Repository, listed_sequences, target_file};
use crate::roles::{Authority, May, delegations, lifetime};

/// Seconds.
const DAY: u64 = 86_400;

/// More files that differ than this are too many to be read through on a screen.
const LISTED: usize = 200;

/// What changes in one role.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) role: String,
    pub(crate) version: u64,
    pub(crate) expires: UnixTime,
    pub(crate) changes: Vec<Line>,
}

/// One difference.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Line {
    pub(crate) text: String,
    /// One of so many that a screen shows only how many.
    #[serde(skip)]
    pub(crate) beyond: bool,
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self { text, beyond: false }
    }
}

fn lines(texts: Vec<String>) -> Vec<Line> {
    texts.into_iter().map(Line::from).collect()
}

/// What a change would do, role by role.
pub(crate) fn review(change: &Change, workspace: &Workspace) -> Result<Vec<Section>> {
    let Workspace { project, repository, current, .. } = workspace;
    let contents = Contents { change, repository, opener: Opener::new(workspace) };
    let reviewer = Reviewer { change, project, repository, current, contents };
    let mut sections = Vec::new();
    for (role, draft) in &change.drafts {
        let (common, changes) = if role == "root" {
            let root: Root = draft.read()?;
            (root.common.clone(), lines(reviewer.root(&root)?))
        } else {
            let targets: Targets = draft.read()?;
            let changes = match (role.as_str(), channel_of(role, change.after())) {
                ("targets", _) => lines(reviewer.targets(&targets)?),
                (_, Some((channel, true))) => reviewer.releases(role, &channel, &targets)?,
                (_, Some((channel, false))) => lines(reviewer.rollout(role, &channel, &targets)?),
                _ => return Err(refuse(&format!("{role} is no role of this repository"))),
            };
            (targets.common, changes)
        };
        refuse_expiry(role, common.expires, workspace.now)?;
        let (role, version, expires) = (role.clone(), common.version, common.expires);
        sections.push(Section { role, version, expires, changes });
    }
    Ok(sections)
}

/// The channel of a role, and whether it is the one of its releases.
fn channel_of(role: &str, after: Authority<'_>) -> Option<(Channel, bool)> {
    let channels = after.channels().into_iter();
    channels
        .filter_map(|channel| match role {
            _ if channel.releases_role() == role => Some((channel, true)),
            _ if channel.rollout_role() == role => Some((channel, false)),
            _ => None,
        })
        .next()
}

/// A key's id, and what it is (`Key::substance`), if it is there.
type KeyOfRole = (String, Option<(String, Vec<u8>)>);

struct Reviewer<'a> {
    change: &'a Change,
    project: &'a Project,
    repository: &'a Repository,
    current: &'a Current,
    contents: Contents<'a>,
}

impl Reviewer<'_> {
    fn root(&self, root: &Root) -> Result<Vec<String>> {
        if !root.consistent_snapshot || !root.roles.keys().eq(self.current.root.roles.keys()) {
            return Err(refuse(&"root is of another shape"));
        }
        refuse_borrowed_ids("root", &self.current.root.keys, &root.keys)?;
        let roles = root.roles.keys();
        Ok(roles.flat_map(|role| self.keys(role)).collect())
    }

    fn targets(&self, targets: &Targets) -> Result<Vec<String>> {
        if !targets.targets.is_empty() {
            return Err(refuse(&"targets lists files of its own"));
        }
        let (before, after) = (self.current.authority(), self.change.after());
        let keys = |targets: &Targets| targets.delegations.clone().unwrap_or_default().keys;
        refuse_borrowed_ids("targets", &keys(&self.current.targets), &keys(targets))?;
        let mut expected = BTreeMap::new();
        for delegation in after.channels().iter().flat_map(delegations) {
            expected.insert(delegation.name.clone(), delegation);
        }
        let all = targets.delegations.iter().flat_map(|all| &all.roles);
        for delegation in all.clone() {
            let fits = expected.remove(&delegation.name).is_some_and(|mut expected| {
                expected.keys = delegation.keys.clone();
                expected == *delegation
            });
            if !fits {
                let message = format!("the delegation to {} is of another shape", delegation.name);
                return Err(refuse(&message));
            }
        }
        if let Some(missing) = expected.keys().next() {
            return Err(refuse(&format!("there is no delegation to {missing}")));
        }
        let mut changes = Vec::new();
        let (old, new) = (before.channels(), after.channels());
        changes.extend(new.iter().filter(|c| !old.contains(c)).map(|c| format!("+ channel {c}")));
        changes.extend(old.iter().filter(|c| !new.contains(c)).map(|c| format!("- channel {c}")));
        changes.extend(all.flat_map(|delegation| self.keys(&delegation.name)));
        Ok(changes)
    }

    /// How keys and threshold of a role change.
    fn keys(&self, role: &str) -> Vec<String> {
        let (before, after) = (self.current.authority().of(role), self.change.after().of(role));
        // By what they are, too: another key under an id that stays is another key.
        let keys = |may: Option<May<'_>>| -> BTreeSet<KeyOfRole> {
            let ids = may.iter().flat_map(|may| &may.role.keyids);
            let key = |id| may.and_then(|may| may.keys.get(id)).map(Key::substance);
            ids.map(|id| (id.clone(), key(id))).collect()
        };
        let (old, new) = (keys(before), keys(after));
        let line = |sign: &str, (id, key): &KeyOfRole| {
            let who = self.project.label(id);
            let scheme = key.as_ref().map_or("", |(scheme, _)| scheme);
            format!("{sign} key of {role}: {who}, {}, id {}", one_line(scheme), one_line(id))
        };
        let mut changes: Vec<String> = new.difference(&old).map(|key| line("+", key)).collect();
        changes.extend(old.difference(&new).map(|key| line("-", key)));
        let threshold = |may: Option<May<'_>>| may.map_or(0, |m| m.role.threshold);
        let (from, to, of) = (threshold(before), threshold(after), new.len());
        if before.is_none() {
            changes.push(format!("+ {role} takes {to} of {of} signatures"));
        } else if from != to {
            changes.push(format!("~ {role} takes {to} of {of} signatures, until now {from}"));
        }
        changes
    }

    fn releases(&self, role: &str, channel: &Channel, new: &Targets) -> Result<Vec<Line>> {
        let old = self.current.roles.get(role).map(|old| &old.targets);
        let old_digest = |path: &str| old.and_then(|old| old.get(path));
        let sequences = listed_sequences(new, channel);
        let known: BTreeSet<String> = sequences.iter().map(|s| channel.release_path(*s)).collect();
        for (path, file) in &new.targets {
            if *path != channel.policy_path() && !known.contains(path) {
                return Err(refuse(&format!("{role} lists {path}, which no phone asks for")));
            }
            if known.contains(path) && old_digest(path).is_some_and(|old| old != file) {
                return Err(refuse(&format!("{path} stands in place of another manifest")));
            }
        }
        if new.delegations.is_some() {
            return Err(refuse(&format!("{role} delegates to others")));
        }
        self.refuse_unlisted(role, channel, &sequences)?;
        let mut changes = Vec::new();
        for sequence in sequences {
            let path = channel.release_path(sequence);
            if old_digest(&path).is_none() {
                let bytes = self.document(new, &path)?;
                let manifest = Manifest::parse(&bytes, &self.project.app, channel, sequence)?;
                refuse_unknown(&bytes, &manifest, &manifest.requires, &path)?;
                changes.extend(self.release(channel, &manifest)?);
            }
        }
        for path in old.iter().flat_map(|old| old.keys()) {
            if !new.targets.contains_key(path) {
                changes.push(format!("- {path} leaves the list").into());
            }
        }
        let policy = |bytes: &[u8]| Policy::parse(bytes, &self.project.app, channel);
        let bytes = self.document(new, &channel.policy_path())?;
        let after = policy(&bytes)?;
        refuse_unknown(&bytes, &after, &after.requires, &channel.policy_path())?;
        let before = match self.current.roles.get(role) {
            Some(old) => policy(&self.repository.target(old, &channel.policy_path())?)?,
            None => Policy::open(self.project.app.clone(), channel.clone()),
        };
        changes.extend(lines(policy_changes(&before, &after)?));
        Ok(changes)
    }

    /// What is offered afterwards has to be listed: phones would be offered what they cannot take.
    fn refuse_unlisted(&self, role: &str, channel: &Channel, listed: &[u64]) -> Result<()> {
        let name = channel.rollout_role();
        let draft =
            self.change.drafts.get(&name).map(|draft| draft.read::<Targets>()).transpose()?;
        let Some(rollout) = draft.as_ref().or(self.current.roles.get(&name)) else { return Ok(()) };
        let bytes = self.document(rollout, &channel.rollout_path())?;
        for offer in Rollout::parse(&bytes, &self.project.app, channel)?.offers {
            if let Offered::Release { sequence, .. } = offer.release
                && !listed.contains(&sequence)
            {
                let message = format!("{role} does not list sequence {sequence}, which is offered");
                return Err(refuse(&message));
            }
        }
        Ok(())
    }

    /// A new release, looked into, against the one that is offered now.
    fn release(&self, channel: &Channel, manifest: &Manifest) -> Result<Vec<Line>> {
        let opened = self.contents.open(manifest)?;
        let offered = self.offered(channel)?;
        let mut changes = vec![format!(
            "+ release {} (sequence {}), {} bytes to download, {} unpacked",
            one_line(&manifest.version),
            manifest.sequence,
            manifest.pack.length,
            manifest.pack.decoded,
        )];
        changes.extend(builds(&manifest.native));
        changes.extend(self.readers(offered.as_ref(), manifest));
        let Some(index) = opened else {
            changes.push("  sealed, and its key is not here: its files cannot be shown".to_owned());
            return Ok(lines(changes));
        };
        changes.extend(notes(self.contents.notes(manifest)?.as_deref()));
        let old = match &offered {
            Some(offered) => self.contents.index(offered)?,
            None => None,
        };
        let against = match (&offered, &old) {
            (Some(offered), Some(_)) => {
                format!("against {}, which is offered now", one_line(&offered.version))
            }
            _ => "nothing to compare it with is offered now".to_owned(),
        };
        let Differences { counts, lines: files } = differences(old.as_ref(), &index);
        let all = count(index.files().len(), "file");
        changes.push(format!("  {all}; {against}: {counts}"));
        // Whoever made the release chose the names: no order of them shows what matters.
        let file = |(at, text)| Line { text: format!("    {text}"), beyond: at >= LISTED };
        Ok(lines(changes).into_iter().chain(files.into_iter().enumerate().map(file)).collect())
    }

    /// Who can read a release, against the one that is offered now.
    fn readers(&self, offered: Option<&Manifest>, manifest: &Manifest) -> Option<String> {
        let names = |manifest: &Manifest| {
            manifest.seal.as_ref().map(|seal| opening::names(self.project, seal))
        };
        let (old, new) = (offered.and_then(names), names(manifest));
        match (old, new) {
            (None, None) => None,
            (Some(_), None) => {
                Some("  ! open to everybody; what is offered now is sealed".to_owned())
            }
            (old, Some(new)) => {
                let old = old.unwrap_or_default();
                let marked: Vec<_> = new
                    .iter()
                    .map(|name| if old.contains(name) { name.clone() } else { format!("+{name}") })
                    .collect();
                Some(format!("  sealed for {}", marked.join(", ")))
            }
        }
    }

    /// The manifest of the first release that is offered now.
    fn offered(&self, channel: &Channel) -> Result<Option<Manifest>> {
        if !self.current.authority().channels().contains(channel) {
            return Ok(None);
        }
        let documents = self.repository.channel(self.current, &self.project.app, channel)?;
        let offers = documents.rollout.offers.iter();
        let first = offers.filter_map(|offer| match offer.release {
            Offered::Release { sequence, .. } => documents.releases.get(&sequence),
            Offered::Builtin => None,
        });
        Ok(first.map(|(_, manifest)| manifest.clone()).next())
    }

    fn rollout(&self, role: &str, channel: &Channel, new: &Targets) -> Result<Vec<String>> {
        let path = channel.rollout_path();
        if !new.targets.keys().eq([&path]) || new.delegations.is_some() {
            return Err(refuse(&format!("{role} lists more than {path}")));
        }
        let rollout = |bytes: &[u8]| Rollout::parse(bytes, &self.project.app, channel);
        let bytes = self.document(new, &path)?;
        let after = rollout(&bytes)?;
        refuse_unknown(&bytes, &after, &after.requires, &path)?;
        let names = self.names(channel)?;
        for offer in &after.offers {
            if let Offered::Release { sequence, manifest } = offer.release {
                let listed =
                    names.get(&sequence).is_some_and(|(digest, _)| *digest == manifest.to_string());
                if !listed {
                    let message = format!("{role} offers sequence {sequence}, which is not listed");
                    return Err(refuse(&message));
                }
            }
        }
        let before = self.current.roles.get(role);
        let before = before.map(|old| self.repository.target(old, &path)).transpose()?;
        let before = before.map(|bytes| rollout(&bytes)).transpose()?;
        rollout_changes(before.as_ref(), &after, &names)
    }

    /// Digest and version of each release that will be listed, by sequence.
    fn names(&self, channel: &Channel) -> Result<Names> {
        let role = channel.releases_role();
        let draft =
            self.change.drafts.get(&role).map(|draft| draft.read::<Targets>()).transpose()?;
        let missing = || refuse(&format!("there is no role {role}"));
        let listed = match &draft {
            Some(listed) => listed,
            None => self.current.roles.get(&role).ok_or_else(missing)?,
        };
        let mut names = BTreeMap::new();
        for sequence in listed_sequences(listed, channel) {
            let bytes = self.document(listed, &channel.release_path(sequence))?;
            let manifest = Manifest::parse(&bytes, &self.project.app, channel, sequence)?;
            let digest = farad::digest::Digest::of(&bytes).to_string();
            names.insert(sequence, (digest, one_line(&manifest.version)));
        }
        Ok(names)
    }

    /// A listed document, from the change or from the repository.
    fn document(&self, role: &Targets, path: &str) -> Result<Vec<u8>> {
        let digest = role.targets.get(path).and_then(|file| file.hashes.get("sha256"));
        let digest = digest.ok_or_else(|| refuse(&format!("{path} is not listed")))?;
        match self.change.targets.get(&target_file(path, digest)) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.repository.target(role, path),
        }
    }
}

/// The builds that a release runs on, one line for each platform that it names.
fn builds(native: &NativeRange) -> Vec<String> {
    let line = |platform: &str, min: Option<String>, max: Option<String>| {
        let end = |end: Option<String>| one_line(&end.unwrap_or_default());
        format!("  only on builds {}..{} of {platform}", end(min), end(max))
    };
    let text = |number: &u64| number.to_string();
    let android = native.android.as_ref();
    let android =
        android.map(|all| line("Android", all.min.as_ref().map(text), all.max.as_ref().map(text)));
    let ios = native.ios.as_ref().map(|all| line("iOS", all.min.clone(), all.max.clone()));
    android.into_iter().chain(ios).collect()
}

/// What users are told, each line marked as theirs: it may look like one of this command's own.
fn notes(text: Option<&str>) -> Vec<String> {
    let Some(text) = text else { return Vec::new() };
    let lines = text.lines().map(|line| format!("    | {}", one_line(line)));
    ["  notes for users:".to_owned()].into_iter().chain(lines).collect()
}

/// Refuses a role that has expired, or lives longer than this command ever lets one: phones would have to
/// believe it that long.
fn refuse_expiry(role: &str, expires: UnixTime, now: UnixTime) -> Result<()> {
    // Clocks of two people differ a little.
    let latest = now.plus(lifetime(role) + DAY);
    if expires <= now {
        let message = format!("{role} expired at {expires}, while it waited: make the change anew");
        return Err(Failure::new("expired", message));
    }
    if expires > latest {
        return Err(refuse(&format!("{role} expires at {expires}, later than {latest}")));
    }
    Ok(())
}

/// Refuses keys under ids that are not their own. Whoever signs is told keys by their ids, and phones
/// take a key for what it is, whatever its id says.
fn refuse_borrowed_ids(
    role: &str,
    before: &BTreeMap<String, Key>,
    after: &BTreeMap<String, Key>,
) -> Result<()> {
    let borrowed = |(id, key): &(&String, &Key)| key.id() != **id && before.get(*id) != Some(*key);
    match after.iter().find(borrowed) {
        None => Ok(()),
        Some((id, key)) => {
            let (id, own) = (one_line(id), key.id());
            Err(refuse(&format!("{role} has another key under the id {id}: that of {own}")))
        }
    }
}

fn refuse(detail: &dyn std::fmt::Display) -> Failure {
    Failure::new("malformed", format!("do not sign this: {detail}"))
}
