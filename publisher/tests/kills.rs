//! Devices whose process is killed at random instants: every next start shows a good bundle.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use support::{Shop, files};

const KILLS: u64 = 100;

#[test]
fn a_hundred_kills_leave_a_good_bundle_each_time() {
    let shop = Shop::new();
    let mut published: BTreeMap<String, BTreeMap<PathBuf, Vec<u8>>> = BTreeMap::new();
    let mut newest = 0;
    let mut publish = |published: &mut BTreeMap<_, _>| {
        newest += 1;
        let version = format!("1.{newest}.0");
        shop.release(&version, newest);
        published.insert(version.clone(), files(&shop.path(&format!("web-{version}"))));
        version
    };
    publish(&mut published);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    let mut seed = 42_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for kill in 0..KILLS {
        if kill % 10 == 9 {
            publish(&mut published);
        }
        let action = if kill % 3 == 2 { "boot" } else { "sync" };
        let mut command = shop.command(&phone.args(&[action]));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The instant is what is random here; nothing waits for anything.
        std::thread::park_timeout(Duration::from_micros(random(30_000)));
        let _ = child.kill();
        child.wait().unwrap();

        let boot = phone.does("boot");
        if boot["bundle"] != "builtin" {
            let version = boot["version"].as_str().unwrap();
            assert_eq!(phone.shown(&boot), published[version], "kill {kill} in {action}");
        }
        if kill % 4 == 0 && boot["token"].is_string() {
            phone.does("ready");
        }
    }
    // A last whole sync ends on the newest release that has no tombstone here.
    let last = publish(&mut published);
    phone.does("sync");
    assert_eq!(phone.boot_ready()["version"], last.as_str());
    let state = phone.does("state");
    assert!(state["trial"].is_null());
}
