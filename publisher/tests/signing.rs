//! Several people sign: what waits, who may add a signature, and what nobody gets signed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};

use farad::digest::Digest;
use serde_json::{Value, json};
use support::{APP, Shop};

/// Alice has the online keys and those of root; each of three has a key of production's releases, of
/// which two must sign.
struct Team {
    alice: Shop,
    bob: Shop,
    carol: Shop,
}

impl Team {
    /// A repository with release 1.0.0.
    fn new() -> Self {
        let (alice, bob, carol) = (Shop::empty(), Shop::empty(), Shop::empty());
        let init = ["init", "--app", APP, "--no-passphrase", "--threshold", "production=2of3"];
        alice.ok(&init);
        assert_eq!(alice.release("1.0.0", 1)["published"], true, "all keys are still here");
        alice.hand_key("release/production-releases-2", &bob);
        alice.hand_key("release/production-releases-3", &carol);
        bob.pull(&alice);
        carol.pull(&alice);
        Self { alice, bob, carol }
    }

    /// Alice releases 1.1.0: it waits for a second signature.
    fn release(&self) -> String {
        self.alice.web("web-1.1.0", 2);
        let args = ["release", "web-1.1.0", "--channel", "production", "--version", "1.1.0"];
        let file = self.alice.waits(&args);
        self.bob.pull(&self.alice);
        self.carol.pull(&self.alice);
        file
    }
}

/// What else is in a pending file, by name.
type Entries = BTreeMap<String, Vec<u8>>;

/// Takes a pending file apart, and writes it again as an attacker would.
fn altered(shop: &Shop, file: &str, alter: impl FnOnce(&mut Value, &mut Entries)) {
    let path = shop.path(file);
    let mut archive = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
    let mut entries = BTreeMap::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let (name, mut bytes) = (entry.name().unwrap().into_owned(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        entries.insert(name, bytes);
    }
    let mut paper: Value =
        serde_json::from_slice(&entries.remove("pending.json").unwrap()).unwrap();
    alter(&mut paper, &mut entries);
    entries.insert("pending.json".to_owned(), serde_json::to_vec(&paper).unwrap());
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

const ROLE: &str = "production-releases";

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

#[test]
fn what_was_altered_after_the_first_signature_is_never_signed() {
    let team = Team::new();
    let file = team.release();
    let untouched = fs::read(team.bob.path(&file)).unwrap();
    let refused = |code: &str, alter: &dyn Fn(&mut Value, &mut Entries)| {
        fs::write(team.bob.path(&file), &untouched).unwrap();
        altered(&team.bob, &file, alter);
        let before = fs::read(team.bob.path(&file)).unwrap();
        team.bob.refuses(&["sign", &file, "--yes"], code, "");
        assert!(fs::read(team.bob.path(&file)).unwrap() == before, "no signature was added");
    };
    let manifest_path = "production/releases/2.json";
    let manifest_of = |paper: &Value| {
        let listing = &paper["roles"][ROLE]["signed"]["targets"][manifest_path];
        let digest = listing["hashes"]["sha256"].as_str().unwrap();
        format!("targets/production/releases/{digest}.2.json")
    };
    // What Alice signed.
    refused("signature", &|paper, _| {
        paper["roles"][ROLE]["signed"]["expires"] = json!("2099-01-01T00:00:00Z");
    });
    // A manifest of the attacker's, listed and all.
    refused("signature", &|paper, entries| {
        let old = manifest_of(paper);
        let text = String::from_utf8(entries.remove(&old).unwrap()).unwrap();
        let forged = text.replace("\"version\":\"1.1.0\"", "\"version\":\"6.6.6\"").into_bytes();
        let digest = Digest::of(&forged).to_string();
        let listing = &mut paper["roles"][ROLE]["signed"]["targets"][manifest_path];
        *listing = json!({ "length": forged.len(), "hashes": { "sha256": digest } });
        entries.insert(format!("targets/production/releases/{digest}.2.json"), forged);
    });
    // The same without touching the role.
    refused("hash-mismatch", &|paper, entries| {
        entries.get_mut(&manifest_of(paper)).unwrap().push(b' ');
    });
    refused("malformed", &|paper, entries| drop(entries.remove(&manifest_of(paper))));
    // A blob.
    refused("hash-mismatch", &|_, entries| {
        let blob = entries.iter_mut().find(|(name, _)| name.starts_with("blobs/")).unwrap().1;
        let middle = blob.len() / 2;
        blob[middle] ^= 1;
    });
    // The signature itself, a stranger's in its place, none at all.
    refused("signature", &|paper, _| {
        paper["roles"][ROLE]["signatures"][0]["sig"] = json!("00");
    });
    // What nobody signed yet: offers of something else, or more than a phone asks for.
    refused("malformed", &|paper, _| {
        let rollout = &mut paper["roles"]["production-rollout"];
        rollout["signatures"] = json!([]);
        rollout["signed"]["x"] = json!("nobody would see this");
    });
    refused("signature", &|paper, _| {
        paper["roles"]["production-rollout"]["signed"]["targets"]["beta/rollout.json"] =
            json!({ "length": 1, "hashes": {} });
    });
    // Another app's.
    refused("wrong-repository", &|paper, _| paper["app"] = json!("com.example.other"));
    fs::write(team.bob.path(&file), b"no archive").unwrap();
    team.bob.refuses(&["sign", &file, "--yes"], "malformed", "pending file");
    // As it was, it is signed.
    fs::write(team.bob.path(&file), &untouched).unwrap();
    team.bob.waits(&["sign", &file, "--yes"]);
}

#[test]
fn a_change_that_builds_on_an_old_version_is_refused() {
    let team = Team::new();
    let file = team.release();
    let kept = fs::read(team.alice.path(&file)).unwrap();
    // A pause meanwhile: the offers that were signed on top of are no longer current.
    fs::remove_file(team.alice.path(&file)).unwrap();
    assert_eq!(team.alice.ok(&["rollout", "production", "--pause"])["published"], true);
    fs::write(team.alice.path(&file), &kept).unwrap();
    team.bob.pull(&team.alice);
    let sign = ["sign", file.as_str(), "--yes"];
    team.bob.refuses(&sign, "stale", "builds on version 2 of production-rollout");
    // Saying that it builds on the current one does not make it the next one.
    altered(&team.bob, &file, |paper, _| {
        let path = team.bob.path("updates/metadata/3.production-rollout.json");
        let digest = Digest::of(&fs::read(path).unwrap());
        paper["builds_on"]["production-rollout"] = json!({ "version": 3, "sha256": digest });
    });
    team.bob.refuses(&sign, "malformed", "next version");
    // Another state of the same number is not the same state.
    fs::write(team.bob.path(&file), &kept).unwrap();
    altered(&team.bob, &file, |paper, _| {
        paper["builds_on"]["production-rollout"] =
            json!({ "version": 3, "sha256": Digest::of(b"another") });
    });
    team.bob.refuses(&sign, "stale", "production-rollout");
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

#[test]
fn nobody_is_asked_to_sign_what_no_phone_reads() {
    // Alice's own machine is the attacker's: everything is signed by her, and well.
    let team = Team::new();
    let file = team.release();
    let sign = |paper: &mut Value| {
        let signed = &paper["roles"][ROLE]["signed"];
        let signature = team.signature("release/production-releases-1", signed);
        paper["roles"][ROLE]["signatures"] = json!([signature]);
    };
    let untouched = fs::read(team.bob.path(&file)).unwrap();
    // Release 1.0.0 under another name.
    let folder = fs::read_dir(team.bob.path("updates/targets/production/releases")).unwrap();
    let first = fs::read_to_string(folder.flatten().next().unwrap().path()).unwrap();
    let forged = first.replace("\"version\":\"1.0.0\"", "\"version\":\"1.0.1\"").into_bytes();
    let refused = |mentions: &str, alter: &dyn Fn(&mut Value)| {
        fs::write(team.bob.path(&file), &untouched).unwrap();
        altered(&team.bob, &file, |paper, entries| {
            alter(paper);
            sign(paper);
            // Whatever is listed now is in the file, too.
            let policy = fs::read_dir(team.bob.path("updates/targets/production")).unwrap();
            let policy = policy.flatten().find(|f| f.path().to_string_lossy().contains("policy"));
            let policy = policy.unwrap();
            let name = policy.file_name().into_string().unwrap();
            entries.insert(format!("targets/beta/{name}"), fs::read(policy.path()).unwrap());
            let forged = forged.clone();
            entries.insert(
                format!("targets/production/releases/{}.1.json", Digest::of(&forged)),
                forged,
            );
        });
        team.bob.refuses(&["sign", &file, "--yes"], "malformed", mentions);
    };
    refused("no phone asks for", &|paper| {
        let listed = &mut paper["roles"][ROLE]["signed"]["targets"];
        listed["beta/policy.json"] = listed["production/policy.json"].clone();
    });
    refused("in place of another manifest", &|paper| {
        let listed = &mut paper["roles"][ROLE]["signed"]["targets"];
        let digest = Digest::of(&forged);
        listed["production/releases/1.json"] =
            json!({ "length": forged.len(), "hashes": { "sha256": digest } });
    });
    refused("delegates to others", &|paper| {
        paper["roles"][ROLE]["signed"]["delegations"] = json!({ "keys": {}, "roles": [] });
    });
    refused("does not know", &|paper| {
        paper["roles"][ROLE]["signed"]["more"] = json!(1);
    });
}

impl Team {
    /// The signature of one of Alice's keys, made without the command.
    fn signature(&self, key: &str, signed: &Value) -> Value {
        use farad::trust::sign::{Ed25519, Signer};
        let pem = fs::read_to_string(self.alice.path(&format!("keys/{key}.pem"))).unwrap();
        let (_, document) = pkcs8::SecretDocument::from_pem(&pem).unwrap();
        let signer = Ed25519::from_pkcs8(document.as_bytes()).unwrap();
        let message = farad::json::canonical(signed).unwrap();
        let sig = farad::hex::encode(&signer.sign(&message).unwrap());
        json!({ "keyid": signer.public().id(), "sig": sig })
    }
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
    let exported: Vec<_> = support::files(&shop.path("out")).into_iter().collect();
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
