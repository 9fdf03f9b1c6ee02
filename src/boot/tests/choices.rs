//! What else a start chooses from: native apps, policies, rollouts, damage, the app's own word.

use super::*;

#[test]
fn a_start_on_a_confirmed_bundle_does_nothing_on_disk() {
    let mut world = World::new();
    assert!(world.facts(start).effects.is_empty());
    world.install(1);
    assert!(world.facts(start).effects.is_empty());
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
fn syncs_that_end_before_each_crash_let_nothing_crash_for_ever() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    for _ in 0..3 {
        assert_eq!(world.start().which, bundle(2));
        world.tell(Event::Synced).unwrap();
        world.tell(Event::EarlyCrash).unwrap();
    }
    assert_eq!(world.start().which, bundle(1));
}

#[test]
fn crashes_with_a_launch_between_that_stayed_up_are_not_in_a_row() {
    let mut world = World::new();
    world.install(1);
    world.install(2);
    for _ in 0..9 {
        assert_eq!(world.start().which, bundle(2));
        world.tell(Event::EarlyCrash).unwrap();
        assert_eq!(world.start().which, bundle(2));
        world.tell(Event::EarlyCrash).unwrap();
        world.start();
        world.tell(Event::StayedUp).unwrap();
        let again = world.facts(|record, facts| step(record, &Event::StayedUp, facts)).unwrap();
        assert_eq!(again.effects, [], "nothing is left to forget");
    }
    for _ in 0..3 {
        world.start();
        world.tell(Event::EarlyCrash).unwrap();
    }
    assert_eq!(world.start().which, bundle(1));
    world.tell(Event::StayedUp).unwrap();
    assert_eq!(world.start().which, bundle(1), "that was the other");
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
