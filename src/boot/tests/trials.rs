//! Trials: launches that are counted, confirmed, given back, given up.

use super::*;

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
    world.circumstances.excused = true;
    assert_eq!(world.start().which, bundle(1));
    assert_eq!(world.start().which, bundle(1), "two counted launches, one given back");
    assert_eq!(world.start().which, Which::Builtin);
}

#[test]
fn a_launch_that_ends_out_of_sight_costs_one_attempt_less_but_only_once() {
    let away = |world: &mut World, token: Token, away| world.tell(Event::Sight { token, away });
    let mut world = World::new();
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    for _ in 0..3 {
        world.circumstances.by_sight = true;
        let launch = world.start();
        assert_eq!(launch.which, bundle(1));
        let token = launch.token.unwrap();
        for out in [true, false, true] {
            away(&mut world, token.clone(), out).unwrap();
        }
        assert_eq!(away(&mut world, super::token(99), true), Err(Refusal::StaleToken));
    }
    assert_eq!(world.start().which, Which::Builtin);
}

#[test]
fn a_launch_that_was_in_sight_or_is_known_to_have_crashed_is_not_excused() {
    for (out, by_sight) in [(false, true), (true, false)] {
        let mut world = World::new();
        world.circumstances.by_sight = by_sight;
        world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
        for _ in 0..2 {
            let token = world.start().token.unwrap();
            world.tell(Event::Sight { token: token.clone(), away: true }).unwrap();
            world.tell(Event::Sight { token, away: out }).unwrap();
        }
        assert_eq!(world.start().which, Which::Builtin, "{out} {by_sight}");
    }
}

#[test]
fn a_launch_begins_in_sight_whatever_was_known_of_the_one_before() {
    let mut world = World::new();
    world.circumstances.by_sight = true;
    world.tell(Event::Staged { id: id(1), hold: false }).unwrap();
    let token = world.start().token.unwrap();
    world.tell(Event::Sight { token, away: true }).unwrap();
    assert_eq!(world.start().which, bundle(1));
    assert!(!world.bundles[&id(1)].away);
}

#[test]
fn a_start_that_nobody_sees_tries_nothing_and_counts_nothing() {
    let mut world = World::new();
    world.install(1);
    world.tell(Event::Staged { id: id(2), hold: false }).unwrap();
    world.circumstances.unseen = true;
    for _ in 0..3 {
        assert_eq!(world.start().which, bundle(1));
        assert_eq!(world.record.next, Some(bundle(2)));
    }
    world.circumstances.unseen = false;
    for _ in 0..2 {
        assert_eq!(world.start().which, bundle(2));
        world.circumstances.unseen = true;
        assert_eq!(world.start().which, bundle(1), "a second launch waits, too");
        world.circumstances.unseen = false;
    }
    assert_eq!(world.bundles[&id(2)].launches, 2);
    assert_eq!(world.start().which, bundle(1));
    assert!(world.bundles[&id(2)].blocked);
}

#[test]
fn a_start_that_nobody_sees_goes_back_to_the_built_in_bundle_which_is_never_tried() {
    let mut world = World::new();
    world.install(3);
    world.circumstances.unseen = true;
    world.tell(Event::Chosen(Which::Builtin)).unwrap();
    assert_eq!(world.start().which, Which::Builtin);
    assert_eq!((world.record.confirmed, world.record.next), (Which::Builtin, None));
    // Nor does the choice wait for a bundle that was revoked meanwhile.
    let mut world = World::new();
    world.install(3);
    world.circumstances.unseen = true;
    world.tell(Event::Chosen(Which::Builtin)).unwrap();
    world.bundles.get_mut(&id(3)).unwrap().standing = Standing::Revoked;
    world.tell(Event::Policy).unwrap();
    assert_eq!(world.start().which, Which::Builtin);
    assert_eq!(world.record.next, None);
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
