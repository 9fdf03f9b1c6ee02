//! A pack that is cut short goes on where it was, in the same run and in later ones.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use farad::fetch::HttpOptions;
use farad::progress::{Cancel, Progress};
use farad::updater::Via;

use crate::forge::DAY;
use crate::phone::files;
use crate::site::{Answer, Fate};
use crate::update::{PIECE, Update};

#[test]
fn each_run_goes_on_where_the_last_one_was_cut() {
    let update = Update::new();
    update.doom(&update.pack, Fate::Cut(200_000));
    let mut runs = 1;
    // Every run is a process of its own.
    while let Err(error) = update.phone.sync() {
        assert_eq!(error.code(), "network");
        assert_eq!(update.phone.shows(), "1.0.0");
        runs += 1;
        assert!(runs < 12);
    }
    assert_eq!(update.phone.shows(), "1.1.0");
    let (came, length) = (update.phone.came(), update.length(&update.pack));
    assert_eq!(runs, length.div_ceil(200_000));
    // No byte of the pack came twice; the rest is metadata, index and layout.
    assert!((length..length + 20_000).contains(&came), "{came} for {length}");
    assert!(!update.phone.storage().join("downloads").exists(), "nothing is left behind");
}

#[test]
fn one_run_goes_on_as_long_as_something_comes() {
    let mut update = Update::new();
    update.doom(&update.pack, Fate::Cut(100_000));
    update.phone.config.retries = 1;
    let synced = update.phone.sync().unwrap();
    assert_eq!(synced.via, Some(Via::Pack));
    assert!(synced.requests > 10);
    assert!(update.phone.came() < update.length(&update.pack) + 20_000);
    assert_eq!(update.phone.shows(), "1.1.0");
}

#[test]
fn a_network_where_no_connection_lasts_for_a_piece_gets_there_too() {
    let update = Update::of(|forge| forge.noise = 300_000);
    update.doom(&update.pack, Fate::Cut(20_000));
    let mut runs = 1;
    while update.phone.sync().is_err() {
        runs += 1;
        assert!(runs < 40);
    }
    assert!(runs > 10, "{runs}");
    assert!(update.phone.came() < update.length(&update.pack) + 20_000);
    assert_eq!(update.phone.shows(), "1.1.0");
}

#[test]
fn a_reset_costs_what_was_on_the_way_and_no_more() {
    let mut update = Update::new();
    update.phone.config.retries = 3;
    update.doom(&update.pack, Fate::Reset(250_000));
    update.arrives();
    assert!(update.phone.came() < update.length(&update.pack) + 20_000);
}

#[test]
fn a_stalled_connection_is_given_up_and_taken_up_again() {
    let mut update = Update::new();
    update.phone.config.retries = 5;
    let silence = Some(Duration::from_millis(250));
    update.phone.http = HttpOptions { silence, ..HttpOptions::default() };
    let pack = update.pack.clone();
    update.site.let_fate_decide(move |asked, length| {
        if asked == pack && length > 400_000 { Fate::Stall(150_000) } else { Fate::Well }
    });
    update.arrives();
    assert!(update.phone.came() < update.length(&update.pack) + 20_000);
}

#[test]
fn what_was_kept_is_verified_before_it_is_used() {
    let update = Update::new();
    update.doom(&update.pack, Fate::Cut(500_000));
    update.phone.sync().unwrap_err();
    // Nothing more comes: all that a run has is what was kept.
    update.doom(&update.pack, Fate::Cut(0));
    let folder = update.phone.storage().join("downloads");
    let kept = files(&folder);
    assert!(kept.values().map(Vec::len).sum::<usize>() > 450_000);
    for (name, bytes) in &kept {
        for at in [0, 20, 34, 40, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(folder.join(name), changed).unwrap();
            // Whatever is lost by it: no wrong byte goes further, or the code would be another.
            assert_eq!(update.phone.sync().unwrap_err().code(), "network", "{name} {at}");
            assert_eq!(update.phone.shows(), "1.0.0");
            fs::write(folder.join(name), bytes).unwrap();
        }
        fs::write(folder.join(name), &bytes[..bytes.len() / 3]).unwrap();
    }
    update.mend();
    update.arrives();
}

#[test]
fn a_download_that_was_complete_is_not_fetched_again() {
    let update = Update::new();
    // The process dies between the last byte and the commit.
    let updater = update.phone.updater();
    let pack = update.length(&update.pack);
    let mut die = |progress: Progress| {
        let all = progress.bytes == progress.total && progress.total > pack;
        assert!(!all, "killed");
    };
    let sync = AssertUnwindSafe(|| updater.sync(&Cancel::default(), &mut die));
    assert!(catch_unwind(sync).is_err());
    drop(updater);
    assert!(update.phone.came() > pack);
    assert_eq!(update.phone.shows(), "1.0.0");
    update.site.asked();
    update.arrives();
    let asked = update.site.asked();
    assert!(!asked.iter().any(|asked| asked.starts_with("blobs/")), "all of it is here: {asked:?}");
}

#[test]
fn a_server_without_ranges_serves_all_the_same() {
    let update = Update::new();
    update.doom(&update.pack, Fate::Cut(300_000));
    update.phone.sync().unwrap_err();
    let pack = update.forge.files[&update.pack].clone();
    update.site.answer(&update.pack, Answer::Whole(pack));
    update.mend();
    update.asked_for(&update.pack);
    update.arrives();
    let asked = update.asked_for(&update.pack);
    assert_eq!(asked, [format!("{} 300000..{}", update.pack, update.length(&update.pack))]);
}

#[test]
fn a_pack_that_is_shorter_on_the_server_is_left_alone_for_a_while() {
    let update = Update::new();
    update.doom(&update.pack, Fate::Cut(300_000));
    update.phone.sync().unwrap_err();
    update.mend();
    // Asked for what lies past its end, it says 416.
    let short = update.forge.files[&update.pack][..250_000].to_vec();
    update.site.answer(&update.pack, Answer::File(short));
    assert_eq!(update.phone.refused(), "http-status");
    update.site.serve(&update.forge);
    assert_eq!(update.phone.refused(), "too-early");
    update.phone.wait(15 * 60);
    update.arrives();
}

#[test]
fn a_pack_that_is_longer_on_the_server_is_asked_for_what_was_signed() {
    let update = Update::new();
    update.doom(&update.pack, Fate::Cut(300_000));
    update.phone.sync().unwrap_err();
    update.mend();
    let long = [&update.forge.files[&update.pack][..], b"more"].concat();
    update.site.answer(&update.pack, Answer::File(long));
    update.arrives();
}

#[test]
fn a_pack_that_changed_on_the_server_is_refused_at_the_first_wrong_piece() {
    let update = Update::new();
    update.doom(&update.pack, Fate::Cut(300_000));
    update.phone.sync().unwrap_err();
    update.mend();
    let mut changed = update.forge.files[&update.pack].clone();
    changed[400_000..].fill(b'x');
    update.site.answer(&update.pack, Answer::File(changed));
    update.phone.came();
    assert_eq!(update.phone.refused(), "hash-mismatch");
    // Up to the change, and the piece in which it begins twice.
    assert!(update.phone.came() < 100_000 + 2 * PIECE + 20_000);
    update.site.serve(&update.forge);
    assert_eq!(update.phone.refused(), "too-early");
    update.phone.wait(15 * 60);
    update.arrives();
    let all = update.phone.came();
    assert!(all < update.length(&update.pack) - 300_000, "what was right was kept: {all}");
}

#[test]
fn a_wrong_piece_is_fetched_once_more_and_not_again_and_again() {
    let update = Update::new();
    let (path, mut struck) = (update.pack.clone(), 0);
    update.site.let_fate_decide(move |asked, _| {
        struck += usize::from(asked == path);
        if asked == path && struck == 1 { Fate::Spoil(150_000) } else { Fate::Well }
    });
    update.arrives();
    let asked = update.asked_for(&update.pack);
    assert_eq!(asked.len(), 2, "{asked:?}");

    let update = Update::new();
    update.doom(&update.pack, Fate::Spoil(0));
    assert_eq!(update.phone.refused(), "hash-mismatch");
    assert_eq!(update.asked_for(&update.pack).len(), 2);
}

#[test]
fn a_day_moves_no_more_than_three_packs() {
    let update = Update::new();
    update.doom(&update.pack, Fate::Cut(900_000));
    let mut too_early = 0;
    for _ in 0..24 {
        too_early += usize::from(update.phone.sync().unwrap_err().code() == "too-early");
        // Somebody keeps clearing the app's cache, so that nothing is ever resumed.
        let _ = fs::remove_dir_all(update.phone.storage().join("downloads"));
        update.phone.wait(600);
    }
    assert_eq!(too_early, 21);
    let came = update.phone.came();
    assert!(came < 3 * update.length(&update.pack) + 40_000, "{came}");
    // The next day has three more.
    update.phone.wait(DAY);
    update.mend();
    update.arrives();
}
