//! Everything that happens between two starts.

use super::select::may_try;
use super::start::{attempts, forget_disallowed};
use super::{EARLY_CRASHES, Effect, Facts, Reason, Record, Standing, Token, Undone, Which};
use crate::id::BundleId;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The app says that the launch with this token came up.
    Ready(Token),
    /// The launch with this token did not come up.
    Failed(Token, Reason),
    /// The launch with this token went out of sight, or came back: most processes that end out of sight
    /// were ended by the user or the system.
    Sight {
        /// The launch's.
        token: Token,
        /// It went.
        away: bool,
    },
    /// The confirmed bundle's renderer died within ten seconds of its launch.
    EarlyCrash,
    /// The confirmed bundle has been up for longer than that.
    StayedUp,
    /// A bundle was committed to the device, to be tried at the next start or held for the app.
    Staged {
        /// Which.
        id: BundleId,
        /// Wait for [`Event::Apply`].
        hold: bool,
    },
    /// The rollout offers something that is on the device already.
    Chosen(Which),
    /// The app says that what is held may be tried.
    Apply,
    /// The app asks for the built-in bundle, until the rollout says otherwise.
    Reset,
    /// The app has no use for a bundle: it leaves every place that it waits in.
    Delete(BundleId),
    /// A developer gives every bundle that was given up another chance.
    ForgetBlocks,
    /// A policy, the channel or both may have changed.
    Policy,
    /// A sync ended well: what was suspended may run again.
    Synced,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The record to write where the effects say so.
    pub record: Record,
    /// What to do, in this order; nothing if the event changes nothing.
    pub effects: Vec<Effect>,
    /// A bundle that was given up.
    pub undone: Option<Undone>,
}

/// Why an event was ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The token is not that of the launch on trial: an old page cannot vouch for the new bundle.
    StaleToken,
    /// Policy, channel, native range or a block forbids the bundle.
    NotAllowed,
    /// The bundle is confirmed or on trial: it is what runs, or would.
    InUse,
}

/// Decides what an event does.
///
/// # Errors
/// [`Refusal`], with the record as it was.
pub fn step(before: &Record, event: &Event, facts: &Facts<'_>) -> Result<Outcome, Refusal> {
    let mut record = before.clone();
    let mut after = Vec::new();
    let mut first = Vec::new();
    let mut last = Vec::new();
    let mut undone = None;
    match event {
        Event::Ready(token) => {
            let trial = record.trial.take().filter(|trial| trial.token == *token);
            let trial = trial.ok_or(Refusal::StaleToken)?;
            record.previous = match record.confirmed {
                Which::Bundle(old) if is_older_sibling(&old, &trial.id, facts) => Some(old),
                _ => None,
            };
            record.confirmed = Which::Bundle(trial.id);
            record.early_crashes = 0;
            record.suspended = false;
            after.extend([Effect::ForgetMarks(trial.id), Effect::Collect]);
        }
        Event::Failed(token, reason) => {
            let trial = record.trial.clone().filter(|trial| trial.token == *token);
            let trial = trial.ok_or(Refusal::StaleToken)?;
            if attempts(&trial, facts) >= facts.max_attempts {
                record.trial = None;
                undone = Some(Undone { id: trial.id, reason: *reason });
                // The block before the record, the record before the marks: a crash in between
                // leaves the stricter state.
                first.push(Effect::Block(trial.id, *reason));
                after.push(Effect::ForgetMarks(trial.id));
            }
        }
        Event::Sight { token, away } => {
            let trial = record.trial.as_ref().filter(|trial| trial.token == *token);
            let id = trial.ok_or(Refusal::StaleToken)?.id;
            if facts.bundles.get(&id).is_some_and(|bundle| bundle.away != *away) {
                last.push(Effect::Sight(id, *away));
            }
        }
        Event::EarlyCrash => {
            record.early_crashes = record.early_crashes.saturating_add(1);
            record.suspended |= record.early_crashes >= EARLY_CRASHES;
        }
        Event::Staged { id, hold } => {
            if !may_try(facts, id) {
                return Err(Refusal::NotAllowed);
            }
            // What runs, or is on trial, waits for nobody's word.
            let waits = *hold
                && record.confirmed != Which::Bundle(*id)
                && record.trial.as_ref().is_none_or(|trial| trial.id != *id);
            if waits {
                (record.held, record.next) = (Some(*id), None);
            } else {
                head_for(&mut record, Which::Bundle(*id));
            }
        }
        Event::Chosen(which) => {
            let allowed = match which {
                Which::Builtin => facts.builtin.standing == Standing::Allowed,
                Which::Bundle(id) => may_try(facts, id),
            };
            if !allowed {
                return Err(Refusal::NotAllowed);
            }
            head_for(&mut record, *which);
        }
        Event::Apply => {
            if let Some(id) = record.held.filter(|id| may_try(facts, id)) {
                head_for(&mut record, Which::Bundle(id));
            }
        }
        Event::Reset => {
            if facts.builtin.standing != Standing::Allowed {
                return Err(Refusal::NotAllowed);
            }
            head_for(&mut record, Which::Builtin);
        }
        Event::Delete(id) => {
            let on_trial = record.trial.as_ref().is_some_and(|trial| trial.id == *id);
            if record.confirmed == Which::Bundle(*id) || on_trial {
                return Err(Refusal::InUse);
            }
            record.next = record.next.filter(|next| *next != Which::Bundle(*id));
            record.held = record.held.filter(|held| held != id);
            record.previous = record.previous.filter(|previous| previous != id);
            // Also where nothing named it.
            last.push(Effect::Collect);
        }
        Event::ForgetBlocks => last.push(Effect::ForgetBlocks),
        Event::Policy => forget_disallowed(&mut record, facts),
        Event::StayedUp if !record.suspended => record.early_crashes = 0,
        // What crashes a few seconds after each start has synced by then: only a rest ends with it.
        Event::Synced if record.suspended => {
            record.early_crashes = 0;
            record.suspended = false;
        }
        Event::StayedUp | Event::Synced => {}
    }
    let mut effects = first;
    if record != *before {
        effects.push(Effect::Write);
        effects.extend(after);
    }
    effects.extend(last);
    Ok(Outcome { record, effects, undone })
}

/// The next start goes to `which`; what it runs already needs no next, and drops what waits.
fn head_for(record: &mut Record, which: Which) {
    record.held = None;
    record.next = None;
    if record.trial.as_ref().is_some_and(|trial| Which::Bundle(trial.id) == which) {
        return;
    }
    if record.confirmed == which {
        record.trial = None;
    } else {
        record.next = Some(which);
    }
}

/// Whether `old` is a lower release of the channel of `new`: only then is it a fallback worth
/// keeping. After a rollback the higher one is what was left behind.
fn is_older_sibling(old: &BundleId, new: &BundleId, facts: &Facts<'_>) -> bool {
    match (facts.bundles.get(old), facts.bundles.get(new)) {
        (Some(old), Some(new)) => old.channel == new.channel && old.sequence < new.sequence,
        _ => false,
    }
}
