//! Who may sign what, as root and targets say; and for how long a signature stands.

use std::collections::{BTreeMap, BTreeSet};

use farad::id::{BadName, Channel};
use farad::time::UnixTime;
use farad::trust::key::Key;
use farad::trust::metadata::{Common, Delegation, RoleKeys, Root, Targets};
use farad::trust::sign::SPEC_VERSION;

use crate::failure::{Failure, Result};

/// The roles that root names.
pub(crate) const TOP_LEVEL: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];
/// Channels have two roles each, and a search visits so many of them (`docs/format.md`).
pub(crate) const CHANNELS: usize = (farad::limits::DELEGATIONS - 1) / 2;

const DAY: u64 = 86_400;

/// Root and targets of one moment.
#[derive(Clone, Copy)]
pub(crate) struct Authority<'a> {
    pub(crate) root: &'a Root,
    pub(crate) targets: &'a Targets,
}

/// Keys of a role, and how many of them must sign.
#[derive(Clone, Copy)]
pub(crate) struct May<'a> {
    pub(crate) keys: &'a BTreeMap<String, Key>,
    pub(crate) role: &'a RoleKeys,
}

impl<'a> Authority<'a> {
    /// Every role that somebody may sign for: the top-level ones, then those of the channels.
    pub(crate) fn names(self) -> Vec<String> {
        let delegated = self.targets.delegations.iter().flat_map(|all| &all.roles);
        let top = TOP_LEVEL.map(str::to_owned).into_iter();
        top.chain(delegated.map(|role| role.name.clone())).collect()
    }

    /// Who may sign for a role; nothing if there is no such role.
    pub(crate) fn of(self, role: &str) -> Option<May<'a>> {
        if TOP_LEVEL.contains(&role) {
            return Some(May { keys: &self.root.keys, role: self.root.roles.get(role)? });
        }
        let delegations = self.targets.delegations.as_ref()?;
        let found = delegations.roles.iter().find(|delegation| delegation.name == role)?;
        Some(May { keys: &delegations.keys, role: &found.keys })
    }

    /// Channels, in the order of their delegations.
    pub(crate) fn channels(self) -> Vec<Channel> {
        channels(self.targets)
    }
}

/// The channels that `targets` delegates to, in the order of their delegations.
pub(crate) fn channels(targets: &Targets) -> Vec<Channel> {
    let delegations = targets.delegations.iter().flat_map(|all| &all.roles);
    delegations.filter_map(|role| role.name.strip_suffix("-releases")?.parse().ok()).collect()
}

impl May<'_> {
    /// Whether the same keys, by what they are, under the same threshold may sign.
    pub(crate) fn same_as(&self, other: &May<'_>) -> bool {
        let substance = |may: &May<'_>| -> BTreeSet<_> {
            may.role.keyids.iter().filter_map(|id| may.keys.get(id)).map(Key::substance).collect()
        };
        self.role.threshold == other.role.threshold && substance(self) == substance(other)
    }
}

/// Reads the name of a new channel. One that is named like a role would make commands ambiguous that take the
/// one or the other.
pub(crate) fn new_channel(name: &str) -> Result<Channel> {
    let invalid = |detail: String| Failure::new("config-invalid", detail);
    let channel: Channel = name.parse().map_err(|error: BadName| invalid(error.to_string()))?;
    let is_role = TOP_LEVEL.contains(&name)
        || ["-releases", "-rollout"].iter().any(|suffix| name.ends_with(suffix));
    if is_role {
        return Err(invalid(format!("{name} is the name of a role; give the channel another")));
    }
    Ok(channel)
}

/// How long a role's signature is valid, seconds.
pub(crate) fn lifetime(role: &str) -> u64 {
    let days = match role {
        "root" => 730,
        "targets" => 365,
        "snapshot" => 30,
        "timestamp" => 14,
        role if role.ends_with("-rollout") => 90,
        _ => 365,
    };
    days * DAY
}

/// Whether a role's keys belong on no machine that signs every day.
pub(crate) fn is_offline(role: &str) -> bool {
    matches!(role, "root" | "targets") || role.ends_with("-releases")
}

/// The fields that every role begins with.
pub(crate) fn common(role: &str, version: u64, now: UnixTime) -> Common {
    let role_type = if TOP_LEVEL.contains(&role) { role } else { "targets" };
    Common {
        role_type: role_type.to_owned(),
        spec_version: SPEC_VERSION.to_owned(),
        version,
        expires: now.plus(lifetime(role)),
    }
}

/// The two delegations of a channel, still without keys.
pub(crate) fn delegations(channel: &Channel) -> [Delegation; 2] {
    let delegation = |name: String, paths: Vec<String>| Delegation {
        name,
        keys: RoleKeys { keyids: Vec::new(), threshold: 1 },
        terminating: true,
        paths: Some(paths),
        path_hash_prefixes: None,
    };
    let releases = vec![channel.policy_path(), format!("{channel}/releases/*")];
    [
        delegation(channel.rollout_role(), vec![channel.rollout_path()]),
        delegation(channel.releases_role(), releases),
    ]
}
