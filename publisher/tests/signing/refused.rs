//! What nobody gets signed.

use std::fs;

use farad::digest::Digest;
use serde_json::{Value, json};

use crate::team::{Entries, ROLE, Team, altered};

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
    // That it cannot be signed any more is told by whatever meets it.
    let waiting = team.alice.ok(&["status"])["waiting"].clone();
    assert_eq!(waiting, json!([{ "file": file, "signable": false }]));
    let again = ["release", "web-1.1.0", "--channel", "production", "--version", "1.1.1"];
    team.alice.refuses(&again, "exists", "can no longer be signed");
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
    refused("later than", &|paper| {
        paper["roles"][ROLE]["signed"]["expires"] = json!("2099-01-01T00:00:00Z");
    });
    refused("does not list sequence 1, which is offered", &|paper| {
        drop(paper["roles"].as_object_mut().unwrap().remove("production-rollout"));
        drop(paper["builds_on"].as_object_mut().unwrap().remove("production-rollout"));
        let listed = paper["roles"][ROLE]["signed"]["targets"].as_object_mut().unwrap();
        drop(listed.remove("production/releases/1.json"));
    });
    refused("delegates to others", &|paper| {
        paper["roles"][ROLE]["signed"]["delegations"] = json!({ "keys": {}, "roles": [] });
    });
    refused("does not know", &|paper| {
        paper["roles"][ROLE]["signed"]["more"] = json!(1);
    });
    refused("says more of production/releases/2.json", &|paper| {
        let listed = &mut paper["roles"][ROLE]["signed"]["targets"];
        listed["production/releases/2.json"]["custom"] = json!({ "note": "nobody sees this" });
    });
    fs::write(team.bob.path(&file), &untouched).unwrap();
    altered(&team.bob, &file, |paper, _| {
        paper["roles"][ROLE]["signed"]["expires"] = json!("2020-01-01T00:00:00Z");
        sign(paper);
    });
    team.bob.refuses(&["sign", &file, "--yes"], "expired", "make the change anew");
    // Two papers, of which other programs show the first.
    fs::write(team.bob.path(&file), &untouched).unwrap();
    altered(&team.bob, &file, |paper, entries| {
        entries.insert("pending.jsop".to_owned(), serde_json::to_vec(paper).unwrap());
    });
    let mut bytes = fs::read(team.bob.path(&file)).unwrap();
    while let Some(at) = bytes.windows(12).position(|bytes| bytes == b"pending.jsop") {
        bytes[at + 11] = b'n';
    }
    fs::write(team.bob.path(&file), bytes).unwrap();
    team.bob.refuses(&["sign", &file, "--yes"], "malformed", "stands twice");
}

#[test]
fn names_that_nobody_signed_write_over_nothing_that_is_shown() {
    let team = Team::new();
    let file = team.release();
    let config = team.bob.path("farad.toml");
    let untouched = fs::read_to_string(&config).unwrap();
    assert!(untouched.contains("\"production-releases-1\""));
    for forged in ["\\u001b[2J\\u001b[H+ a typo", "bob\\nchanges nothing", "\\u202eecila", ""] {
        let holder = untouched.replace("\"production-releases-1\"", &format!("\"{forged}\""));
        let key = format!("key = \"{}\"", "a7".repeat(32));
        let recipient = format!("{untouched}\n[recipients.\"{forged}\"]\n{key}\n");
        for text in [holder, recipient] {
            assert_ne!(text, untouched);
            fs::write(&config, text).unwrap();
            for args in
                [["sign", &file].as_slice(), &["key", "list"], &["key", "recipient", "list"]]
            {
                let said = team.bob.run(args);
                assert_eq!(said.status.code(), Some(1));
                let said = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
                assert!(said.contains("[config-invalid]"), "{said}");
                assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
            }
        }
    }
    fs::write(&config, untouched).unwrap();
    let holder = ["key", "add", "production", "--no-passphrase", "--holder", "\u{202e}ecila"];
    team.alice.refuses(&holder, "bad-name", "");
    // Nor does a file's name.
    let web = team.alice.web("turned", 3);
    fs::write(web.join("sj.\u{202e}gnp.exe"), "").unwrap();
    let release = ["release", "turned", "--channel", "production", "--version", "1.2.0"];
    team.alice.refuses(&release, "unsafe-path", "turns the order");
}
