//! What waits for signatures, and for whose.

use std::fs;

use serde_json::json;

use crate::support::{APP, Shop, files};
use crate::team::{ROLE, Team, altered};

#[test]
fn a_release_waits_for_its_second_signer_and_then_reaches_phones() {
    let team = Team::new();
    let server = team.alice.serve();
    let phone = team.alice.device(&server, "phone");
    assert_eq!(phone.update()["version"], "1.0.0");
    let file = team.release();
    assert_eq!(phone.does("sync")["status"], "up-to-date");

    // Bob is shown what differs, is asked, and has no online keys.
    let output = team.bob.run(&["sign", &file]);
    let shown = String::from_utf8(output.stderr).unwrap();
    for line in [
        "+ release 1.1.0 (sequence 2)",
        "~ assets/app.js",
        "~ index.html",
        "against 1.0.0, which is offered now",
        "~ offers 1.1.0 (sequence 2) to 100 %",
        "until now 1.0.0 (sequence 1) to 100 %",
        "production-releases has 1 of 2 signatures; missing: production-releases-2",
        "nothing was signed",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(team.bob.waits(&["sign", &file, "--yes"]), file);
    team.alice.pull(&team.bob);
    assert_eq!(team.alice.ok(&["sign", &file, "--yes"])["published"], true);
    assert!(!team.alice.path(&file).exists(), "it is no use any more");
    assert_eq!(phone.update()["version"], "1.1.0");
    team.alice.ok(&["verify", "updates"]);
}

#[test]
fn whoever_has_the_last_key_and_the_online_keys_publishes_at_once() {
    let team = Team::new();
    // Bob prepares on a machine without online keys; Alice signs and publishes.
    team.bob.web("web", 2);
    let file = team.bob.waits(&["release", "web", "--channel", "production", "--version", "1.1.0"]);
    team.alice.pull(&team.bob);
    assert_eq!(team.alice.ok(&["sign", &file, "--yes"])["published"], true);
    assert_eq!(team.alice.ok(&["status"])["channels"][0]["offers"][0]["release"]["sequence"], 2);
}

#[test]
fn a_dry_run_of_signing_writes_nothing() {
    let team = Team::new();
    let file = team.release();
    let before = fs::read(team.bob.path(&file)).unwrap();
    let said = team.bob.ok(&["sign", &file, "--dry-run"]);
    assert_eq!(said["signed"][0].as_str().unwrap().split(' ').next(), Some(ROLE));
    assert!(fs::read(team.bob.path(&file)).unwrap() == before);
}

#[test]
fn the_same_signer_twice_counts_once() {
    let team = Team::new();
    let file = team.release();
    team.alice.refuses(&["sign", &file, "--yes"], "already-signed", "1 of 2 signatures");
    // Nor does it help to write the signature down twice, or under another id.
    altered(&team.alice, &file, |paper, _| {
        let signatures = paper["roles"][ROLE]["signatures"].as_array_mut().unwrap();
        signatures.push(signatures[0].clone());
    });
    team.alice.refuses(&["sign", &file, "--yes"], "duplicate-signature", ROLE);
    altered(&team.alice, &file, |paper, _| {
        paper["roles"][ROLE]["signatures"][1]["keyid"] = json!("0".repeat(64));
    });
    team.alice.refuses(&["sign", &file, "--yes"], "already-signed", "1 of 2 signatures");
}

#[cfg(unix)]
#[test]
fn what_waits_can_be_read_by_whoever_the_umask_lets_read_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let team = Team::new();
    let file = team.release();
    let mode =
        |path: &str| fs::metadata(team.alice.path(path)).unwrap().permissions().mode() & 0o777;
    fs::write(team.alice.path("note"), "as anybody makes a file").unwrap();
    assert_eq!(mode(&file), mode("note"));
    assert_eq!(mode("keys/root/root.pub"), mode("note"));
    assert_eq!(mode("keys/root/root.pem"), 0o600);
}

#[test]
fn a_second_change_of_the_same_files_waits_its_turn() {
    let team = Team::new();
    let file = team.release();
    team.alice.web("web-1.2.0", 3);
    let args = ["release", "web-1.2.0", "--channel", "production", "--version", "1.2.0"];
    team.alice.refuses(&args, "exists", &file);
}

#[test]
fn a_channel_is_made_by_as_many_as_targets_needs() {
    let (alice, bob) = (Shop::empty(), Shop::empty());
    alice.ok(&["init", "--app", APP, "--no-passphrase", "--threshold", "targets=2of2"]);
    alice.hand_key("root/targets-2", &bob);
    let add = ["channel", "add", "beta", "--no-passphrase", "--threshold", "1of2"];
    let file = alice.waits(&add);
    bob.pull(&alice);
    let said = bob.ok(&["sign", &file, "--yes"]);
    let sections = said["changes"].as_array().unwrap();
    let targets = sections.iter().find(|section| section["role"] == "targets").unwrap();
    let lines = targets["changes"].to_string();
    assert!(
        lines.contains("+ channel beta") && lines.contains("+ key of beta-releases"),
        "{lines}"
    );
    alice.pull(&bob);
    assert_eq!(alice.ok(&["sign", &file, "--yes"])["published"], true);
    alice.web("web", 1);
    alice.ok(&["release", "web", "--channel", "beta", "--version", "1.0.0"]);
    let server = alice.serve();
    let mut phone = alice.device(&server, "phone");
    phone.more = ["--channel", "beta"].map(str::to_owned).to_vec();
    assert_eq!(phone.update()["version"], "1.0.0");
    // One alone cannot take it away.
    alice.waits(&["channel", "remove", "beta"]);
    assert_eq!(phone.does("sync")["status"], "up-to-date");
}

#[test]
fn a_sealed_release_is_shown_to_whoever_may_read_it() {
    let (alice, bob) = (Shop::empty(), Shop::empty());
    let init = ["init", "--app", APP, "--no-passphrase", "--sealed"];
    alice.ok(&[&init[..], &["--threshold", "production=2of2"]].concat());
    alice.release("1.0.0", 1);
    alice.hand_key("release/production-releases-2", &bob);
    alice.web("web", 2);
    let file = alice.waits(&["release", "web", "--channel", "production", "--version", "1.1.0"]);
    bob.pull(&alice);
    let shown = |shop: &Shop| shop.ok(&["sign", &file, "--dry-run"])["changes"].to_string();
    assert!(shown(&bob).contains("sealed, and its key is not here"));
    // With the publisher's opening key beside his own he sees what he signs.
    fs::create_dir_all(bob.path("keys/opening")).unwrap();
    let key = "keys/opening/publisher.pem";
    fs::copy(alice.path(key), bob.path(key)).unwrap();
    let shown = shown(&bob);
    assert!(shown.contains("~ assets/app.js") && shown.contains("against 1.0.0"), "{shown}");
    bob.waits(&["sign", &file, "--yes"]);
}

#[test]
fn a_key_that_no_file_holds_signs_elsewhere() {
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING as P256, EcdsaKeyPair, KeyPair};
    let random = ring::rand::SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&P256, &random).unwrap();
    let token = EcdsaKeyPair::from_pkcs8(&P256, document.as_ref(), &random).unwrap();
    // SubjectPublicKeyInfo (RFC 5480), as a token or OpenSSL would show it.
    let prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let der = [farad::hex::decode(prefix).unwrap(), token.public_key().as_ref().to_vec()].concat();
    let pem = pkcs8::der::pem::encode_string("PUBLIC KEY", pkcs8::LineEnding::LF, &der).unwrap();

    let shop = Shop::new();
    fs::write(shop.path("token.pub"), pem).unwrap();
    let add = |role: &'static str| ["key", "add", role, "--public", "token.pub"];
    shop.refuses(&add("timestamp"), "key-invalid", "every day");
    shop.ok(&[&add("production")[..], &["--holder", "token"]].concat());
    let file = shop.waits(&["key", "threshold", "production", "2"]);
    shop.ok(&["sign", &file, "--export", "out"]);
    let exported: Vec<_> = files(&shop.path("out")).into_iter().collect();
    assert_eq!(exported.len(), 1, "targets has what it needs: {:?}", exported[0].0);
    let (name, message) = &exported[0];
    assert_eq!(name.to_str(), Some("production-releases.message"));

    let signature = "production-releases=out/sig";
    let sign = ["sign", file.as_str(), "--yes", "--signature", signature, "--key"];
    let with = |key: &'static str| [&sign[..], &[key]].concat();
    fs::write(shop.path("out/sig"), token.sign(&random, b"another message").unwrap()).unwrap();
    shop.refuses(&with("token"), "signature", "token");
    fs::write(shop.path("out/sig"), token.sign(&random, message).unwrap()).unwrap();
    shop.refuses(&with("nobody"), "unknown-key", "nobody");
    shop.refuses(&with("production-releases"), "signature", "production-releases");
    assert_eq!(shop.ok(&with("token"))["published"], true);
    shop.ok(&["verify", "updates"]);
    let server = shop.serve();
    assert_eq!(shop.device(&server, "phone").does("sync")["status"], "not-offered");
}

#[test]
fn notes_and_builds_of_a_release_are_shown_before_it_is_signed() {
    let team = Team::new();
    let notes = "Our bank details changed.\n+ release 9.9.9\n\u{1b}[2J\u{202e}done";
    fs::write(team.alice.path("notes"), notes).unwrap();
    team.alice.web("web-1.1.0", 2);
    let release = ["release", "web-1.1.0", "--channel", "production", "--version", "1.1.0"];
    let more = ["--notes", "notes", "--android", "42..", "--ios", "1.2..3", "--mandatory"];
    let file = team.alice.waits(&[release.as_slice(), &more].concat());
    team.bob.pull(&team.alice);
    let said = team.bob.run(&["sign", &file]);
    let said = String::from_utf8(said.stderr).unwrap();
    for line in [
        "  only on builds 42.. of Android\n",
        "  only on builds 1.2..3 of iOS\n",
        "    | Our bank details changed.\n",
        "    | + release 9.9.9\n",
        "    | \\u{1b}[2J\\u{202e}done\n",
        ", mandatory",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains(['\u{1b}', '\u{202e}']));
}
