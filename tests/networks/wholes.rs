//! Index and layout: blobs that one digest covers as a whole.

use std::fs;

use crate::phone::files;
use crate::site::{Answer, Fate, Site};
use crate::update::Update;

/// An update of some files, so that its index is worth cutting.
fn some_files() -> Update {
    let update = Update::of(|forge| forge.small = 100);
    assert!(update.length(&update.index) > 3_000);
    update
}

#[test]
fn an_index_that_is_cut_short_goes_on_in_the_next_run() {
    let update = some_files();
    for (blob, next) in [(&update.index, &update.layout), (&update.layout, &update.pack)] {
        let length = update.length(blob);
        update.doom(blob, Fate::Cut(length / 3));
        update.site.asked();
        for _ in 0..2 {
            assert_eq!(update.phone.sync().unwrap_err().code(), "network");
        }
        update.doom(next, Fate::Cut(0));
        assert_eq!(update.phone.sync().unwrap_err().code(), "network");
        // What came once is asked for no more, and only of the version that it belongs to.
        let third = length / 3;
        let parts = [third, 2 * third].map(|from| format!("{blob} {from}..{length} if"));
        assert_eq!(update.asked_for(blob), [vec![blob.clone()], parts.to_vec()].concat());
    }
    update.mend();
    update.site.asked();
    update.arrives();
    let asked = update.site.asked();
    assert!(!asked.iter().any(|asked| asked.contains(&update.index)), "all of it was here");
}

#[test]
fn an_index_that_changed_on_its_server_is_fetched_whole() {
    let update = some_files();
    update.doom(&update.index, Fate::Cut(2_000));
    // The wrong file first: what came of it is of no use.
    let right = update.forge.files[&update.index].clone();
    update.site.answer(&update.index, Answer::File(vec![b'x'; right.len()]));
    update.phone.sync().unwrap_err();
    update.site.answer(&update.index, Answer::File(right));
    update.mend();
    update.site.asked();
    update.arrives();
    let asked = update.asked_for(&update.index);
    let rest = format!("{} 2000..{} if", update.index, update.length(&update.index));
    assert_eq!(asked, [rest], "the server saw that it is another version and sent all of it");
}

#[test]
fn an_index_goes_on_at_another_mirror_whatever_that_calls_it() {
    let mut update = some_files();
    let other = Site::new(&update.forge);
    update.phone.mirrors = vec![other.url()];
    update.doom(&update.index, Fate::Cut(2_000));
    update.arrives();
    let asked: Vec<_> = other.asked();
    let rest = format!("{} 2000..{}", update.index, update.length(&update.index));
    assert!(asked.contains(&rest), "{asked:?}");
}

#[test]
fn a_beginning_that_is_wrong_costs_one_more_fetch_from_the_server_that_has_it_right() {
    let mut update = some_files();
    let other = Site::new(&update.forge);
    update.phone.mirrors = vec![other.url()];
    // Too short, and wrong.
    update.site.answer(&update.index, Answer::File(vec![b'x'; 1_000]));
    update.arrives();
    let asked: Vec<_> =
        other.asked().into_iter().filter(|asked| asked.starts_with(&update.index)).collect();
    let rest = format!("{} 1000..{}", update.index, update.length(&update.index));
    assert_eq!(asked, [rest, update.index]);
}

#[test]
fn what_was_kept_of_an_index_is_verified_before_it_is_used() {
    let update = some_files();
    let folder = update.phone.storage().join("downloads").join(&update.index["blobs/".len()..]);
    update.doom(&update.index, Fate::Cut(2_000));
    update.phone.sync().unwrap_err();
    update.doom(&update.index, Fate::Cut(0));
    let kept = fs::read(folder.join("whole")).unwrap();
    assert_eq!(kept.len(), 2_000);
    let mut changed = kept.clone();
    changed[1_000] ^= 1;
    let all = vec![b'x'; usize::try_from(update.length(&update.index)).unwrap()];
    let longer = [&all[..], b"x"].concat();
    for damaged in [&changed[..], &kept[..1_000], b"", &all, &longer] {
        fs::write(folder.join("whole"), damaged).unwrap();
        assert_eq!(update.phone.refused(), "network");
    }
    for line in ["", "0", "0 \"another\"\n", "9 \"another\"\n", "x\n\n"] {
        fs::write(folder.join("version"), line).unwrap();
        assert_eq!(update.phone.refused(), "network");
    }
    fs::write(folder.join("whole"), changed).unwrap();
    update.mend();
    update.arrives();
    assert!(files(&update.phone.storage().join("downloads")).is_empty());
}

#[test]
fn an_index_that_is_wrong_everywhere_is_refused_after_one_more_fetch() {
    let update = some_files();
    update.doom(&update.index, Fate::Spoil(10));
    assert_eq!(update.phone.refused(), "hash-mismatch");
    assert_eq!(update.asked_for(&update.index).len(), 2);
    update.mend();
    assert_eq!(update.phone.refused(), "too-early");
    update.phone.wait(15 * 60);
    update.arrives();
}
