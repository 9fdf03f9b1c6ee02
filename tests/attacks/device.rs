//! What lies on the phone: damaged, deleted, or from somewhere else.

use std::fs;

use crate::forge::{APP, Forge, NOW, key_id, keys_of, public, sign};
use crate::phone::{Phone, files};
use crate::site::Site;

#[test]
fn attack_34_any_byte_of_the_store_changed() {
    let forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let stored = files(&phone.storage());
    assert!(stored.len() > 10, "{:?}", stored.keys());
    for (path, bytes) in &stored {
        let place = phone.storage().join(path);
        let flipped = |at: usize| {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            changed
        };
        let step = (bytes.len() / 5).max(1);
        let mut damage: Vec<_> = (0..bytes.len()).step_by(step).map(flipped).collect();
        damage.push(bytes[..bytes.len() / 2].to_vec());
        damage.push([&bytes[..], b"}"].concat());
        for changed in damage.into_iter().filter(|changed| changed != bytes) {
            fs::write(&place, changed).unwrap();
            // It starts on something good, and the next sync brings everything back.
            let shown = phone.boot();
            if let (Some(folder), true) = (&shown.path, path.ends_with("index.html")) {
                panic!("{path} is damaged and shown: {folder:?}");
            }
            phone.sync().unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(["1.0.0", "builtin"].contains(&phone.shows().as_str()), "{path}");
            fs::write(&place, bytes).unwrap();
        }
    }
}

#[test]
fn attack_34_a_store_that_was_deleted() {
    let forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    for gone in ["trust", "bundles", "policies", ""] {
        fs::remove_dir_all(phone.storage().join(gone)).unwrap();
        phone.boot();
        phone.sync().unwrap();
        assert_eq!(phone.shows(), "1.0.0", "{gone}");
    }
}

#[test]
fn attack_34_the_store_of_another_repository() {
    // The same app, whose repository began anew after its root keys were stolen: the thief's state
    // has higher numbers than anything honest.
    let stolen = {
        let mut stolen = Forge::new();
        stolen.policy("production", 1_000, &[]);
        for _ in 0..50 {
            stolen.publish();
        }
        stolen
    };
    let site = Site::new(&stolen);
    let mut phone = Phone::new(&stolen, &site);
    phone.sync().unwrap();
    let mut fresh = Forge::empty(APP, NOW);
    fresh.role("root")["keys"][key_id("fresh")] = public("fresh");
    fresh.role("root")["roles"]["root"] = keys_of(&["fresh"], 1);
    let anchor = sign(&fresh.roles["root"], &["fresh"]);
    fresh.files.insert("metadata/1.root.json".to_owned(), anchor.clone());
    let release = fresh.release("production", 1, "2.0.0");
    fresh.rollout("production", &[release.offer()]);
    fresh.publish();
    site.serve(&fresh);
    assert_eq!(phone.refused(), "timestamp rollback");
    // The store update brings the new trust anchor.
    phone.config.root = anchor;
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "2.0.0", "neither the old numbers nor the old floor bind");
    assert_eq!(phone.kept_version("timestamp"), 1);
}
