//! The design, and broken ones that the search must catch: what eleven other updaters do or leave
//! out, and slips that are easily made here.

use farad::boot::{
    Effect, Event, Facts, Launch, Outcome, Plan, Record, Refusal, Stable, Which, start, step,
};

use crate::state::Setting;

/// Where a design decides something.
pub trait Design: Sync {
    fn start(&self, record: &Record, facts: &Facts<'_>) -> Plan {
        start(record, facts)
    }

    fn step(&self, record: &Record, event: &Event, facts: &Facts<'_>) -> Result<Outcome, Refusal> {
        step(record, event, facts)
    }

    /// What a process shows that does not get the lock, as the store has it.
    fn without_lock(&self, record: &Record, facts: &Facts<'_>) -> Launch {
        let which = |which, last_resort| Launch { which, token: None, undone: None, last_resort };
        if record.native != facts.native {
            return which(Which::Builtin, false);
        }
        let Stable { which: stable, last_resort } = Stable::of(record, facts);
        which(stable, last_resort)
    }

    /// Whether launches that a mark counted are known when the record is lost.
    fn keeps_marks(&self) -> bool {
        true
    }

    /// Whether collection spares what the process shows that collects.
    fn spares_own(&self) -> bool {
        true
    }

    /// Whether collection spares what another process shows.
    fn spares_others(&self) -> bool {
        true
    }
}

/// The rules as they are.
pub struct Real;

impl Design for Real {}

const QUIET: Setting = Setting::QUIET;
const FAULTY: Setting = Setting { faults: 2, ..QUIET };

/// Name, design, and a setting in which it breaks. The first six are those of the analysis that
/// this design came from.
pub const MUTANTS: &[(&str, &dyn Design, &Setting)] = &[
    ("attempts kept only in the record", &NoMarks, &FAULTY),
    ("a trial launched although the write failed", &LaunchesUncounted, &FAULTY),
    ("a collection that ignores what runs", &CollectsOwn, &Setting { policy: true, ..QUIET }),
    ("no leases", &CollectsOthers, &Setting { second_process: true, policy: true, ..QUIET }),
    ("no tombstones", &NoTombstones, &QUIET),
    (
        "a second process that picks a trial",
        &TriesWithoutLock,
        &Setting { second_process: true, ..QUIET },
    ),
    ("the mark forgotten before the tombstone", &ForgetsEarly, &FAULTY),
    ("ready with any token", &AnyToken, &Setting { second_process: true, ..QUIET }),
    ("a store update that keeps the trial", &KeepsOverUpgrade, &Setting { upgrade: true, ..QUIET }),
    ("a revocation that waits for the next sync", &RevokesLate, &Setting { policy: true, ..QUIET }),
    ("a fallback on trial", &FallsBackToTrial, &FAULTY),
];

/// Facts with some bundle's changed.
fn changed<'a>(facts: &'a Facts<'a>, change: impl Fn(&mut farad::boot::BundleFacts)) -> Facts<'a> {
    let mut bundles = facts.bundles.clone();
    bundles.values_mut().for_each(change);
    Facts {
        native: facts.native.clone(),
        channel: facts.channel.clone(),
        builtin: facts.builtin,
        bundles,
        max_attempts: facts.max_attempts,
        token: facts.token.clone(),
        circumstances: facts.circumstances,
        sound: facts.sound,
    }
}

struct NoMarks;

impl Design for NoMarks {
    fn keeps_marks(&self) -> bool {
        false
    }
}

struct LaunchesUncounted;

impl Design for LaunchesUncounted {
    fn start(&self, record: &Record, facts: &Facts<'_>) -> Plan {
        let plan = start(record, facts);
        Plan { otherwise: plan.launch.clone(), ..plan }
    }
}

struct CollectsOwn;

impl Design for CollectsOwn {
    fn spares_own(&self) -> bool {
        false
    }
}

struct CollectsOthers;

impl Design for CollectsOthers {
    fn spares_others(&self) -> bool {
        false
    }
}

struct NoTombstones;

impl Design for NoTombstones {
    fn start(&self, record: &Record, facts: &Facts<'_>) -> Plan {
        let mut plan = start(record, facts);
        plan.effects.retain(|effect| !matches!(effect, Effect::Block(..)));
        plan
    }

    fn step(&self, record: &Record, event: &Event, facts: &Facts<'_>) -> Result<Outcome, Refusal> {
        let mut outcome = step(record, event, facts)?;
        outcome.effects.retain(|effect| !matches!(effect, Effect::Block(..)));
        Ok(outcome)
    }
}

struct TriesWithoutLock;

impl Design for TriesWithoutLock {
    fn without_lock(&self, record: &Record, facts: &Facts<'_>) -> Launch {
        start(record, facts).launch
    }
}

struct ForgetsEarly;

impl Design for ForgetsEarly {
    fn start(&self, record: &Record, facts: &Facts<'_>) -> Plan {
        let mut plan = start(record, facts);
        let forgets = |effect: &Effect| !matches!(effect, Effect::ForgetMarks(_));
        plan.effects.sort_by_key(forgets);
        plan
    }
}

struct AnyToken;

impl Design for AnyToken {
    fn step(&self, record: &Record, event: &Event, facts: &Facts<'_>) -> Result<Outcome, Refusal> {
        let event = match (event, &record.trial) {
            (Event::Ready(_), Some(trial)) => Event::Ready(trial.token.clone()),
            _ => event.clone(),
        };
        step(record, &event, facts)
    }
}

struct KeepsOverUpgrade;

impl Design for KeepsOverUpgrade {
    fn start(&self, record: &Record, facts: &Facts<'_>) -> Plan {
        let mut record = record.clone();
        record.native = facts.native.clone();
        start(&record, facts)
    }
}

struct RevokesLate;

impl Design for RevokesLate {
    fn start(&self, record: &Record, facts: &Facts<'_>) -> Plan {
        let blind = |bundle: &mut farad::boot::BundleFacts| {
            bundle.standing = farad::boot::Standing::Allowed;
        };
        start(record, &changed(facts, blind))
    }
}

struct FallsBackToTrial;

impl Design for FallsBackToTrial {
    fn start(&self, record: &Record, facts: &Facts<'_>) -> Plan {
        let mut plan = start(record, facts);
        // As if the trial did not take the fallback's place.
        if plan.record.trial.is_some() {
            plan.record.previous = record.previous;
        }
        plan
    }
}
