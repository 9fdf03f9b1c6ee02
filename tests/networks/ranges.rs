//! Of a pack only what is nowhere on the phone travels.

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

#[test]
fn nothing_is_copied_before_all_that_is_to_travel_is_there() {
    let first = Update::new();
    first.arrives();
    let second = first.next();
    let staged = Arc::new(Mutex::new(Vec::new()));
    for broken in [&second.layout, &second.pack] {
        let (broken, storage) = (broken.clone(), second.phone.storage());
        let (asked, noted) = (broken.clone(), staged.clone());
        second.site.let_fate_decide(move |path, _| {
            let staging = storage.join("staging").read_dir();
            noted.lock().unwrap().push(staging.map_or(0, Iterator::count));
            if path == broken { Fate::Cut(10) } else { Fate::Well }
        });
        assert_eq!(second.phone.sync().unwrap_err().code(), "network");
        assert!(!second.asked_for(&asked).is_empty());
    }
    let staged = std::mem::take(&mut *staged.lock().unwrap());
    assert!(staged.iter().all(|files| *files == 0), "{staged:?}");
    second.mend();
    assert_eq!(second.phone.sync().unwrap().via, Some(Via::Ranges));
    assert_eq!(second.phone.shows(), "1.2.0");
}
