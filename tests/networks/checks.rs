//! Checks: what is looked into without a sync counts as one.

use farad::progress::Cancel;
use farad::release::pack::small_blob;
use farad::seal::Object;
use farad::updater::{Status, Synced};
use serde_json::{Value, json};

use crate::forge::Forge;
use crate::phone::Phone;
use crate::site::{Answer, Fate};
use crate::update::Update;

const TIMESTAMP: &str = "metadata/timestamp.json";

fn check(update: &Update) -> Result<Synced, farad::Error> {
    update.phone.updater().check(&Cancel::default())
}

#[test]
fn an_index_that_is_wrong_is_not_fetched_at_every_check() {
    let update = Update::new();
    update.doom(&update.index, Fate::Spoil(10));
    assert_eq!(check(&update).unwrap_err().code(), "hash-mismatch");
    assert_eq!(update.asked_for(&update.index).len(), 2);
    for _ in 0..3 {
        let found = check(&update).unwrap();
        assert_eq!(found.status, Status::Available);
        let most = [&update.index, &update.layout, &update.pack].map(|blob| update.length(blob));
        assert_eq!(found.bytes, most.iter().sum::<u64>(), "the most that it can be");
        let asked = update.site.asked();
        assert!(asked.iter().any(|asked| asked == TIMESTAMP), "what is offered is still asked for");
        assert!(!asked.iter().any(|asked| asked.starts_with("blobs/")), "{asked:?}");
    }
    // A sync rests as long, and what it fails by next counts on from there.
    assert_eq!(update.phone.refused(), "too-early");
    update.phone.wait(15 * 60);
    assert_eq!(check(&update).unwrap_err().code(), "hash-mismatch");
    update.phone.wait(15 * 60);
    assert_eq!(update.phone.refused(), "too-early");
    update.phone.wait(15 * 60);
    update.mend();
    let found = check(&update).unwrap();
    assert!(found.bytes < update.length(&update.pack) + 1_000);
    update.arrives();
}

#[test]
fn a_check_does_not_begin_for_ever_anew_at_a_server_without_ranges() {
    // Lists of 300 kB: a server that cuts them off brings more than is read at once.
    let mut update = Update::of(|forge| forge.small = 3_000);
    update.phone.config.retries = 3;
    let index = update.forge.files[&update.index].clone();
    assert!(index.len() > 100_000, "{}", index.len());
    update.site.answer(&update.index, Answer::Whole(index));
    update.doom(&update.index, Fate::Cut(90_000));
    assert_eq!(check(&update).unwrap_err().code(), "network");
    assert_eq!(update.asked_for(&update.index).len(), 4, "once, and as often again as it waits");
}

#[test]
fn checks_move_no_more_than_a_day_has() {
    let update = Update::of(|forge| forge.small = 3_000);
    let index = update.forge.files[&update.index].clone();
    let day = 3 * update.length(&update.pack);
    update.site.answer(&update.index, Answer::Whole(index));
    update.doom(&update.index, Fate::Cut(90_000));
    let mut moved = 0;
    update.phone.came();
    // Without a limit these come to three times as much.
    for _ in 0..3 * (day.max(1 << 20) / 90_000) {
        let _ = check(&update);
        update.site.asked();
        moved += update.phone.came();
    }
    assert!(moved < day.max(1 << 20) + (1 << 20), "{moved} of {day}");
    assert_eq!(update.phone.refused(), "too-early");
    update.phone.wait(86_400);
    update.mend();
    assert_eq!(check(&update).unwrap().status, Status::Available);
    assert!(update.asked_for(&update.index).len() == 1, "a new day");
}

#[test]
fn notes_that_are_wrong_are_left_alone_and_keep_no_release_waiting() {
    let update = Update::new();
    let (mut forge, plain) = (Forge::new(), br#"{"schema":1,"notes":"Faster."}"#);
    let (info, bytes) = small_blob(plain, Object::Info, None).unwrap();
    forge.files.insert(info.path(), bytes);
    let noted = |signed: &mut Value| signed["info"] = json!(info);
    let second = forge.release_with("production", 2, "1.1.0", noted);
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    update.site.serve(&forge);
    update.doom(&info.path(), Fate::Spoil(3));
    for fetched in [2, 0] {
        let found = check(&update).unwrap();
        assert_eq!((found.status, found.notes), (Status::Available, None));
        assert_eq!(update.asked_for(&info.path()).len(), fetched);
    }
    update.arrives();
    // On another phone they are right.
    update.mend();
    let other = Phone::new(&forge, &update.site);
    let found = other.updater().check(&Cancel::default()).unwrap();
    assert_eq!(found.notes.as_deref(), Some("Faster."));
}
