//! What is stolen: a laptop with everything on it, the last number there is, a server.

use std::fs;

use crate::support::Shop;
use serde_json::{Value, json};

use crate::world::{Runbook, World, copy};

/// What a thief has who copied the machine: the project, its keys, and the passphrases.
fn thief(world: &World, without: &[&str]) -> Shop {
    let mut thief = Shop::empty();
    copy(world.shop.home.path(), thief.home.path());
    for folder in without {
        fs::remove_dir_all(thief.path(folder)).unwrap();
    }
    thief.passphrases.clone_from(&world.shop.passphrases);
    thief
}

/// The same, who has released 6.6.6 by it.
fn releasing_thief(world: &World) -> Shop {
    let thief = thief(world, &[]);
    thief.web("evil", 666);
    thief.ok(&["release", "evil", "--channel", "production", "--version", "6.6.6"]);
    thief
}

#[test]
fn stolen_laptop() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    let phone = world.phone(&server);
    phone.update();
    let thief = releasing_thief(&world);
    // And far ahead with the numbers.
    for percent in ["50", "70", "100"] {
        thief.ok(&["rollout", "production", "--percent", percent]);
    }
    world.upload(&thief);
    assert_eq!(phone.update()["version"], "6.6.6");

    let mut runbook = Runbook::open("A laptop is stolen");
    let said = runbook.next("", &world, &world.shop);
    let known = said.lines().last().unwrap();
    assert!(said.contains("\"sequence\":2") && !known.contains("6.6.6"), "{said}");
    runbook.next("", &world, &world.shop);
    world.shop.web("dist", 3);
    runbook.next("", &world, &world.shop);
    world.upload(&world.shop);
    assert_eq!(phone.update()["version"], "1.0.1");
    assert_eq!(phone.does("boot")["version"], "1.0.1");
    let releases = phone.does("state")["releases"].as_array().unwrap().clone();
    assert!(!releases.iter().any(|release| release["version"] == "6.6.6"), "{releases:?}");
    // What the thief signs now reaches nobody, not even with the hosting.
    thief.ok(&["rollout", "production", "--pause"]);
    world.upload(&thief);
    let (code, _) = phone.fails("sync");
    assert!(["signature", "root-version", "missing"].contains(&code.as_str()), "{code}");
    assert_eq!(phone.does("boot")["version"], "1.0.1");
    world.releases_reach_phones(&server, "1.2.0");
}

/// Makes the thief's release, sequence 2, the last one that there can be, and the floor as high: what no
/// command would, signed by the stolen keys.
fn with_the_last_number(thief: &Shop, last: u64) {
    use farad::digest::Digest;
    use farad::json::{canonical, compact};
    use farad::trust::sign::{Ed25519, Signer};

    let updates = thief.path("updates");
    let load = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(updates.join(path)).unwrap()).unwrap()
    };
    let sign = |key: &str, passphrase: &str, signed: &Value| -> Vec<u8> {
        let pem = fs::read_to_string(thief.path(&format!("keys/{key}.pem"))).unwrap();
        let (_, sealed) = pkcs8::SecretDocument::from_pem(&pem).unwrap();
        let sealed = pkcs8::EncryptedPrivateKeyInfo::try_from(sealed.as_bytes()).unwrap();
        let key = Ed25519::from_pkcs8(sealed.decrypt(passphrase).unwrap().as_bytes()).unwrap();
        let sig = farad::hex::encode(&key.sign(&canonical(signed).unwrap()).unwrap());
        let signatures = json!([{ "keyid": key.public().id(), "sig": sig }]);
        compact(&json!({ "signatures": signatures, "signed": signed })).unwrap()
    };
    let listing =
        |bytes: &[u8]| json!({ "length": bytes.len(), "hashes": { "sha256": Digest::of(bytes) } });
    // Lists an altered document in place of another one.
    let alter = |role: &mut Value, from: &str, to: &str, alter: &dyn Fn(&mut Value)| -> Digest {
        let place = |path: &str, digest: &str| {
            let (folder, file) = path.rsplit_once('/').unwrap();
            format!("targets/{folder}/{digest}.{file}")
        };
        let old = role["targets"].as_object_mut().unwrap().remove(from).unwrap();
        let mut document = load(&place(from, old["hashes"]["sha256"].as_str().unwrap()));
        alter(&mut document);
        let bytes = compact(&document).unwrap();
        let digest = Digest::of(&bytes);
        fs::write(updates.join(place(to, &digest.to_string())), &bytes).unwrap();
        role["targets"][to] = listing(&bytes);
        digest
    };

    let mut timestamp = load("metadata/timestamp.json")["signed"].take();
    let version = timestamp["meta"]["snapshot.json"]["version"].as_u64().unwrap();
    let mut snapshot = load(&format!("metadata/{version}.snapshot.json"))["signed"].take();
    let current = |role: &str| {
        let version = &snapshot["meta"][format!("{role}.json")]["version"];
        load(&format!("metadata/{version}.{role}.json"))["signed"].take()
    };
    let (mut releases, mut rollout) =
        (current("production-releases"), current("production-rollout"));
    let (from, to) = ("production/releases/2.json", format!("production/releases/{last}.json"));
    let manifest = alter(&mut releases, from, &to, &|manifest| manifest["sequence"] = json!(last));
    let policy = "production/policy.json";
    alter(&mut releases, policy, policy, &|policy| policy["floor"] = json!(last));
    let offers = "production/rollout.json";
    alter(&mut rollout, offers, offers, &|rollout| {
        rollout["offers"][0]["release"] = json!({ "sequence": last, "manifest": manifest });
    });
    let publish = |role: &mut Value, name: &str, key: &str, passphrase: &str| -> Value {
        let version = role["version"].as_u64().unwrap() + 1;
        role["version"] = json!(version);
        let bytes = sign(key, passphrase, role);
        let file = match name {
            "timestamp" => "timestamp.json".to_owned(),
            name => format!("{version}.{name}.json"),
        };
        fs::write(updates.join("metadata").join(file), &bytes).unwrap();
        let mut listed = listing(&bytes);
        listed["version"] = json!(version);
        listed
    };
    let (release, online) = ("in between", "every day");
    snapshot["meta"]["production-releases.json"] =
        publish(&mut releases, "production-releases", "release/production-releases", release);
    snapshot["meta"]["production-rollout.json"] =
        publish(&mut rollout, "production-rollout", "online/production-rollout", online);
    timestamp["meta"]["snapshot.json"] =
        publish(&mut snapshot, "snapshot", "online/snapshot", online);
    publish(&mut timestamp, "timestamp", "online/timestamp", online);
}

#[test]
fn a_thief_takes_the_last_number_there_is() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    let phone = world.phone(&server);
    phone.update();
    let thief = releasing_thief(&world);
    let last = i64::MAX.unsigned_abs();
    with_the_last_number(&thief, last);
    world.upload(&thief);
    assert_eq!(phone.update()["version"], "6.6.6");

    let mut runbook = Runbook::open("A laptop is stolen");
    let said = runbook.next("", &world, &world.shop);
    assert!(said.contains(&format!("\"sequence\":{last}")), "{said}");
    runbook.next("", &world, &world.shop);
    world.shop.web("dist", 3);
    let revoke = ["revoke", "--sequence", &last.to_string(), "--channel", "production"];
    world.shop.refuses(&revoke, "not-released", "--far");
    let block = runbook.0.next("").replace("--sequence 2 ", &format!("--sequence {last} --far "));
    assert!(block.contains("--far"), "{block}");
    world.shop.sh(&block, &world.variables());
    world.upload(&world.shop);
    assert_eq!(phone.update()["version"], "1.0.1");
    let releases = phone.does("state")["releases"].as_array().unwrap().clone();
    assert!(!releases.iter().any(|release| release["version"] == "6.6.6"), "{releases:?}");
    // Numbers go on where they were, also over the channel's removal.
    let history = world.shop.ok(&["history", "production"]);
    let sequences: Vec<_> = history["history"].as_array().unwrap().iter().collect();
    assert!(sequences.iter().any(|step| step["sequence"] == 2), "{history}");
    world.releases_reach_phones(&server, "1.2.0");
    copy(&world.medium("stick/root"), &world.shop.path("keys/root"));
    world.shop.ok(&["channel", "remove", "production"]);
    world.shop.ok(&["channel", "add", "production", "--no-passphrase"]);
    fs::remove_dir_all(world.shop.path("keys/root")).unwrap();
    world.releases_reach_phones(&server, "1.3.0");
}

#[test]
fn stolen_server() {
    let world = World::new();
    let server = world.serve();
    world.shop.web("dist", 2);
    let release = ["release", "dist", "--channel", "production", "--version"];
    world.shop.ok(&[&release[..], &["1.1.0"]].concat());
    // And one that is on its way to a part of the phones, this one not among them.
    world.shop.web("dist", 3);
    world.shop.ok(&[&release[..], &["1.1.1", "--rollout", "1%"]].concat());
    world.shop.ok(&["rollout", "production", "--percent", "0"]);
    world.upload(&world.shop);
    let phone = world.phone(&server);
    assert_eq!(phone.update()["version"], "1.1.0");
    let thief = thief(&world, &["keys/release"]);
    let waits = thief.ok(&[&release[..], &["6.6.6"]].concat());
    assert_eq!(waits["published"], false, "no code without a release key");
    thief.ok(&["rollback", "production", "--to", "1.0.0"]);
    thief.ok(&["rollout", "production", "--pause"]);
    thief.ok(&["rollout", "production", "--resume"]);
    world.upload(&thief);
    assert_eq!(phone.update()["version"], "1.0.0", "the thief chooses among what is listed");

    Runbook::open("The server is stolen").next("", &world, &world.shop);
    world.upload(&world.shop);
    assert_eq!(phone.update()["version"], "1.1.0");
    let offers = world.shop.ok(&["status"])["channels"][0]["offers"].take();
    let shares: Vec<_> = offers.as_array().unwrap().iter().map(|offer| &offer["share"]).collect();
    assert_eq!(shares, [0, 10_000], "what was held back stays so");
    world.releases_reach_phones(&server, "1.2.0");
}

#[test]
fn a_stranger_who_can_write_to_the_project_has_no_use_of_the_recovery_key() {
    for (title, block) in [("A key is lost", 0), ("A passphrase is forgotten", 1)] {
        let world = World::new();
        // Of the publisher's machine nothing is left but the folder that is shared.
        fs::remove_dir_all(world.shop.path("keys")).unwrap();
        let stranger = Shop::new();
        world.shop.pull(&stranger);
        let mut page = Runbook::open(title);
        let blocks = [page.0.next(""), page.0.next("")];
        let (fetched, _) = blocks[block].split_once("farad key rotate root").unwrap();
        world.shop.sh(fetched, &world.variables());
        assert!(world.shop.path("keys/root/recovery.pem").exists(), "{fetched}");
        let rotate = ["key", "rotate", "root", "--key", "root"];
        world.shop.refuses(&rotate, "root-differs", "com.example.shop.root.json");
    }
}
