//! Disks in trouble: full, read-only, locked, with files that cannot be removed or that changed by
//! themselves. What runs goes on running, and all is well once the trouble is over.

use std::io::Write;

use farad::Error;
use farad::boot::Which;
use farad::id::BundleId;
use farad::native::Native;
use farad::progress::Cancel;
use farad::store::Disk;
use farad::store::memory::Fault;
use farad::updater::{Status, Via};

use crate::phone::{Phone, Step};
use crate::world::{FIRST, FLOOR, LAST, SECOND, WITH_FIRST, history};

fn offered(step: usize) -> BundleId {
    BundleId(history().steps[step].offered.unwrap().manifest)
}

fn shows(phone: &mut Phone) -> Which {
    let launched = phone.boot();
    phone.does(Step::Ready).unwrap();
    launched.which
}

fn names(phone: &Phone, folder: &str) -> Vec<String> {
    let mut names: Vec<_> =
        phone.disk.list(folder).unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    names
}

/// The same phone, after a sync that was killed before it could commit what it had staged.
fn killed_before_commit(phone: &Phone) -> Phone {
    let mut clean = phone.with_disk(phone.disk.after_kill());
    clean.sync().unwrap();
    let journal = clean.disk.journal();
    let rename = journal.iter().position(|done| done.starts_with("rename staging")).unwrap();
    let mut killed = phone.with_disk(phone.disk.after_kill());
    killed.disk.fail_at(rename, Fault::Kill);
    killed.sync().unwrap_err();
    killed.with_disk(killed.disk.after_kill())
}

/// A phone that runs the first release and is offered the second.
fn offered_second() -> Phone {
    let mut phone = Phone::running();
    phone.does(Step::Serve(SECOND)).unwrap();
    phone
}

fn used(phone: &Phone) -> u64 {
    // An empty disk has as much room as it was made with.
    farad::store::memory::MemoryDisk::new().free().unwrap() - phone.disk.free().unwrap()
}

#[test]
fn without_room_nothing_is_fetched_and_once_there_is_room_it_is() {
    let mut phone = offered_second();
    phone.disk.set_capacity(used(&phone) + 20_000);
    let before = names(&phone, "bundles");
    assert_eq!(phone.sync().unwrap_err().code(), "no-space");
    assert_eq!(phone.strays(), Vec::<String>::new());
    assert_eq!(names(&phone, "bundles"), before);
    assert_eq!(shows(&mut phone), Which::Bundle(offered(FIRST)));
    phone.disk.set_capacity(1 << 30);
    assert_eq!(phone.sync().unwrap().status, Status::Staged);
    assert_eq!(shows(&mut phone), Which::Bundle(offered(SECOND)));
}

#[test]
fn a_disk_that_fills_on_the_way_is_left_no_fuller_than_it_was() {
    let ready = offered_second();
    let mut clean = ready.with_disk(ready.disk.after_kill());
    clean.sync().unwrap();
    let operations = clean.disk.journal().len();
    let mut refused = 0;
    for at in (0..operations).step_by(3) {
        let mut phone = ready.with_disk(ready.disk.after_kill());
        phone.disk.fail_at(at, Fault::Full);
        match phone.sync() {
            Err(error) => assert_eq!(error.code(), "no-space", "{at}"),
            // Only what may be lost was lost.
            Ok(_) => continue,
        }
        refused += 1;
        for folder in ["staging", "downloads"] {
            assert_eq!(names(&phone, folder), Vec::<String>::new(), "{at}");
        }
        assert_eq!(shows(&mut phone), Which::Bundle(offered(FIRST)), "{at}");
        phone.disk.heal();
        phone.sync().unwrap();
        assert_eq!(shows(&mut phone), Which::Bundle(offered(SECOND)), "{at}");
    }
    assert!(refused > 10, "{refused}");
}

#[test]
fn what_a_killed_run_left_makes_room_for_the_next() {
    let phone = offered_second();
    let before = used(&phone);
    let mut phone = killed_before_commit(&phone);
    let left = used(&phone) - before;
    assert!(left > 15_000, "{left}");
    // Enough for the update, not for it and what the killed run left.
    phone.disk.set_capacity(before + left + 10_000);
    assert_eq!(phone.sync().unwrap().status, Status::Staged);
    assert_eq!(shows(&mut phone), Which::Bundle(offered(SECOND)));
}

#[test]
fn ready_needs_no_room() {
    let mut phone = offered_second();
    phone.sync().unwrap();
    assert_eq!(phone.boot().which, Which::Bundle(offered(SECOND)));
    phone.disk.set_capacity(0);
    phone.does(Step::Ready).unwrap();
    assert_eq!(phone.boot().token, None);
}

#[test]
fn a_sync_that_staged_something_says_so_whoever_has_the_lock() {
    let ready = offered_second();
    let mut outcomes = Vec::new();
    for granted in 0.. {
        let mut phone = ready.with_disk(ready.disk.after_kill());
        // For longer than all of a sync waits, once it was granted so often.
        phone.disk.contend("lock", granted, 100);
        let outcome = phone.sync().map(|synced| synced.status);
        let staged = phone.updater().state().unwrap().record.next.is_some();
        assert_eq!(outcome.is_ok(), staged, "{granted}: {outcome:?}");
        outcomes.push(staged);
        // Nobody met anybody.
        if phone.disk.lock("lock", true).unwrap().is_some() {
            break;
        }
    }
    assert!(outcomes.contains(&false) && outcomes.iter().filter(|ok| **ok).count() > 2);
}

#[test]
fn no_collection_takes_a_notice_that_is_being_written() {
    let mut phone = offered_second();
    phone.sync().unwrap();
    phone.all(&[Step::Boot, Step::Fail, Step::Boot]).unwrap();
    // A collection begins when the failure is written down.
    phone.disk.contend("lock", 1, 3);
    phone.does(Step::Fail).unwrap();
    assert_eq!(phone.updater().notice().unwrap().id, offered(SECOND));
    assert!(phone.disk.lock("lock", true).unwrap().is_some(), "the notice waited for its end");
}

#[test]
fn on_storage_that_takes_no_writes_what_is_confirmed_runs() {
    let mut phone = offered_second();
    phone.sync().unwrap();
    phone.disk.fail_at(0, Fault::ReadOnly);
    for _ in 0..3 {
        let launched = phone.boot();
        assert_eq!((launched.which, launched.token), (Which::Bundle(offered(FIRST)), None));
    }
    assert!(matches!(phone.sync(), Err(Error::Storage { .. })));
    phone.disk.heal();
    assert_eq!(shows(&mut phone), Which::Bundle(offered(SECOND)));
}

#[test]
fn on_a_phone_that_was_not_unlocked_yet_the_built_in_bundle_runs_and_nothing_is_written() {
    let mut phone = offered_second();
    phone.sync().unwrap();
    let before = phone.disk.journal();
    phone.disk.set_locked(true);
    for _ in 0..3 {
        assert_eq!(phone.boot().which, Which::Builtin);
    }
    assert!(phone.sync().is_err());
    assert_eq!(phone.disk.journal(), before);
    phone.disk.set_locked(false);
    assert_eq!(shows(&mut phone), Which::Bundle(offered(SECOND)));
}

#[test]
fn a_file_that_cannot_be_removed_stops_nothing_else() {
    let mut phone = offered_second();
    let first = offered(FIRST);
    phone.disk.pin(&format!("bundles/{first}/files/app.js"));
    for step in [SECOND, FLOOR, LAST] {
        phone.does(Step::Serve(step)).unwrap();
        phone.sync().unwrap();
        assert_eq!(shows(&mut phone), Which::Bundle(offered(step)));
    }
    assert_eq!(names(&phone, "bundles").len(), 2, "collected all the same");
    assert_eq!(names(&phone, "trash"), [first.to_string()]);
    phone.disk.unpin();
    phone.sync().unwrap();
    assert_eq!(phone.strays(), Vec::<String>::new());
}

#[test]
fn staging_that_cannot_be_removed_makes_way() {
    let mut phone = offered_second();
    for _ in 0..3 {
        phone = killed_before_commit(&phone);
        phone.disk.pin(&format!("staging/{}/files/app.js", offered(SECOND)));
    }
    phone.sync().unwrap();
    assert_eq!(shows(&mut phone), Which::Bundle(offered(SECOND)));
    phone.disk.unpin();
    phone.sync().unwrap();
    assert_eq!(phone.strays(), Vec::<String>::new());
}

#[test]
fn damage_is_found_by_a_recheck_passed_over_and_repaired_without_a_trial() {
    let mut phone = Phone::running();
    let first = offered(FIRST);
    let whole = phone.updater().recheck(&Cancel::default()).unwrap().unwrap();
    assert_eq!((whole.id, whole.files, whole.damaged), (first, 2, None));
    phone.does(Step::Damage).unwrap();
    // The length is right: a start cannot tell.
    assert_eq!(phone.boot().which, Which::Bundle(first));
    let found = phone.updater().recheck(&Cancel::default()).unwrap().unwrap();
    assert_eq!(found.damaged.as_deref(), Some("app.js"));
    assert_eq!(phone.boot().which, Which::Builtin, "passed over");

    let synced = phone.sync().unwrap();
    assert_eq!((synced.status, synced.via), (Status::Staged, Some(Via::Ranges)));
    let launched = phone.boot();
    assert_eq!((launched.which, launched.token), (Which::Bundle(first), None));
    assert!(phone.updater().state().unwrap().blocked.is_empty());
    let whole = phone.updater().recheck(&Cancel::default()).unwrap().unwrap();
    assert_eq!(whole.damaged, None);
}

/// Everything on the phone's disk: files, or folders.
fn all(phone: &Phone, folder: &str, folders: bool) -> Vec<String> {
    let mut found = Vec::new();
    for entry in phone.disk.list(folder).unwrap() {
        let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
        if entry.folder {
            found.extend(all(phone, &path, folders));
        }
        if entry.folder == folders {
            found.push(path);
        }
    }
    found
}

/// A phone with something of every kind on its disk.
fn with_everything() -> Phone {
    let mut phone = Phone::running();
    phone.all(&[Step::Serve(SECOND), Step::Sync, Step::Boot, Step::Ready]).unwrap();
    phone.all(&[Step::Follow(Some("beta")), Step::Sync]).unwrap();
    phone.all(&[Step::Boot, Step::Fail, Step::Boot, Step::Fail]).unwrap();
    phone.all(&[Step::Follow(None), Step::Sync]).unwrap();
    phone.all(&[Step::Serve(FLOOR), Step::Sync, Step::Boot]).unwrap();
    let files = all(&phone, "", false);
    let names = ["record.0", "record.1", "install-id", "ledger", "notice", "lock", "sync.lock"];
    for kind in names.into_iter().chain(["marks/", "blocked/", "policies/", "trust/", "bundles/"]) {
        assert!(files.iter().any(|path| path.starts_with(kind)), "{kind}");
    }
    phone
}

/// However its disk was damaged, the phone starts, updates, and notices another native app.
fn goes_on(phone: &mut Phone, what: &str) {
    phone.boot();
    phone.does(Step::Serve(LAST)).unwrap();
    phone.sync().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(shows(phone), Which::Bundle(offered(LAST)), "{what}");
    phone.sync().unwrap();
    phone.all(&[Step::Build(WITH_FIRST), Step::Boot, Step::Boot, Step::Ready]).unwrap();
    let native = phone.updater().state().unwrap().record.native.native;
    assert_eq!(native, Native::Android { build: WITH_FIRST }, "{what}");
    phone.sync().unwrap();
    assert_eq!(shows(phone), Which::Bundle(offered(LAST)), "{what}");
}

/// What file systems call damage of bytes or of an inode: EIO, EBADMSG, EUCLEAN.
const DAMAGE: [i32; 3] = [5, 74, 117];

#[test]
fn a_sector_that_cannot_be_read_costs_what_lay_there_and_no_update() {
    let phone = with_everything();
    // Scripts are for the re-hash to find.
    let paths = all(&phone, "", false);
    let paths = paths.iter().filter(|path| !path.ends_with("/files/app.js"));
    for (path, errno) in paths.zip(DAMAGE.into_iter().cycle()) {
        let mut phone = phone.with_disk(phone.disk.after_kill());
        phone.disk.lose(path, errno);
        goes_on(&mut phone, path);
        assert_eq!(phone.strays(), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_file_that_no_call_gets_to_costs_its_bundle_its_count_or_its_slot_and_no_update() {
    let phone = with_everything();
    let mut paths = all(&phone, "", false);
    paths.extend(all(&phone, "bundles", true));
    let kinds = ["bundles/", "marks/", "blocked/", "record."];
    let paths = paths.iter().filter(|path| kinds.iter().any(|kind| path.starts_with(kind)));
    for (path, errno) in paths.zip(DAMAGE.into_iter().cycle()) {
        let mut phone = phone.with_disk(phone.disk.after_kill());
        phone.disk.break_inode(path, errno);
        goes_on(&mut phone, path);
        if path.ends_with("/lease") || path.ends_with("/manifest.json") {
            let (folder, _) = path.rsplit_once('/').unwrap();
            let left = phone.disk.list(folder).unwrap();
            assert_eq!(left, [], "{path}: collected all the same");
        }
    }
}

#[test]
fn a_folder_where_a_file_was_and_a_file_where_a_folder_was_cost_no_update() {
    let phone = with_everything();
    for (folders, paths) in [false, true].map(|folders| (folders, all(&phone, "", folders))) {
        for path in paths {
            let mut phone = phone.with_disk(phone.disk.after_kill());
            phone.disk.remove_folder(&path).unwrap();
            if folders {
                phone.disk.create(&path).unwrap().write_all(b"nonsense").unwrap();
            } else {
                phone.disk.create_folder(&path).unwrap();
                phone.disk.create(&format!("{path}/x")).unwrap().write_all(b"nonsense").unwrap();
            }
            goes_on(&mut phone, &path);
            assert_eq!(phone.strays(), Vec::<String>::new(), "{path}");
        }
    }
}

#[test]
fn a_download_that_no_call_gets_to_costs_one_sync() {
    let ready = offered_second();
    let mut clean = ready.with_disk(ready.disk.after_kill());
    clean.sync().unwrap();
    let journal = clean.disk.journal();
    let begun = journal.iter().position(|done| done.starts_with("write staging")).unwrap();
    ready.disk.fail_at(begun, Fault::Kill);
    let mut killed = ready.with_disk(ready.disk.clone());
    killed.sync().unwrap_err();
    let downloads = all(&killed.with_disk(killed.disk.after_kill()), "downloads", false);
    assert!(!downloads.is_empty());
    for (path, errno) in downloads.iter().zip(DAMAGE.into_iter().cycle()) {
        let mut phone = killed.with_disk(killed.disk.after_kill());
        phone.disk.break_inode(path, errno);
        let _ = phone.sync();
        phone.sync().unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(shows(&mut phone), Which::Bundle(offered(SECOND)), "{path}");
    }
}

#[test]
fn a_recheck_goes_on_where_it_was_cut_short() {
    let mut phone = Phone::running();
    let cancelled = Cancel::default();
    cancelled.cancel();
    assert_eq!(phone.updater().recheck(&cancelled).unwrap_err().code(), "cancelled");
    let hint = format!("{} 1\n", offered(FIRST));
    phone.disk.create("recheck").unwrap().write_all(hint.as_bytes()).unwrap();
    let rest = phone.updater().recheck(&Cancel::default()).unwrap().unwrap();
    assert_eq!(rest.files, 1);
    let again = phone.updater().recheck(&Cancel::default()).unwrap().unwrap();
    assert_eq!(again.files, 2, "the next one begins anew");
    for nonsense in ["", "x", "99999999999999999999999 1\n"] {
        phone.disk.create("recheck").unwrap().write_all(nonsense.as_bytes()).unwrap();
        assert_eq!(phone.updater().recheck(&Cancel::default()).unwrap().unwrap().files, 2);
    }
}

#[test]
fn a_repaired_bundle_is_still_leased_by_who_shows_it() {
    let mut showing = Phone::running();
    showing.boot();
    let mut other = showing.clone();
    other.all(&[Step::Damage, Step::Recheck, Step::Sync]).unwrap();
    for step in [SECOND, FLOOR, LAST] {
        other.does(Step::Serve(step)).unwrap();
        other.sync().unwrap();
        shows(&mut other);
    }
    let first = offered(FIRST).to_string();
    assert!(names(&other, "bundles").contains(&first));
    drop(showing);
    other.sync().unwrap();
    assert!(!names(&other, "bundles").contains(&first));
}
