//! Answers that are no answers: lying lengths, web pages, redirects, compression, drips.

use std::fs;
use std::time::Duration;

use farad::fetch::{HttpOptions, Pace};

use crate::site::{Answer, Site};
use crate::update::Update;

/// Whole answers that somebody may give in place of a pack's.
const LIES: [(&str, &[u8]); 12] = [
    ("longer than it says", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n"),
    ("longer than is signed", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nabc"),
    ("of no length", b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc"),
    ("of two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    ("in broken chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
    ("a part of another place", b"HTTP/1.1 206 P\r\nContent-Range: bytes 7-9/10\r\nContent-Length: 3\r\n\r\nabc"),
    ("a web page", b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n<html>"),
    ("a redirect to a sign-in", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/login\r\nContent-Length: 0\r\n\r\n"),
    ("a network's demand", b"HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n"),
    ("compressed", b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"),
    ("empty", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("no HTTP at all", b"SSH-2.0-OpenSSH_9.6\r\n"),
];

/// A phone that gives up a silent connection soon: some of the lies leave it waiting for more.
fn impatient(update: &mut Update) {
    let silence = Some(Duration::from_millis(250));
    update.phone.http = HttpOptions { silence, ..HttpOptions::default() };
}

#[test]
fn no_lie_about_a_blob_is_believed_and_none_is_remembered() {
    let mut update = Update::of(|_| {});
    impatient(&mut update);
    for blob in [update.index.clone(), update.layout.clone(), update.pack.clone()] {
        for (lie, bytes) in LIES {
            update.site.answer(&blob, Answer::Raw(bytes));
            let code = update.phone.refused();
            let codes = ["network", "http-status", "too-large", "too-slow", "hash-mismatch"];
            assert!(codes.contains(&code.as_str()), "{lie}: {code}");
            // What was its own fault rests for a while; not what is tried here.
            fs::remove_file(update.phone.storage().join("ledger")).unwrap();
        }
        update.site.serve(&update.forge);
    }
    update.phone.http = HttpOptions::default();
    update.arrives();
}

#[test]
fn no_lie_about_metadata_is_believed_and_none_is_remembered() {
    for (lie, bytes) in LIES {
        let mut update = Update::of(|_| {});
        impatient(&mut update);
        update.site.answer("metadata/timestamp.json", Answer::Raw(bytes));
        let code = update.phone.refused();
        let codes = ["network", "http-status", "too-large", "too-slow", "timestamp malformed"];
        assert!(codes.contains(&code.as_str()), "{lie}: {code}");
        update.site.serve(&update.forge);
        update.phone.http = HttpOptions::default();
        update.arrives();
    }
}

#[test]
fn a_mirror_that_lies_makes_way_for_one_that_does_not() {
    for (lie, bytes) in LIES {
        let mut update = Update::of(|_| {});
        impatient(&mut update);
        let other = Site::new(&update.forge);
        update.phone.mirrors = vec![other.url()];
        for path in update.forge.files.keys() {
            update.site.answer(path, Answer::Raw(bytes));
        }
        let began = update.phone.now();
        update.phone.sync().unwrap_or_else(|error| panic!("{lie}: {error}"));
        assert_eq!(update.phone.shows(), "1.1.0", "{lie}");
        assert_eq!(update.phone.now(), began, "{lie}: nobody waits where there is another");
    }
}

#[test]
fn headers_that_never_end_are_given_up() {
    let mut update = Update::of(|_| {});
    impatient(&mut update);
    let half = b"HTTP/1.1 200 OK\r\nContent-Le";
    update.site.answer("metadata/timestamp.json", Answer::Raw(half));
    assert_eq!(update.phone.refused(), "network");
}

#[test]
fn a_server_that_drips_is_too_slow_and_makes_way_for_another() {
    let mut update = Update::of(|_| {});
    // No server is that fast.
    let pace = Pace { bytes: u64::MAX, window: Duration::ZERO };
    update.phone.http = HttpOptions { pace, ..HttpOptions::default() };
    assert_eq!(update.phone.refused(), "too-slow");
    let other = Site::new(&update.forge);
    update.phone.mirrors = vec![other.url()];
    update.arrives();
}
