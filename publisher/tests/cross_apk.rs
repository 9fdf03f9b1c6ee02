//! APKs as another implementation writes and reads them (`tests/cross/apk.py`): the core finds the same in
//! each.
//!
//! Needs the Python environment that `cargo xtask test` makes; it runs this file.

#![allow(clippy::unwrap_used, reason = "a test stops at a surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use farad::builtin::{APK_PREFIX, Apk};
use farad::digest::Digest;

#[test]
fn the_core_reads_what_python_wrote_in_whatever_way() {
    let python = std::env::var_os("FARAD_PYTHON").expect("cargo xtask test says where Python is");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cross/apk.py");
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(python).arg(script).arg(home.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = fs::read(home.path().join("expect.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, Digest>> =
        serde_json::from_slice(&expected).unwrap();
    let ways = ["after", "aligned", "best", "commented", "many", "plain", "streamed", "wide"];
    assert_eq!(expected.keys().collect::<Vec<_>>(), ways);
    for (way, entries) in expected {
        let apk = Apk::open(&home.path().join(format!("{way}.apk")), APK_PREFIX).unwrap();
        assert_eq!(entries.len(), 6);
        for (name, sha256) in entries {
            let found = apk.read(&name, 1 << 20).map(|bytes| Digest::of(&bytes));
            assert_eq!(found, Some(sha256), "{name} of {way}.apk");
        }
    }
}
