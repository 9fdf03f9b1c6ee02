//! Several releases on their way at once, and the way back: nobody is moved who was not meant.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::Shop;

fn release(shop: &Shop, version: &str, share: &str) -> Value {
    release_for(shop, version, share, "")
}

/// A release for these builds of the app on Android.
fn release_for(shop: &Shop, version: &str, share: &str, builds: &str) -> Value {
    let web = shop.web(&format!("web-{version}"), version.bytes().map(u64::from).sum());
    let web = web.to_str().unwrap();
    let args = ["release", web, "--channel", "production", "--version", version, "--patches", "0"];
    let builds = ["--android", builds];
    let builds = if builds[1].is_empty() { &[] } else { &builds[..] };
    shop.ok(&[&args[..], &["--rollout", share], builds].concat())
}

/// Versions and shares that are offered, in order.
fn offered(shop: &Shop) -> Vec<(u64, u64)> {
    let status = shop.ok(&["status"]);
    let offers = status["channels"][0]["offers"].as_array().unwrap().clone();
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    offers.iter().map(|o| (number(&o["release"]["sequence"]), number(&o["share"]))).collect()
}

#[test]
fn a_rollback_goes_to_what_everyone_had_and_never_to_what_was_rolled_back_from() {
    let shop = Shop::new();
    for version in ["1.0.0", "1.1.0"] {
        release(&shop, version, "100%");
    }
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(1, 10_000)]);
    release(&shop, "1.2.0", "100%");
    // 1.1.0 is the next lower one in the list, and is why somebody went back.
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(1, 10_000)]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(shop.ok(&["status"])["channels"][0]["offers"][0]["release"], json!("builtin"));
}

#[test]
fn a_rollback_goes_past_what_was_never_offered_to_everyone() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    release(&shop, "1.1.0", "10%");
    release(&shop, "1.2.0", "0");
    release(&shop, "1.3.0", "100%");
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(1, 10_000)]);
    // Once raised to everyone, it is what everyone had.
    release(&shop, "1.4.0", "10%");
    shop.ok(&["rollout", "production", "--percent", "100"]);
    release(&shop, "1.5.0", "100%");
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(5, 10_000)]);
}

#[test]
fn a_rollback_that_cannot_know_what_was_before_asks() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    release(&shop, "1.1.0", "100%");
    fs::remove_file(shop.path("updates/metadata/2.production-rollout.json")).unwrap();
    shop.refuses(&["rollback", "production"], "unknown-version", "--to VERSION");
    shop.ok(&["rollback", "production", "--to", "1.0.0"]);
}

fn keep(shop: &Shop, count: u32) {
    let config = fs::read_to_string(shop.path("farad.toml")).unwrap();
    let kept = config.replace("keep = 10", &format!("keep = {count}"));
    fs::write(shop.path("farad.toml"), kept).unwrap();
}

/// Versions that the channel lists.
fn listed(shop: &Shop) -> Vec<String> {
    let steps = shop.ok(&["history", "production"])["history"].as_array().unwrap().clone();
    let versions = steps.iter().filter_map(|step| step["release"].as_str());
    versions.map(str::to_owned).collect()
}

#[test]
fn the_release_that_a_rollback_goes_to_stays_in_the_list() {
    let shop = Shop::new();
    keep(&shop, 1);
    release(&shop, "1.0.0", "100%");
    release(&shop, "1.1.0", "100%");
    // Of those that are only listed, one is kept; they push out neither of the others.
    release(&shop, "1.2.0", "0");
    release(&shop, "1.3.0", "0");
    assert_eq!(listed(&shop), ["1.0.0", "1.1.0", "1.3.0"]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(1, 10_000)]);
    // What is not gone back to any more leaves.
    release(&shop, "1.4.0", "100%");
    assert_eq!(listed(&shop), ["1.0.0", "1.4.0"]);
}

#[test]
fn a_rollback_past_what_left_the_list_asks() {
    let shop = Shop::new();
    keep(&shop, 1);
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        release(&shop, version, "100%");
    }
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(2, 10_000)]);
    shop.refuses(&["rollback", "production"], "unknown-version", "--to VERSION or --builtin");
    // What may not run, on the other hand, nobody misses.
    shop.ok(&["revoke", "--sequence", "1", "--channel", "production"]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(shop.ok(&["status"])["channels"][0]["offers"][0]["release"], json!("builtin"));
}

#[test]
fn a_release_to_a_few_leaves_those_where_they_are_who_got_the_one_before() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    assert_eq!(phone.update()["version"], "1.0.0");
    release(&shop, "1.1.0", "0.01%");
    let install = phone.does("state")["installId"].as_str().unwrap().to_owned();
    shop.ok(&["rollout", "production", "--allow", &install]);
    assert_eq!(phone.update()["version"], "1.1.0");

    release(&shop, "1.2.0", "0.01%");
    assert_eq!(offered(&shop), [(3, 1), (2, 1), (1, 10_000)]);
    phone.does("sync");
    assert_eq!(phone.boot_ready()["version"], "1.1.0");
    // Those who go first are the same as before: a fix reaches those who need it.
    let status = shop.ok(&["status"]);
    let offers = &status["channels"][0]["offers"];
    assert_eq!(offers[0]["salt"], offers[1]["salt"]);
    assert_ne!(offers[1]["salt"], offers[2]["salt"]);

    // Back from the newest alone, then from the one before.
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(2, 1), (1, 10_000)]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(phone.update()["version"], "1.0.0");
}

#[test]
fn what_older_apps_can_take_stays_on_offer_behind_what_they_cannot() {
    let shop = Shop::new();
    let all = |offers: &[u64]| offers.iter().map(|at| (*at, 10_000)).collect::<Vec<_>>();
    release(&shop, "1.0.0", "100%");
    release_for(&shop, "2.0.0", "100%", "42..");
    assert_eq!(offered(&shop), all(&[2, 1]));
    // Whoever can take the one before can take this one.
    release_for(&shop, "2.1.0", "100%", "42..");
    assert_eq!(offered(&shop), all(&[3, 1]));
    release_for(&shop, "3.0.0", "100%", "43..");
    assert_eq!(offered(&shop), all(&[4, 3, 1]));
    release(&shop, "3.1.0", "10%");
    assert_eq!(offered(&shop), [&[(5, 1_000)], &all(&[4, 3, 1])[..]].concat());
    release(&shop, "4.0.0", "100%");
    assert_eq!(offered(&shop), all(&[6]));
    // And back to all that was offered before, whatever else was done.
    shop.ok(&["revoke", "2.1.0", "--channel", "production"]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), all(&[4, 1]));
}

#[test]
fn a_rollback_goes_to_what_came_before_and_not_to_what_stands_behind_for_older_apps() {
    let shop = Shop::new();
    let all = |offers: &[u64]| offers.iter().map(|at| (*at, 10_000)).collect::<Vec<_>>();
    release_for(&shop, "1.0.0", "100%", "..41");
    release_for(&shop, "2.0.0", "100%", "42..");
    release_for(&shop, "2.1.0", "100%", "42..");
    assert_eq!(offered(&shop), all(&[3, 1]));
    let server = shop.serve();
    let mut new = shop.device(&server, "new");
    new.more = ["--native", "42"].map(str::to_owned).to_vec();
    assert_eq!(new.update()["version"], "2.1.0");
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), all(&[2, 1]));
    assert_eq!(new.update()["version"], "2.0.0", "it gets away from the bad one");
    // Staged and then raised: what some phones had goes on being offered to them.
    release_for(&shop, "2.2.0", "10%", "42..");
    release_for(&shop, "2.3.0", "10%", "42..");
    shop.ok(&["rollout", "production", "--percent", "100"]);
    assert_eq!(offered(&shop), [(5, 10_000), (4, 1_000), (2, 10_000), (1, 10_000)]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(4, 1_000), (2, 10_000), (1, 10_000)]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), all(&[2, 1]));
}

#[test]
fn the_built_in_bundle_behind_later_releases_is_not_what_came_before_them() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    shop.ok(&["rollback", "production", "--builtin"]);
    release_for(&shop, "2.0.0", "100%", "42..");
    release_for(&shop, "2.1.0", "100%", "42..");
    // The built-in bundle has no sequence.
    assert_eq!(offered(&shop), [(3, 10_000), (0, 10_000)]);
    shop.ok(&["rollback", "production"]);
    assert_eq!(offered(&shop), [(2, 10_000), (0, 10_000)]);
}

#[test]
fn a_fix_for_older_apps_says_nothing_to_newer_ones() {
    let shop = Shop::new();
    release(&shop, "2.0.0", "100%");
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--native", "42"].map(str::to_owned).to_vec();
    assert_eq!(phone.update()["version"], "2.0.0");
    release_for(&shop, "2.0.1", "99.99%", "..41");
    assert_eq!(phone.does("sync")["status"], "up-to-date");
    release_for(&shop, "2.0.2", "99.99%", "43..");
    assert_eq!(phone.does("sync")["status"], "incompatible");
}

#[test]
fn installations_that_were_let_in_are_forgotten_behind_another_offer() {
    let shop = Shop::new();
    let allowed = || -> Vec<usize> {
        let status = shop.ok(&["status"]);
        let offers = status["channels"][0]["offers"].as_array().unwrap().clone();
        offers.iter().map(|offer| offer["allow"].as_array().map_or(0, Vec::len)).collect()
    };
    let allow = |at: u32| shop.ok(&["rollout", "production", "--allow", &format!("{at:032x}")]);
    release(&shop, "1.0.0", "1%");
    allow(1);
    allow(2);
    assert_eq!(allowed(), [2]);
    shop.ok(&["rollout", "production", "--percent", "100"]);
    assert_eq!(allowed(), [2]);
    release_for(&shop, "2.0.0", "1%", "43..");
    allow(1);
    assert_eq!(allowed(), [1, 0]);
}

#[test]
fn apps_that_are_many_steps_behind_keep_what_they_have() {
    let shop = Shop::new();
    for build in 1..11 {
        release_for(&shop, &format!("{build}.0.0"), "100%", &format!("{build}.."));
    }
    let offers = |newest: u64| (newest - 7..=newest).rev().collect::<Vec<_>>();
    let sequences = || offered(&shop).into_iter().map(|(sequence, _)| sequence).collect::<Vec<_>>();
    assert_eq!(sequences(), offers(10));
    release_for(&shop, "11.0.0", "1%", "11..");
    assert_eq!(sequences(), offers(11));
}

#[test]
fn so_many_releases_at_once_are_a_mistake() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    for minor in 1..8 {
        release(&shop, &format!("1.{minor}.0"), "1%");
    }
    let web = shop.web("web", 99);
    let args = ["release", web.to_str().unwrap(), "--channel", "production", "--version", "1.8.0"];
    shop.refuses(&[&args[..], &["--rollout", "1%"]].concat(), "too-large", "--percent 100");
    shop.ok(&args);
}

#[test]
fn a_pause_goes_on_until_it_is_ended() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    shop.ok(&["rollout", "production", "--pause"]);
    let web = shop.web("web", 5);
    let output = shop.run(&[
        "release",
        web.to_str().unwrap(),
        "--channel",
        "production",
        "--version",
        "1.1.0",
    ]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("production is paused"), "{said}");
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    assert_eq!(phone.does("sync")["status"], "not-offered");
    shop.ok(&["rollout", "production", "--resume"]);
    assert_eq!(phone.update()["version"], "1.1.0");
}

#[test]
fn a_rollback_to_what_is_offered_ships_it_to_nobody_more() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    release(&shop, "2.0.0", "10%");
    shop.ok(&["rollout", "production", "--pause"]);
    // In a hurry, one version was taken for the other.
    let mistaken = ["rollback", "production", "--to", "2.0.0"];
    shop.refuses(&mistaken, "nothing-to-do", "to 10 %; for everyone: farad rollout");
    shop.refuses(&mistaken, "nothing-to-do", "to end the pause: farad rollout");
    assert_eq!(offered(&shop), [(2, 1_000), (1, 10_000)]);
    shop.ok(&["rollback", "production", "--to", "1.0.0"]);
    assert_eq!(offered(&shop), [(1, 10_000)]);
    assert_eq!(shop.ok(&["status"])["channels"][0]["paused"], false, "a rollback ends a pause");
}

#[test]
fn a_share_is_for_the_release_that_is_meant() {
    let shop = Shop::new();
    release(&shop, "1.9.0", "10%");
    release(&shop, "2.0.0", "0");
    // The day after, somebody takes the newest release for the one that is offered.
    let percent = |percent, version: &[&str]| {
        shop.ok(&[&["rollout", "production", "--percent", percent], version].concat())
    };
    let mistaken = ["rollout", "production", "--percent", "100"];
    shop.refuses(&mistaken, "unknown-version", "--version 1.9.0 or --version 2.0.0");
    let install = "0".repeat(32);
    let allow = ["rollout", "production", "--allow", &install];
    shop.refuses(&allow, "unknown-version", "--version 2.0.0");
    percent("20", &["--version", "1.9.0"]);
    assert_eq!(offered(&shop), [(1, 2_000)]);
    // A release that is only listed goes ahead, as it would have at once.
    percent("5", &["--version", "2.0.0"]);
    assert_eq!(offered(&shop), [(2, 500), (1, 2_000)]);
    percent("6", &[]);
    percent("30", &["--version", "1.9.0"]);
    assert_eq!(offered(&shop), [(2, 600), (1, 3_000)]);
    release(&shop, "2.1.0", "0");
    let test = ["rollout", "production", "--allow", &install, "--version", "2.1.0"];
    assert_eq!(shop.ok(&test)["offers"][0]["allow"].as_array().unwrap().len(), 1);
    assert_eq!(offered(&shop), [(3, 0), (2, 600), (1, 3_000)]);
    percent("100", &[]);
    assert_eq!(offered(&shop)[0], (3, 10_000));

    let args = ["rollout", "production", "--percent", "5", "--version"];
    shop.refuses(&[&args[..], &["9.9.9"]].concat(), "unknown-version", "lists no release 9.9.9");
    release(&shop, "2.2.0", "100%");
    shop.refuses(
        &[&args[..], &["2.1.0"]].concat(),
        "bad-version",
        "farad rollback production --to",
    );
    shop.ok(&["rollback", "production", "--builtin"]);
    shop.refuses(&args[..4], "unknown-version", "say which is meant: --version 2.2.0");
    percent("5", &["--version", "2.2.0"]);
    assert_eq!(offered(&shop), [(4, 500), (0, 10_000)]);
    shop.ok(&["revoke", "2.2.0", "--channel", "production"]);
    shop.refuses(&[&args[..], &["2.2.0"]].concat(), "revoked", "2.2.0");
}

#[test]
fn a_share_that_is_raised_in_a_pause_says_that_nobody_gets_it() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "10%");
    shop.ok(&["rollout", "production", "--pause"]);
    let said = shop.run(&["rollout", "production", "--percent", "50"]).stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("production is paused"), "{said}");
}

#[test]
fn a_rollback_to_a_release_whose_files_are_gone_is_refused() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    let first: Vec<_> =
        shop.published().into_keys().filter(|path| path.starts_with("blobs")).collect();
    release(&shop, "2.0.0", "100%");
    for path in &first {
        fs::write(shop.path("updates").join(path), "cut").unwrap();
    }
    shop.refuses(&["rollback", "production"], "hash-mismatch", "damaged");
    for path in &first {
        fs::remove_file(shop.path("updates").join(path)).unwrap();
    }
    shop.refuses(&["rollback", "production"], "hash-mismatch", "is not in this repository");
    assert_eq!(offered(&shop), [(2, 10_000)]);
    shop.ok(&["rollback", "production", "--builtin"]);
}

#[test]
fn a_revocation_that_leaves_nothing_on_offer_says_so() {
    let shop = Shop::new();
    release(&shop, "1.0.0", "100%");
    release(&shop, "1.1.0", "100%");
    let revoke = |version| {
        let output = shop.run(&["revoke", version, "--channel", "production"]);
        String::from_utf8(output.stdout).unwrap()
    };
    let said = revoke("1.1.0");
    assert!(said.contains("Nothing is offered any more"), "{said}");
    assert_eq!(offered(&shop), []);
    shop.ok(&["rollback", "production", "--to", "1.0.0"]);
    release(&shop, "1.2.0", "100%");
    let said = revoke("1.0.0");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    shop.ok(&["floor", "1.2.0", "--channel", "production"]);
    let said = String::from_utf8(shop.run(&["status"]).stdout).unwrap();
    let lines = ["revoked: 1.1.0, sequence 2", "floor: nothing below sequence 3 runs"];
    assert!(lines.iter().all(|line| said.contains(line)), "{said}");
}

#[test]
fn what_takes_the_only_offer_to_everyone_says_so() {
    let offered_for_all = |shop: &Shop, args: &[&str]| {
        let said = shop.run(&[args, &["--channel", "production", "--dry-run"]].concat()).stdout;
        !String::from_utf8(said).unwrap().contains("not everybody is offered something any more")
    };
    let shop = Shop::new();
    release(&shop, "1.4.0", "100%");
    release(&shop, "1.5.0", "10%");
    assert!(!offered_for_all(&shop, &["floor", "1.5.0"]));
    assert!(!offered_for_all(&shop, &["revoke", "1.4.0"]));
    assert!(offered_for_all(&shop, &["floor", "1.4.0"]));
    assert!(offered_for_all(&shop, &["revoke", "1.5.0"]));
    // The older apps are somebody, too.
    release_for(&shop, "2.0.0", "100%", "42..");
    assert!(offered_for_all(&shop, &["revoke", "1.5.0"]));
    assert!(offered_for_all(&shop, &["revoke", "2.0.0"]));
    assert!(!offered_for_all(&shop, &["revoke", "1.4.0"]));
    shop.ok(&["rollout", "production", "--percent", "5"]);
    assert!(offered_for_all(&shop, &["revoke", "2.0.0"]));
}

#[test]
fn whether_something_is_published_is_told_by_every_change() {
    let shop = Shop::new();
    assert_eq!(release(&shop, "1.0.0", "100%")["published"], true);
    assert_eq!(shop.ok(&["refresh"])["published"], true, "nothing was due, and nothing waits");
    assert_eq!(shop.ok(&["refresh", "timestamp"])["published"], true);
    assert_eq!(shop.ok(&["refresh", "--dry-run"])["published"], false);
    assert_eq!(shop.ok(&["embed", "web-1.0.0"])["published"], true);
    assert_eq!(shop.ok(&["embed", "web-1.0.0"])["published"], true, "it was marked before");
}
