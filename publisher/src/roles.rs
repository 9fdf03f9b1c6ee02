//! Who may sign what, as root and targets say.

use std::collections::BTreeMap;

use farad::trust::key::Key;
use farad::trust::metadata::RoleKeys;

use crate::repository::Current;

/// The roles that root names.
pub(crate) const TOP_LEVEL: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// Every role that somebody may sign for: the top-level ones, then those of the channels.
pub(crate) fn names(current: &Current) -> Vec<String> {
    let delegated = current.targets.delegations.iter().flat_map(|all| &all.roles);
    let top = TOP_LEVEL.map(str::to_owned).into_iter();
    top.chain(delegated.map(|role| role.name.clone())).collect()
}

/// Keys and threshold of a role; nothing if there is no such role.
pub(crate) fn keys_of<'a>(
    current: &'a Current,
    role: &str,
) -> Option<(&'a BTreeMap<String, Key>, &'a RoleKeys)> {
    if TOP_LEVEL.contains(&role) {
        return Some((&current.root.keys, current.root.roles.get(role)?));
    }
    let delegations = current.targets.delegations.as_ref()?;
    let found = delegations.roles.iter().find(|delegation| delegation.name == role)?;
    Some((&delegations.keys, &found.keys))
}
