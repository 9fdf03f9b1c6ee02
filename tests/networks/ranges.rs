//! Of a pack only what is nowhere on the phone travels.

use farad::updater::Via;

use crate::forge::Forge;
use crate::phone::Phone;
use crate::site::Site;

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
