//! Somebody without a key wrote to the project's folder, or a command died there: nothing is built upon
//! what is not signed, and nothing half-done is called good.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;

use serde_json::Value;
use support::{APP, Shop};

const DAY: u64 = 86_400;

fn change_json(shop: &Shop, path: &str, change: impl Fn(&mut Value)) {
    let mut file: Value = serde_json::from_slice(&fs::read(shop.path(path)).unwrap()).unwrap();
    change(&mut file);
    fs::write(shop.path(path), file.to_string()).unwrap();
}

/// Nobody may be brought to sign: not by a release, and not by a change of keys.
fn signs_nothing(shop: &Shop, code: &str, mentions: &str) {
    let web = shop.web("web", 9);
    let release =
        ["release", web.to_str().unwrap(), "--channel", "production", "--version", "9.9.9"];
    shop.refuses(&release, code, mentions);
    let rotate = ["key", "rotate", "timestamp", "snapshot", "--no-passphrase"];
    shop.refuses(&rotate, code, mentions);
    shop.refuses(&["refresh", "root"], code, mentions);
}

#[test]
fn a_root_with_a_strangers_key_in_it_is_not_built_upon() {
    let (shop, stranger) = (Shop::new(), Shop::new());
    let root = "updates/metadata/1.root.json";
    let theirs: Value = serde_json::from_slice(&fs::read(stranger.path(root)).unwrap()).unwrap();
    let theirs = &theirs["signed"];
    let id = theirs["roles"]["root"]["keyids"][0].clone();
    change_json(&shop, root, |file| {
        let signed = &mut file["signed"];
        signed["keys"][id.as_str().unwrap()] = theirs["keys"][id.as_str().unwrap()].clone();
        signed["roles"]["root"]["keyids"].as_array_mut().unwrap().push(id.clone());
    });
    signs_nothing(&shop, "hash-mismatch", "1.root.json");
    shop.refuses(&["status"], "hash-mismatch", "1.root.json");
    shop.refuses(&["verify", "updates"], "hash-mismatch", "1.root.json");
}

#[test]
fn keys_follow_only_the_root_that_lies_beside_them() {
    // A stranger's repository, whose root knows our keys, and the stranger's trust anchor with it.
    let (shop, stranger) = (Shop::new(), Shop::new());
    for (group, key, role) in
        [("root", "root", "root"), ("release", "production-releases", "production")]
    {
        let public = shop.path(&format!("keys/{group}/{key}.pub"));
        let public = public.to_str().unwrap();
        stranger.ok(&["key", "add", role, "--public", public, "--holder", "shop"]);
    }
    fs::remove_dir_all(shop.path("updates")).unwrap();
    for (path, bytes) in support::files(&stranger.path("updates")) {
        let place = shop.path("updates").join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
    fs::copy(stranger.path("farad-root.json"), shop.path("farad-root.json")).unwrap();
    signs_nothing(&shop, "root-differs", &format!("{APP}.root.json"));
}

#[test]
fn keys_that_were_away_follow_the_roots_that_came_meanwhile() {
    let shop = Shop::new();
    // On a stick since the first day.
    let early = fs::read(shop.path(&format!("keys/root/{APP}.root.json"))).unwrap();
    assert_eq!(early, fs::read(shop.path("farad-root.json")).unwrap());
    shop.ok(&["key", "rotate", "timestamp", "--no-passphrase"]);
    let newest = fs::read(shop.path("farad-root.json")).unwrap();
    assert_ne!(early, newest);
    fs::write(shop.path(&format!("keys/root/{APP}.root.json")), &early).unwrap();
    shop.ok(&["key", "rotate", "snapshot", "--no-passphrase"]);
    let newest = fs::read(shop.path("farad-root.json")).unwrap();
    for group in ["root", "release", "online"] {
        let path = format!("keys/{group}/{APP}.root.json");
        assert_eq!(fs::read(shop.path(&path)).unwrap(), newest, "{path}");
    }
}

#[test]
fn a_chain_of_roots_that_old_apps_cannot_follow_is_not_good() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    shop.ok(&["key", "rotate", "timestamp", "--no-passphrase"]);
    shop.ok(&["key", "rotate", "snapshot", "--no-passphrase"]);
    shop.ok(&["verify", "updates"]);
    let path = "updates/metadata/2.root.json";
    let second = fs::read(shop.path(path)).unwrap();
    fs::write(shop.path(path), b"garbage").unwrap();
    shop.refuses(&["verify", "updates"], "malformed", "root 1 on");
    fs::remove_file(shop.path(path)).unwrap();
    let (_, message) = shop.fails(&["verify", "updates"]);
    assert!(message.contains("root 1 on"), "{message}");
    fs::write(shop.path(path), second).unwrap();
    shop.ok(&["verify", "updates"]);
}

#[test]
fn a_file_that_is_missing_is_named() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let newest = shop.published().into_keys().filter(|path| path.starts_with("metadata"));
    for path in newest.filter(|path| !path.to_string_lossy().contains("/1.")) {
        let (place, aside) = (shop.path("updates").join(&path), shop.path("aside"));
        fs::rename(&place, &aside).unwrap();
        shop.refuses(&["status"], "hash-mismatch", path.to_str().unwrap());
        fs::rename(&aside, &place).unwrap();
    }
    shop.ok(&["status"]);
}

#[test]
fn what_a_command_left_behind_is_neither_good_nor_left_there() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let stray = shop.path("updates/metadata/3.production-releases.json");
    fs::write(&stray, b"of a command that died").unwrap();
    shop.refuses(&["verify", "updates"], "unfinished", "3.production-releases.json");
    // What writes nothing removes nothing.
    for dry in [&["refresh", "--dry-run"][..], &["prune", "--dry-run"], &["status"]] {
        shop.ok(dry);
        assert!(stray.exists(), "{dry:?}");
    }
    shop.ok(&["refresh"]);
    assert!(!stray.exists());
    shop.ok(&["verify", "updates"]);
}

#[test]
fn a_timestamp_that_lags_behind_costs_nothing_that_was_published() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let timestamp = shop.path("updates/metadata/timestamp.json");
    let early = fs::read(&timestamp).unwrap();
    shop.release("1.1.0", 2);
    shop.ok(&["rollout", "production", "--pause"]);
    let newest = fs::read(&timestamp).unwrap();
    // As a copy the wrong way round leaves it, which replaces nothing that is there.
    fs::write(&timestamp, early).unwrap();
    shop.web("web", 3);
    let release = ["release", "web", "--channel", "production", "--version", "1.2.0"];
    for args in [
        &["verify", "updates"][..],
        &["refresh"],
        &["refresh", "--dry-run"],
        &["prune", "--dry-run"],
        &["prune"],
        &release,
        &["key", "rotate", "timestamp", "--no-passphrase"],
    ] {
        shop.refuses(args, "conflict", "older than the metadata beside it");
    }
    fs::write(&timestamp, newest).unwrap();
    shop.ok(&["verify", "updates"]);
    shop.ok(&release);
}

/// Lists what `alter` makes of a document in a role's file, signed by nobody.
fn forge(shop: &Shop, role: &str, path: &str, alter: impl Fn(&mut Value)) {
    let place = |digest: &str| {
        let (folder, file) = path.rsplit_once('/').unwrap();
        shop.path(&format!("updates/targets/{folder}/{digest}.{file}"))
    };
    change_json(shop, &format!("updates/metadata/{role}.json"), |file| {
        let listed = &mut file["signed"]["targets"][path];
        let bytes = fs::read(place(listed["hashes"]["sha256"].as_str().unwrap())).unwrap();
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        alter(&mut document);
        let bytes = document.to_string();
        let digest = farad::digest::Digest::of(bytes.as_bytes()).to_string();
        fs::write(place(&digest), &bytes).unwrap();
        *listed = serde_json::json!({ "length": bytes.len(), "hashes": { "sha256": digest } });
    });
}

#[test]
fn a_channel_that_comes_back_brings_no_policy_that_nobody_signed() {
    let shop = Shop::new();
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    shop.web("web", 1);
    for version in ["1.0.0", "1.1.0"] {
        shop.ok(&["release", "web", "--channel", "beta", "--version", version]);
    }
    shop.ok(&["revoke", "1.0.0", "--channel", "beta"]);
    shop.ok(&["channel", "remove", "beta"]);
    let newest = "updates/metadata/4.beta-releases.json";
    let signed = fs::read(shop.path(newest)).unwrap();
    forge(&shop, "4.beta-releases", "beta/policy.json", |policy| {
        policy["revoked"] = serde_json::json!([]);
    });
    let add = ["channel", "add", "beta", "--no-passphrase"];
    shop.refuses(&add, "hash-mismatch", "4.beta-releases.json");
    shop.refuses(&["status"], "hash-mismatch", "4.beta-releases.json");
    fs::write(shop.path(newest), signed).unwrap();
    shop.ok(&add);
    let status = shop.ok(&["status"]);
    assert_eq!(status["channels"][1]["revoked"], serde_json::json!([1]));
}

#[test]
fn a_rollback_goes_nowhere_that_nobody_signed() {
    let shop = Shop::new();
    for (version, seed) in [("1.0.0", 1), ("1.1.0", 2), ("1.2.0", 3)] {
        shop.release(version, seed);
    }
    let step =
        |version: u64| shop.path(&format!("updates/metadata/{version}.production-rollout.json"));
    let signed = fs::read(step(3)).unwrap();
    // The step that offered 1.1.0 says 1.0.0: by nobody's signature, then by that of another step.
    let earlier: Value = serde_json::from_slice(&fs::read(step(2)).unwrap()).unwrap();
    change_json(&shop, "updates/metadata/3.production-rollout.json", |file| {
        file["signed"]["targets"] = earlier["signed"]["targets"].clone();
    });
    shop.refuses(&["rollback", "production"], "signature", "--to VERSION");
    let listed = shop.ok(&["history", "production"])["history"].clone();
    let vouched = |number: u64| {
        let mut steps = listed.as_array().unwrap().iter();
        steps.find(|step| step["step"] == number).unwrap()["vouched"].clone()
    };
    assert_eq!((vouched(2), vouched(3), vouched(4)), (true.into(), false.into(), true.into()));
    fs::copy(step(2), step(3)).unwrap();
    shop.refuses(&["rollback", "production"], "signature", "--to VERSION");
    fs::write(step(3), signed).unwrap();
    // What another key signed nobody can vouch for any more; whoever says where to go gets there.
    shop.ok(&["key", "rotate", "production-rollout", "--no-passphrase"]);
    shop.refuses(&["rollback", "production"], "signature", "--to VERSION");
    shop.ok(&["rollback", "production", "--to", "1.1.0"]);
    let said = shop.run(&["history", "production"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("step 3: offers 1.1.0 to 100 %, not signed by the keys of today"),
        "{said}"
    );
}

#[test]
fn an_upload_would_take_along_nothing_that_is_not_the_repositorys() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let copy = shop.path("updates/blobs/backup.pem");
    fs::copy(shop.path("keys/root/root.pem"), &copy).unwrap();
    shop.refuses(&["verify", "updates"], "unsafe-path", "blobs/backup.pem");
    fs::create_dir(shop.path("updates/old")).unwrap();
    fs::rename(copy, shop.path("updates/old/root.txt")).unwrap();
    shop.refuses(&["verify", "updates"], "unsafe-path", "old/root.txt is a private key");
    fs::remove_dir_all(shop.path("updates/old")).unwrap();
    fs::write(shop.path("updates/404.html"), "<p>Nothing here").unwrap();
    shop.ok(&["verify", "updates"]);
}

#[test]
fn a_state_that_git_could_not_merge_is_told_as_that() {
    let shop = Shop::new();
    let timestamp = shop.path("updates/metadata/timestamp.json");
    let whole = fs::read_to_string(&timestamp).unwrap();
    let both = format!("<<<<<<< HEAD\n{whole}\n=======\n{whole}\n>>>>>>> theirs\n");
    fs::write(&timestamp, both).unwrap();
    shop.refuses(&["status"], "conflict", "git could not merge");
}

#[test]
#[cfg(debug_assertions)]
fn an_expired_channel_stops_no_other() {
    let mut shop = Shop::empty();
    let channels = ["--channel", "production", "--channel", "beta"];
    shop.ok(&[&["init", "--app", APP, "--no-passphrase"][..], &channels].concat());
    shop.release("1.0.0", 1);
    // The only key of beta's releases is away; all else is signed anew in time.
    for part in ["pem", "pub"] {
        fs::remove_file(shop.path(&format!("keys/release/beta-releases.{part}"))).unwrap();
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    shop.now = Some(now + 300 * DAY);
    shop.ok(&["refresh", "targets", "production-releases", "production-rollout", "beta-rollout"]);
    shop.now = Some(now + 366 * DAY);
    shop.ok(&["refresh"]);
    let said = shop.ok(&["verify", "updates"]);
    assert_eq!(said["expired"], serde_json::json!(["beta-releases"]));
    assert_eq!(said["releases"], 1);
    assert!(!shop.run(&["status"]).status.success(), "here it fails");
    // What phones of every channel need is another matter.
    shop.now = Some(now + 366 * DAY + 40 * DAY);
    shop.refuses(&["verify", "updates"], "expired", "");
}

#[test]
#[cfg(unix)]
fn nothing_is_written_through_a_link_that_was_laid_for_it() {
    let shop = Shop::new();
    fs::write(shop.path("precious"), "as it was").unwrap();
    for place in ["farad-root.json", "farad.toml", "keys/online/com.example.shop.root.json"] {
        let place = shop.path(place);
        let name = format!(".{}.tmp", place.file_name().unwrap().to_str().unwrap());
        let link = place.with_file_name(name);
        std::os::unix::fs::symlink(shop.path("precious"), link).unwrap();
    }
    shop.ok(&["key", "rotate", "timestamp", "--no-passphrase"]);
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    assert_eq!(fs::read_to_string(shop.path("precious")).unwrap(), "as it was");
    for place in ["farad-root.json", "farad.toml", "keys/online/com.example.shop.root.json"] {
        assert!(!shop.path(place).is_symlink(), "{place}");
    }
}

#[test]
#[cfg(debug_assertions)]
fn after_a_run_with_a_wrong_clock_a_new_timestamp_key_brings_everything_back() {
    let mut shop = Shop::new();
    shop.release("1.0.0", 1);
    shop.release("1.1.0", 2);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let server = shop.serve();
    let device = |shop: &Shop| {
        support::Device { shop, url: server.url(), name: "phone".to_owned(), more: Vec::new() }
            .update()
    };
    assert_eq!(device(&shop)["version"], "1.1.0");
    shop.now = Some(now + 400 * DAY);
    shop.ok(&["refresh"]);
    shop.now = None;
    assert_eq!(device(&shop)["version"], "1.1.0");

    // Whoever looks every day is told, and not only by a line among others.
    let status = shop.run(&["status", "--json"]);
    assert_eq!(status.status.code(), Some(1), "{status:?}");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status["warnings"][0].as_str().unwrap().contains("signed at"), "{status}");
    shop.refuses(&["rollback", "production"], "clock", "farad key rotate timestamp");
    shop.ok(&["key", "rotate", "timestamp", "--no-passphrase"]);
    shop.ok(&["rollback", "production"]);
    shop.ok(&["verify", "updates"]);
    assert_eq!(device(&shop)["version"], "1.0.0");
}
