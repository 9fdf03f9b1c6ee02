//! What must hold after a fault, whatever it left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

use farad::boot::Which;
use farad::outbox::{Event, What};
use farad::store::Disk;

use crate::phone::{ATTEMPTS, Phone, Step};
use crate::world::{LAST, history};

/// The next starts show good bundles, an unconfirmed one no more often than it may; a run without
/// a fault reaches what is offered, and leaves nothing behind that nobody names. `what` says which
/// fault it was.
pub fn assert_survives(phone: &Phone, what: &str) {
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let mut stubborn = phone.with_disk(phone.disk.after_kill());
        for _ in 0..=ATTEMPTS {
            stubborn.boot();
        }
        let mut phone = phone.with_disk(phone.disk.after_kill());
        if !reaches_what_is_offered(&mut phone) {
            phone.served = LAST;
            assert!(reaches_what_is_offered(&mut phone), "the last release has no tombstone");
        }
    }));
    if let Err(panic) = judged {
        println!("after {what}");
        std::panic::resume_unwind(panic);
    }
}

/// Starts, syncs, starts: false if what is offered was given up on this phone, rightly.
fn reaches_what_is_offered(phone: &mut Phone) -> bool {
    phone
        .all(&[Step::Boot, Step::Ready, Step::Sync, Step::Apply, Step::Boot, Step::Ready])
        .unwrap();
    let channel = phone.updater().channel().unwrap();
    let target = history().target(phone.served, channel.as_str(), phone.build);
    let launched = phone.boot();
    let state = phone.updater().state().unwrap();
    if let Which::Bundle(id) = target
        && state.blocked.iter().any(|(blocked, _)| *blocked == id)
    {
        let launches = phone.launches.get(&id).copied().unwrap_or(0);
        let counted = launches + phone.lost_starts;
        assert!(counted >= ATTEMPTS, "given up after {counted} counted launches");
        return false;
    }
    assert_eq!((launched.which, &launched.token), (target, &None), "not what is offered");
    phone.sync().unwrap();
    assert_told(phone);
    assert_eq!(phone.strays(), Vec::<String>::new());
    let named = state.record.named();
    for entry in phone.disk.list("bundles").unwrap() {
        assert!(named.iter().any(|id| id.to_string() == entry.name), "{} is kept", entry.name);
    }
    true
}

/// The server that takes events gets all that wait, but for checks that wait for company.
fn assert_told(phone: &mut Phone) {
    if phone.collector.is_none() {
        return;
    }
    phone.does(Step::Send).unwrap();
    let waiting = phone.updater().waiting_events().unwrap();
    let is_check = |event: &Event| matches!(event.what, What::Checked { .. });
    assert!(waiting.events.iter().all(is_check), "{waiting:?}");
    assert_eq!(waiting.lost, 0);
}
