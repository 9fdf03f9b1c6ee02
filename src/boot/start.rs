//! A start: what is launched, and what must be on disk before it is.

use super::select::may_try;
use super::{Circumstances, Effect, Facts, Reason, Record, Stable, Standing, Token, Trial, Which};
use crate::id::BundleId;

/// What a start decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The record to write where the effects say so.
    pub record: Record,
    /// What to do before the launch, in this order.
    pub effects: Vec<Effect>,
    /// What to launch once all of it is durable.
    pub launch: Launch,
    /// What to launch if any of it fails: never a trial, since a launch that is not counted could
    /// repeat for ever.
    pub otherwise: Launch,
}

/// What is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Which bundle.
    pub which: Which,
    /// The token that confirms it, if it is on trial.
    pub token: Option<Token>,
    /// A bundle that was given up at this start.
    pub undone: Option<Undone>,
    /// Nothing allowed was left on the device.
    pub last_resort: bool,
}

/// A bundle that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undone {
    /// Which.
    pub id: BundleId,
    /// Why.
    pub reason: Reason,
}

impl Launch {
    fn stable(record: &Record, facts: &Facts<'_>, undone: Option<Undone>) -> Self {
        let Stable { which, last_resort } = Stable::of(record, facts);
        Self { which, token: None, undone, last_resort }
    }
}

/// Decides a start.
#[must_use]
pub fn start(before: &Record, facts: &Facts<'_>) -> Plan {
    let mut record = before.clone();
    let mut effects = Vec::new();
    let mut undone = None;

    if record.native != facts.native {
        change_native(&mut record, facts);
        effects.push(Effect::ForgetNative);
        effects.push(Effect::Write);
        // This start runs what came with the new app, whatever waits.
        let launch = Launch { which: Which::Builtin, token: None, undone, last_resort: false };
        return Plan { record, effects, otherwise: launch.clone(), launch };
    }
    // A crash right after `ready`: those launches must not count against a later trial.
    if let Which::Bundle(id) = record.confirmed
        && facts.bundles.get(&id).is_some_and(|bundle| bundle.launches > 0)
    {
        effects.push(Effect::ForgetMarks(id));
    }
    forget_disallowed(&mut record, facts);
    if let Which::Bundle(id) = record.confirmed
        && facts.bundles.get(&id).is_some_and(|bundle| bundle.standing == Standing::Revoked)
    {
        replace_revoked(&mut record, facts);
    }
    let excused = excuse(&record, facts);
    effects.extend(excused.map(Effect::Excuse));
    // What nobody sees come up cannot say that it did: what would be tried goes on waiting.
    let tries = !facts.circumstances.unseen;
    let untried = [Which::Builtin, record.confirmed];
    match record.next.take_if(|next| tries || untried.contains(next)) {
        // Never tried: it is what the app was reviewed with.
        Some(Which::Builtin) => {
            record.confirmed = Which::Builtin;
            record.previous = None;
            record.trial = None;
        }
        Some(Which::Bundle(id))
            if Which::Bundle(id) != record.confirmed
                && record.trial.as_ref().is_none_or(|trial| trial.id != id)
                && (facts.sound)(&id) =>
        {
            let token = facts.token.clone();
            record.trial = Some(Trial { id, attempts: 0, token });
            // What is on trial again, after a rollback, is nobody's fallback.
            record.previous = record.previous.filter(|previous| *previous != id);
        }
        _ => {}
    }
    if let Some(trial) = record.trial.take_if(|_| tries) {
        let given_back = u32::from(excused == Some(trial.id));
        let attempts = attempts(&trial, facts).saturating_sub(given_back);
        if !(facts.sound)(&trial.id) {
            // Damaged, not bad: the next sync brings it back.
            record.trial = None;
        } else if attempts >= facts.max_attempts {
            let reason = Reason::NotReady;
            undone = Some(Undone { id: trial.id, reason });
            effects.push(Effect::Block(trial.id, reason));
            effects.push(Effect::Write);
            effects.push(Effect::ForgetMarks(trial.id));
        } else {
            effects.push(Effect::Mark(trial.id));
            effects.push(Effect::Write);
            let token = facts.token.clone();
            let launch = Launch {
                which: Which::Bundle(trial.id),
                token: Some(token.clone()),
                undone: None,
                last_resort: false,
            };
            let otherwise = Launch::stable(&record, facts, None);
            record.trial = Some(Trial { attempts: trial.attempts + 1, token, ..trial });
            return Plan { record, effects, launch, otherwise };
        }
    }
    if record != *before && !effects.contains(&Effect::Write) {
        effects.push(Effect::Write);
    }
    let launch = Launch::stable(&record, facts, undone);
    Plan { record, effects, otherwise: launch.clone(), launch }
}

/// Launches that count: the mark is written first, so it may know of one more than the record.
pub(super) fn attempts(trial: &Trial, facts: &Facts<'_>) -> u32 {
    let bundle = facts.bundles.get(&trial.id);
    let launches = bundle.map_or(0, |bundle| bundle.launches).max(trial.attempts);
    launches.saturating_sub(u32::from(bundle.is_some_and(|bundle| bundle.excused)))
}

/// A store update or downgrade: what ran under the other app proves nothing under this one.
fn change_native(record: &mut Record, facts: &Facts<'_>) {
    let carried = match (record.confirmed, facts.builtin.sequence) {
        (Which::Bundle(id), Some(builtin)) => facts.bundles.get(&id).filter(|bundle| {
            bundle.channel == facts.channel
                && bundle.sequence > builtin
                && bundle.standing == Standing::Allowed
                && bundle.native_fits
        }),
        // A built-in bundle of no known sequence counts as newer here.
        _ => None,
    };
    let next = carried.map(|_| record.confirmed);
    let generation = record.generation;
    *record = Record::new(facts.native.clone(), facts.channel.clone());
    record.generation = generation;
    record.next = next;
}

/// What policy, channel or a block forbids leaves next, held, trial and previous at once.
pub(super) fn forget_disallowed(record: &mut Record, facts: &Facts<'_>) {
    record.channel = facts.channel.clone();
    record.next = record.next.filter(|next| match next {
        Which::Builtin => facts.builtin.standing == Standing::Allowed,
        Which::Bundle(id) => may_try(facts, id),
    });
    record.held = record.held.filter(|id| may_try(facts, id));
    record.trial = record.trial.take().filter(|trial| may_try(facts, &trial.id));
    record.previous = record.previous.filter(|id| {
        facts.bundles.get(id).is_some_and(|bundle| bundle.standing != Standing::Revoked)
    });
}

/// A confirmed bundle that was revoked gives way to whatever is left.
fn replace_revoked(record: &mut Record, facts: &Facts<'_>) {
    record.confirmed = match Stable::of(record, facts).which {
        // It was confirmed once, under this native app.
        Which::Bundle(id) => Which::Bundle(id),
        Which::Builtin => Which::Builtin,
    };
    record.previous = None;
    record.early_crashes = 0;
    record.suspended = false;
}

/// The user or the system ended the trial's process, or is taken to have, since nobody saw it: that was
/// not the bundle's fault. Once.
fn excuse(record: &Record, facts: &Facts<'_>) -> Option<BundleId> {
    let id = record.trial.as_ref().map(|trial| trial.id)?;
    let bundle = facts.bundles.get(&id)?;
    let Circumstances { excused, by_sight, .. } = facts.circumstances;
    let excused = excused || (by_sight && bundle.away);
    (excused && !bundle.excused && bundle.launches > 0).then_some(id)
}
