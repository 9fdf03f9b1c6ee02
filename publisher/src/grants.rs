//! Changing who may sign what: keys and thresholds of root's roles and of the channels'.

use std::collections::{BTreeMap, BTreeSet};

use farad::trust::key::Key;
use farad::trust::metadata::RoleKeys;

use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::repository::Current;
use crate::roles::TOP_LEVEL;

/// Refuses several signatures for what is signed when a change is published, by the machine that publishes:
/// it never waits for anybody, so that those of others could not be added.
pub(crate) fn refuse_several(role: &str, need: u64) -> Result<()> {
    if need <= 1 || !["snapshot", "timestamp"].contains(&role) {
        return Ok(());
    }
    let message = format!(
        "{role} takes one signature, of the machine that publishes; let root, targets or the releases of a channel take several"
    );
    Err(Failure::new("below-threshold", message))
}

impl Edit {
    /// Lets a key sign for a role.
    pub(crate) fn grant(&mut self, current: &Current, role: &str, key: &Key) -> Result<()> {
        let (keys, may) = self.may(current, role)?;
        let same =
            |id: &String| keys.get(id).is_some_and(|known| known.substance() == key.substance());
        if may.keyids.iter().any(same) {
            let message = format!("that key signs for {role} already");
            return Err(Failure::new("exists", message));
        }
        may.keyids.push(key.id());
        keys.insert(key.id(), key.clone());
        Ok(())
    }

    /// Lets a key no longer sign for a role.
    pub(crate) fn withdraw(&mut self, current: &Current, role: &str, id: &str) -> Result<()> {
        let (_, may) = self.may(current, role)?;
        may.keyids.retain(|known| known != id);
        self.forget_unused(role);
        Ok(())
    }

    /// How many keys must sign for a role.
    pub(crate) fn set_threshold(&mut self, current: &Current, role: &str, need: u64) -> Result<()> {
        self.may(current, role)?.1.threshold = need;
        Ok(())
    }

    /// Refuses a role that can no longer be signed.
    pub(crate) fn check_threshold(&mut self, current: &Current, role: &str) -> Result<()> {
        let (_, may) = self.may(current, role)?;
        let (need, have) = (may.threshold, may.keyids.len() as u64);
        refuse_several(role, need)?;
        if (1..=have).contains(&need) {
            return Ok(());
        }
        let message = format!(
            "{role} would need {need} of {have} keys; add a key first, or lower its threshold"
        );
        Err(Failure::new("below-threshold", message))
    }

    fn may(
        &mut self,
        current: &Current,
        role: &str,
    ) -> Result<(&mut BTreeMap<String, Key>, &mut RoleKeys)> {
        if TOP_LEVEL.contains(&role) {
            let root = self.root(current);
            let may = root
                .roles
                .entry(role.to_owned())
                .or_insert_with(|| RoleKeys { keyids: Vec::new(), threshold: 1 });
            return Ok((&mut root.keys, may));
        }
        let unknown = || Failure::new("unknown-role", format!("there is no role {role}"));
        let delegations =
            self.role(current, "targets")?.delegations.as_mut().ok_or_else(unknown)?;
        let found = delegations.roles.iter_mut().find(|delegation| delegation.name == role);
        Ok((&mut delegations.keys, &mut found.ok_or_else(unknown)?.keys))
    }

    /// Drops the keys that no role of the same file names any more.
    pub(crate) fn forget_unused(&mut self, role: &str) {
        if TOP_LEVEL.contains(&role) {
            let Some(root) = &mut self.root else { return };
            let used: BTreeSet<_> = root.roles.values().flat_map(|may| &may.keyids).collect();
            root.keys.retain(|id, _| used.contains(id));
        } else if let Some(all) =
            self.roles.get_mut("targets").and_then(|targets| targets.delegations.as_mut())
        {
            let used: BTreeSet<_> = all.roles.iter().flat_map(|may| &may.keys.keyids).collect();
            all.keys.retain(|id, _| used.contains(id));
        }
    }
}
