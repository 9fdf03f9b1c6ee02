//! Three who sign together, and what an attacker makes of the file that waits.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::support::{APP, Shop};

/// Where what waits lacks signatures.
pub(crate) const ROLE: &str = "production-releases";

/// Alice has the online keys and those of root; each of three has a key of production's releases, of
/// which two must sign.
pub(crate) struct Team {
    pub(crate) alice: Shop,
    pub(crate) bob: Shop,
    pub(crate) carol: Shop,
}

impl Team {
    /// A repository with release 1.0.0.
    pub(crate) fn new() -> Self {
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
    pub(crate) fn release(&self) -> String {
        self.alice.web("web-1.1.0", 2);
        let args = ["release", "web-1.1.0", "--channel", "production", "--version", "1.1.0"];
        let file = self.alice.waits(&args);
        self.bob.pull(&self.alice);
        self.carol.pull(&self.alice);
        file
    }

    /// The signature of one of Alice's keys, made without the command.
    pub(crate) fn signature(&self, key: &str, signed: &Value) -> Value {
        use farad::trust::sign::{Ed25519, Signer};
        let pem = fs::read_to_string(self.alice.path(&format!("keys/{key}.pem"))).unwrap();
        let (_, document) = pkcs8::SecretDocument::from_pem(&pem).unwrap();
        let signer = Ed25519::from_pkcs8(document.as_bytes()).unwrap();
        let message = farad::json::canonical(signed).unwrap();
        let sig = farad::hex::encode(&signer.sign(&message).unwrap());
        json!({ "keyid": signer.public().id(), "sig": sig })
    }
}

/// What else is in a pending file, by name.
pub(crate) type Entries = BTreeMap<String, Vec<u8>>;

/// Takes a pending file apart, and writes it again as an attacker would.
pub(crate) fn altered(shop: &Shop, file: &str, alter: impl FnOnce(&mut Value, &mut Entries)) {
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
