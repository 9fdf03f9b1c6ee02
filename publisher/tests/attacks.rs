//! A server that lies: what it serves is refused, and the phone goes on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::path::Path;

use farad_publisher::serve::{Faults, Server};
use support::{Shop, files};

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let place = to.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
}

#[test]
fn a_changed_byte_in_any_blob_is_refused_before_it_is_decoded() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    for blob in fs::read_dir(shop.path("updates/blobs")).unwrap() {
        let name = blob.unwrap().file_name().into_string().unwrap();
        let forged = shop.path(&format!("forged-{name}"));
        copy(&shop.path("updates"), &forged);
        let place = forged.join("blobs").join(&name);
        let bytes = fs::read(&place).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            fs::write(&place, changed).unwrap();
            let server = Server::start(&forged, 0, Faults::default()).unwrap();
            let phone = shop.device(&server, &format!("phone-{name}-{at}"));
            assert_eq!(phone.fails("sync").0, "hash-mismatch");
            assert_eq!(phone.does("boot")["bundle"], "builtin");
            assert!(!shop.path(&phone.name).join("bundles").exists());
        }
    }
}

#[test]
fn a_truncated_or_longer_blob_is_refused() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let blobs: Vec<_> = fs::read_dir(shop.path("updates/blobs")).unwrap().flatten().collect();
    for blob in blobs {
        let bytes = fs::read(blob.path()).unwrap();
        let longer = [&bytes[..], b"x"].concat();
        for (n, changed) in [&bytes[..bytes.len() - 1], &bytes[..0], &longer].iter().enumerate() {
            fs::write(blob.path(), changed).unwrap();
            let server = shop.serve();
            let name = format!("phone-{}-{n}", blob.file_name().display());
            let phone = shop.device(&server, &name);
            let (code, _) = phone.fails("sync");
            assert!(["network", "hash-mismatch", "too-large"].contains(&code.as_str()), "{code}");
            assert_eq!(phone.does("boot")["bundle"], "builtin");
        }
        fs::write(blob.path(), &bytes).unwrap();
    }
}

#[test]
fn an_older_state_of_the_repository_is_refused() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    copy(&shop.path("updates"), &shop.path("old"));
    shop.release("1.1.0", 2);
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.update();
    let stale = Server::start(&shop.path("old"), 0, Faults::default()).unwrap();
    phone.url = stale.url();
    let (code, message) = phone.fails("sync");
    assert_eq!(code, "rollback", "{message}");
    assert_eq!(phone.does("boot")["version"], "1.1.0");
}

#[test]
fn a_fresh_install_with_embedded_metadata_refuses_what_is_older_than_itself() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    copy(&shop.path("updates"), &shop.path("old"));
    shop.release("1.1.0", 2);
    shop.ok(&["embed", "web-1.1.0"]);
    let stale = Server::start(&shop.path("old"), 0, Faults::default()).unwrap();
    let mut phone = shop.device(&stale, "phone");
    phone.more = ["--builtin", "web-1.1.0"].map(str::to_owned).to_vec();
    assert_eq!(phone.fails("sync").0, "rollback");
    assert_eq!(phone.does("boot")["version"], "1.1.0");
}

#[test]
fn another_apps_repository_is_refused_though_its_keys_are_the_same() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--app", "com.example.other"].map(str::to_owned).to_vec();
    assert_eq!(phone.fails("sync").0, "wrong-repository");
}

#[test]
fn a_bad_line_costs_tries_and_nothing_else() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let faults = Faults { stall: 0.0, corrupt: 0.2, unavailable: 0.2 };
    let server = Server::start(&shop.path("updates"), 0, faults).unwrap();
    let phone = shop.device(&server, "phone");
    let synced = (0..200).any(|_| {
        // Bytes that were wrong twice are left alone for a quarter of an hour; this is a bad line.
        let _ = fs::remove_file(shop.path("phone/ledger"));
        let output = shop.run(&[&phone.args(&["sync"])[..], &["--json"]].concat());
        assert_eq!(phone.does("boot")["bundle"] == "builtin", !output.status.success());
        output.status.success()
    });
    assert!(synced);
    let state = phone.does("state");
    let id = state["releases"][0]["id"].as_str().unwrap();
    let folder = shop.path("phone/bundles").join(id).join("files");
    assert_eq!(files(&folder), files(&shop.path("web-1.0.0")));
}
