//! Servers that are busy: how long a phone waits, and how often it asks.

use crate::site::Answer;
use crate::update::Update;

const TIMESTAMP: &str = "metadata/timestamp.json";

#[test]
fn a_server_that_is_back_in_a_minute_is_waited_for() {
    let mut update = Update::of(|_| {});
    update.phone.config.retries = 2;
    update.site.answer(&update.pack, Answer::Busy(45));
    let begun = update.phone.now();
    assert_eq!(update.phone.refused(), "http-status");
    assert!(update.phone.now() >= begun + 2 * 45, "it waited as long as it was asked to, twice");
    assert_eq!(update.asked_for(&update.pack).len(), 3);
}

#[test]
fn a_server_that_wants_an_hour_for_a_blob_is_left_alone_with_that_release() {
    let mut update = Update::of(|_| {});
    update.phone.config.retries = 2;
    update.site.answer(&update.pack, Answer::Busy(3600));
    let begun = update.phone.now();
    assert_eq!(update.phone.refused(), "http-status");
    assert_eq!(update.phone.now(), begun, "an hour is for another run");
    update.site.serve(&update.forge);
    assert_eq!(update.phone.refused(), "too-early");
    update.site.asked();
    // Policy and revocations still come.
    update.phone.refused();
    assert!(update.site.asked().iter().any(|asked| asked == TIMESTAMP));
    update.phone.wait(3600);
    update.arrives();
}

#[test]
fn a_server_that_wants_patience_with_metadata_gets_an_hour_and_no_more() {
    let update = Update::of(|_| {});
    update.site.answer(TIMESTAMP, Answer::Busy(600));
    assert_eq!(update.phone.refused(), "http-status");
    update.site.serve(&update.forge);
    update.site.asked();
    assert_eq!(update.phone.refused(), "too-early");
    assert!(update.site.asked().is_empty(), "nothing is asked");
    update.phone.wait(600);
    update.arrives();

    update.site.answer(TIMESTAMP, Answer::Busy(86_400));
    assert_eq!(update.phone.refused(), "http-status");
    update.phone.wait(3600);
    update.site.serve(&update.forge);
    update.phone.sync().unwrap();
}

#[test]
fn a_busy_mirror_makes_way_for_one_that_is_not() {
    let mut update = Update::of(|_| {});
    let other = crate::site::Site::new(&update.forge);
    update.phone.mirrors = vec![other.url()];
    for path in update.forge.files.keys() {
        update.site.answer(path, Answer::Busy(3600));
    }
    let begun = update.phone.now();
    update.arrives();
    assert_eq!(update.phone.now(), begun, "and nobody waits");
}

#[test]
fn waits_grow_while_nothing_comes_and_end() {
    let mut update = Update::of(|_| {});
    update.phone.config.retries = 5;
    update.site.drop_requests(true);
    let begun = update.phone.now();
    assert_eq!(update.phone.refused(), "network");
    let waited = update.phone.now() - begun;
    // 2, 4, 8, 16 and 32 seconds, each at least half and at most all of it; whole seconds count.
    assert!((29..=62).contains(&waited), "{waited}");
    assert_eq!(update.site.asked().len(), 6);
}
