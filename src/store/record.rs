//! The record on disk: two slots, written in turn.
//!
//! Enters: bytes that a crash may have torn. Leaves: the newest record whose checksum holds, or
//! none. A write goes to the slot that is not the newest, so that a torn write loses at most
//! itself; where damage keeps that slot from being written, the other one is replaced as a whole.
//! Slot: 64 hex digits of SHA-256 over the rest, a line feed, JSON with `schema`, spaces up to a fixed
//! length: written in place, so that `ready` needs no room on a full disk.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::disk::{Disk, is_damage, replace};
use crate::boot::Record;
use crate::digest::Digest;
use crate::json;

const SLOTS: [&str; 2] = ["record.0", "record.1"];
/// Length of a slot, bytes: the block size of most file systems.
const LENGTH: usize = 4 << 10;
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Slot {
    schema: u32,
    record: Record,
}

/// The newest record whose checksum holds, or none.
///
/// # Errors
/// Where a slot cannot be read at all (a locked phone): then nothing is known, and nothing may be
/// written.
pub(super) fn load(disk: &dyn Disk) -> io::Result<Option<Record>> {
    let [first, second] = [read(disk, SLOTS[0])?, read(disk, SLOTS[1])?];
    Ok([first, second].into_iter().flatten().max_by_key(|record| record.generation))
}

/// Writes `record` as the next generation, over the older slot; durable when it returns.
///
/// # Errors
/// Where storage refuses; the newest record is still there then.
pub(super) fn save(disk: &dyn Disk, record: &mut Record) -> io::Result<()> {
    let generations = [read(disk, SLOTS[0])?, read(disk, SLOTS[1])?]
        .map(|record| record.map(|record| record.generation));
    let newest = generations.into_iter().flatten().max().unwrap_or(0);
    record.generation = newest.max(record.generation).saturating_add(1);
    // None is less than any: an unreadable slot is the one to write over.
    let [first, second] = generations;
    let [mut slot, mut other] = SLOTS;
    if first > second {
        (slot, other) = (other, slot);
    }
    let bytes = encode(record)?;
    let written = disk.overwrite(slot).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync()
    });
    match written {
        // Never in place: that slot has the newest record.
        Err(error) if is_damage(&error) => {
            log::warn!("{slot}: {error}");
            return replace(disk, "", other, &bytes);
        }
        written => written?,
    }
    // Also where the slot was there before: whoever made it may have been killed before this.
    disk.sync_folder("")
}

fn read(disk: &dyn Disk, slot: &str) -> io::Result<Option<Record>> {
    // Written in place: what some damage put behind it stays there, and is none of it.
    let mut bytes = Vec::new();
    let read =
        disk.open(slot).and_then(|file| file.take(LENGTH as u64).read_to_end(&mut bytes).map(drop));
    match read {
        Ok(()) => Ok(decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // As good as torn: the other slot counts, and the next write goes over this one.
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn encode(record: &Record) -> io::Result<Vec<u8>> {
    let slot = Slot { schema: SCHEMA, record: record.clone() };
    let mut body = json::compact(&slot).map_err(io::Error::other)?;
    let room = LENGTH - Digest::LEN * 2 - 1;
    if body.len() > room {
        return Err(io::Error::other("the record is too long"));
    }
    body.resize(room, b' ');
    let mut bytes = format!("{}\n", Digest::of(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let (digest, rest) = bytes.split_at_checked(Digest::LEN * 2)?;
    let body = rest.strip_prefix(b"\n")?;
    let digest: Digest = std::str::from_utf8(digest).ok()?.parse().ok()?;
    if digest != Digest::of(body) {
        return None;
    }
    let slot: Slot = json::parse_as(body.trim_ascii_end()).ok()?;
    (slot.schema == SCHEMA).then_some(slot.record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::NativeIdentity;
    use crate::native::Native;
    use crate::store::memory::{Fault, MemoryDisk};

    fn record() -> Record {
        let native = Native::Android { build: 30 };
        let identity = NativeIdentity { native, version: "1.0".to_owned(), embed: None };
        Record::new(identity, "production".parse().unwrap())
    }

    #[test]
    fn the_newest_of_two_slots_counts() {
        let disk = MemoryDisk::new();
        assert_eq!(load(&disk).unwrap(), None);
        let mut record = record();
        for early_crashes in 1..=5 {
            record.early_crashes = early_crashes;
            save(&disk, &mut record).unwrap();
            assert_eq!(load(&disk).unwrap(), Some(record.clone()));
        }
        assert_eq!(record.generation, 5);
    }

    #[test]
    fn a_damaged_slot_leaves_the_one_before() {
        let disk = MemoryDisk::new();
        let mut record = record();
        save(&disk, &mut record).unwrap();
        let first = record.clone();
        save(&disk, &mut record).unwrap();
        disk.damage(SLOTS[1], 100);
        assert_eq!(load(&disk).unwrap(), Some(first));
        save(&disk, &mut record).unwrap();
        assert_eq!(load(&disk).unwrap(), Some(record));
    }

    #[test]
    fn slots_that_grew_are_read_and_written_as_ever() {
        let disk = MemoryDisk::new();
        let mut record = record();
        for generation in 1..=6 {
            for slot in SLOTS {
                disk.append(slot).unwrap().write_all(b"more").unwrap();
            }
            save(&disk, &mut record).unwrap();
            assert_eq!(load(&disk).unwrap(), Some(record.clone()));
            assert_eq!(record.generation, generation);
        }
    }

    #[test]
    fn a_write_cut_short_anywhere_leaves_the_one_before() {
        let before = MemoryDisk::new();
        let mut record = record();
        save(&before, &mut record).unwrap();
        save(&before, &mut record).unwrap();
        for (at, fault) in (0..3).flat_map(|at| [(at, Fault::Kill), (at, Fault::Torn)]) {
            let (disk, mut next) = (before.after_kill(), record.clone());
            disk.fail_at(at, fault);
            assert!(save(&disk, &mut next).is_err());
            for after in [disk.after_kill(), disk.after_power_cut()] {
                let found = load(&after).unwrap().unwrap();
                assert!(found == record || found == next, "{at}");
            }
        }
    }

    #[test]
    fn torn_at_any_byte_it_is_no_record() {
        let bytes = encode(&record()).unwrap();
        assert!(decode(&bytes).is_some());
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none(), "{end}");
        }
    }

    #[test]
    fn a_full_disk_still_takes_a_record() {
        let disk = MemoryDisk::new();
        let mut record = record();
        save(&disk, &mut record).unwrap();
        save(&disk, &mut record).unwrap();
        disk.set_capacity(0);
        save(&disk, &mut record).unwrap();
        assert_eq!(load(&disk.after_power_cut()).unwrap(), Some(record));
    }

    #[test]
    fn a_slot_that_takes_no_record_leaves_the_other_one_the_newest_wherever_a_crash_cuts_it() {
        let (before, mut record) = (MemoryDisk::new(), record());
        for _ in 0..3 {
            save(&before, &mut record).unwrap();
        }
        for (bad, kept) in [(SLOTS[0], 2), (SLOTS[1], 3)] {
            let broken = before.after_kill();
            broken.break_inode(bad, 117);
            assert_eq!(load(&broken).unwrap().map(|record| record.generation), Some(kept));
            for at in 0.. {
                let (disk, mut next) = (broken.after_kill(), record.clone());
                disk.fail_at(at, Fault::Torn);
                let done = save(&disk, &mut next).is_ok();
                // A power cut renumbers inodes: what is broken is looked at as a killed process does.
                let after = disk.after_kill();
                let found = load(&after).unwrap().unwrap();
                assert!(found == next || (!done && found.generation == kept), "{bad} {at}");
                save(&after, &mut next).unwrap();
                assert_eq!(load(&after).unwrap(), Some(next));
                if done {
                    break;
                }
            }
        }
        // Something else in its place.
        let disk = before.after_power_cut();
        disk.remove_file(SLOTS[1]).unwrap();
        disk.create_folder(SLOTS[1]).unwrap();
        for _ in 0..3 {
            save(&disk, &mut record).unwrap();
            assert_eq!(load(&disk.after_power_cut()).unwrap(), Some(record.clone()));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes).is_none());
        }
    }
}
