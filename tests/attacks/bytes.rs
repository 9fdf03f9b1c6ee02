//! Bytes that are not what they should be: malformed metadata, hostile indexes, missing blobs.

use std::fs;

use farad::digest::Digest;
use farad::release::pack::small_blob;
use farad::seal::Object;
use farad::updater::Via;
use serde_json::{Value, json};

use crate::forge::{APP, DAY, Forge, NOW, TOP, key_id, keys_of, public};
use crate::phone::{Phone, files};
use crate::site::{Answer, Site};

#[test]
fn attack_25_files_that_climb_out_or_stand_twice() {
    let hash = Digest::of(b"");
    let line = |path: &str| format!("{hash} 0 {path}\n");
    let page = {
        let text = "<title>evil</title>";
        format!("{} {} index.html\n", Digest::of(text.as_bytes()), text.len())
    };
    let hostile = [
        line("../evil"),
        line("a/../../evil"),
        line("/evil"),
        line("a//b"),
        line("./a"),
        line("a/."),
        line(""),
        line("a\\..\\evil"),
        line("C:evil"),
        line("nul\0"),
        line(&"x/".repeat(400)),
        line("a") + &line("a"),
        line("a") + &line("a/b"),
    ];
    let sound = sound_index(&page);
    assert!(farad::release::Index::parse(sound.as_bytes()).is_ok(), "{sound}");
    for lines in hostile {
        let index = sound_index(&format!("{lines}{page}"));
        let mut forge = Forge::new();
        let site = Site::new(&forge);
        let phone = Phone::running(&forge, &site);
        let before = files(phone.home.path());
        let (blob, bytes) = small_blob(index.as_bytes(), Object::Index, None).unwrap();
        let release = forge.release_with("production", 2, "evil", |manifest| {
            manifest["index"] = serde_json::to_value(&blob).unwrap();
            manifest["bundle"] = json!({ "identity": Digest::of(index.as_bytes()) });
        });
        forge.files.insert(blob.path(), bytes);
        forge.rollout("production", &[release.offer()]);
        forge.publish();
        site.serve(&forge);
        assert_eq!(phone.refused(), "malformed", "{lines:?}");
        let after = files(phone.home.path());
        let new = after.keys().filter(|path| !before.contains_key(*path));
        let outside: Vec<_> = new.filter(|path| !path.starts_with("storage/trust/")).collect();
        // The policies of a channel are kept beside trust; nothing else is new.
        assert!(outside.is_empty(), "{lines:?}: {outside:?}");
    }
}

/// An index of these lines, sorted or not.
fn sound_index(lines: &str) -> String {
    format!("farad-index 1\n{lines}")
}

#[test]
fn attack_32_a_part_of_the_bundle_withheld() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let second = forge.release("production", 2, "1.1.0");
    let first_only = Forge::new();
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    let new: Vec<_> =
        forge.files.keys().filter(|path| !first_only.files.contains_key(*path)).collect();
    let blobs: Vec<_> = new.iter().filter(|path| path.starts_with("blobs/")).collect();
    assert_eq!(blobs.len(), 3, "index, layout, pack");
    for blob in blobs {
        site.serve(&first_only);
        let phone = Phone::running(&first_only, &site);
        site.serve(&forge);
        for answer in [
            Answer::Status(404),
            Answer::Nothing,
            Answer::Length("9", forge.files[*blob][..4].to_vec()),
            Answer::File(forge.files[*blob][..forge.files[*blob].len() / 2].to_vec()),
            Answer::File(Vec::new()),
        ] {
            site.answer(blob, answer);
            let refused = phone.refused();
            assert!(
                ["http-status", "network", "hash-mismatch"].contains(&refused.as_str()),
                "{refused}"
            );
            phone.wait(DAY);
        }
        site.serve(&forge);
        assert_eq!(phone.sync().unwrap().via, Some(Via::Pack));
        assert_eq!(phone.shows(), "1.1.0");
    }
}

#[test]
fn attack_33_json_that_two_readers_could_read_two_ways() {
    let forge = Forge::new();
    let timestamp = String::from_utf8(forge.files["metadata/timestamp.json"].clone()).unwrap();
    let mut many: Value = serde_json::from_str(&timestamp).unwrap();
    let one = many["signatures"][0].clone();
    many["signatures"] = json!(vec![one; 60]);
    let broken: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        timestamp.replacen('{', "{\"signed\":{},", 1).into_bytes(),
        timestamp.replacen("\"version\":1", "\"version\":1,\"version\":9", 1).into_bytes(),
        timestamp.replacen("\"version\":1", "\"version\":1.0", 1).into_bytes(),
        timestamp.replacen("\"version\":1", "\"version\":1e0", 1).into_bytes(),
        timestamp.replacen("\"version\":1", "\"version\":99999999999999999999", 1).into_bytes(),
        timestamp.replacen("\"version\":1", "\"version\":-1", 1).into_bytes(),
        timestamp.replacen("\"version\":1", "\"version\":\"1\"", 1).into_bytes(),
        [b"\xef\xbb\xbf", timestamp.as_bytes()].concat(),
        [timestamp.as_bytes(), b"{}"].concat(),
        timestamp.as_bytes()[..timestamp.len() - 1].to_vec(),
        timestamp.replacen("timestamp", "\u{fffd}", 1).replace('\u{fffd}', "\u{0}").into_bytes(),
        timestamp.bytes().map(|byte| if byte == b't' { 0xff } else { byte }).collect(),
        "[".repeat(15_000).into_bytes(),
        format!("{}1{}", "{\"signed\":".repeat(1_000), "}".repeat(1_000)).into_bytes(),
        many.to_string().into_bytes(),
    ];
    let site = Site::new(&forge);
    let phone = Phone::new(&forge, &site);
    for bytes in broken {
        site.answer("metadata/timestamp.json", Answer::File(bytes.clone()));
        let refused = phone.refused();
        let known = ["timestamp malformed", "timestamp duplicate-signature", "timestamp signature"];
        assert!(
            known.contains(&refused.as_str()),
            "{refused}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
        assert_eq!(phone.kept_version("timestamp"), 0);
    }
    // Documents that the right keys signed: a thief's rollout, a publisher with a bug.
    for (role, path) in [
        ("production-releases", "production/policy.json"),
        ("production-rollout", "production/rollout.json"),
        ("production-releases", "production/releases/2.json"),
    ] {
        let what = path.rsplit('/').next().unwrap().strip_suffix(".json").unwrap();
        let mut honest = Forge::new();
        let second = honest.release("production", 2, "1.1.0");
        let place = format!("targets/production/releases/{}.2.json", second.manifest);
        let document = match what {
            "2" => String::from_utf8(honest.files[&place].clone()).unwrap(),
            what => document(&honest, role, path).unwrap_or_else(|| panic!("{what}")),
        };
        for broken in [
            String::new(),
            "[]".to_owned(),
            "\u{feff}".to_owned() + &document,
            document.clone() + "{}",
            document.replacen("\"schema\":1", "\"schema\":1,\"schema\":1", 1),
            document.replacen("\"schema\":1", "\"schema\":1.0", 1),
            document.replacen("\"schema\":1", "\"schema\":-1", 1),
            document.replacen("\"schema\":1", "\"schema\":\"1\"", 1),
            document.replacen("\"requires\":[]", &format!("\"requires\":{}", "[".repeat(99)), 1),
            document.replacen("\"channel\":\"production\"", "\"channel\":\"../../evil\"", 1),
        ] {
            let mut forge = honest.clone();
            let site = Site::new(&forge);
            forge.publish();
            site.serve(&forge);
            let phone = Phone::running(&forge, &site);
            forge.put(role, path, broken.as_bytes());
            if what == "2" {
                let manifest = Digest::of(broken.as_bytes());
                let offer = crate::forge::offer(&json!({ "sequence": 2, "manifest": manifest }));
                forge.rollout("production", &[offer]);
            }
            forge.publish();
            site.serve(&forge);
            assert_eq!(phone.refused(), "malformed", "{what}: {broken}");
        }
    }
    // A million signatures do not even arrive.
    let flood = vec![b' '; 17 << 10];
    site.answer("metadata/timestamp.json", Answer::File(flood));
    assert_eq!(phone.refused(), "too-large");
}

/// The text of a document as a role lists it.
fn document(forge: &Forge, role: &str, path: &str) -> Option<String> {
    let digest = forge.roles[role]["targets"][path]["hashes"]["sha256"].as_str()?;
    let (folder, file) = path.rsplit_once('/')?;
    let bytes = forge.files.get(&format!("targets/{folder}/{digest}.{file}"))?;
    String::from_utf8(bytes.clone()).ok()
}

#[test]
fn attack_35_metadata_of_another_app_under_the_same_keys() {
    let other = {
        let mut other = Forge::empty("com.example.other", NOW);
        let release = other.release("production", 9, "9.0.0");
        other.rollout("production", &[release.offer()]);
        other
    };
    let mut theirs = other.clone();
    theirs.publish();
    let site = Site::new(&theirs);
    let fresh = Phone::new(&theirs, &site);
    assert_eq!(fresh.refused(), "policy wrong-repository");

    // Document by document, smuggled into the right repository by the holder of its online key.
    let mut forge = Forge::new();
    site.serve(&forge);
    let phone = Phone::running(&forge, &site);
    let path = "production/rollout.json";
    forge.roles.get_mut("production-rollout").unwrap()["targets"][path] =
        other.roles["production-rollout"]["targets"][path].clone();
    forge.files.extend(other.files.into_iter().filter(|(path, _)| path.starts_with("targets/")));
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.refused(), "rollout wrong-repository");
    // A manifest of another app, or of another channel, that the releases' keys signed by mistake.
    for (field, value) in [("app", "com.example.other"), ("channel", "beta")] {
        let mut forge = Forge::new();
        site.serve(&forge);
        let phone = Phone::running(&forge, &site);
        let wrong = forge.release_with("production", 2, "1.1.0", |manifest| {
            manifest[field] = json!(value);
        });
        forge.rollout("production", &[wrong.offer()]);
        forge.publish();
        site.serve(&forge);
        assert_eq!(phone.refused(), "manifest wrong-repository");
    }
}

#[test]
fn attack_36_a_proxy_in_the_middle_without_tls() {
    // Everything here travels over plain http. The proxy has a whole repository of its own, with
    // the same names and higher numbers, signed by its own keys.
    let forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let mut evil = Forge::empty(APP, NOW);
    for (role, name) in TOP.into_iter().zip(["evil-1", "evil-2", "evil-3", "evil-4"]) {
        let root = evil.role("root");
        root["keys"][key_id(name)] = public(name);
        root["roles"][role] = keys_of(&[name], 1);
        evil.signers.insert(role.to_owned(), vec![name]);
    }
    let release = evil.release("production", 5, "evil");
    evil.rollout("production", &[release.offer()]);
    for _ in 0..9 {
        evil.publish();
    }
    evil.next_root(&["evil-1"], |_| {});
    site.serve(&evil);
    assert_eq!(phone.refused(), "root signature");
    site.remove("metadata/2.root.json");
    assert_eq!(phone.refused(), "timestamp signature");
    let fresh = Phone::new(&forge, &site);
    assert_eq!(fresh.refused(), "timestamp signature");
    assert!(fs::read_dir(fresh.storage().join("bundles")).is_err());
}
