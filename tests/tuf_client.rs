//! The example `tuf_client` keeps to the command line that the official conformance suite wants:
//! exit codes, requests, and what lies in its folders afterwards.

#![cfg(all(feature = "publish", feature = "net"))]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise; the repositories are those of the attacks"
)]

mod example;
#[path = "attacks/forge.rs"]
mod forge;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use example::Client;
use farad::host::{Clock as _, System};
use farad_publisher::serve::{Faults, Server};
use forge::{APP, Forge};

const TARGET: &str = "production/rollout.json";

/// A repository of this moment (the example reads the real clock), its server and a client.
struct Place {
    forge: Forge,
    folder: tempfile::TempDir,
    server: Server,
    client: Client,
    asked: usize,
}

impl Place {
    fn new() -> Self {
        let mut forge = Forge::empty(APP, System.now().seconds());
        forge.rollout("production", &[]);
        forge.publish();
        let folder = tempfile::tempdir().unwrap();
        write(&forge, folder.path());
        let server = Server::start(folder.path(), 0, Faults::default()).unwrap();
        let client = Client::new(server.url());
        let anchor = folder.path().join("anchor.json");
        fs::write(&anchor, forge.anchor()).unwrap();
        assert!(client.init(&anchor));
        Self { forge, folder, server, client, asked: 0 }
    }

    fn serve(&self) {
        write(&self.forge, self.folder.path());
    }

    /// Paths that were asked for since the last call.
    fn asked(&mut self) -> Vec<String> {
        let all = self.server.requests();
        let new = all[self.asked..].to_vec();
        self.asked = all.len();
        new.iter().map(|line| line.strip_prefix("GET /").unwrap().to_owned()).collect()
    }

    fn served(&self, path: &str) -> Vec<u8> {
        self.forge.files[path].clone()
    }
}

fn write(forge: &Forge, folder: &Path) {
    for (path, bytes) in &forge.files {
        let place = folder.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
}

#[test]
fn init_keeps_the_root_and_asks_for_nothing() {
    let mut place = Place::new();
    let root = BTreeMap::from([("root.json".to_owned(), place.forge.anchor())]);
    assert_eq!(place.client.trusted(), root);
    assert_eq!(place.asked(), [""; 0]);
}

#[test]
fn a_fresh_refresh_is_four_requests_and_keeps_the_bytes_that_came() {
    let mut place = Place::new();
    assert!(place.client.refresh());
    let fresh = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"];
    assert_eq!(place.asked(), fresh.map(|file| format!("metadata/{file}")));
    let expected = [
        ("root.json", "metadata/1.root.json"),
        ("timestamp.json", "metadata/timestamp.json"),
        ("snapshot.json", "metadata/1.snapshot.json"),
        ("targets.json", "metadata/1.targets.json"),
    ];
    let expected = expected.map(|(name, path)| (name.to_owned(), place.served(path)));
    assert_eq!(place.client.trusted(), BTreeMap::from(expected));
    // Nothing new: the next root is asked for all the same.
    assert!(place.client.refresh());
    assert_eq!(place.asked(), ["metadata/2.root.json", "metadata/timestamp.json"]);
    // A new root is kept under the old name.
    place.forge.next_root(&["root"], |_| {});
    place.serve();
    assert!(place.client.refresh());
    assert_eq!(place.client.trusted()["root.json"], place.served("metadata/2.root.json"));
}

#[test]
fn a_target_is_downloaded_once() {
    let mut place = Place::new();
    let digest = place.forge.roles["production-rollout"]["targets"][TARGET]["hashes"]["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = format!("targets/production/{digest}.rollout.json");
    assert!(place.client.download(&[TARGET]));
    let asked = place.asked();
    assert_eq!(asked[4..], ["metadata/1.production-rollout.json", &file]);
    assert_eq!(place.client.target(TARGET), Some(place.served(&file)));
    let kept = &place.client.trusted()["production-rollout.json"];
    assert_eq!(*kept, place.served("metadata/1.production-rollout.json"));
    assert!(place.client.download(&[TARGET, TARGET]));
    assert_eq!(place.asked(), ["metadata/2.root.json", "metadata/timestamp.json"]);
}

#[test]
fn what_fails_is_exit_code_one_and_takes_nothing_back() {
    let mut place = Place::new();
    assert!(place.client.download(&[TARGET]));
    let good = (place.client.trusted(), place.client.target(TARGET));
    let kept = |place: &Place| (place.client.trusted(), place.client.target(TARGET));
    // The first is there already, the second is nowhere, the third is not tried.
    place.asked();
    assert!(!place.client.download(&[TARGET, "production/nowhere", "production/policy.json"]));
    assert_eq!(place.client.target("production/policy.json"), None);
    assert_eq!(place.asked(), ["metadata/2.root.json", "metadata/timestamp.json"]);
    assert_eq!(kept(&place), good);
    // Metadata by strangers, metadata that is none, and nobody to ask.
    place.forge.signers.insert("timestamp".to_owned(), vec!["stranger"]);
    place.forge.publish();
    place.serve();
    assert!(!place.client.refresh());
    fs::write(place.folder.path().join("metadata/timestamp.json"), "no JSON").unwrap();
    assert!(!place.client.refresh());
    let nobody = Client { home: place.client.home, url: "http://127.0.0.1:9".to_owned() };
    assert!(!nobody.refresh());
    assert_eq!((nobody.trusted(), nobody.target(TARGET)), good);
    // Wrong usage, and a root that is none.
    for args in [&["refresh"][..], &["download"], &[], &["init"], &["init", "/nowhere"], &["dance"]]
    {
        assert_eq!(nobody.run(args).status.code(), Some(1), "{args:?}");
    }
    let broken = nobody.home.path().join("broken.json");
    fs::write(&broken, "{}").unwrap();
    let fresh = Client::new(place.server.url());
    let before = place.server.requests().len();
    assert!(fresh.init(&broken), "init only copies");
    assert!(!fresh.refresh());
    assert_eq!(place.server.requests().len(), before, "nothing is asked of a broken root");
}
