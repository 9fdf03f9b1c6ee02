//! Keys: who may sign what, and where the private parts are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{APP, Shop, files, secret};

/// A project whose keys have passphrases, and the file that holds them.
fn locked() -> Shop {
    let mut shop = Shop::empty();
    secret(&shop.path("pass"), "correct horse\n");
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
fn a_command_that_dies_while_it_writes_a_key_leaves_no_half_of_it() {
    let shop = Shop::new();
    let keys = |shop: &Shop| -> Vec<_> {
        let keys = files(&shop.path("keys")).into_keys();
        keys.filter(|path| path.extension().is_some_and(|e| e == "pem" || e == "pub")).collect()
    };
    let before = keys(&shop);
    let new = ["key", "new", "alice", "--no-passphrase"];
    // The system ends a process at the first byte that it writes to any file.
    let mut dies = Command::new("sh");
    dies.args(["-c", "ulimit -f 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_farad")]).args(new);
    let ended = dies.current_dir(shop.path("")).stdin(Stdio::null()).output().unwrap();
    assert!(ended.status.signal().is_some(), "{ended:?}");
    assert_eq!(keys(&shop), before);
    shop.ok(&["status"]);
    // What it left is a private key that no list shows: the next command removes it, and nothing else.
    let strays = || {
        let all = files(&shop.path("keys")).into_keys();
        all.filter(|path| path.extension().is_some_and(|e| e == "tmp")).collect::<Vec<_>>()
    };
    assert_eq!(strays().len(), 1, "{:?}", strays());
    fs::write(shop.path("keys/release/mine.tmp"), "").unwrap();
    shop.ok(&new);
    assert_eq!(strays(), [Path::new("release/mine.tmp")]);
    assert_eq!(keys(&shop).len(), before.len() + 2);
}

#[test]
fn commands_that_change_farad_toml_at_once_lose_nothing_of_each_other() {
    let shop = Shop::new();
    shop.ok(&["key", "recipient", "renew", "--no-passphrase"]);
    for old in ["old-1", "old-2"] {
        shop.ok(&["key", "recipient", "new", old]);
    }
    let mut all = vec![
        vec!["channel", "add", "beta", "--no-passphrase"],
        vec!["key", "add", "production", "--holder", "alice", "--no-passphrase"],
    ];
    let (new, old) = (["new-1", "new-2"], ["old-1", "old-2"]);
    all.extend(new.iter().map(|name| vec!["key", "recipient", "new", name]));
    all.extend(old.iter().map(|name| vec!["key", "recipient", "retire", name]));
    let started: Vec<_> =
        all.iter().map(|args| shop.command(args).stdout(Stdio::null()).spawn().unwrap()).collect();
    for (mut child, args) in started.into_iter().zip(&all) {
        assert!(child.wait().unwrap().success(), "{args:?}");
    }
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    for there in ["[channels.beta]", "\"alice\"", "[recipients.new-1]", "[recipients.new-2]"] {
        assert!(toml.contains(there), "{there}: {toml}");
    }
    assert!(!toml.contains("[recipients.old"), "{toml}");
}

#[test]
fn farad_toml_is_replaced_through_no_name_that_somebody_could_have_put_there() {
    let shop = Shop::new();
    let (toml, precious) = (shop.path("farad.toml"), shop.path("precious"));
    fs::write(&precious, "mine").unwrap();
    std::os::unix::fs::symlink("precious", shop.path(".farad.toml.tmp")).unwrap();
    fs::set_permissions(&toml, fs::Permissions::from_mode(0o640)).unwrap();
    shop.ok(&["key", "recipient", "renew", "--no-passphrase"]);
    assert_eq!(fs::read(&precious).unwrap(), b"mine");
    let found = fs::symlink_metadata(&toml).unwrap();
    assert!(found.is_file());
    assert_eq!(found.permissions().mode() & 0o777, 0o640, "its owner's mode stays");
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
    let nothing_copied = |shop: &Shop| assert!(!shop.path("stick").exists());
    secret(&shop.path("wrong"), "something else\n");
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
fn keys_where_they_are_already_are_no_backup() {
    let shop = locked();
    std::os::unix::fs::symlink("keys", shop.path("alias")).unwrap();
    for same in ["keys", "alias", "./updates/../keys"] {
        let (code, message) = shop.fails(&["key", "backup", same]);
        assert_eq!(code, "exists", "{message}");
        assert!(message.contains("lie there already"), "{message}");
    }
    fs::create_dir(shop.path("stick")).unwrap();
    std::os::unix::fs::symlink("../keys/online", shop.path("stick/online")).unwrap();
    assert_eq!(shop.fails(&["key", "backup", "stick"]).0, "exists");
    assert!(!shop.path("stick/root").exists());
}

#[test]
fn what_is_signed_every_day_takes_one_signature() {
    let shop = Shop::empty();
    for online in ["snapshot=2of2", "timestamp=2of3"] {
        let init = ["init", "--app", APP, "--no-passphrase", "--threshold", online];
        let (code, message) = shop.fails(&init);
        assert_eq!(code, "below-threshold");
        assert!(message.contains("one signature"), "{message}");
        assert!(files(shop.home.path()).is_empty());
    }
    // Of several keys any may be the one.
    shop.ok(&["init", "--app", APP, "--no-passphrase", "--threshold", "timestamp=1of2"]);
    shop.refuses(&["key", "threshold", "timestamp", "2"], "below-threshold", "one signature");
    let add = ["key", "add", "snapshot", "--no-passphrase", "--threshold", "2"];
    shop.refuses(&add, "below-threshold", "one signature");
    shop.release("1.0.0", 1);
}

#[test]
fn a_backup_that_is_refused_makes_nothing_and_no_folder_is_closed_that_it_did_not_make() {
    let shop = locked();
    let mode = |path: &str| fs::metadata(shop.path(path)).unwrap().permissions().mode() & 0o777;
    let set = |path: &str, mode| {
        fs::set_permissions(shop.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("updates", 0o755);
    for inside in ["updates", "updates/sub", "updates/blobs/../sub"] {
        assert_eq!(shop.fails(&["key", "backup", inside]).0, "unsafe-path");
    }
    assert_eq!(mode("updates"), 0o755);
    assert!(!shop.path("updates/sub").exists());
    // A stick is often mounted in a way that its folders say nothing of.
    fs::create_dir_all(shop.path("stick/online")).unwrap();
    for folder in ["stick", "stick/online"] {
        set(folder, 0o755);
    }
    shop.ok(&["key", "backup", "stick"]);
    assert_eq!((mode("stick"), mode("stick/online"), mode("stick/root")), (0o755, 0o755, 0o700));
    assert_eq!(mode("stick/online/timestamp.pem"), 0o600);
}

#[test]
fn keys_never_lie_where_they_could_be_fetched() {
    let shop = Shop::empty();
    let init = ["init", "--app", APP, "--no-passphrase"];
    for more in [&["--keys", "updates/keys"][..], &["--repo", "."], &["--keys", "updates"]] {
        assert_eq!(shop.fails(&[&init[..], more].concat()).0, "unsafe-path", "{more:?}");
    }
    let outside = tempfile::tempdir().unwrap();
    let elsewhere = outside.path().join("keys");
    let more = ["--repo", ".", "--keys", elsewhere.to_str().unwrap()];
    assert_eq!(shop.fails(&[&init[..], &more].concat()).0, "unsafe-path", "farad.toml is in it");
    assert!(files(shop.home.path()).is_empty() && !shop.path("updates").exists());
    assert!(!elsewhere.exists());
    // Nor where somebody wrote so by hand, or a link leads there.
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    let moved = toml.replace("keys = \"keys\"", "keys = \"updates/keys\"");
    assert_ne!(moved, toml);
    let tries: [&[&str]; 4] = [
        &["key", "new", "alice", "--no-passphrase"],
        &["key", "recipient", "new", "app"],
        &["status"],
        &["serve", "--port", "0"],
    ];
    fs::write(shop.path("farad.toml"), moved).unwrap();
    for args in tries {
        assert_eq!(shop.fails(args).0, "unsafe-path", "{args:?}");
    }
    fs::write(shop.path("farad.toml"), toml).unwrap();
    fs::rename(shop.path("keys/online"), shop.path("updates/targets/online")).unwrap();
    std::os::unix::fs::symlink("../updates/targets/online", shop.path("keys/online")).unwrap();
    for args in tries {
        assert_eq!(shop.fails(args).0, "unsafe-path", "{args:?}");
    }
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

#[test]
fn keys_of_every_role_can_be_replaced_and_phones_follow() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    fs::copy(shop.path("farad-root.json"), shop.path("shipped.json")).unwrap();
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--root", "shipped.json"].map(str::to_owned).to_vec();
    phone.update();
    let rotate = |args: &[&str]| {
        let rotate = [&["key", "rotate"], args, &["--no-passphrase"]].concat();
        assert_eq!(shop.ok(&rotate)["published"], true, "{args:?}");
    };
    rotate(&["timestamp"]);
    rotate(&["snapshot", "production-rollout"]);
    rotate(&["production"]);
    rotate(&["targets"]);
    rotate(&["root", "--key", "root"]);
    rotate(&["root", "--key", "recovery"]);
    assert_eq!(phone.does("sync")["status"], "up-to-date");
    // The old keys are no use: without them everything goes on.
    let unused = shop.ok(&["key", "list"])["unused"].as_array().unwrap().clone();
    assert_eq!(unused.len(), 7);
    for file in unused {
        fs::remove_file(shop.path("keys").join(file.as_str().unwrap())).unwrap();
    }
    shop.release("1.1.0", 2);
    assert_eq!(phone.update()["version"], "1.1.0");
    shop.ok(&["verify", "updates"]);
    let fresh = shop.device(&server, "fresh");
    assert_eq!(fresh.update()["version"], "1.1.0", "by the root that ships now");
}

#[test]
fn a_change_of_keys_that_cannot_be_right_is_refused() {
    let shop = Shop::new();
    shop.ok(&["key", "new", "alice", "--no-passphrase"]);
    let public = "keys/release/alice.pub";
    shop.ok(&["key", "add", "production", "--public", public, "--holder", "Alice"]);
    for (args, code, mentions) in [
        (&["key", "add", "production", "--public", public][..], "exists", "already"),
        (&["key", "add", "staging", "--public", public], "unknown-role", "production-releases"),
        (&["key", "rotate", "production"], "unknown-key", "pass --key"),
        (&["key", "rotate", "production", "--key", "bob"], "unknown-key", "bob"),
        (&["key", "revoke", "bob"], "unknown-key", "bob"),
        (&["key", "threshold", "production", "3"], "below-threshold", "3 of 2"),
        (&["key", "threshold", "production", "0"], "below-threshold", "0 of 2"),
        (&["key", "revoke", "timestamp"], "below-threshold", "1 of 0"),
        (&["key", "add", "production", "--public", "farad.toml"], "key-invalid", "farad.toml"),
    ] {
        shop.refuses(args, code, mentions);
    }
    let several = ["key", "rotate", "timestamp", "snapshot", "--key", "timestamp"];
    assert_eq!(shop.run(&several).status.code(), Some(2));
    let before = shop.published();
    shop.ok(&["key", "rotate", "timestamp", "--no-passphrase", "--dry-run"]);
    assert!(shop.published() == before);
    assert!(!shop.path("keys/online/timestamp-2.pem").exists());
    // What its owner wrote in the project file is still there.
    let text = fs::read_to_string(shop.path("farad.toml")).unwrap();
    assert!(text.starts_with("# Made by") && text.contains("\"Alice\""), "{text}");
    fs::rename(shop.path("keys/root"), shop.path("away")).unwrap();
    let revoke = ["key", "revoke", "Alice"];
    shop.refuses(&revoke, "key-missing", "targets has 0 of 1 signatures; missing: targets");
}

#[test]
fn a_command_that_dies_between_the_new_root_and_its_timestamp_is_finished_by_the_next() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let before = shop.published();
    shop.ok(&["key", "rotate", "timestamp", "--no-passphrase"]);
    let after = shop.published();
    let timestamp = "metadata/timestamp.json".as_ref();
    let root = "metadata/2.root.json".as_ref();
    let named = farad::digest::Digest::of(&after[root]);
    let ready = shop.path(&format!("updates/metadata/.timestamp.json.for-root-2-{named}"));
    let at = |path: &Path| shop.path("updates").join(path);
    // Everything is there, and the timestamp lies ready; the root is there, or not yet.
    for root_is_there in [true, false] {
        fs::write(at(timestamp), &before[timestamp]).unwrap();
        fs::write(&ready, &after[timestamp]).unwrap();
        if !root_is_there {
            fs::remove_file(at(root)).unwrap();
            let groups = ["root", "release", "online"];
            let beside = groups.map(|group| format!("keys/{group}/{APP}.root.json"));
            for anchor in beside.iter().map(String::as_str).chain(["farad-root.json"]) {
                fs::copy(shop.path("updates/metadata/1.root.json"), shop.path(anchor)).unwrap();
            }
        }
        let stands = if root_is_there { &after } else { &before };
        shop.ok(&["status"]);
        assert!(fs::read(at(timestamp)).unwrap() == stands[timestamp]);
        assert!(!ready.exists());
        shop.ok(&["verify", "updates"]);
        let server = shop.serve();
        let phone = shop.device(&server, &format!("phone-{root_is_there}"));
        assert_eq!(phone.update()["version"], "1.0.0");
    }
    // Nor did it where that root is somebody else's. The same again goes through.
    let stale = shop.path(&format!("updates/metadata/.timestamp.json.for-root-1-{named}"));
    fs::write(&stale, &after[timestamp]).unwrap();
    shop.ok(&["status"]);
    assert!(!stale.exists() && fs::read(at(timestamp)).unwrap() == before[timestamp]);
    shop.ok(&["key", "rotate", "snapshot", "--no-passphrase"]);
    shop.ok(&["verify", "updates"]);
}

#[test]
fn a_channel_that_comes_back_goes_on_where_it_was() {
    let shop = Shop::new();
    shop.ok(&["channel", "add", "beta", "--no-passphrase", "--threshold", "1of2"]);
    shop.web("web", 1);
    let release = |version: &str| {
        let args = ["release", "web", "--channel", "beta", "--version", version];
        shop.ok(&args)["sequence"].as_u64().unwrap()
    };
    assert_eq!((release("1.0.0"), release("1.1.0"), release("1.2.0")), (1, 2, 3));
    shop.ok(&["revoke", "1.1.0", "--channel", "beta"]);
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--channel", "beta"].map(str::to_owned).to_vec();
    assert_eq!(phone.update()["version"], "1.2.0");

    shop.ok(&["channel", "remove", "beta"]);
    assert_eq!(shop.fails(&["channel", "remove", "beta"]).0, "unknown-channel");
    let listed = shop.ok(&["channel", "list"])["channels"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1);
    shop.ok(&["verify", "updates"]);
    assert_eq!(phone.fails("sync").0, "config-invalid");
    assert_eq!(phone.does("boot")["version"], "1.2.0", "it keeps what it has");

    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    assert_eq!(phone.does("sync")["status"], "not-offered");
    assert_eq!(release("2.0.0"), 4);
    assert_eq!(phone.update()["version"], "2.0.0");
    let status = shop.ok(&["status"]);
    let beta = status["channels"].as_array().unwrap();
    let beta = beta.iter().find(|channel| channel["channel"] == "beta").unwrap();
    assert_eq!((&beta["floor"], &beta["revoked"]), (&3.into(), &serde_json::json!([2])));
    shop.ok(&["verify", "updates"]);
}

#[test]
fn a_repository_has_no_more_channels_than_phones_look_through() {
    let shop = Shop::empty();
    let mut args = vec!["init", "--app", APP, "--no-passphrase"];
    let names: Vec<_> = (1..=15).map(|n| format!("c{n}")).collect();
    names.iter().for_each(|name| args.extend(["--channel", name]));
    shop.ok(&args);
    shop.refuses(&["channel", "add", "c16", "--no-passphrase"], "too-large", "15");
    shop.web("web", 1);
    shop.ok(&["release", "web", "--channel", "c15", "--version", "1.0.0"]);
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--channel", "c15"].map(str::to_owned).to_vec();
    assert_eq!(phone.update()["version"], "1.0.0");
}

const DAY: u64 = 86_400;

#[test]
fn refresh_signs_what_is_due_and_names_the_rest_with_their_holders() {
    let mut shop = Shop::new();
    shop.release("1.0.0", 1);
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    fs::rename(shop.path("keys/root"), shop.path("away")).unwrap();
    let due = |shop: &mut Shop, days: u64| {
        shop.now = Some(today.as_secs() + days * DAY);
        let said = shop.ok(&["refresh"]);
        let mut signed: Vec<_> =
            said["signed"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
        signed.sort_unstable();
        let elsewhere = said["elsewhere"].as_array().unwrap().iter();
        let elsewhere: Vec<_> = elsewhere.map(|r| r["role"].as_str().unwrap()).collect();
        (signed.join(" "), elsewhere.join(" "))
    };
    assert_eq!(due(&mut shop, 6), (String::new(), String::new()));
    assert_eq!(due(&mut shop, 8), ("timestamp".to_owned(), String::new()));
    assert_eq!(due(&mut shop, 16), ("snapshot timestamp".to_owned(), String::new()));
    let (signed, elsewhere) = due(&mut shop, 190);
    assert_eq!(signed, "production-releases production-rollout snapshot timestamp");
    assert_eq!(elsewhere, "targets");
    let output = shop.run(&["refresh"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("targets, by 1 of targets ("), "the holder's name: {said}");
    // With root's keys at hand, root too; past two years everything.
    fs::rename(shop.path("away"), shop.path("keys/root")).unwrap();
    let all_but_releases = "production-rollout root snapshot targets timestamp";
    assert_eq!(due(&mut shop, 370), (all_but_releases.to_owned(), String::new()));
    let everything = "production-releases production-rollout root snapshot targets timestamp";
    assert_eq!(due(&mut shop, 370 + 731), (everything.to_owned(), String::new()));
    shop.ok(&["verify", "updates"]);
}

#[test]
fn a_daily_job_goes_on_without_the_passphrases_it_does_not_know() {
    let mut shop = locked();
    secret(&shop.path("daily"), "online: correct horse\n");
    shop.passphrases = Some(shop.path("daily"));
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    shop.now = Some(today.as_secs() + 190 * DAY);
    let said = shop.ok(&["refresh"]);
    let mut signed: Vec<_> = said["signed"].as_array().unwrap().iter().collect();
    signed.sort_by_key(|role| role.as_str());
    assert_eq!(signed, ["production-rollout", "snapshot", "timestamp"]);
    let elsewhere = said["elsewhere"].as_array().unwrap().iter();
    let elsewhere: Vec<_> = elsewhere.map(|role| &role["role"]).collect();
    assert_eq!(elsewhere, ["targets", "production-releases"]);
    // Without the online ones it cannot go on, and says so.
    secret(&shop.path("daily"), "release: correct horse\n");
    shop.now = Some(today.as_secs() + 200 * DAY);
    assert_eq!(shop.fails(&["refresh"]).0, "passphrase");
}

#[test]
fn status_warns_of_keys_that_lie_together() {
    let shop = Shop::empty();
    shop.ok(&["init", "--app", APP, "--no-passphrase", "--threshold", "production=2of3"]);
    let warnings = |shop: &Shop| {
        let status = shop.ok(&["status"]);
        let warnings = status["warnings"].as_array().unwrap().clone();
        warnings.iter().map(|w| w.as_str().unwrap().to_owned()).collect::<Vec<_>>().join("; ")
    };
    let said = warnings(&shop);
    for part in ["beside the online keys", "several root keys", "production-releases needs 2"] {
        assert!(said.contains(part), "{said}");
    }
    fs::rename(shop.path("keys/root"), shop.path("away")).unwrap();
    let (bob, carol) = (Shop::empty(), Shop::empty());
    shop.hand_key("release/production-releases-2", &bob);
    shop.hand_key("release/production-releases-3", &carol);
    assert_eq!(warnings(&shop), "");
}
