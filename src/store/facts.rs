//! What the state machine is told of this device.
//!
//! Enters: the bundles, marks and blocks on the disk, the policies of their channels, the native app. Leaves:
//! [`Facts`]. Refused: where the storage as a whole, or a policy, cannot be read; a bundle that is damaged is
//! only not among them.

use std::collections::BTreeMap;

use super::{Context, Store, bundles, marks};
use crate::boot::{BuiltinFacts, BundleFacts, Facts, Standing};
use crate::error::{Error, Result};
use crate::id::Channel;

impl Store {
    pub(super) fn with_facts<T>(
        &self,
        context: &Context<'_>,
        work: impl FnOnce(&Facts<'_>) -> Result<T>,
    ) -> Result<T> {
        let disk = &*self.disk;
        let reading = |error| Error::storage("reading the bundles", error);
        let blocked = marks::blocked(disk).map_err(reading)?;
        let mut found = BTreeMap::new();
        for id in bundles::ids(disk).map_err(reading)? {
            let Some(manifest) = bundles::manifest(disk, &id).map_err(reading)? else { continue };
            let launches = marks::launches(disk, &id).map_err(reading)?;
            let facts = BundleFacts {
                standing: standing(context, &manifest.channel, manifest.sequence)?,
                native_fits: manifest.native.covers(&context.native.native),
                launches: launches.count,
                excused: launches.excused,
                away: launches.away,
                blocked: blocked.iter().any(|(other, _)| *other == id),
                channel: manifest.channel,
                sequence: manifest.sequence,
            };
            found.insert(id, facts);
        }
        let mut builtin = BuiltinFacts { sequence: None, standing: Standing::Allowed };
        if let Some((channel, sequence)) = &context.builtin {
            builtin.standing = standing(context, channel, *sequence)?;
            builtin.sequence = (*channel == context.channel).then_some(*sequence);
        }
        if builtin.sequence.is_none() {
            // In a channel that it is no release of it is the lowest.
            builtin.standing = builtin.standing.max(standing(context, &context.channel, 0)?);
        }
        let facts = Facts {
            native: context.native.clone(),
            channel: context.channel.clone(),
            builtin,
            bundles: found,
            max_attempts: context.max_attempts,
            token: context.token.clone(),
            circumstances: context.circumstances,
            sound: &|id| bundles::sound(disk, id).unwrap_or(false),
        };
        work(&facts)
    }
}

/// What the policy of `channel` says of a release there.
fn standing(context: &Context<'_>, channel: &Channel, sequence: u64) -> Result<Standing> {
    let policy = (context.policy)(channel)?;
    if policy.as_ref().is_some_and(|policy| policy.revokes(sequence)) {
        return Ok(Standing::Revoked);
    }
    let embedded = match &context.builtin {
        Some((builtin, sequence)) if builtin == channel => *sequence,
        _ => 0,
    };
    let floor = policy.map_or(0, |policy| policy.floor).max(embedded);
    Ok(if sequence < floor { Standing::BelowFloor } else { Standing::Allowed })
}
