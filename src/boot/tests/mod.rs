//! Every row of the rules in `docs/boot.md`, and invariants over random histories.

mod choices;
mod random;
mod trials;

use std::collections::BTreeSet;

use super::*;
use crate::digest::Digest;
use crate::native::Native;

fn id(n: u8) -> BundleId {
    BundleId(Digest::of(&[n]))
}

fn bundle(n: u8) -> Which {
    Which::Bundle(id(n))
}

fn token(n: u64) -> Token {
    Token::from_text(&format!("token {n}"))
}

fn native(build: u64) -> NativeIdentity {
    NativeIdentity { native: Native::Android { build }, version: "1".to_owned(), embed: None }
}

fn channel() -> Channel {
    "production".parse().unwrap()
}

/// A device in memory: what the store keeps, without a disk.
#[derive(Clone)]
struct World {
    record: Record,
    native: NativeIdentity,
    builtin: BuiltinFacts,
    bundles: BTreeMap<BundleId, BundleFacts>,
    damaged: BTreeSet<BundleId>,
    circumstances: Circumstances,
    tokens: u64,
}

impl World {
    /// Bundles 1, 2 and 3 with these sequences; the built-in one is no release.
    fn new() -> Self {
        let facts = |n: u8| BundleFacts {
            channel: channel(),
            sequence: u64::from(n),
            native_fits: true,
            standing: Standing::Allowed,
            launches: 0,
            excused: false,
            away: false,
            blocked: false,
        };
        Self {
            record: Record::new(native(1), channel()),
            native: native(1),
            builtin: BuiltinFacts { sequence: None, standing: Standing::Allowed },
            bundles: (1..=3).map(|n| (id(n), facts(n))).collect(),
            damaged: BTreeSet::new(),
            circumstances: Circumstances::default(),
            tokens: 0,
        }
    }

    fn facts<T>(&mut self, work: impl FnOnce(&Record, &Facts<'_>) -> T) -> T {
        self.tokens += 1;
        let (bundles, damaged) = (self.bundles.clone(), self.damaged.clone());
        let sound = |id: &BundleId| bundles.contains_key(id) && !damaged.contains(id);
        let facts = Facts {
            native: self.native.clone(),
            channel: channel(),
            builtin: self.builtin,
            bundles: bundles.clone(),
            max_attempts: 2,
            token: token(self.tokens),
            circumstances: self.circumstances,
            sound: &sound,
        };
        work(&self.record, &facts)
    }

    fn carry_out(&mut self, effects: &[Effect], record: Record) {
        for effect in effects {
            let mut change = |id: &BundleId, change: fn(&mut BundleFacts)| {
                self.bundles.entry(*id).and_modify(change);
            };
            match effect {
                Effect::ForgetNative => self.bundles.values_mut().for_each(|bundle| {
                    (bundle.launches, bundle.excused, bundle.blocked) = (0, false, false);
                }),
                Effect::Block(id, _) => change(id, |bundle| bundle.blocked = true),
                Effect::Mark(id) => change(id, |bundle| {
                    (bundle.launches, bundle.away) = (bundle.launches + 1, false);
                }),
                Effect::Excuse(id) => change(id, |bundle| bundle.excused = true),
                Effect::Sight(id, true) => change(id, |bundle| bundle.away = true),
                Effect::Sight(id, false) => change(id, |bundle| bundle.away = false),
                Effect::ForgetMarks(id) => change(id, |bundle| {
                    (bundle.launches, bundle.excused) = (0, false);
                }),
                Effect::ForgetBlocks => {
                    for bundle in self.bundles.values_mut().filter(|bundle| bundle.blocked) {
                        (bundle.launches, bundle.excused, bundle.blocked) = (0, false, false);
                    }
                }
                Effect::Write => self.record = record.clone(),
                Effect::Collect => {}
            }
        }
    }

    fn start(&mut self) -> Launch {
        let plan = self.facts(start);
        self.carry_out(&plan.effects, plan.record);
        plan.launch
    }

    fn tell(&mut self, event: Event) -> Result<Option<Undone>, Refusal> {
        let outcome = self.facts(|record, facts| step(record, &event, facts))?;
        self.carry_out(&outcome.effects, outcome.record);
        Ok(outcome.undone)
    }

    /// Staged, started, ready.
    fn install(&mut self, n: u8) {
        self.tell(Event::Staged { id: id(n), hold: false }).unwrap();
        let launch = self.start();
        assert_eq!(launch.which, bundle(n));
        self.tell(Event::Ready(launch.token.unwrap())).unwrap();
    }
}
