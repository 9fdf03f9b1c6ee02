//! Whoever signs is shown all that the signature covers: "unchanged" means unchanged.

use std::fs;

use farad::digest::Digest;
use serde_json::{Value, json};

use crate::support::{APP, Shop};
use crate::team::{Entries, altered};

/// A shop whose root and targets need two signers, and Bob, who is the second of both.
fn two_owners() -> (Shop, Shop) {
    let (alice, bob) = (Shop::empty(), Shop::empty());
    let thresholds = ["--threshold", "root=2of2", "--threshold", "targets=2of2"];
    alice.ok(&[&["init", "--app", APP, "--no-passphrase"][..], &thresholds].concat());
    alice.release("1.0.0", 1);
    alice.hand_key("root/root-2", &bob);
    alice.hand_key("root/targets-2", &bob);
    (alice, bob)
}

/// The attacker's.
fn another_key() -> Value {
    json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": "a7".repeat(32) } })
}

#[test]
fn another_key_under_an_id_that_stays_is_not_content_unchanged() {
    let (alice, bob) = two_owners();
    // Root with the attacker's key in place of another, and no id changed.
    let file = alice.waits(&["key", "rotate", "root", "--key", "root-2", "--no-passphrase"]);
    bob.pull(&alice);
    let current: Value =
        serde_json::from_slice(&fs::read(alice.path("updates/metadata/1.root.json")).unwrap())
            .unwrap();
    altered(&bob, &file, |paper, _| {
        let root = &mut paper["roles"]["root"];
        let version = root["signed"]["version"].clone();
        root["signed"] = current["signed"].clone();
        root["signed"]["version"] = version;
        root["signatures"] = json!([]);
        let timestamp = root["signed"]["roles"]["timestamp"]["keyids"][0].as_str().unwrap();
        let timestamp = timestamp.to_owned();
        root["signed"]["keys"][timestamp] = another_key();
    });
    bob.refuses(&["sign", &file, "--yes"], "malformed", "root has another key under the id");

    // The same among the keys of a channel.
    fs::remove_file(alice.path(&file)).unwrap();
    let file = alice.waits(&["key", "add", "production", "--no-passphrase"]);
    bob.pull(&alice);
    altered(&bob, &file, |paper, _| {
        let targets = &mut paper["roles"]["targets"];
        targets["signatures"] = json!([]);
        let delegations = &mut targets["signed"]["delegations"];
        let role = delegations["roles"].as_array().unwrap().iter();
        let role = role.clone().find(|role| role["name"] == "production-releases").unwrap();
        let id = role["keyids"][0].as_str().unwrap().to_owned();
        delegations["keys"][id] = another_key();
    });
    bob.refuses(&["sign", &file, "--yes"], "malformed", "targets has another key under the id");
}

/// What waits when Alice raises the floor of a channel of which two must sign the policy.
fn waiting_floor() -> (Shop, Shop, String) {
    let (alice, bob) = (Shop::empty(), Shop::empty());
    alice.ok(&["init", "--app", APP, "--no-passphrase", "--threshold", "production=2of2"]);
    alice.release("1.0.0", 1);
    alice.hand_key("release/production-releases-2", &bob);
    let file = alice.waits(&["floor", "1.0.0", "--channel", "production"]);
    bob.pull(&alice);
    (alice, bob, file)
}

/// Puts another document in place of the one that a role lists, signed by nobody.
fn replaced(
    paper: &mut Value,
    entries: &mut Entries,
    shop: &Shop,
    (role, path): (&str, &str),
    alter: impl FnOnce(&mut Value),
) {
    let (folder, name) = path.rsplit_once('/').unwrap();
    let old = paper["roles"][role]["signed"]["targets"][path]["hashes"]["sha256"].clone();
    let old = format!("targets/{folder}/{}.{name}", old.as_str().unwrap());
    let bytes = entries
        .remove(&old)
        .unwrap_or_else(|| fs::read(shop.path(&format!("updates/{old}"))).unwrap());
    let mut document: Value = serde_json::from_slice(&bytes).unwrap();
    alter(&mut document);
    let bytes = serde_json::to_vec(&document).unwrap();
    let digest = Digest::of(&bytes).to_string();
    paper["roles"][role]["signed"]["targets"][path] =
        json!({ "length": bytes.len(), "hashes": { "sha256": digest } });
    paper["roles"][role]["signatures"] = json!([]);
    entries.insert(format!("targets/{folder}/{digest}.{name}"), bytes);
}

#[test]
fn a_document_that_says_more_than_this_version_knows_is_not_signed() {
    let (_alice, bob, file) = waiting_floor();
    let untouched = fs::read(bob.path(&file)).unwrap();
    let policy = ("production-releases", "production/policy.json");
    let refused = |mentions: &str, alter: &dyn Fn(&mut Value)| {
        fs::write(bob.path(&file), &untouched).unwrap();
        altered(&bob, &file, |paper, entries| replaced(paper, entries, &bob, policy, alter));
        bob.refuses(&["sign", &file, "--yes"], "malformed", mentions);
    };
    refused("requires not-yet", &|policy| policy["requires"] = json!(["not-yet"]));
    refused("says more", &|policy| policy["until"] = json!(7));
}

#[test]
fn whom_a_rollout_reaches_is_shown_whatever_it_offers() {
    let (alice, bob) = (Shop::empty(), Shop::empty());
    alice.ok(&["init", "--app", APP, "--no-passphrase", "--threshold", "production=2of2"]);
    alice.release("1.0.0", 1);
    alice.hand_key("release/production-releases-2", &bob);
    alice.web("web", 2);
    let release = ["release", "web", "--channel", "production", "--version", "1.1.0"];
    let file = alice.waits(&[&release[..], &["--rollout", "5%"]].concat());
    bob.pull(&alice);
    let rollout = ("production-rollout", "production/rollout.json");
    let untouched = fs::read(bob.path(&file)).unwrap();
    let shown = |alter: &dyn Fn(&mut Value)| {
        fs::write(bob.path(&file), &untouched).unwrap();
        altered(&bob, &file, |paper, entries| replaced(paper, entries, &bob, rollout, alter));
        bob.ok(&["sign", &file, "--dry-run"])["changes"].to_string()
    };
    // The second offer is the release that everybody has.
    let text = shown(&|rollout| rollout["offers"][1]["salt"] = json!("00"));
    assert!(text.contains("other installations are in the share of 1.0.0"), "{text}");
    let id = "43076a0e4374a5584e1f4bad616ebb29";
    let text = shown(&|rollout| rollout["offers"][0]["allow"] = json!([id]));
    assert!(
        text.contains("+ 1.1.0 (sequence 2) to the installation") && text.contains(id),
        "{text}"
    );
    fs::write(bob.path(&file), &untouched).unwrap();
    let text = bob.ok(&["sign", &file, "--dry-run"])["changes"].to_string();
    assert!(!text.contains("other installations") && !text.contains(id), "{text}");
}

#[test]
fn fewer_signatures_are_taken_only_where_fewer_keys_are_left() {
    let shop = Shop::empty();
    let thresholds = ["--threshold", "production=2of4"];
    shop.ok(&[&["init", "--app", APP, "--no-passphrase"][..], &thresholds].concat());
    shop.ok(&["channel", "add", "beta", "--no-passphrase", "--threshold", "1of1"]);
    let alice = "keys/release/production-releases-1.pub";
    shop.ok(&["key", "add", "beta", "--public", alice, "--threshold", "2"]);
    // Alice leaves: of beta's two keys one is left, of production's four there are three.
    let both = ["key", "revoke", "production-releases-1"];
    shop.refuses(&both, "below-threshold", "beta-releases would need 2 of 1");
    let output = shop.run(&[&both[..], &["--threshold", "1"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("beta-releases takes 1 of 1, until now 2"), "{text}");
    let roles = shop.ok(&["key", "list"])["roles"].clone();
    let threshold = |name: &str| {
        let roles = roles.as_array().unwrap();
        roles.iter().find(|role| role["role"] == name).unwrap()["threshold"].clone()
    };
    assert_eq!(threshold("production-releases"), 2);
    assert_eq!(threshold("beta-releases"), 1);
    let needless = shop.run(&["key", "revoke", "production-releases-2", "--threshold", "1"]);
    assert_eq!(needless.status.code(), Some(2), "{needless:?}");
    assert!(String::from_utf8_lossy(&needless.stderr).contains("for no role"), "{needless:?}");
}

#[test]
fn how_many_sign_for_a_channel_is_shown_when_it_is_made() {
    let (alice, bob) = two_owners();
    let shown = |threshold: &str| {
        let add = ["channel", "add", "beta", "--no-passphrase", "--threshold", threshold];
        let file = alice.waits(&add);
        bob.pull(&alice);
        let said = bob.ok(&["sign", &file, "--dry-run"])["changes"].to_string();
        fs::remove_file(alice.path(&file)).unwrap();
        fs::remove_dir_all(alice.path("keys/release")).unwrap();
        said
    };
    assert!(shown("2of3").contains("+ beta-releases takes 2 of 3 signatures"));
    let one = shown("1of3");
    assert!(one.contains("+ beta-releases takes 1 of 3 signatures"), "{one}");
    assert!(one.contains("+ beta-rollout takes 1 of 1 signatures"), "{one}");
}

#[test]
fn many_dull_files_hide_no_other() {
    let (alice, bob) = (Shop::empty(), Shop::empty());
    alice.ok(&["init", "--app", APP, "--no-passphrase", "--threshold", "production=2of2"]);
    alice.release("1.0.0", 1);
    alice.hand_key("release/production-releases-2", &bob);
    let web = alice.web("web", 2);
    for number in 0..250 {
        fs::write(web.join(format!("a{number:03}.txt")), "dull").unwrap();
    }
    fs::write(web.join("zz.js"), "evil()").unwrap();
    fs::remove_file(web.join("assets/empty.css")).unwrap();
    let file = alice.waits(&["release", "web", "--channel", "production", "--version", "1.1.0"]);
    bob.pull(&alice);
    let said = bob.run(&["sign", &file]);
    let said = String::from_utf8(said.stderr).unwrap();
    let listed: Vec<_> =
        said.lines().skip_while(|line| !line.contains("which is offered now")).collect();
    assert!(listed[0].ends_with(": 251 added, 4 changed, 1 removed"), "{}", listed[0]);
    assert!(listed[1].contains("~ index.html"), "{}", listed[1]);
    let more = listed.iter().find(|line| line.contains("56 more")).unwrap();
    assert!(more.contains("--json"), "{more}");
    assert!(!said.contains("zz.js"), "it is one of those: {said}");
    // All of them are there to be looked at.
    let all = bob.ok(&["sign", &file, "--dry-run"])["changes"].to_string();
    assert!(all.contains("+ zz.js") && all.contains("- assets/empty.css"), "{all}");
    assert_eq!(all.matches("+ a").count(), 250);
}
