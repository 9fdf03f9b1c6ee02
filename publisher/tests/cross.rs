//! Two implementations of TUF: what python-tuf writes our client reads, and the other way round.
//!
//! Needs a Python that has python-tuf, named by `FARAD_PYTHON`; `cargo xtask test` makes one and runs
//! this. The scripts lie in `tests/cross`.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise"
)]

#[path = "../../tests/example/mod.rs"]
mod example;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use example::Client;
use farad_publisher::serve::{Faults, Server};
use serde_json::Value;
use support::{Shop, files};

/// Runs a script of `tests/cross`.
fn python(script: &str, args: &[&Path]) -> Output {
    let python = std::env::var_os("FARAD_PYTHON")
        .expect("FARAD_PYTHON must name a Python with python-tuf; `cargo xtask test` makes one");
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cross").join(script);
    Command::new(python).arg(place).args(args).output().unwrap()
}

fn succeeds(script: &str, args: &[&Path]) -> String {
    let output = python(script, args);
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let place = to.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
}

/// The texts of all targets by path, as python-tuf wrote them.
fn expected(state: &Path) -> BTreeMap<String, String> {
    serde_json::from_slice(&fs::read(state.join("expect.json")).unwrap()).unwrap()
}

#[test]
fn repositories_that_python_tuf_writes_are_read_whatever_their_keys() {
    let home = tempfile::tempdir().unwrap();
    succeeds("write.py", &[home.path()]);
    for kind in ["ed25519", "ecdsa", "rsa", "mixed"] {
        let folder = home.path().join(kind);
        let live = home.path().join("live").join(kind);
        copy(&folder.join("1"), &live);
        let server = Server::start(&live, 0, Faults::default()).unwrap();
        let client = Client::new(server.url());
        assert!(client.init(&folder.join("root.json")));
        // The second state comes with a new root, by which every key is another.
        for state in ["1", "2"] {
            copy(&folder.join(state), &live);
            let expected = expected(&folder.join(state));
            assert!(expected.len() >= 4);
            let paths: Vec<_> = expected.keys().map(String::as_str).collect();
            assert!(client.download(&paths), "{kind} {state}");
            for (path, text) in &expected {
                let bytes = client.target(path).unwrap();
                assert_eq!(String::from_utf8(bytes).unwrap(), *text, "{kind} {state} {path}");
            }
            let served = fs::read(live.join("metadata/timestamp.json")).unwrap();
            assert_eq!(client.trusted()["timestamp.json"], served);
        }
        assert!(!client.download(&["docs/one.json"]), "no longer listed");
        let root = fs::read(live.join("metadata/2.root.json")).unwrap();
        assert_eq!(client.trusted()["root.json"], root);
        // And every signature is looked at.
        for (path, bytes) in files(&live.join("metadata")) {
            let name = path.to_str().unwrap();
            if !["timestamp.json", "2."].iter().any(|start| name.starts_with(start)) {
                continue;
            }
            let text = String::from_utf8(bytes.clone()).unwrap();
            let (before, rest) = text.split_once("\"sig\":").unwrap();
            let digit = rest.find(|letter: char| letter.is_ascii_hexdigit()).unwrap() + 20;
            let other = if rest.as_bytes()[digit] == b'7' { "8" } else { "7" };
            let changed =
                format!("{before}\"sig\":{}{other}{}", &rest[..digit], &rest[digit + 1..]);
            fs::write(live.join("metadata").join(&path), changed).unwrap();
            let fresh = Client::new(server.url());
            assert!(fresh.init(&folder.join("root.json")));
            let targets = ["top.json", "hashed/file.json", "docs/deep.json"];
            // No path leads to that one.
            assert_eq!(fresh.download(&targets), name.contains("other-bins"), "{kind} {name}");
            fs::write(live.join("metadata").join(&path), bytes).unwrap();
        }
    }
}

#[test]
fn a_phone_updates_from_a_repository_that_python_tuf_signed() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let signed = shop.path("signed");
    succeeds("resign.py", &[&shop.path("updates"), &signed]);
    let server = Server::start(&signed, 0, Faults::default()).unwrap();
    let mut phone = shop.device(&server, "phone");
    // The app ships the root of other keys.
    assert_eq!(phone.fails("sync").0, "signature");
    let root = signed.join("root.json");
    phone.name = "another-phone".to_owned();
    phone.more =
        ["--root", root.to_str().unwrap(), "--app", support::APP].map(str::to_owned).into();
    let boot = phone.update();
    assert_eq!(boot["version"], "1.0.0");
    assert_eq!(phone.shown(&boot), files(&shop.path("web-1.0.0")));
    assert_eq!(phone.does("sync")["status"], "up-to-date");
}

#[test]
fn python_tuf_reads_our_repositories_and_updates_from_them() {
    let shop = Shop::new();
    let updates = shop.path("updates");
    shop.release("1.0.0", 1);
    copy(&updates, &shop.path("old"));
    let server = shop.serve();
    let targets = ["rollout.json", "policy.json", "releases/1.json", "releases/2.json"];
    let targets = targets.map(|path| format!("production/{path}"));
    let read = |url: &str, home: &str| {
        let (root, home) = (shop.path("farad-root.json"), shop.path(home));
        let mut args = vec![Path::new(url), &root, &home];
        args.extend(targets.iter().map(Path::new));
        python("update.py", &args)
    };
    let report = |output: &Output| -> Value {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // The newest file of a target, as it lies in the repository.
    let listed = |path: &str| {
        let version = |name: &str| {
            let metadata = files(&updates.join("metadata"));
            let versions = metadata.keys().filter_map(|file| {
                file.to_str()?.strip_suffix(&format!(".{name}.json"))?.parse::<u64>().ok()
            });
            versions.max().unwrap()
        };
        let role = if path.contains("rollout") { "rollout" } else { "releases" };
        let role = format!("production-{role}");
        let file = updates.join(format!("metadata/{}.{role}.json", version(&role)));
        let file: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        (version(&role), file["signed"]["targets"][path]["hashes"]["sha256"].clone())
    };
    for releases in 1..=3 {
        let report = report(&read(&server.url(), "python"));
        for path in &targets {
            assert_eq!(report["targets"][path], listed(path).1, "{path}");
        }
        assert_eq!(report["targets"][&targets[3]].is_null(), releases == 1);
        let rollout = report["versions"]["production-rollout"].as_u64();
        assert_eq!(rollout, Some(listed(&targets[0]).0));
        assert_eq!(report["versions"]["root"], if releases < 3 { 1 } else { 4 });
        if releases == 2 {
            // Every key is another from here on, in three roots.
            let roles = ["targets", "snapshot", "timestamp", "production", "production-rollout"];
            shop.ok(&[&["key", "rotate", "--no-passphrase"], &roles[..]].concat());
            for key in ["root", "recovery"] {
                shop.ok(&["key", "rotate", "root", "--key", key, "--no-passphrase"]);
            }
        }
        shop.release(&format!("1.{releases}.0"), releases);
    }
    // It would notice if something were wrong.
    let stale = Server::start(&shop.path("old"), 0, Faults::default()).unwrap();
    assert!(!read(&stale.url(), "python").status.success(), "an older state");
    let (_, digest) = listed(&targets[1]);
    let policy = format!("targets/production/{}.policy.json", digest.as_str().unwrap());
    fs::write(updates.join(policy), "{}").unwrap();
    assert!(!read(&server.url(), "fresh-python").status.success(), "another policy");
}
