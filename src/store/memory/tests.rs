use super::*;
use crate::store::disk::{Disk, replace};
use std::io::Write;

#[test]
fn a_power_cut_takes_what_was_not_synced() {
    let disk = MemoryDisk::new();
    disk.create_folder("f").unwrap();
    disk.sync_folder("").unwrap();
    let mut file = disk.create("f/a").unwrap();
    file.write_all(b"1").unwrap();
    assert_eq!(disk.after_kill().read("f/a", 9).unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(disk.after_power_cut().read("f/a", 9).unwrap(), None);
    disk.sync_folder("f").unwrap();
    assert_eq!(disk.after_power_cut().read("f/a", 9).unwrap().as_deref(), Some(&b""[..]));
    file.sync().unwrap();
    assert_eq!(disk.after_power_cut().read("f/a", 9).unwrap().as_deref(), Some(&b"1"[..]));
}

#[test]
fn replacing_a_file_leaves_the_old_or_the_new_at_every_point() {
    let before = MemoryDisk::new();
    before.create_folder("f").unwrap();
    before.sync_folder("").unwrap();
    replace(&before, "f", "a", b"old").unwrap();
    for at in 0.. {
        let disk = before.after_kill();
        disk.fail_at(at, Fault::Kill);
        let done = replace(&disk, "f", "a", b"new").is_ok();
        for after in [disk.after_kill(), disk.after_power_cut()] {
            let found = after.read("f/a", 9).unwrap().unwrap();
            assert!(found == b"new" || (!done && found == b"old"), "{at}: {found:?}");
        }
        if done {
            assert!(at > 3);
            break;
        }
    }
}

#[test]
fn a_renamed_folder_is_there_once_its_parents_are_synced() {
    let disk = MemoryDisk::new();
    for folder in ["s/x", "b"] {
        disk.create_folder(folder).unwrap();
    }
    let mut file = disk.create("s/x/a").unwrap();
    file.write_all(b"1").unwrap();
    file.sync().unwrap();
    for folder in ["s/x", "s", ""] {
        disk.sync_folder(folder).unwrap();
    }
    disk.rename("s/x", "b/x").unwrap();
    disk.sync_folder("b").unwrap();
    let after = disk.after_power_cut();
    assert_eq!(after.read("b/x/a", 9).unwrap().as_deref(), Some(&b"1"[..]));
}
