//! Devices whose process is killed at random instants, one and two at once, on a real file system:
//! every next start shows a good bundle.
//!
//! `FARAD_KILLS` sets how many kills, `FARAD_SEED` where they begin: the instants are the machine's,
//! what is killed follows from the seed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use farad_publisher::serve::{Faults, Server};
use serde_json::Value;
use support::{Device, Seeded, Shop, files, say, setting, strays};

/// Kills without `FARAD_KILLS`, half of them of two processes at once.
const KILLS: u64 = 100;
/// Launches that a bundle gets to say it is ready.
const ATTEMPTS: u64 = 2;

/// A publisher, a phone, and who remembers what it was shown.
struct Life {
    shop: Shop,
    server: Server,
    published: BTreeMap<String, BTreeMap<PathBuf, Vec<u8>>>,
    /// Launches on trial since the last ready, by version.
    launches: BTreeMap<String, u64>,
    seeded: Seeded,
}

impl Life {
    fn new() -> Self {
        let shop = Shop::new();
        let server = {
            shop.release("1.0.0", 1);
            shop.serve_with_events(Faults::default())
        };
        let published = BTreeMap::from([("1.0.0".to_owned(), files(&shop.path("web-1.0.0")))]);
        let seeded = Seeded::new(setting("FARAD_SEED").unwrap_or(42));
        Self { shop, server, published, launches: BTreeMap::new(), seeded }
    }

    fn publish(&mut self) -> String {
        let newest = self.published.len() as u64;
        let version = format!("1.{newest}.0");
        self.shop.release(&version, newest + 1);
        let web = files(&self.shop.path(&format!("web-{version}")));
        self.published.insert(version.clone(), web);
        // Another day: what the killed runs moved is paid for.
        let _ = fs::remove_file(self.shop.path("phone/ledger"));
        version
    }

    fn phone(&self) -> Device<'_> {
        self.shop.device(&self.server, "phone").telling(&self.server)
    }

    fn spawn(&mut self, actions: &[&str]) -> Child {
        let at = self.seeded.below(actions.len() as u64);
        let action = actions[usize::try_from(at).unwrap()];
        let action: Vec<_> = action.split(' ').collect();
        let mut command = self.shop.command(&self.phone().args(&action));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Lets the machine go on for a random while, then kills.
    fn kill(&mut self, child: &mut Child) {
        // The instant is what is random here; nothing waits for anything.
        std::thread::park_timeout(Duration::from_micros(self.seeded.below(30_000)));
        let _ = child.kill();
        child.wait().unwrap();
    }

    /// A start shows what was published, all of it.
    fn judge(&mut self, what: &str) {
        let boot = self.phone().does("boot");
        self.judge_boot(&boot, what);
        if self.seeded.below(4) == 0 && boot["token"].is_string() {
            self.phone().does("ready");
            self.launches.clear();
        }
    }

    fn judge_boot(&mut self, boot: &Value, what: &str) {
        if boot["bundle"] == "builtin" {
            return;
        }
        let version = boot["version"].as_str().unwrap();
        assert!(self.phone().shown(boot) == self.published[version], "{what}: {version}");
        if boot["token"].is_null() {
            self.launches.remove(version);
        } else {
            let launches = self.launches.entry(version.to_owned()).or_default();
            *launches += 1;
            assert!(*launches <= ATTEMPTS + 1, "{what}: {launches} launches of {version}");
        }
    }

    /// A last whole sync ends on the newest release, and nothing is left behind.
    /// Returns how many events the server has.
    fn settle(&mut self) -> usize {
        let last = self.publish();
        let phone = self.phone();
        phone.does("sync");
        assert_eq!(phone.boot_ready()["version"], last.as_str());
        phone.does("sync");
        assert!(phone.does("state")["trial"].is_null());
        assert_eq!(strays(&self.shop.path("phone")), Vec::<PathBuf>::new());
        // Of what happened, the server has each thing once, this last time included.
        phone.does("events --send");
        let events = self.shop.events();
        let ids: BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
        assert_eq!(ids.len(), events.len());
        let confirmed = |event: &&Value| event["event"] == "confirmed";
        let newest = events.iter().rev().find(confirmed).unwrap();
        assert_eq!(newest["release"]["version"], last.as_str());
        events.len()
    }
}

fn kills() -> u64 {
    setting("FARAD_KILLS").unwrap_or(KILLS) / 2
}

#[test]
fn a_device_killed_at_random_instants_shows_a_good_bundle_each_time() {
    let mut life = Life::new();
    for kill in 0..kills() {
        if kill % 10 == 9 {
            life.publish();
        }
        let mut child =
            life.spawn(&["sync", "sync", "sync", "boot", "ready", "recheck", "events --send"]);
        life.kill(&mut child);
        life.judge(&format!("kill {kill}"));
    }
    let events = life.settle();
    let releases = life.published.len();
    say(&format!("{} kills of one process, {releases} releases, {events} events", kills()));
}

#[test]
fn two_processes_at_once_and_one_or_both_killed_leave_a_good_bundle() {
    let mut life = Life::new();
    let actions = ["sync", "boot", "ready", "recheck", "events --send"];
    for kill in 0..kills() {
        if kill % 10 == 9 {
            life.publish();
        }
        let mut children = [life.spawn(&actions), life.spawn(&["sync", "boot", "events --send"])];
        let [first, second] = &mut children;
        life.kill(first);
        if kill % 2 == 0 {
            life.kill(second);
        } else {
            second.wait().unwrap();
        }
        life.judge(&format!("kill {kill} of two"));
    }
    let events = life.settle();
    let releases = life.published.len();
    say(&format!("{} kills among two processes, {releases} releases, {events} events", kills()));
}
