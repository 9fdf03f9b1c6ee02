//! Clocks that are behind, ahead or jump, and metadata that expires.

use super::*;

#[test]
fn a_frozen_timestamp_is_taken_until_it_expires_and_recovers() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    device.clock = NOW + 30 * DAY - 1;
    assert!(device.sync(&repo).is_ok());
    device.clock += 1;
    assert_eq!(device.refusal(&repo), refused("timestamp", TrustKind::Expired));
    // A year later somebody signs again.
    device.clock = NOW + 365 * DAY;
    for role in ["timestamp", "snapshot", "targets", "role"] {
        repo.expires.insert(role, device.clock + DAY);
    }
    repo.next_root(|root| root.common.expires = at(NOW + 400 * DAY), &["root"]);
    repo.targets.common.version = 2;
    repo.role("production-rollout", &[]).common.version = 2;
    repo.publish();
    assert!(device.sync(&repo).is_ok());
}

#[test]
fn a_clock_that_was_set_back_does_not_thaw_a_frozen_timestamp() {
    let mut repo = Repo::new();
    repo.signed_at = NOW;
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let mut old = Repo::new();
    old.expires.insert("timestamp", NOW - DAY);
    old.timestamp = 5;
    old.publish();
    device.clock = NOW - 300 * DAY;
    assert_eq!(device.refusal(&old), refused("timestamp", TrustKind::Expired));
}

#[test]
fn a_time_signed_in_2099_does_not_lock_the_device_out() {
    let mut repo = Repo::new();
    repo.signed_at = 4_070_908_800;
    repo.publish();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    repo.signed_at = NOW;
    repo.publish();
    assert!(device.sync(&repo).is_ok());
}

/// A repository and a device that knows its first state, and the clock of whose server is right.
fn acquainted() -> (Repo, Device) {
    let mut repo = Repo::new();
    repo.date = Some(NOW);
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    (repo, device)
}

#[test]
fn a_clock_that_runs_ahead_does_not_keep_a_device_from_progress() {
    let (mut repo, mut device) = acquainted();
    repo.publish();
    for years in [1, 10] {
        let mut device = device.clone();
        device.clock = NOW + years * 366 * DAY;
        assert!(device.sync(&repo).is_ok(), "{years}");
        // Nothing new for a day is no progress: it may be a freeze.
        device.clock += DAY;
        assert_eq!(device.refusal(&repo).1, TrustKind::Expired);
    }
    // The bound of time did not rise past what was signed: with the clock put right all is well.
    device.clock = NOW + 366 * DAY;
    device.sync(&repo).unwrap();
    device.clock = NOW;
    assert!(device.sync(&repo).is_ok());
}

#[test]
fn the_servers_clock_is_believed_for_progress_alone() {
    let (mut repo, device) = acquainted();
    let ahead = NOW + 366 * DAY;
    let refused_by = |repo: &Repo, mut device: Device| {
        device.clock = ahead;
        let refusal = device.refusal(repo);
        let kept = device.kept.get("timestamp.json").map(|bytes| Digest::of(bytes));
        (refusal.1, kept)
    };
    let kept = device.kept.get("timestamp.json").map(|bytes| Digest::of(bytes));
    // The state it knows already.
    assert_eq!(refused_by(&repo, device.clone()), (TrustKind::Expired, kept));
    repo.publish();
    // A device without any state has nothing to hold progress against.
    assert_eq!(refused_by(&repo, Device::new(&repo)), (TrustKind::Expired, None));
    // A server without a clock, one before the last signed time, and one past every expiry.
    for date in [None, Some(NOW - 1), Some(NOW + 30 * DAY)] {
        repo.date = date;
        assert_eq!(refused_by(&repo, device.clone()), (TrustKind::Expired, kept), "{date:?}");
    }
    // The order of the specification knows of no server's clock.
    repo.date = Some(NOW);
    let strict = Device { order: Some(Order::Strict), ..device.clone() };
    assert_eq!(refused_by(&repo, strict), (TrustKind::Expired, kept));
    assert!(Device { clock: ahead, ..device }.sync(&repo).is_ok());
}

#[test]
fn progress_that_was_seen_is_not_forgotten_by_the_sync_after_the_check() {
    let (mut repo, mut device) = acquainted();
    device.clock = NOW + 366 * DAY;
    repo.put("production-rollout", FILE, b"new offers");
    repo.role("production-rollout", &[]).common.version = 2;
    repo.publish();
    // Cut short once the timestamp is kept, at every file that comes after it.
    let rest = ["2.snapshot.json", "2.production-rollout.json"];
    for gone in rest {
        let mut cut = repo.clone();
        cut.files.remove(gone);
        assert_eq!(device.refusal(&cut).1, TrustKind::Missing, "{gone}");
    }
    assert_eq!(device.sync(&repo).unwrap(), b"new offers");
    // As often as it likes, whatever the server says of the time, or that nothing changed.
    for date in [Some(NOW), None, Some(NOW - 300 * DAY)] {
        repo.date = date;
        device.clock += 60;
        assert!(device.sync(&repo).is_ok());
        let mut forgot = device.clone();
        forgot.kept.remove("hints");
        assert!(forgot.sync(&repo).is_ok());
    }
}

#[test]
fn a_version_that_was_progress_is_held_for_a_day_at_most() {
    let (mut repo, mut device) = acquainted();
    let ahead = NOW + 366 * DAY;
    device.clock = ahead;
    repo.publish();
    device.sync(&repo).unwrap();
    let at_clock = |clock: u64, repo: &Repo| Device { clock, ..device.clone() }.sync(repo).is_ok();
    assert!(at_clock(ahead + DAY - 1, &repo));
    // A day later, or by a clock that was set back in between.
    assert!(!at_clock(ahead + DAY, &repo));
    assert!(!at_clock(ahead - 1, &repo));
    // Not for another version, of which nobody said when it came.
    repo.date = None;
    repo.publish();
    assert!(!at_clock(ahead + 60, &repo));
    // Nor past the expiry, by the time that was believed.
    let mut short = repo.clone();
    short.date = Some(NOW);
    short.expires.insert("timestamp", NOW + 100);
    short.publish();
    let mut held = device.clone();
    held.sync(&short).unwrap();
    held.clock += 99;
    assert!(held.sync(&short).is_ok());
    held.clock += 1;
    assert_eq!(held.refusal(&short).1, TrustKind::Expired);
    // Nor where the specification's order of requests is asked for.
    let mut strict = Device { order: Some(Order::Strict), ..device.clone() };
    assert_eq!(strict.refusal(&short).1, TrustKind::Expired);
}

#[test]
fn what_was_believed_of_the_clock_goes_once_the_clock_is_right() {
    let (mut repo, mut device) = acquainted();
    device.clock = NOW + 366 * DAY;
    repo.publish();
    device.sync(&repo).unwrap();
    assert!(device.kept.contains_key("believed"));
    device.clock = NOW;
    device.sync(&repo).unwrap();
    assert!(!device.kept.contains_key("believed"));
}

#[test]
fn shipped_metadata_is_enough_to_see_progress() {
    let mut repo = Repo::new();
    repo.date = Some(NOW);
    let mut seed = BTreeMap::new();
    seed.insert("timestamp.json".to_owned(), repo.files["timestamp.json"].clone());
    seed.insert("snapshot.json".to_owned(), repo.files["1.snapshot.json"].clone());
    let mut device = Device { seed, ..Device::new(&repo) };
    device.clock = NOW + 366 * DAY;
    assert_eq!(device.refusal(&repo).1, TrustKind::Expired);
    repo.publish();
    assert!(device.sync(&repo).is_ok());
}

#[test]
fn a_clock_that_jumps_leaves_nothing_behind() {
    let (mut repo, mut device) = acquainted();
    for clock in [NOW + 366 * DAY, 0, NOW + 5 * DAY, NOW - 366 * DAY, NOW] {
        repo.signed_at += 60;
        repo.date = Some(repo.signed_at);
        repo.publish();
        device.clock = clock;
        assert!(device.sync(&repo).is_ok(), "{clock}");
    }
}

#[test]
fn a_bound_that_a_thief_raised_falls_with_his_keys() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    // The device's clock is wrong as well, else the bound would not follow.
    device.clock = 4_070_908_800;
    repo.signed_at = device.clock;
    for role in ["timestamp", "snapshot", "targets", "role"] {
        repo.expires.insert(role, device.clock + DAY);
    }
    repo.root.common.expires = at(device.clock + DAY);
    repo.files.insert("1.root.json".to_owned(), sign_by(&repo.root, &["root"]));
    device.shipped = repo.shipped();
    repo.publish();
    device.sync(&repo).unwrap();

    let mut honest = repo.clone();
    device.clock = NOW;
    honest.signed_at = NOW;
    honest.expires.clear();
    honest.publish();
    assert_eq!(device.refusal(&honest).1, TrustKind::Expired);
    honest.next_root(
        |root| {
            root.keys.insert(key("new").public().id(), key("new").public().clone());
            root.roles.insert("timestamp".to_owned(), keys_of(&["new"], 1));
        },
        &["root"],
    );
    let listing =
        meta(honest.snapshot, &honest.files[&format!("{}.snapshot.json", honest.snapshot)]);
    honest.publish_timestamp(listing, "new");
    assert!(device.sync(&honest).is_ok());
}

/// Whether a device whose clock is right takes, on this day, a timestamp that expired a moment ago by a
/// server that says it is the day `lie`.
fn takes(repo: &mut Repo, device: &mut Device, day: u64, lie: u64) -> bool {
    device.clock = NOW + day * DAY;
    repo.date = Some(NOW + lie * DAY);
    repo.expires.insert("timestamp", device.clock - 1);
    repo.timestamp += 1;
    repo.publish_timestamp(meta(1, &repo.files["1.snapshot.json"]), "timestamp");
    device.sync(repo).is_ok()
}

#[test]
fn a_thief_who_lies_of_the_time_gains_half_a_month_and_once() {
    // He has the timestamp's key, and so the snapshot of day 0 and no other; it expires on day 30.
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    for day in [0, 13, 29] {
        device.clock = NOW + day * DAY;
        repo.expires.insert("timestamp", device.clock + DAY);
        repo.timestamp += 1;
        repo.publish_timestamp(meta(1, &repo.files["1.snapshot.json"]), "timestamp");
        device.sync(&repo).unwrap();
    }
    // No earlier than half a month before the last session that needed no belief,
    for lie in [0, 1, 14] {
        assert!(!takes(&mut repo, &mut device, 30, lie), "{lie}");
    }
    // and from there time goes on as fast as the device's clock, whatever else the thief says.
    for day in 30..45 {
        assert!(takes(&mut repo, &mut device, day, 15), "{day}");
        assert!(!takes(&mut repo, &mut device, day, 14), "{day}");
    }
    for day in [45, 46, 60, 365, 500, 5000] {
        for lie in [0, 14, 15, 16, 29, 30, day - 14, day - 1] {
            assert!(!takes(&mut repo, &mut device, day, lie), "{day} {lie}");
        }
    }
    // What the honest sign reaches it all the same, and without any belief.
    repo.expires.clear();
    for role in ["timestamp", "snapshot", "targets", "role"] {
        repo.expires.insert(role, device.clock + DAY);
    }
    repo.next_root(|root| root.common.expires = at(NOW + 6000 * DAY), &["root"]);
    repo.targets.common.version = 2;
    repo.role("production-rollout", &[]).common.version = 2;
    repo.publish();
    device.sync(&repo).unwrap();
    assert!(!device.kept.contains_key("believed"));
}

#[test]
fn a_server_that_brings_stale_timestamps_slowly_does_not_slow_time_down() {
    // One an hour, each good for half a month; everything else is good for longer than this takes.
    let mut repo = Repo::new();
    for role in ["snapshot", "targets", "role"] {
        repo.expires.insert(role, NOW + 250 * DAY);
    }
    repo.publish();
    let mut device = Device::new(&repo);
    let mut by_hour = Vec::new();
    for hour in 0..100 {
        repo.timestamp += 1;
        repo.signed_at = NOW + hour * 3600;
        repo.expires.insert("timestamp", repo.signed_at + 14 * DAY);
        repo.publish_timestamp(meta(2, &repo.files["2.snapshot.json"]), "timestamp");
        by_hour.push((repo.signed_at, repo.clone()));
    }
    device.sync(&by_hour[0].1).unwrap();
    // Half a month later it serves them all the same, one a day.
    let mut taken = Vec::new();
    for (day, (signed_at, mut served)) in (15..).zip(by_hour.into_iter().skip(1)) {
        device.clock = NOW + day * DAY;
        for later in [0, 1, 5, 10, 13] {
            served.date = Some(signed_at + later * DAY);
            if device.sync(&served).is_ok() {
                taken.push(day);
                break;
            }
        }
    }
    assert_eq!(taken, (15..=29).collect::<Vec<_>>());
}

#[test]
fn a_clock_that_goes_back_is_believed_again_and_so_is_a_server_after_it() {
    let (mut repo, mut device) = acquainted();
    for (clock, real) in [(900, 0), (300, 1), (310, 11), (299, 12)] {
        repo.signed_at = NOW + real * DAY;
        repo.date = Some(repo.signed_at);
        repo.publish();
        device.clock = NOW + clock * DAY;
        assert!(device.sync(&repo).is_ok(), "{clock}");
    }
    // One that jumps ahead once more meanwhile is not told from a lie.
    repo.publish();
    device.clock = NOW + 800 * DAY;
    assert_eq!(device.refusal(&repo).1, TrustKind::Expired);
    device.clock = NOW + 12 * DAY;
    assert!(device.sync(&repo).is_ok());
}
