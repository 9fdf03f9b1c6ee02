//! The runbooks of `docs/runbooks.md`, with the commands that stand there: read from the page and run
//! in order, each block on the machine it names, with phones that live through all of it.
//!
//! What the page says in prose (send a file, upload, fetch a stick) the test does between the blocks.

// A build for release has no clock but the system's (src/clock.rs).
#![cfg(debug_assertions)]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at a surprise"
)]

#[path = "../support/mod.rs"]
mod support;
mod thieves;
mod world;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use support::files;
use support::page::sections;
use world::{DAY, PAGE, PASSPHRASES, Runbook, World, copy};

#[test]
fn every_runbook_is_tried() {
    let tests =
        [include_str!("main.rs"), include_str!("thieves.rs"), include_str!("world.rs")].concat();
    let sections = sections(PAGE);
    assert!(sections.len() >= 9);
    for (title, _) in sections {
        assert!(tests.contains(&format!("Runbook::open(\"{title}\")")), "{title}");
    }
}

#[test]
fn key_ceremony() {
    let world = World::new();
    let stick = files(&world.medium("stick"));
    assert!(stick.contains_key(Path::new("root/root.pem")));
    assert!(!stick.keys().any(|file| file.to_string_lossy().contains("recovery")));
    let safe: Vec<_> = files(&world.medium("safe")).into_keys().collect();
    let kept = ["com.example.shop.root.json", "recovery.pem", "recovery.pub"];
    assert_eq!(safe, kept.map(|file| Path::new("root").join(file)));
    let server = world.serve();
    world.upload(&world.shop);
    assert_eq!(world.phone(&server).update()["version"], "1.0.0");
    world.releases_reach_phones(&server, "1.1.0");
}

#[test]
fn several_signers() {
    let world = World::new();
    let (alice, server) = (&world.shop, world.serve());
    let (bob, carol) = (world.colleague(), world.colleague());
    let mut runbook = Runbook::open("Several signers");
    runbook.next("bob", &world, &bob);
    runbook.next("carol", &world, &carol);
    for (shop, name) in [(&bob, "bob.pub"), (&carol, "carol.pub")] {
        fs::copy(shop.path(&format!("keys/release/{name}")), alice.path(name)).unwrap();
    }
    let said = runbook.next("alice", &world, alice);
    assert!(said.contains("Not published yet"), "{said}");
    bob.pull(alice);
    runbook.next("bob", &world, &bob);
    alice.pull(&bob);
    let said = runbook.next("alice", &world, alice);
    assert!(said.contains("ublished."), "{said}");
    world.upload(alice);
    assert_eq!(world.phone(&server).update()["version"], "1.0.0");

    alice.web("dist", 2);
    runbook.next("alice", &world, alice);
    world.upload(alice);
    assert_eq!(world.phone(&server).does("sync")["status"], "up-to-date", "one is not enough");
    carol.pull(alice);
    let said = runbook.next("carol", &world, &carol);
    assert!(said.contains("+ release 1.1.0") && said.contains("~ index.html"), "{said}");
    alice.pull(&carol);
    runbook.next("alice", &world, alice);
    world.upload(alice);
    assert_eq!(world.phone(&server).update()["version"], "1.1.0");

    let said = runbook.next("alice", &world, alice);
    assert!(said.contains("production-releases has 1 of 2 signatures; missing: bob"), "{said}");
    bob.pull(alice);
    runbook.next("bob", &world, &bob);
    alice.pull(&bob);
    runbook.next("alice", &world, alice);
    world.upload(alice);
    assert_eq!(world.phone(&server).does("sync")["status"], "up-to-date");
    carol.pull(alice);
    let refresh = ["refresh", "production"];
    carol.refuses(&refresh, "key-missing", "production-releases");
    alice.ok(&["verify", "updates"]);
}

#[test]
fn rotation() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    let said = Runbook::open("Rotation").next("", &world, &world.shop);
    let unused = said.lines().find_map(|line| line.strip_prefix("No role names these: ")).unwrap();
    let unused: Vec<_> = unused.split(", ").collect();
    assert_eq!(unused.len(), 4, "{unused:?}");
    for file in unused {
        fs::remove_file(world.shop.path("keys").join(file)).unwrap();
        fs::remove_file(world.medium("stick").join(file)).unwrap();
    }
    world.releases_reach_phones(&server, "1.1.0");
    // The stick has what there is now.
    fs::remove_dir_all(world.shop.path("keys/online")).unwrap();
    copy(&world.medium("stick/online"), &world.shop.path("keys/online"));
    world.releases_reach_phones(&server, "1.2.0");
}

#[test]
fn lost_key() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    fs::remove_dir_all(world.medium("stick")).unwrap();
    let mut runbook = Runbook::open("A key is lost");
    runbook.next("", &world, &world.shop);
    world.releases_reach_phones(&server, "1.1.0");
    // And then the recovery key, which the new stick replaces.
    fs::remove_dir_all(world.medium("safe/root")).unwrap();
    fs::create_dir_all(world.medium("safe/root")).unwrap();
    runbook.next("", &world, &world.shop);
    assert!(world.medium("safe/root/recovery.pem").exists());
    world.releases_reach_phones(&server, "1.2.0");
}

#[test]
fn forgotten_passphrase() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    let remembered = |lines: &str| fs::write(world.medium("passphrases"), lines).unwrap();
    let wrong = PASSPHRASES.replace("in between", "was it this");
    remembered(&wrong);
    let args = ["release", "dist", "--channel", "production", "--version", "1.1.0"];
    world.shop.refuses(&args, "wrong-passphrase", "production-releases");
    let mut runbook = Runbook::open("A passphrase is forgotten");
    runbook.next("", &world, &world.shop);
    world.releases_reach_phones(&server, "1.1.0");
    remembered(&wrong.replace("first of all", "or was it that"));
    runbook.next("", &world, &world.shop);
    world.releases_reach_phones(&server, "1.2.0");
}

fn today() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn root_about_to_expire() {
    let mut world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    // 60 days before root's end; the online keys were refreshed every day, the offline ones once.
    world.shop.now = Some(today() + 350 * DAY);
    copy(&world.medium("stick/root"), &world.shop.path("keys/root"));
    world.shop.ok(&["refresh", "targets", "production"]);
    fs::remove_dir_all(world.shop.path("keys/root")).unwrap();
    world.shop.now = Some(today() + 670 * DAY);
    world.shop.ok(&["refresh"]);
    let status = world.shop.run(&["status"]);
    let said = String::from_utf8(status.stdout).unwrap();
    let root = said.lines().find(|line| line.starts_with("root ")).unwrap();
    assert!(root.contains("soon: its key has to be fetched"), "{root}");
    Runbook::open("Root is about to expire").next("", &world, &world.shop);
    // A year after the old root's end, with the rest alive.
    world.shop.now = Some(today() + (731 + 200) * DAY);
    world.shop.ok(&["refresh"]);
    world.releases_reach_phones(&server, "1.1.0");
}

#[test]
fn everything_expired() {
    let mut world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    world.shop.now = Some(today() + 800 * DAY);
    let phone = world.phone(&server);
    assert_eq!(phone.fails("sync").0, "expired");
    assert_eq!(phone.does("boot")["version"], "1.0.0", "what is installed runs");
    assert_eq!(world.shop.run(&["status"]).status.code(), Some(1));
    Runbook::open("Everything has expired").next("", &world, &world.shop);
    world.upload(&world.shop);
    assert_eq!(world.phone(&server).does("sync")["status"], "up-to-date");
    world.releases_reach_phones(&server, "1.1.0");
}
