//! Keys and thresholds that change while something waits.

use std::fs;

use serde_json::{Value, json};

use crate::support::{APP, Shop};
use crate::team::{ROLE, Team};

#[test]
fn a_revoked_keys_signature_no_longer_counts() {
    let team = Team::new();
    // Carol begins; then her key is taken out. The current file does not bear her signature.
    team.carol.web("web", 2);
    let release = ["release", "web", "--channel", "production", "--version", "1.1.0"];
    let file = team.carol.waits(&release);
    let kept = fs::read(team.carol.path(&file)).unwrap();
    let revoke = ["key", "revoke", "production-releases-3"];
    assert_eq!(team.alice.ok(&revoke)["published"], true);
    team.bob.pull(&team.alice);
    fs::create_dir_all(team.bob.path("pending")).unwrap();
    fs::write(team.bob.path(&file), &kept).unwrap();
    let said = team.bob.ok(&["sign", &file, "--yes"]);
    assert_eq!(said["published"], false);
    let wait = &said["pending"]["waits"][0];
    assert_eq!((&wait["have"], &wait["need"]), (&json!(1), &json!(2)), "Bob's alone");
    // Alice's is the second; Carol's leaves no trace in what is published.
    team.alice.pull(&team.bob);
    assert_eq!(team.alice.ok(&["sign", &file, "--yes"])["published"], true);
    let path = team.alice.path("updates/metadata/3.production-releases.json");
    let published: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(published["signatures"].as_array().unwrap().len(), 2);
    let phone_server = team.alice.serve();
    assert_eq!(team.alice.device(&phone_server, "phone").update()["version"], "1.1.0");
    // And she can begin nothing new.
    team.carol.pull(&team.alice);
    team.carol.web("web-2", 3);
    let args = ["release", "web-2", "--channel", "production", "--version", "1.2.0"];
    team.carol.refuses(&args, "key-missing", "production-releases");
}

#[test]
fn a_raised_threshold_is_what_counts() {
    let team = Team::new();
    let old = team.release();
    // Three of three: the current releases, signed by two, would fall; all three sign them anew.
    let raise = team.alice.waits(&["key", "threshold", "production", "3"]);
    for machine in [&team.bob, &team.carol] {
        machine.pull(&team.alice);
        machine.waits(&["sign", &raise, "--yes"]);
        team.alice.pull(machine);
    }
    assert_eq!(team.alice.ok(&["sign", &raise, "--yes"])["published"], true);
    // What was begun under the old threshold builds on the old file.
    team.bob.pull(&team.alice);
    team.bob.refuses(&["sign", &old, "--yes"], "stale", ROLE);
    // Begun anew, two signatures are no longer enough.
    fs::remove_file(team.alice.path(&old)).unwrap();
    let file = team.release();
    team.bob.waits(&["sign", &file, "--yes"]);
    team.alice.pull(&team.bob);
    team.alice.refuses(&["sign", &file, "--yes"], "already-signed", "2 of 3 signatures");
    team.carol.pull(&team.bob);
    team.carol.waits(&["sign", &file, "--yes"]);
    team.alice.pull(&team.carol);
    assert_eq!(team.alice.ok(&["sign", &file, "--yes"])["published"], true);
    team.alice.ok(&["verify", "updates"]);
}

#[test]
fn a_key_that_signed_what_is_current_is_replaced_there_too() {
    let team = Team::new();
    // 1.0.0 was signed by the first two of three. Without Bob's key the current file would not
    // stand, so that Carol has to sign it, or phones would refuse the channel.
    let file = team.alice.waits(&["key", "revoke", "production-releases-2"]);
    assert!(file.contains("targets"), "{file}");
    team.carol.pull(&team.alice);
    team.carol.waits(&["sign", &file, "--yes"]);
    team.alice.pull(&team.carol);
    assert_eq!(team.alice.ok(&["sign", &file, "--yes"])["published"], true);
    let server = team.alice.serve();
    assert_eq!(team.alice.device(&server, "phone").update()["version"], "1.0.0");
    // One more and the threshold could not be met.
    let revoke = ["key", "revoke", "production-releases-3"];
    team.alice.refuses(&revoke, "below-threshold", "2 of 1");
}

#[test]
fn a_new_root_needs_the_old_threshold_and_the_new_one() {
    let shop = Shop::empty();
    shop.ok(&["init", "--app", APP, "--no-passphrase", "--threshold", "root=2of3"]);
    fs::copy(shop.path("farad-root.json"), shop.path("shipped.json")).unwrap();
    shop.release("1.0.0", 1);
    let (second, third) = (Shop::empty(), Shop::empty());
    shop.hand_key("root/root-2", &second);
    shop.hand_key("root/root-3", &third);
    // One of the old keys and the new one are not two of the old ones.
    let file = shop.waits(&["key", "rotate", "root", "--key", "root-3", "--no-passphrase"]);
    assert!(shop.path("keys/root/root-4.pem").exists() || shop.path("keys/root/root.pem").exists());
    shop.refuses(&["sign", &file, "--yes"], "already-signed", "root has 1 of 2");
    second.pull(&shop);
    // Root alone changes: no online key is needed, and the second signer publishes it.
    assert_eq!(second.ok(&["sign", &file, "--yes"])["published"], true);
    shop.pull(&second);
    shop.ok(&["verify", "updates"]);
    let root: Value =
        serde_json::from_slice(&fs::read(shop.path("farad-root.json")).unwrap()).unwrap();
    assert_eq!(root["signed"]["version"], 2, "what the next build of the app ships");
    // A phone with the root of its day follows.
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--root", "shipped.json"].map(str::to_owned).to_vec();
    assert_eq!(phone.update()["version"], "1.0.0");
    // The key that was taken out signs nothing any more.
    third.pull(&shop);
    third.refuses(&["refresh", "root"], "key-missing", "root");
}

/// A repository of a stranger's own, in which a key of Bob's is to be the second signer, lies in the
/// folder that they share.
fn refuses_a_strangers_repository(bob: &Shop, public: &str) {
    let stranger = Shop::new();
    stranger.release("9.0.0", 9);
    let public = bob.path(public);
    let add = ["key", "add", "production", "--holder", "bob", "--public"];
    stranger.ok(&[&add[..], &[public.to_str().unwrap()]].concat());
    let file = stranger.waits(&["key", "threshold", "production", "2"]);
    bob.pull(&stranger);
    bob.refuses(&["sign", &file, "--yes"], "root-differs", &format!("{APP}.root.json"));
}

#[test]
fn whoever_only_ever_waited_for_others_follows_the_root_of_the_first_signature() {
    let team = Team::new();
    let file = team.release();
    team.bob.waits(&["sign", &file, "--yes"]);
    refuses_a_strangers_repository(&team.bob, "keys/release/production-releases-2.pub");
}

#[test]
fn a_new_key_follows_the_root_that_it_was_made_beside() {
    let (alice, bob) = (Shop::new(), Shop::empty());
    bob.pull(&alice);
    bob.ok(&["key", "new", "bob", "--no-passphrase"]);
    refuses_a_strangers_repository(&bob, "keys/release/bob.pub");
    // Nor is a key made beside those of another repository.
    let (code, _) = bob.fails(&["key", "new", "robert", "--no-passphrase"]);
    assert_eq!(code, "root-differs");
    assert!(!bob.path("keys/release/robert.pem").exists());
}
