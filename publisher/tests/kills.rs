//! Publishers that are killed at random instants: what they leave is whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use support::Shop;

const KILLS: u64 = 30;

#[test]
fn a_publisher_that_is_killed_leaves_a_repository_that_phones_can_follow() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    fs::copy(shop.path("farad-root.json"), shop.path("shipped.json")).unwrap();
    shop.web("web", 2);
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--root", "shipped.json"].map(str::to_owned).to_vec();
    phone.update();
    let mut seed = 7_u64;
    for kill in 0..KILLS {
        let version = format!("2.{kill}.0");
        let release = ["release", "web", "--channel", "production", "--version", &version];
        let actions: [&[&str]; 3] = [
            &["key", "rotate", "timestamp", "snapshot", "--no-passphrase"],
            &release,
            &["rollout", "production", "--percent", "100"],
        ];
        let action = actions[usize::try_from(kill).unwrap() % actions.len()];
        let mut command = shop.command(action);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The instant is what is random here; nothing waits for anything.
        std::thread::park_timeout(Duration::from_micros((seed >> 33) % 40_000));
        let _ = child.kill();
        child.wait().unwrap();
        // A phone may come at once, and finds something whole: between a new root and its timestamp
        // it may refuse, and be back the next time.
        let output = shop.run(&[&phone.args(&["sync"])[..], &["--json"]].concat());
        if !output.status.success() {
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(answer["error"]["code"], "signature", "kill {kill} in {action:?}: {answer}");
        }
        // The next command finds something to go on with, whatever it is.
        shop.ok(&["status"]);
        let output = shop.run(&["verify", "updates", "--json"]);
        if !output.status.success() {
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                answer["error"]["code"], "unfinished",
                "kill {kill} in {action:?}: {answer}"
            );
        }
        // What changes something, or would, tidies up first.
        shop.ok(&["refresh"]);
        shop.ok(&["verify", "updates"]);
        phone.does("sync");
    }
    shop.release("3.0.0", 3);
    assert_eq!(phone.update()["version"], "3.0.0");
}
