//! Devices that die at a chosen operation on their real disk, at every one of them by name.
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
