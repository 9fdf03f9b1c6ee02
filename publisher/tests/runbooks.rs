//! The runbooks of `docs/runbooks.md`, with the commands that stand there: read from the page and run
//! in order, each block on the machine it names, with phones that live through all of it.
//!
//! What the page says in prose (send a file, upload, fetch a stick) the test does between the blocks.

// A build for release has no clock but the system's (src/clock.rs).
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use farad_publisher::serve::{Faults, Server};
use serde_json::{Value, json};
use support::page::{Section, sections};
use support::{Device, Shop, files};

const DAY: u64 = 86_400;
const PASSPHRASES: &str = "root: first of all\nrecovery: last of all\nrelease: in between\n\
                           online: every day\nbob: bob's own\ncarol: carol's own\n";

const PAGE: &str = "runbooks.md";

/// A section of the page that is gone through.
struct Runbook(Section);

impl Runbook {
    fn open(title: &str) -> Self {
        Self(Section::open(PAGE, title))
    }

    /// Runs the next block, which must be for this machine (no name: the only one).
    fn next(&mut self, machine: &str, world: &World, on: &Shop) -> String {
        on.sh(&self.0.next(machine), &world.variables())
    }
}

/// The publisher's machine after the ceremony, two media, the hosting, and a phone whose app was
/// built that day.
struct World {
    shop: Shop,
    media: tempfile::TempDir,
    hosting: tempfile::TempDir,
    url: std::sync::Mutex<String>,
}

impl World {
    /// As the ceremony leaves it, with release 1.0.0.
    fn new() -> Self {
        static CEREMONY: OnceLock<World> = OnceLock::new();
        let made = CEREMONY.get_or_init(|| {
            let mut world = Self::empty();
            let mut runbook = Runbook::open("Key ceremony");
            runbook.next("", &world, &world.shop);
            world.shop.web("dist", 1);
            runbook.next("", &world, &world.shop);
            fs::copy(world.shop.path("farad-root.json"), world.shop.path("shipped.json")).unwrap();
            world.shop.passphrases = None;
            world
        });
        let world = Self::empty();
        copy(made.shop.home.path(), world.shop.home.path());
        copy(made.media.path(), world.media.path());
        world
    }

    fn empty() -> Self {
        let mut shop = Shop::empty();
        let (media, hosting) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        support::secret(&media.path().join("passphrases"), PASSPHRASES);
        shop.passphrases = Some(media.path().join("passphrases"));
        Self { shop, media, hosting, url: String::new().into() }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let place = |name: &str| self.media.path().join(name).to_str().unwrap().to_owned();
        vec![
            ("STICK", place("stick")),
            ("SAFE", place("safe")),
            ("URL", self.url.lock().unwrap().clone()),
        ]
    }

    /// The file of the keys on a medium.
    fn medium(&self, path: &str) -> PathBuf {
        self.media.path().join(path)
    }

    /// Another person's machine.
    fn colleague(&self) -> Shop {
        let mut shop = Shop::empty();
        shop.passphrases.clone_from(&self.shop.passphrases);
        shop.pull(&self.shop);
        fs::create_dir_all(shop.path("keys")).unwrap();
        shop
    }

    fn serve(&self) -> Server {
        let server = Server::start(self.hosting.path(), 0, Faults::default()).unwrap();
        *self.url.lock().unwrap() = server.url();
        server
    }

    /// Brings a repository to the hosting, in place of what is there.
    fn upload(&self, from: &Shop) {
        for old in fs::read_dir(self.hosting.path()).unwrap() {
            fs::remove_dir_all(old.unwrap().path()).unwrap();
        }
        for (path, bytes) in from.published() {
            write(&self.hosting.path().join(path), &bytes);
        }
    }

    /// A phone whose app was built after the ceremony.
    fn phone(&self, server: &Server) -> Device<'_> {
        let mut phone = self.shop.device(server, "phone");
        phone.more = ["--root", "shipped.json"].map(str::to_owned).to_vec();
        phone
    }

    /// A new release reaches the phone, and one whose app is built today.
    fn releases_reach_phones(&self, server: &Server, version: &str) {
        self.shop.web("dist", 99);
        self.shop.ok(&["release", "dist", "--channel", "production", "--version", version]);
        self.upload(&self.shop);
        assert_eq!(self.phone(server).update()["version"], version);
        assert_eq!(self.shop.device(server, "fresh").update()["version"], version);
        self.shop.ok(&["verify", "updates"]);
        let status = self.shop.ok(&["status"]);
        assert_eq!(status["warnings"], serde_json::json!([]), "no key lies where it should not");
        assert!(!self.shop.path("keys/root").exists());
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Copies a folder as `cp -R` does: modes are kept.
fn copy(from: &Path, to: &Path) {
    for path in files(from).into_keys() {
        let (from, to) = (from.join(&path), to.join(&path));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

#[test]
fn every_runbook_is_tried() {
    let tests = include_str!("runbooks.rs");
    let sections = sections(PAGE);
    assert!(sections.len() >= 9);
    for (title, _) in sections {
        assert!(tests.contains(&format!("Runbook::open(\"{title}\")")), "{title}");
    }
}

#[test]
fn key_ceremony() {
    let world = World::new();
    let stick = files(&world.medium("stick"));
    assert!(stick.contains_key(Path::new("root/root.pem")));
    assert!(!stick.keys().any(|file| file.to_string_lossy().contains("recovery")));
    let safe: Vec<_> = files(&world.medium("safe")).into_keys().collect();
    let kept = ["com.example.shop.root.json", "recovery.pem", "recovery.pub"];
    assert_eq!(safe, kept.map(|file| Path::new("root").join(file)));
    let server = world.serve();
    world.upload(&world.shop);
    assert_eq!(world.phone(&server).update()["version"], "1.0.0");
    world.releases_reach_phones(&server, "1.1.0");
}

#[test]
fn several_signers() {
    let world = World::new();
    let (alice, server) = (&world.shop, world.serve());
    let (bob, carol) = (world.colleague(), world.colleague());
    let mut runbook = Runbook::open("Several signers");
    runbook.next("bob", &world, &bob);
    runbook.next("carol", &world, &carol);
    for (shop, name) in [(&bob, "bob.pub"), (&carol, "carol.pub")] {
        fs::copy(shop.path(&format!("keys/release/{name}")), alice.path(name)).unwrap();
    }
    let said = runbook.next("alice", &world, alice);
    assert!(said.contains("Not published yet"), "{said}");
    bob.pull(alice);
    runbook.next("bob", &world, &bob);
    alice.pull(&bob);
    let said = runbook.next("alice", &world, alice);
    assert!(said.contains("ublished."), "{said}");
    world.upload(alice);
    assert_eq!(world.phone(&server).update()["version"], "1.0.0");

    alice.web("dist", 2);
    runbook.next("alice", &world, alice);
    world.upload(alice);
    assert_eq!(world.phone(&server).does("sync")["status"], "up-to-date", "one is not enough");
    carol.pull(alice);
    let said = runbook.next("carol", &world, &carol);
    assert!(said.contains("+ release 1.1.0") && said.contains("~ index.html"), "{said}");
    alice.pull(&carol);
    runbook.next("alice", &world, alice);
    world.upload(alice);
    assert_eq!(world.phone(&server).update()["version"], "1.1.0");

    let said = runbook.next("alice", &world, alice);
    assert!(said.contains("production-releases has 1 of 2 signatures; missing: bob"), "{said}");
    bob.pull(alice);
    runbook.next("bob", &world, &bob);
    alice.pull(&bob);
    runbook.next("alice", &world, alice);
    world.upload(alice);
    assert_eq!(world.phone(&server).does("sync")["status"], "up-to-date");
    carol.pull(alice);
    let refresh = ["refresh", "production"];
    carol.refuses(&refresh, "key-missing", "production-releases");
    alice.ok(&["verify", "updates"]);
}

#[test]
fn rotation() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    let said = Runbook::open("Rotation").next("", &world, &world.shop);
    let unused = said.lines().find_map(|line| line.strip_prefix("No role names these: ")).unwrap();
    let unused: Vec<_> = unused.split(", ").collect();
    assert_eq!(unused.len(), 4, "{unused:?}");
    for file in unused {
        fs::remove_file(world.shop.path("keys").join(file)).unwrap();
        fs::remove_file(world.medium("stick").join(file)).unwrap();
    }
    world.releases_reach_phones(&server, "1.1.0");
    // The stick has what there is now.
    fs::remove_dir_all(world.shop.path("keys/online")).unwrap();
    copy(&world.medium("stick/online"), &world.shop.path("keys/online"));
    world.releases_reach_phones(&server, "1.2.0");
}

#[test]
fn lost_key() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    fs::remove_dir_all(world.medium("stick")).unwrap();
    let mut runbook = Runbook::open("A key is lost");
    runbook.next("", &world, &world.shop);
    world.releases_reach_phones(&server, "1.1.0");
    // And then the recovery key, which the new stick replaces.
    fs::remove_dir_all(world.medium("safe/root")).unwrap();
    fs::create_dir_all(world.medium("safe/root")).unwrap();
    runbook.next("", &world, &world.shop);
    assert!(world.medium("safe/root/recovery.pem").exists());
    world.releases_reach_phones(&server, "1.2.0");
}

#[test]
fn forgotten_passphrase() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    let remembered = |lines: &str| fs::write(world.medium("passphrases"), lines).unwrap();
    let wrong = PASSPHRASES.replace("in between", "was it this");
    remembered(&wrong);
    let args = ["release", "dist", "--channel", "production", "--version", "1.1.0"];
    world.shop.refuses(&args, "wrong-passphrase", "production-releases");
    let mut runbook = Runbook::open("A passphrase is forgotten");
    runbook.next("", &world, &world.shop);
    world.releases_reach_phones(&server, "1.1.0");
    remembered(&wrong.replace("first of all", "or was it that"));
    runbook.next("", &world, &world.shop);
    world.releases_reach_phones(&server, "1.2.0");
}

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

#[test]
fn stolen_laptop() {
    let world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    let phone = world.phone(&server);
    phone.update();
    let thief = thief(&world, &[]);
    thief.web("evil", 666);
    thief.ok(&["release", "evil", "--channel", "production", "--version", "6.6.6"]);
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
    let thief = thief(&world, &[]);
    thief.web("evil", 666);
    thief.ok(&["release", "evil", "--channel", "production", "--version", "6.6.6"]);
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
    world.shop.ok(&["release", "dist", "--channel", "production", "--version", "1.1.0"]);
    world.upload(&world.shop);
    let phone = world.phone(&server);
    assert_eq!(phone.update()["version"], "1.1.0");
    let thief = thief(&world, &["keys/release"]);
    let release = ["release", "dist", "--channel", "production", "--version", "6.6.6"];
    let waits = thief.ok(&release);
    assert_eq!(waits["published"], false, "no code without a release key");
    thief.ok(&["rollback", "production"]);
    thief.ok(&["rollout", "production", "--pause"]);
    thief.ok(&["rollout", "production", "--resume"]);
    world.upload(&thief);
    assert_eq!(phone.update()["version"], "1.0.0", "the thief chooses among what is listed");

    Runbook::open("The server is stolen").next("", &world, &world.shop);
    world.upload(&world.shop);
    assert_eq!(phone.update()["version"], "1.1.0");
    world.releases_reach_phones(&server, "1.2.0");
}

fn today() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn root_about_to_expire() {
    let mut world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    // 60 days before root's end; the online keys were refreshed every day, the offline ones once.
    world.shop.now = Some(today() + 350 * DAY);
    copy(&world.medium("stick/root"), &world.shop.path("keys/root"));
    world.shop.ok(&["refresh", "targets", "production"]);
    fs::remove_dir_all(world.shop.path("keys/root")).unwrap();
    world.shop.now = Some(today() + 670 * DAY);
    world.shop.ok(&["refresh"]);
    let status = world.shop.run(&["status"]);
    let said = String::from_utf8(status.stdout).unwrap();
    let root = said.lines().find(|line| line.starts_with("root ")).unwrap();
    assert!(root.contains("soon: its key has to be fetched"), "{root}");
    Runbook::open("Root is about to expire").next("", &world, &world.shop);
    // A year after the old root's end, with the rest alive.
    world.shop.now = Some(today() + (731 + 200) * DAY);
    world.shop.ok(&["refresh"]);
    world.releases_reach_phones(&server, "1.1.0");
}

#[test]
fn everything_expired() {
    let mut world = World::new();
    let server = world.serve();
    world.upload(&world.shop);
    world.phone(&server).update();
    world.shop.now = Some(today() + 800 * DAY);
    let phone = world.phone(&server);
    assert_eq!(phone.fails("sync").0, "expired");
    assert_eq!(phone.does("boot")["version"], "1.0.0", "what is installed runs");
    assert_eq!(world.shop.run(&["status"]).status.code(), Some(1));
    Runbook::open("Everything has expired").next("", &world, &world.shop);
    world.upload(&world.shop);
    assert_eq!(world.phone(&server).does("sync")["status"], "up-to-date");
    world.releases_reach_phones(&server, "1.1.0");
}
