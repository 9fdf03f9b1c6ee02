//! Sealed releases against a second implementation (`tests/cross/seal.py`): it opens what `farad`
//! sealed, and the core opens what it sealed.
//!
//! Needs the Python environment that `cargo xtask test` makes; it runs this file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use farad::release::{Index, Layout, Manifest};
use farad::seal::{Object, OpeningKey};
use farad::store::RealDisk;
use farad::unpack::{Stream, decode, unpack};
use support::{APP, Shop, files};

fn python(args: &[&Path], what: &str) {
    let python = std::env::var_os("FARAD_PYTHON").expect("cargo xtask test says where Python is");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cross/seal.py");
    let output = Command::new(python).arg(script).arg(what).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn shop() -> Shop {
    let shop = Shop::empty();
    shop.ok(&["init", "--app", APP, "--sealed", "--no-passphrase"]);
    shop
}

#[test]
fn python_opens_what_farad_sealed() {
    let shop = shop();
    let released = shop.release("1.0.0", 1);
    let folder = shop.path("updates/targets/production/releases");
    let manifest = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let out = shop.path("opened");
    for key in ["app", "publisher"] {
        let key = shop.path(&format!("keys/opening/{key}.pem"));
        python(&[&key, &manifest, &shop.path("updates/blobs"), &out], "open");
        assert_eq!(files(&out), files(&shop.path("web-1.0.0")), "{released}");
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn the_core_opens_what_python_sealed() {
    let shop = shop();
    let web = shop.web("web", 5);
    let key = shop.path("keys/opening/app.pem");
    let (manifest, blobs) = (shop.path("manifest.json"), shop.path("blobs"));
    python(&[&key, &web, &manifest, &blobs], "seal");
    let manifest = Manifest::parse_any(&fs::read(manifest).unwrap()).unwrap();
    let keys = vec![OpeningKey::from_pem(&fs::read_to_string(key).unwrap()).unwrap()];
    let content = manifest.seal.as_ref().unwrap().open(&manifest.app, &keys).unwrap().unwrap();
    let read = |blob: &farad::release::Blob, kind: Object| {
        let bytes = fs::read(blobs.join(blob.sha256.to_string())).unwrap();
        let key = content.object(&manifest.app, kind, &blob.salt.unwrap()).unwrap();
        (bytes, key)
    };
    let small = |blob, kind| {
        let (bytes, key) = read(blob, kind);
        decode(&bytes, Some(key), blob, kind.as_str()).unwrap()
    };
    let index = Index::parse(&small(&manifest.index, Object::Index)).unwrap();
    assert!(manifest.is_of(&index.identity(), Some(&content)).unwrap());
    let layout = small(&manifest.layout, Object::Layout);
    let layout = Layout::parse(&layout, &index, &manifest.pack).unwrap();
    let (pack, key) = read(&manifest.pack, Object::Pack);
    let disk = RealDisk::new(shop.path("phone")).unwrap();
    let mut pieces = Stream::new(&pack[..]);
    unpack(&mut pieces, Some(&key), &|_| true, &index, &layout, &disk, "files").unwrap();
    assert_eq!(files(&shop.path("phone/files")), files(&web));
}
