//! Random histories.

use proptest::prelude::*;

use super::*;

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
    StayedUp,
    Standing(u8, Standing),
    Floor,
    Damage(u8),
    Repair,
    LoseRecord,
    Upgrade(u64, Option<u64>),
    Excuse(Circumstances),
    Sight(bool),
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
        1 => Just(Move::StayedUp),
        1 => (n.clone(), prop_oneof![
            Just(Standing::Allowed), Just(Standing::BelowFloor), Just(Standing::Revoked),
        ]).prop_map(|(n, standing)| Move::Standing(n, standing)),
        1 => Just(Move::Floor),
        1 => n.prop_map(Move::Damage),
        1 => Just(Move::Repair),
        1 => Just(Move::LoseRecord),
        1 => (1_u64..=2, prop::option::of(0_u64..=4)).prop_map(|(n, s)| Move::Upgrade(n, s)),
        1 => any::<[bool; 3]>().prop_map(|[excused, by_sight, unseen]| {
            Move::Excuse(Circumstances { excused, by_sight, unseen })
        }),
        2 => any::<bool>().prop_map(Move::Sight),
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
                    if world.circumstances.unseen {
                        prop_assert_eq!(&plan.launch.token, &None);
                        prop_assert!(!plan.effects.iter().any(|effect| matches!(effect, Effect::Mark(_))));
                    }
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
                Move::StayedUp => { world.tell(Event::StayedUp).unwrap(); }
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
                Move::Excuse(circumstances) => world.circumstances = circumstances,
                Move::Sight(away) => {
                    if let Some(trial) = &world.record.trial {
                        let token = trial.token.clone();
                        world.tell(Event::Sight { token, away }).unwrap();
                    }
                }
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
