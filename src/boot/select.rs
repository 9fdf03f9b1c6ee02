//! What runs when nothing is on trial.

use super::{BundleFacts, Facts, Record, Standing, Which};
use crate::id::BundleId;

/// What to run when nothing is on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stable {
    /// It.
    pub which: Which,
    /// Nothing allowed was left: this one is the rule of last resort's, and the state says so.
    pub last_resort: bool,
}

impl Stable {
    /// Confirmed, else previous, else the built-in: whichever is allowed first. With none allowed
    /// the highest of them that is not revoked, last the built-in.
    #[must_use]
    pub fn of(record: &Record, facts: &Facts<'_>) -> Self {
        let confirmed = match record.confirmed {
            Which::Bundle(id) => Some(id),
            Which::Builtin => None,
        };
        // Behind a confirmed built-in nothing waits: it was chosen.
        let previous = record.previous.filter(|_| confirmed.is_some());
        let runs = |which, last_resort| Self { which, last_resort };
        let allowed = [confirmed.filter(|_| !record.suspended), previous]
            .into_iter()
            .flatten()
            .find(|id| stands(facts, id) == Some(Standing::Allowed) && (facts.sound)(id));
        if let Some(id) = allowed {
            return runs(Which::Bundle(id), false);
        }
        if facts.builtin.standing == Standing::Allowed {
            return runs(Which::Builtin, false);
        }
        let mut left: Vec<_> = [confirmed, previous]
            .into_iter()
            .flatten()
            .filter(|id| stands(facts, id).is_some_and(|standing| standing != Standing::Revoked))
            .filter_map(|id| Some((facts.bundles.get(&id)?.sequence, id)))
            .collect();
        left.sort_unstable();
        let highest = left.iter().rev().find(|(_, id)| (facts.sound)(id));
        highest.map_or(runs(Which::Builtin, true), |(_, id)| runs(Which::Bundle(*id), true))
    }
}

/// What policy says of a bundle that could run here at all.
fn stands(facts: &Facts<'_>, id: &BundleId) -> Option<Standing> {
    let bundle = facts.bundles.get(id)?;
    (bundle.native_fits && !bundle.blocked).then_some(bundle.standing)
}

/// Whether a bundle may become or stay next, trial or held.
pub(super) fn may_try(facts: &Facts<'_>, id: &BundleId) -> bool {
    let fits = |bundle: &BundleFacts| {
        bundle.native_fits
            && !bundle.blocked
            && bundle.standing == Standing::Allowed
            && bundle.channel == facts.channel
    };
    facts.bundles.get(id).is_some_and(fits)
}
