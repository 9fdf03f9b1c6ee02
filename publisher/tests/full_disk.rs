//! A device on a small file system of its own that fills up and turns read-only.
//!
//! Mounting takes privileges: without them the test says that it was skipped, and is not counted as
//! passed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Trial};
use support::{Shop, files, strays};

/// Room for three bundles of the shop and a little more.
const SIZE: u64 = 3 << 20;

fn main() {
    let trial = Trial::test("a_device_on_a_disk_that_fills_up_goes_on_and_recovers", || {
        fills_up_and_recovers();
        Ok(())
    });
    let can = Mount::new().is_some();
    if !can {
        support::say("skipped: this machine lets the test mount no tmpfs");
    }
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(!can)]).exit();
}

/// A small tmpfs; it goes when this is dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={SIZE},mode=0755");
        let mount = ["-t", "tmpfs", "-o", &options, "tmpfs"];
        let done = Command::new("mount").args(mount).arg(folder.path()).output();
        done.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).output();
    }
}

fn fills_up_and_recovers() {
    let mount = Mount::new().unwrap();
    let folder = mount.path().join("phone");
    let filler = mount.path().join("filler");
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, folder.to_str().unwrap());
    phone.update();
    let shown = |version: &str| {
        let boot = phone.boot_ready();
        assert_eq!(boot["version"], version);
        assert!(phone.shown(&boot) == files(&shop.path(&format!("web-{version}"))));
    };

    shop.release("1.1.0", 2);
    let mut refused = 0;
    for left in [0, 4 << 10, 32 << 10, 128 << 10, 512 << 10, 900 << 10] {
        fs::write(&filler, vec![7; usize::try_from(free(mount.path()) - left).unwrap()]).unwrap();
        let output = shop.run(&[&phone.args(&["sync"])[..], &["--json"]].concat());
        if !output.status.success() {
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.contains("no-space"), "{left}: {said}");
            refused += 1;
            assert_eq!(strays(&folder), Vec::<PathBuf>::new(), "{left}");
            shown("1.0.0");
        }
        fs::remove_file(&filler).unwrap();
    }
    assert!(refused >= 4, "{refused}");
    phone.does("sync");
    shown("1.1.0");

    // A trial that cannot be counted is not launched; one that was launched is confirmed all the
    // same when its page comes up.
    shop.release("1.2.0", 3);
    phone.does("sync");
    phone.does("boot");
    fs::write(&filler, vec![7; usize::try_from(free(mount.path())).unwrap()]).unwrap();
    phone.does("ready");
    shown("1.2.0");
    fs::remove_file(&filler).unwrap();

    mount.remount("ro");
    shown("1.2.0");
    assert_eq!(phone.fails("sync").0, "storage");
    mount.remount("rw");
    shop.release("1.3.0", 4);
    phone.update();
    shown("1.3.0");
}

/// Bytes that the file system has left.
fn free(path: &Path) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().nth(1).unwrap().trim().parse().unwrap()
}
