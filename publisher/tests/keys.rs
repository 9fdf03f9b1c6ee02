//! Keys: who may sign what, and where the private parts are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::{APP, Shop, files};

/// A project whose keys have passphrases, and the file that holds them.
fn locked() -> Shop {
    let mut shop = Shop::empty();
    fs::write(shop.path("pass"), "correct horse\n").unwrap();
    shop.passphrases = Some(shop.path("pass"));
    shop.ok(&["init", "--app", APP]);
    shop
}

#[test]
fn the_list_says_who_may_sign_and_which_keys_are_here() {
    let shop = Shop::new();
    let listed = shop.ok(&["key", "list"]);
    let role = |name: &str| {
        let roles = listed["roles"].as_array().unwrap();
        roles.iter().find(|role| role["role"] == name).unwrap().clone()
    };
    assert_eq!(role("root")["threshold"], 1);
    assert_eq!(role("root")["keys"].as_array().unwrap().len(), 2, "and the recovery key");
    assert_eq!(role("production-releases")["keys"][0]["file"], "release/production-releases.pem");
    assert_eq!(role("timestamp")["keys"][0]["scheme"], "ed25519");
    assert_eq!(listed["unused"], serde_json::json!([]));

    fs::rename(shop.path("keys/root"), shop.path("away")).unwrap();
    shop.ok(&["key", "new", "alice", "--no-passphrase"]);
    let listed = shop.ok(&["key", "list"]);
    assert!(listed["roles"][0]["keys"][0]["file"].is_null());
    assert_eq!(listed["unused"], serde_json::json!(["release/alice.pem"]));
}

#[test]
fn a_new_key_overwrites_nothing_and_has_a_name_that_is_no_path() {
    let shop = Shop::new();
    let made = shop.ok(&["key", "new", "alice", "--no-passphrase"]);
    assert_eq!(made["id"].as_str().unwrap().len(), 64);
    let before = files(&shop.path("keys"));
    let (code, _) = shop.fails(&["key", "new", "alice", "--no-passphrase"]);
    assert_eq!(code, "exists");
    for name in ["../alice", "Alice", "", "a/b"] {
        assert_eq!(shop.fails(&["key", "new", "--no-passphrase", name]).0, "bad-name");
    }
    assert!(files(&shop.path("keys")) == before);
}

#[test]
fn a_backup_holds_the_same_files_and_is_proven_to_open() {
    let shop = locked();
    shop.ok(&["key", "backup", "stick", "--group", "root"]);
    assert_eq!(files(&shop.path("stick/root")), files(&shop.path("keys/root")));
    assert!(!shop.path("stick/online").exists());
    let mode = |path: &str| fs::metadata(shop.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("stick/root"), mode("stick/root/root.pem")), (0o700, 0o600));
    // Once more is no error; another file of that name is not touched.
    shop.ok(&["key", "backup", "stick"]);
    let foreign = shop.path("stick/root/root.pem");
    fs::write(&foreign, "mine").unwrap();
    assert_eq!(shop.fails(&["key", "backup", "stick"]).0, "exists");
    assert_eq!(fs::read(&foreign).unwrap(), b"mine");
}

#[test]
fn a_backup_that_would_comfort_nobody_is_refused() {
    let mut shop = locked();
    let nothing_copied = |shop: &Shop| {
        let copies = files(&shop.path("stick"));
        assert!(copies.is_empty(), "{:?}", copies.keys());
    };
    fs::write(shop.path("wrong"), "something else\n").unwrap();
    shop.passphrases = Some(shop.path("wrong"));
    assert_eq!(shop.fails(&["key", "backup", "stick"]).0, "wrong-passphrase");
    nothing_copied(&shop);
    let inside = ["key", "backup", "updates/stick"];
    assert_eq!(shop.fails(&inside).0, "unsafe-path");
    let open = Shop::new();
    assert_eq!(open.fails(&["key", "backup", "stick"]).0, "key-unencrypted");
    nothing_copied(&open);
}

#[test]
fn a_private_key_beside_another_ones_public_part_is_refused() {
    let shop = Shop::new();
    let copy = |from: &str, to: &str| {
        fs::copy(shop.path(from), shop.path(to)).unwrap();
    };
    copy("keys/online/timestamp.pem", "keys/online/snapshot.pem");
    let before = shop.published();
    shop.web("web", 1);
    let args = ["release", "web", "--channel", "production", "--version", "1.0.0"];
    let (code, message) = shop.fails(&args);
    assert_eq!(code, "key-invalid");
    assert!(message.contains("snapshot.pub"), "{message}");
    assert!(shop.published() == before);
}
