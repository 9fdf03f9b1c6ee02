//! Of a pack only what is nowhere on the phone travels.

use std::fs::DirEntry;
use std::path::Path;
use std::sync::{Arc, Mutex};

use farad::updater::Via;

use crate::forge::Forge;
use crate::phone::Phone;
use crate::site::{Fate, Site};
use crate::update::Update;

#[test]
fn files_that_are_here_do_not_travel_again() {
    let mut forge = Forge::empty(crate::forge::APP, crate::forge::NOW);
    forge.noise = 1_000_000;
    let first = forge.release("production", 1, "1.0.0");
    forge.rollout("production", &[first.offer()]);
    forge.publish();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    // Two small files of seven are others.
    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    site.serve(&forge);
    phone.came();
    let synced = phone.sync().unwrap();
    assert_eq!(synced.via, Some(Via::Ranges));
    let sent = phone.came();
    assert!(sent < 20_000, "{sent} bytes of a megabyte, metadata and index included");
    assert_eq!(phone.shows(), "1.1.0");
    // The same files under another version: nothing of the pack travels.
    let third = forge.release("production", 3, "1.1.0");
    forge.rollout("production", &[third.offer()]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.sync().unwrap().via, Some(Via::Local));
}

/// Files with something in them below `folder`.
fn files(folder: &Path) -> usize {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let entries = entries.map(|entry| entry.unwrap());
    let count = |entry: DirEntry| match entry.metadata().unwrap() {
        found if found.is_dir() => files(&entry.path()),
        found => usize::from(found.len() > 0),
    };
    entries.map(count).sum()
}

/// Has every answer with the file at `broken` end after `bytes`, and notes what is staged whenever that is
/// asked for.
fn breaking_off(update: &Update, broken: &str, bytes: u64) -> Arc<Mutex<Vec<usize>>> {
    let staged = Arc::new(Mutex::new(Vec::new()));
    let (noted, broken) = (staged.clone(), broken.to_owned());
    let staging = update.phone.storage().join("staging");
    update.site.let_fate_decide(move |path, _| {
        if path != broken {
            return Fate::Well;
        }
        noted.lock().unwrap().push(files(&staging));
        Fate::Cut(bytes)
    });
    staged
}

#[test]
fn nothing_that_is_here_is_copied_before_what_is_nowhere_has_come() {
    let first = Update::new();
    first.arrives();
    let second = first.next();
    for broken in [&second.layout, &second.pack] {
        let staged = breaking_off(&second, broken, 10);
        assert_eq!(second.phone.sync().unwrap_err().code(), "network");
        let staged = staged.lock().unwrap();
        assert!(!staged.is_empty() && staged.iter().all(|files| *files == 0), "{staged:?}");
    }
    second.mend();
    assert_eq!(second.phone.sync().unwrap().via, Some(Via::Ranges));
    assert_eq!(second.phone.shows(), "1.2.0");
}

#[test]
fn where_a_sync_broke_off_the_next_one_writes_no_file_before_all_has_come() {
    let update = Update::new();
    let most = update.length(&update.pack) / 2;
    breaking_off(&update, &update.pack, most);
    assert_eq!(update.phone.sync().unwrap_err().code(), "network");
    let staged = breaking_off(&update, &update.pack, 10);
    assert_eq!(update.phone.sync().unwrap_err().code(), "network");
    let staged = staged.lock().unwrap();
    assert!(!staged.is_empty() && staged.iter().all(|files| *files == 0), "{staged:?}");
    update.mend();
    update.arrives();
}
