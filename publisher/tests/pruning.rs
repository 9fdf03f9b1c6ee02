//! What `farad prune` removes, and what somebody may still ask for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::{Shop, files};

#[cfg(unix)]
#[test]
fn prune_follows_no_link() {
    use std::os::unix::fs::symlink;
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    // To the keys, to itself, and to a file that somebody needs.
    fs::write(shop.path("precious"), "mine").unwrap();
    symlink("../../keys", shop.path("updates/blobs/keys")).unwrap();
    symlink(".", shop.path("updates/blobs/loop")).unwrap();
    symlink("../../precious", shop.path("updates/targets/file")).unwrap();
    symlink("../keys", shop.path("updates/keys")).unwrap();
    fs::write(shop.path("updates/blobs").join("0".repeat(64)), b"stray").unwrap();
    let keys = files(&shop.path("keys"));
    let tried = shop.ok(&["prune", "--keep-days", "0", "--dry-run"]);
    let pruned = shop.ok(&["prune", "--keep-days", "0"]);
    assert_eq!(tried["links"].as_array().unwrap().len(), 3, "{tried}");
    assert_eq!(tried, pruned);
    assert!(files(&shop.path("keys")) == keys);
    assert_eq!(fs::read(shop.path("precious")).unwrap(), b"mine");
    assert!(!shop.path("updates/blobs").join("0".repeat(64)).exists());
    assert!(fs::symlink_metadata(shop.path("updates/blobs/loop")).unwrap().is_symlink());
    let said = String::from_utf8(shop.run(&["prune"]).stdout).unwrap();
    assert!(said.contains("3 links left alone, and what they lead to: "), "{said}");
}

/// A release that no rollback goes to: it leaves the list with the next one.
fn to_some(shop: &Shop, version: &str, seed: u64) {
    shop.web("web-some", seed);
    let args = ["release", "web-some", "--channel", "production", "--version", version];
    shop.ok(&[&args[..], &["--rollout", "10%"]].concat());
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "only a debug build has another clock")]
fn prune_leaves_what_was_current_until_a_moment_ago() {
    let mut shop = Shop::new();
    let config = fs::read_to_string(shop.path("farad.toml")).unwrap();
    fs::write(shop.path("farad.toml"), config.replace("keep = 10", "keep = 1")).unwrap();
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    to_some(&shop, "1.0.0", 1);
    shop.web("web-beta", 7);
    shop.ok(&["release", "web-beta", "--channel", "beta", "--version", "1.0.0"]);
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let touched = |shop: &Shop, at: u64| {
        for path in files(&shop.path("updates")).keys() {
            let file = fs::File::options().write(true).open(shop.path("updates").join(path));
            file.unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(at)).unwrap();
        }
    };
    shop.now = Some(made + 60 * 86_400);
    shop.ok(&["refresh"]);
    let before = shop.published();
    let old = shop.ok(&["verify", "updates"]);
    shop.release("1.1.0", 2);
    shop.ok(&["channel", "remove", "beta"]);
    // Files as old as the repository, as on the machine that made them.
    touched(&shop, made - 100 * 86_400);
    shop.ok(&["prune"]);
    shop.ok(&["verify", "updates"]);
    // Whoever has the timestamp of a moment ago finds everything.
    for (path, bytes) in &before {
        let place = shop.path("cached").join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let now = if path.ends_with("timestamp.json") { Some(bytes.clone()) } else { None };
        let now = now.or_else(|| fs::read(shop.path("updates").join(path)).ok());
        now.into_iter().for_each(|bytes| fs::write(&place, bytes).unwrap());
    }
    assert_eq!(shop.ok(&["verify", "cached"]), old);

    // As young as can be, as in a clone, a month later.
    shop.now = Some(made + 91 * 86_400);
    shop.ok(&["refresh"]);
    touched(&shop, made + 91 * 86_400);
    let pruned = shop.ok(&["prune"]);
    assert!(pruned["files"].as_u64().unwrap() > 10, "{pruned}");
    shop.ok(&["verify", "updates"]);
    let kept = shop.published();
    let superseded = |path: &&PathBuf| path.starts_with("blobs") && !kept.contains_key(*path);
    assert_eq!(before.keys().filter(superseded).count(), 6, "both old releases");
    assert_eq!(shop.ok(&["prune"])["files"], 0);
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "only a debug build has another clock")]
fn prune_leaves_what_was_current_until_a_change_that_had_waited_was_published() {
    let mut alice = Shop::empty();
    let init = ["init", "--app", support::APP, "--no-passphrase", "--threshold", "production=2of2"];
    alice.ok(&init);
    let mut bob = Shop::empty();
    let config = fs::read_to_string(alice.path("farad.toml")).unwrap();
    fs::write(alice.path("farad.toml"), config.replace("keep = 10", "keep = 1")).unwrap();
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    to_some(&alice, "1.1.0", 1);
    alice.hand_key("release/production-releases-2", &bob);
    alice.web("web", 2);
    let file = alice.waits(&["release", "web", "--channel", "production", "--version", "1.2.0"]);
    for days in [20, 35] {
        alice.now = Some(made + days * 86_400);
        bob.now = alice.now;
        alice.ok(&["refresh", "timestamp", "snapshot"]);
    }
    let before = alice.published();
    bob.pull(&alice);
    bob.waits(&["sign", &file, "--yes"]);
    alice.pull(&bob);
    assert_eq!(alice.ok(&["sign", &file, "--yes"])["published"], true);

    alice.ok(&["prune"]);
    let blobs = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<PathBuf> {
        files.keys().filter(|path| path.starts_with("blobs")).cloned().collect()
    };
    let kept = alice.published();
    assert!(blobs(&before).iter().all(|blob| kept.contains_key(blob)), "1.1.0 is a second old");
    // A month after it was published it goes, however long it had waited before.
    alice.now = Some(made + 66 * 86_400);
    alice.ok(&["refresh", "timestamp", "snapshot"]);
    alice.ok(&["prune"]);
    let kept = alice.published();
    assert!(blobs(&before).iter().all(|blob| !kept.contains_key(blob)), "all of 1.1.0 is old");
    alice.ok(&["verify", "updates"]);
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "only a debug build has another clock")]
fn a_channel_that_was_away_forgets_what_was_built_into_apps_and_is_gone() {
    let mut shop = Shop::new();
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    let release = |shop: &Shop, version: &str, seed: u64| {
        let web = shop.web(&format!("web-{version}"), seed);
        let web = web.to_str().unwrap();
        shop.ok(&["release", web, "--channel", "beta", "--version", version])
    };
    release(&shop, "1.0.0", 1);
    shop.ok(&["embed", "web-1.0.0", "--channel", "beta"]);
    shop.ok(&["channel", "remove", "beta"]);
    // Back before anything was pruned, an app's own bundle is what a patch starts from.
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    let web = shop.path("web-1.0.0");
    fs::write(web.join("assets/app.js"), "export const release = 2;\n".repeat(3001)).unwrap();
    let args = ["release", web.to_str().unwrap(), "--channel", "beta", "--version", "1.1.0"];
    let made = shop.ok(&args);
    assert_eq!(made["patches"].as_array().unwrap().len(), 1, "{made}");
    assert_eq!(made["sequence"], 2);

    shop.ok(&["embed", "web-1.0.0", "--channel", "beta"]);
    shop.ok(&["channel", "remove", "beta"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    shop.now = Some(now + 31 * 86_400);
    shop.ok(&["refresh"]);
    shop.ok(&["prune"]);
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    shop.ok(&["verify", "updates"]);
    let made = release(&shop, "1.2.0", 3);
    assert_eq!((&made["sequence"], &made["patches"]), (&3.into(), &serde_json::json!([])));
}
