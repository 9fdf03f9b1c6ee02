//! Every row of the rules in `docs/boot.md`, and invariants over random histories.

use std::collections::BTreeSet;

use proptest::prelude::*;

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
    excused: bool,
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
            blocked: false,
        };
        Self {
            record: Record::new(native(1), channel()),
            native: native(1),
            builtin: BuiltinFacts { sequence: None, standing: Standing::Allowed },
            bundles: (1..=3).map(|n| (id(n), facts(n))).collect(),
            damaged: BTreeSet::new(),
            excused: false,
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
            excused: self.excused,
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
                Effect::Mark(id) => change(id, |bundle| bundle.launches += 1),
                Effect::Excuse(id) => change(id, |bundle| bundle.excused = true),
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

#[test]
fn a_staged_bundle_is_tried_and_ready_confirms_it() {
    let mut world = World::new();
    assert_eq!(world.start().which, Which::Builtin);
    world.install(1);
    world.install(2);
    assert_eq!(world.record.confirmed, bundle(2));
    assert_eq!(world.record.previous, Some(id(1)));
    let launch = world.start();
    assert_eq!((launch.which, launch.token), (bundle(2), None));
}

#[test]
fn a_launch_is_counted_before_it_happens() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    let plan = world.facts(start);
    assert_eq!(plan.effects, [Effect::Mark(id(1)), Effect::Write]);
    assert_eq!(plan.otherwise.which, Which::Builtin, "not counted is not launched");
}

#[test]
fn a_start_on_a_confirmed_bundle_does_nothing_on_disk() {
    let mut world = World::new();
    assert!(world.facts(start).effects.is_empty());
    world.install(1);
    assert!(world.facts(start).effects.is_empty());
}

#[test]
fn never_ready_is_tried_twice_and_undone_at_the_third_start() {
    let mut world = World::new();
    world.install(1);
    world.tell(Event::Staged { id: id(2), hold: false }).unwrap();
    assert_eq!(world.start().which, bundle(2));
    assert_eq!(world.start().which, bundle(2));
    let third = world.start();
    assert_eq!(third.which, bundle(1));
    assert_eq!(third.undone, Some(Undone { id: id(2), reason: Reason::NotReady }));
    assert!(world.bundles[&id(2)].blocked);
    assert_eq!(world.start().undone, None, "told once");
    let again = world.tell(Event::Staged { id: id(2), hold: false });
    assert_eq!(again, Err(Refusal::NotAllowed));
}

#[test]
fn an_old_page_cannot_vouch_for_the_new_bundle() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    let first = world.start().token.unwrap();
    let second = world.start().token.unwrap();
    assert_eq!(world.tell(Event::Ready(first)), Err(Refusal::StaleToken));
    assert_eq!(world.tell(Event::Ready(token(99))), Err(Refusal::StaleToken));
    assert_eq!(world.tell(Event::Ready(second.clone())), Ok(None));
    assert_eq!(world.tell(Event::Ready(second)), Err(Refusal::StaleToken), "once");
}

#[test]
fn a_failure_in_the_process_relaunches_then_gives_up() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    let first = world.start().token.unwrap();
    assert_eq!(world.tell(Event::Failed(first, Reason::RendererGone)), Ok(None));
    let second = world.start().token.unwrap();
    let undone = Some(Undone { id: id(1), reason: Reason::RendererGone });
    assert_eq!(world.tell(Event::Failed(second, Reason::RendererGone)), Ok(undone));
    assert_eq!(world.start().which, Which::Builtin);
}

#[test]
fn the_block_comes_before_the_record_and_the_record_before_the_marks() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    world.start();
    world.start();
    let expected =
        [Effect::Block(id(1), Reason::NotReady), Effect::Write, Effect::ForgetMarks(id(1))];
    assert_eq!(world.facts(start).effects, expected);
}

#[test]
fn a_user_who_closes_the_app_costs_one_attempt_less_but_only_once() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    world.start();
    world.excused = true;
    assert_eq!(world.start().which, bundle(1));
    assert_eq!(world.start().which, bundle(1), "two counted launches, one given back");
    assert_eq!(world.start().which, Which::Builtin);
}

#[test]
fn marks_count_where_the_record_was_lost() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    world.start();
    world.start();
    world.record = Record::new(native(1), channel());
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    assert_eq!(world.start().which, Which::Builtin);
    assert!(world.bundles[&id(1)].blocked);
}

#[test]
fn a_store_update_runs_what_it_brought_along() {
    let mut world = World::new();
    world.builtin.sequence = Some(1);
    world.install(1);
    world.install(3);
    world.tell(Event::Staged { id: id(2), hold: true }).unwrap();
    world.bundles.get_mut(&id(1)).unwrap().blocked = true;
    world.native = native(2);
    world.builtin.sequence = Some(2);
    assert_eq!(world.start().which, Which::Builtin);
    let carried = Record { next: Some(bundle(3)), ..Record::new(native(2), channel()) };
    assert_eq!(world.record, carried, "newer than the app's own: a fresh trial");
    assert!(!world.bundles[&id(1)].blocked, "another app, another chance");
    assert_eq!(world.start().which, bundle(3));
}

#[test]
fn a_store_update_that_is_as_new_leaves_the_old_bundle_behind() {
    for (sequence, fits, standing) in [
        (Some(3), true, Standing::Allowed),
        (None, true, Standing::Allowed),
        (Some(1), false, Standing::Allowed),
        (Some(1), true, Standing::Revoked),
    ] {
        let mut world = World::new();
        world.install(3);
        world.native = native(2);
        world.builtin.sequence = sequence;
        let old = world.bundles.get_mut(&id(3)).unwrap();
        (old.native_fits, old.standing) = (fits, standing);
        assert_eq!(world.start().which, Which::Builtin);
        assert_eq!(world.record.next, None);
    }
}

#[test]
fn a_rolled_back_release_is_tried_like_any_other_and_forgets_the_newer_one() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    world.tell(Event::Chosen(bundle(1))).unwrap();
    let launch = world.start();
    assert_eq!(launch.which, bundle(1));
    world.tell(Event::Ready(launch.token.unwrap())).unwrap();
    assert_eq!((world.record.confirmed, world.record.previous), (bundle(1), None));
}

#[test]
fn choosing_what_runs_already_drops_what_waits() {
    let mut world = World::new();
    world.install(1);
    world.tell(Event::Staged { id: id(2), hold: false }).unwrap();
    world.tell(Event::Chosen(bundle(1))).unwrap();
    let launch = world.start();
    assert_eq!((launch.which, launch.token), (bundle(1), None));
}

#[test]
fn the_built_in_bundle_is_confirmed_without_a_trial() {
    let mut world = World::new();
    world.install(1);
    world.tell(Event::Chosen(Which::Builtin)).unwrap();
    let launch = world.start();
    assert_eq!((launch.which, launch.token), (Which::Builtin, None));
    assert_eq!((world.record.confirmed, world.record.previous), (Which::Builtin, None));
    assert!(world.bundles.values().all(|bundle| bundle.launches == 0));
}

#[test]
fn what_is_held_waits_for_the_apps_word() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: true }).unwrap();
    assert_eq!(world.start().which, Which::Builtin);
    world.tell(Event::Apply).unwrap();
    assert_eq!(world.start().which, bundle(1));
}

#[test]
fn a_revoked_bundle_leaves_every_place_it_could_be_launched_from() {
    let revoke = |world: &mut World, n: u8| {
        world.bundles.get_mut(&id(n)).unwrap().standing = Standing::Revoked;
        world.tell(Event::Policy).unwrap();
    };
    let mut world = World::new();
    world.install(1);
    world.install(2);
    world.tell(Event::Staged { id: id(3), hold: false }).unwrap();
    revoke(&mut world, 3);
    assert_eq!(world.record.next, None);
    revoke(&mut world, 1);
    assert_eq!(world.record.previous, None);

    let mut world = World::new();
    world.install(1);
    world.tell(Event::Staged { id: id(2), hold: false }).unwrap();
    let trial = world.start().token.unwrap();
    revoke(&mut world, 2);
    assert_eq!(world.tell(Event::Ready(trial)), Err(Refusal::StaleToken));
    assert_eq!(world.start().which, bundle(1));

    let mut world = World::new();
    world.install(1);
    world.install(2);
    revoke(&mut world, 2);
    assert_eq!(world.record.confirmed, bundle(2), "it runs until the next start");
    assert_eq!(world.start().which, bundle(1));
    assert_eq!(world.record.confirmed, bundle(1));
}

#[test]
fn below_the_floor_falls_to_what_is_allowed_and_last_to_the_rule_of_last_resort() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    world.bundles.get_mut(&id(2)).unwrap().standing = Standing::BelowFloor;
    assert_eq!(world.start().which, bundle(1));
    world.bundles.get_mut(&id(1)).unwrap().standing = Standing::BelowFloor;
    assert_eq!(world.start().which, Which::Builtin);
    world.builtin.standing = Standing::BelowFloor;
    let launch = world.start();
    assert_eq!((launch.which, launch.last_resort), (bundle(2), true));
    for n in [1, 2] {
        world.bundles.get_mut(&id(n)).unwrap().standing = Standing::Revoked;
    }
    let launch = world.start();
    assert_eq!((launch.which, launch.last_resort), (Which::Builtin, true));
}

#[test]
fn what_ran_before_is_no_fallback_once_it_was_tried_anew_and_given_up() {
    for told in [false, true] {
        let mut world = World::new();
        world.install(1);
        world.install(2);
        // A rollback to 1, on a phone where 2 is damaged.
        world.tell(Event::Chosen(bundle(1))).unwrap();
        world.damaged.insert(id(2));
        assert_eq!(world.start().which, bundle(1));
        let launch = world.start();
        if told {
            let failed = Event::Failed(launch.token.unwrap(), Reason::Reported);
            assert_eq!(world.tell(failed).unwrap().unwrap().id, id(1));
        }
        for _ in 0..2 {
            assert_eq!(world.start().which, Which::Builtin, "{told}");
        }
        assert_eq!(world.record.previous, None);
    }
}

#[test]
fn what_is_tried_anew_is_not_confirmed_by_the_revocation_of_what_ran() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    world.tell(Event::Chosen(bundle(1))).unwrap();
    assert_eq!(world.start().which, bundle(1));
    world.bundles.get_mut(&id(2)).unwrap().standing = Standing::Revoked;
    let launch = world.start();
    assert_eq!((launch.which, world.record.confirmed), (bundle(1), Which::Builtin));
    world.tell(Event::Ready(launch.token.unwrap())).unwrap();
    assert_eq!(world.record.confirmed, bundle(1));
}

#[test]
fn a_damaged_bundle_is_passed_over_and_never_blocked() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    world.damaged.insert(id(2));
    assert_eq!(world.start().which, bundle(1));
    world.damaged.clear();
    assert_eq!(world.start().which, bundle(2), "repaired");
    world.tell(Event::Staged { id: id(3), hold: false }).unwrap();
    world.damaged.insert(id(3));
    assert_eq!(world.start().which, bundle(2));
    assert!(!world.bundles[&id(3)].blocked);
}

#[test]
fn a_confirmed_bundle_that_crashes_early_three_times_rests_until_the_next_sync() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    for _ in 0..3 {
        assert_eq!(world.start().which, bundle(2));
        world.tell(Event::EarlyCrash).unwrap();
    }
    assert_eq!(world.start().which, bundle(1));
    world.tell(Event::Synced).unwrap();
    assert_eq!(world.start().which, bundle(2));
    assert!(!world.bundles[&id(2)].blocked);
}

#[test]
fn a_failed_trial_falls_to_an_allowed_bundle_only() {
    let mut world = World::new();
    world.install(1);
    world.tell(Event::Staged { id: id(2), hold: false }).unwrap();
    world.start();
    world.start();
    world.bundles.get_mut(&id(1)).unwrap().standing = Standing::Revoked;
    assert_eq!(world.start().which, Which::Builtin);
}

#[test]
fn launches_before_ready_do_not_count_against_a_later_trial() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    world.start();
    let token = world.start().token.unwrap();
    // Ready, but the process dies before the marks are gone.
    let outcome = world.facts(|record, facts| step(record, &Event::Ready(token.clone()), facts));
    world.record = outcome.unwrap().record;
    world.tell(Event::Chosen(Which::Builtin)).unwrap();
    world.start();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    let launch = world.start();
    assert_eq!((launch.which, launch.undone), (bundle(1), None));
}

#[test]
fn what_waits_or_was_before_may_be_deleted_and_what_runs_or_would_may_not() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    let outcome = |world: &mut World, n: u8| {
        world.facts(|record, facts| step(record, &Event::Delete(id(n)), facts))
    };
    assert_eq!(outcome(&mut world, 2), Err(Refusal::InUse));
    let effects = outcome(&mut world, 1).unwrap().effects;
    assert_eq!(effects, [Effect::Write, Effect::Collect], "never collected while it is named");
    world.tell(Event::Delete(id(1))).unwrap();
    assert_eq!((world.record.confirmed, world.record.previous), (bundle(2), None));
    assert_eq!(outcome(&mut world, 1).unwrap().effects, [Effect::Collect], "nothing names it");
    for hold in [false, true] {
        world.tell(Event::Staged { id: id(3), hold }).unwrap();
        world.tell(Event::Delete(id(3))).unwrap();
        assert_eq!((world.record.next, world.record.held), (None, None));
    }
    world.tell(Event::Staged { id: id(3), hold: false }).unwrap();
    world.start();
    assert_eq!(outcome(&mut world, 3), Err(Refusal::InUse));
}

#[test]
fn what_was_given_up_is_tried_again_once_blocks_are_forgotten() {
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    for _ in 0..3 {
        world.start();
    }
    assert_eq!(world.tell(Event::Chosen(bundle(1))), Err(Refusal::NotAllowed));
    world.tell(Event::ForgetBlocks).unwrap();
    world.tell(Event::Chosen(bundle(1))).unwrap();
    for _ in 0..2 {
        assert_eq!(world.start().which, bundle(1));
    }
    assert_eq!(world.start().which, Which::Builtin);
    world.bundles.get_mut(&id(1)).unwrap().standing = Standing::Revoked;
    world.tell(Event::ForgetBlocks).unwrap();
    assert_eq!(world.tell(Event::Chosen(bundle(1))), Err(Refusal::NotAllowed));
}

#[test]
fn what_is_on_trial_again_is_nobodys_fallback() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    world.tell(Event::Chosen(bundle(1))).unwrap();
    world.damaged.insert(id(2));
    let plan = world.facts(start);
    assert_eq!(plan.otherwise.which, Which::Builtin, "not counted is not launched");
    world.start();
    world.start();
    let third = world.start();
    assert_eq!(third.undone.map(|undone| undone.id), Some(id(1)));
    assert_eq!(third.which, Which::Builtin);
}

#[derive(Debug, Clone)]
enum Move {
    Start,
    Ready,
    StaleReady,
    Fail,
    Stage(u8, bool),
    Choose(u8),
    ChooseBuiltin,
    Apply,
    Reset,
    Delete(u8),
    ForgetBlocks,
    EarlyCrash,
    Synced,
    Standing(u8, Standing),
    Floor,
    Damage(u8),
    Repair,
    LoseRecord,
    Upgrade(u64, Option<u64>),
    Excuse(bool),
}

fn moves() -> impl Strategy<Value = Move> {
    let n = 1_u8..=3;
    prop_oneof![
        6 => Just(Move::Start),
        4 => Just(Move::Ready),
        1 => Just(Move::StaleReady),
        2 => Just(Move::Fail),
        5 => (n.clone(), any::<bool>()).prop_map(|(n, hold)| Move::Stage(n, hold)),
        2 => n.clone().prop_map(Move::Choose),
        1 => Just(Move::ChooseBuiltin),
        1 => Just(Move::Apply),
        1 => Just(Move::Reset),
        1 => n.clone().prop_map(Move::Delete),
        1 => Just(Move::ForgetBlocks),
        1 => Just(Move::EarlyCrash),
        1 => Just(Move::Synced),
        1 => (n.clone(), prop_oneof![
            Just(Standing::Allowed), Just(Standing::BelowFloor), Just(Standing::Revoked),
        ]).prop_map(|(n, standing)| Move::Standing(n, standing)),
        1 => Just(Move::Floor),
        1 => n.prop_map(Move::Damage),
        1 => Just(Move::Repair),
        1 => Just(Move::LoseRecord),
        1 => (1_u64..=2, prop::option::of(0_u64..=4)).prop_map(|(n, s)| Move::Upgrade(n, s)),
        1 => any::<bool>().prop_map(Move::Excuse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Invariants over random histories: nothing unsound, revoked, foreign or blocked is launched;
    /// launches without `ready` are bounded, also over the loss of the record; only `ready`
    /// confirms; one trial and one next, all different; the same facts decide the same.
    #[test]
    fn no_history_breaks_a_rule(history in prop::collection::vec(moves(), 1..60)) {
        let mut world = World::new();
        let mut unready: BTreeMap<BundleId, u32> = BTreeMap::new();
        let mut proven: BTreeSet<Which> = BTreeSet::from([Which::Builtin]);
        let mut last_token = token(0);
        for step_taken in history {
            match step_taken {
                Move::Start => {
                    let (plan, again) =
                        world.facts(|record, facts| (start(record, facts), start(record, facts)));
                    prop_assert_eq!(&plan, &again);
                    world.carry_out(&plan.effects, plan.record);
                    if let Which::Bundle(id) = plan.launch.which {
                        let facts = &world.bundles[&id];
                        prop_assert!(facts.native_fits && facts.standing != Standing::Revoked);
                        prop_assert!(!facts.blocked && !world.damaged.contains(&id));
                        prop_assert!(facts.standing == Standing::Allowed || plan.launch.last_resort);
                        if let Some(given) = plan.launch.token.clone() {
                            let count = unready.entry(id).or_default();
                            *count += 1;
                            // N, and the one that was given back.
                            prop_assert!(*count <= 3, "{} launches", count);
                            last_token = given;
                        } else {
                            prop_assert!(proven.contains(&plan.launch.which));
                        }
                    }
                    prop_assert!(plan.otherwise.token.is_none());
                }
                Move::Ready => {
                    let trial = world.record.trial.as_ref().map(|trial| trial.id);
                    if world.tell(Event::Ready(last_token.clone())).is_ok() {
                        let id = trial.unwrap();
                        proven.insert(Which::Bundle(id));
                        unready.remove(&id);
                        prop_assert_eq!(world.record.confirmed, Which::Bundle(id));
                    }
                }
                Move::StaleReady => {
                    let before = world.record.clone();
                    prop_assert!(world.tell(Event::Ready(token(u64::MAX))).is_err());
                    prop_assert_eq!(&before, &world.record);
                }
                Move::Fail => {
                    let _ = world.tell(Event::Failed(last_token.clone(), Reason::Reported));
                }
                Move::Stage(n, hold) => {
                    let _ = world.tell(Event::Staged { id: id(n), hold });
                }
                Move::Choose(n) => {
                    let _ = world.tell(Event::Chosen(bundle(n)));
                }
                Move::ChooseBuiltin => {
                    let _ = world.tell(Event::Chosen(Which::Builtin));
                }
                Move::Apply => { world.tell(Event::Apply).unwrap(); }
                Move::Reset => { let _ = world.tell(Event::Reset); }
                Move::Delete(n) => { let _ = world.tell(Event::Delete(id(n))); }
                Move::ForgetBlocks => {
                    let blocked = world.bundles.iter().filter(|(_, bundle)| bundle.blocked);
                    blocked.for_each(|(id, _)| { unready.remove(id); });
                    world.tell(Event::ForgetBlocks).unwrap();
                    prop_assert!(world.bundles.values().all(|bundle| !bundle.blocked));
                }
                Move::EarlyCrash => { world.tell(Event::EarlyCrash).unwrap(); }
                Move::Synced => { world.tell(Event::Synced).unwrap(); }
                Move::Standing(n, standing) => {
                    world.bundles.get_mut(&id(n)).unwrap().standing = standing;
                    world.tell(Event::Policy).unwrap();
                }
                Move::Floor => {
                    world.builtin.standing = Standing::BelowFloor;
                    world.tell(Event::Policy).unwrap();
                }
                Move::Damage(n) => { world.damaged.insert(id(n)); }
                Move::Repair => world.damaged.clear(),
                Move::LoseRecord => {
                    world.record = Record::new(world.native.clone(), channel());
                    proven.retain(|which| *which == Which::Builtin);
                }
                Move::Upgrade(build, sequence) => {
                    if world.native != native(build) {
                        world.native = native(build);
                        world.builtin.sequence = sequence;
                        unready.clear();
                        proven.retain(|which| *which == Which::Builtin);
                        prop_assert_eq!(world.start().which, Which::Builtin);
                    }
                }
                Move::Excuse(excused) => world.excused = excused,
            }
            let record = &world.record;
            let trial = record.trial.as_ref().map(|trial| Which::Bundle(trial.id));
            prop_assert!(trial.is_none() || trial != record.next);
            prop_assert!(record.next.is_none() || record.next != Some(record.confirmed)
                || world.native != record.native);
            prop_assert!(trial != Some(record.confirmed));
        }
    }
}
