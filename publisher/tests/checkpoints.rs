//! Devices that die at a chosen operation on their real disk, at every one of them by name; and
//! publishers who die while they make a project.
//!
//! `FARAD_CHECKPOINTS=all` dies every time that a name is reached, without it at the first.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use support::{Shop, files, say, strays};

/// What a device does after the release of 1.1.0; each is one process.
const JOURNEY: [&str; 6] = ["sync", "boot", "ready", "recheck", "sync", "boot"];

#[test]
fn a_device_survives_its_death_at_every_named_checkpoint() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    shop.device(&server, "ready").update();
    shop.release("1.1.0", 2);
    let web = |version: &str| files(&shop.path(&format!("web-{version}")));
    let published = BTreeMap::from(["1.0.0", "1.1.0"].map(|version| (version, web(version))));

    // What is passed on the way, by process.
    copy(&shop.path("ready"), &shop.path("clean"));
    let clean = shop.device(&server, "clean");
    let mut points = Vec::new();
    for (at, action) in JOURNEY.iter().enumerate() {
        let log = shop.path(&format!("log-{at}"));
        let mut command = shop.command(&clean.args(&[action]));
        assert!(command.env("FARAD_CHECKPOINTS", &log).output().unwrap().status.success());
        let log = fs::read_to_string(&log).unwrap_or_default();
        points.extend(log.lines().map(|name| (at, name.to_owned())));
    }
    assert_eq!(clean.does("boot")["version"], "1.1.0");
    let all = std::env::var("FARAD_CHECKPOINTS").is_ok_and(|wish| wish == "all");
    points.retain(|(_, name)| all || name.ends_with("#1"));
    assert!(points.len() > 60, "{points:?}");
    let rename = "rename staging/* bundles/*#1";
    assert!(points.iter().any(|(_, name)| name == rename), "{points:?}");

    for (number, (deadly, name)) in points.iter().enumerate() {
        let folder = format!("phone-{number}");
        copy(&shop.path("ready"), &shop.path(&folder));
        let phone = shop.device(&server, &folder);
        for action in &JOURNEY[..*deadly] {
            phone.does(action);
        }
        let mut command = shop.command(&phone.args(&[JOURNEY[*deadly]]));
        let output = command.env("FARAD_CHECKPOINT", name).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{name}: {output:?}");

        // What a start shows is what was published, all of it.
        let boot = phone.boot_ready();
        let version = boot["version"].as_str().unwrap_or_else(|| panic!("{name}: built-in"));
        assert!(phone.shown(&boot) == published[version], "{name}");
        phone.update();
        phone.does("sync");
        assert_eq!(phone.boot_ready()["version"], "1.1.0", "{name}");
        assert_eq!(phone.does("state")["blocked"].as_array().unwrap().len(), 0, "{name}");
        assert_eq!(strays(&shop.path(&folder)), Vec::<PathBuf>::new(), "{name}");
        fs::remove_dir_all(shop.path(&folder)).unwrap();
    }
    say(&format!("{} deaths at named checkpoints", points.len()));
}

#[test]
fn an_init_that_is_killed_anywhere_is_finished_by_the_next_or_leaves_nothing_that_counts() {
    let init = ["init", "--app", support::APP, "--no-passphrase", "--sealed"];
    let clean = Shop::empty();
    let log = clean.path("log");
    assert!(clean.command(&init).env("FARAD_CHECKPOINTS", &log).output().unwrap().status.success());
    let log = fs::read_to_string(log).unwrap();
    let points: Vec<_> = log.lines().collect();
    assert!(points.len() > 25, "{points:?}");
    for there in ["write root/root.pem", "publish updates/.farad-init", "put keys/root"] {
        assert!(points.contains(&there), "{there}: {points:?}");
    }
    let made = |shop: &Shop| -> Vec<PathBuf> {
        files(shop.home.path()).into_keys().filter(|path| !path.starts_with("web")).collect()
    };
    let parts = |shop: &Shop| -> Vec<String> {
        // Signed at another time, by other keys: documents have other digests.
        let names = made(shop).into_iter().map(|path| path.to_string_lossy().into_owned());
        names.filter(|name| !name.contains("targets/production") && name != "log").collect()
    };
    let whole = parts(&clean);
    let mut finished = 0;
    for name in &points {
        let shop = Shop::empty();
        let output = shop.command(&init).env("FARAD_CHECKPOINT", name).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{name}: {output:?}");
        let is_there = shop.path("farad.toml").exists();
        // What can be seen is whole; else the next one makes it so.
        if is_there {
            assert_eq!(shop.fails(&init).0, "exists", "{name}");
        } else {
            assert_eq!(shop.fails(&["status"]).0, "no-project", "{name}");
            let before = files(shop.home.path());
            let key = before.into_iter().find(|(path, _)| path.ends_with("root/root.pem"));
            shop.ok(&init);
            let now = fs::read(shop.path("keys/root/root.pem")).unwrap();
            finished += usize::from(key.is_some_and(|(_, bytes)| bytes == now));
        }
        assert_eq!(parts(&shop), whole, "{name}");
        shop.ok(&["status"]);
        shop.ok(&["verify", "updates"]);
        shop.web("web", 1);
        shop.ok(&["release", "web", "--channel", "production", "--version", "1.0.0"]);
        assert!(!shop.path(".farad-init").exists(), "{name}");
    }
    assert!(finished > 3, "those that lacked nothing kept their keys: {finished}");
    say(&format!("{} deaths of init", points.len()));
}

#[test]
fn what_an_interrupted_init_made_is_not_taken_for_something_else_nor_put_over_anything() {
    let shop = Shop::empty();
    let init = ["init", "--app", support::APP, "--no-passphrase"];
    let mut dies = shop.command(&init);
    let output = dies.env("FARAD_CHECKPOINT", "put updates/metadata").output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    fs::write(shop.path("farad-root.json"), "mine").unwrap();
    let (code, message) = shop.fails(&init);
    assert_eq!(code, "exists");
    assert!(message.contains("farad-root.json is in the way"), "{message}");
    assert_eq!(fs::read(shop.path("farad-root.json")).unwrap(), b"mine");
    fs::remove_file(shop.path("farad-root.json")).unwrap();
    let other = ["init", "--app", "com.example.other", "--no-passphrase"];
    let (code, message) = shop.fails(&other);
    assert_eq!(code, "exists");
    assert!(message.contains("is finished now"), "{message}");
    shop.release("1.0.0", 1);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
