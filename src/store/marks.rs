//! Marks and tombstones: launches counted and bundles given up, kept apart from the record so that
//! losing it does not forget that a bundle kills the app.
//!
//! `marks/<id>` has one byte `|` a launch, and one `-` if a launch was given back; behind a launch `_`
//! each time that it went out of sight, and `^` when it came back. `blocked/<id>` says why, and under which
//! native app.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::disk::{Disk, holds, is_damage, ready_folder, replace};
use crate::boot::{NativeIdentity, Reason};
use crate::id::BundleId;
use crate::json;

const MARKS: &str = "marks";
const BLOCKED: &str = "blocked";
const LIMIT: u64 = 4 << 10;
const LAUNCH: u8 = b'|';
const GIVEN_BACK: u8 = b'-';
const AWAY: u8 = b'_';
const BACK: u8 = b'^';
/// Marks that are enough: what comes and goes as often tells nothing new.
const ENOUGH: u64 = 1 << 10;

/// Why a bundle is not launched any more on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// What happened.
    pub reason: Reason,
    /// The native app it happened under.
    pub native: NativeIdentity,
}

/// What is known of a bundle's launches that no `ready` followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Launches {
    pub(super) count: u32,
    /// One of them was given back.
    pub(super) excused: bool,
    /// The last one is out of sight.
    pub(super) away: bool,
}

/// Launches of `id` that no `ready` followed.
pub(super) fn launches(disk: &dyn Disk, id: &BundleId) -> io::Result<Launches> {
    let bytes = match disk.read(&format!("{MARKS}/{id}"), LIMIT) {
        Ok(bytes) => bytes.unwrap_or_default(),
        // Nobody launched it as often: damage, of which the stricter reading counts too.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(Launches { count: u32::MAX, excused: true, away: false });
        }
        Err(error) => return Err(error),
    };
    // A byte that is none of these, after some damage, counts: the stricter reading.
    let launches = bytes.iter().filter(|byte| ![GIVEN_BACK, AWAY, BACK].contains(byte)).count();
    Ok(Launches {
        count: u32::try_from(launches).unwrap_or(u32::MAX),
        excused: bytes.contains(&GIVEN_BACK),
        away: bytes.iter().rfind(|byte| **byte != GIVEN_BACK) == Some(&AWAY),
    })
}

/// Counts one more launch; durable when it returns.
pub(super) fn mark(disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
    append(disk, id, LAUNCH)
}

/// Gives one counted launch back; durable when it returns.
pub(super) fn excuse(disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
    append(disk, id, GIVEN_BACK)
}

/// Notes that the last launch of `id` went out of sight, or came back; durable when it returns.
pub(super) fn sight(disk: &dyn Disk, id: &BundleId, away: bool) -> io::Result<()> {
    match disk.length(&format!("{MARKS}/{id}"))? {
        Some(length) if length < ENOUGH => append(disk, id, if away { AWAY } else { BACK }),
        _ => Ok(()),
    }
}

fn append(disk: &dyn Disk, id: &BundleId, byte: u8) -> io::Result<()> {
    make_folder(disk, MARKS)?;
    let mut file = disk.append(&format!("{MARKS}/{id}"))?;
    file.write_all(&[byte])?;
    file.sync()?;
    // Also where it was there before: whoever made it may have been killed before this.
    disk.sync_folder(MARKS)
}

/// Forgets the launches of `id`.
pub(super) fn forget_marks(disk: &dyn Disk, id: &BundleId) -> io::Result<()> {
    if holds(disk, MARKS, &id.to_string())? {
        remove(disk, &format!("{MARKS}/{id}"))?;
        disk.sync_folder(MARKS)?;
    }
    Ok(())
}

/// Removes a mark or a tombstone. One that damage keeps there counts on, for its bundle alone: what it
/// may have said is read as the stricter thing.
fn remove(disk: &dyn Disk, path: &str) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if is_damage(&error) => log::warn!("{path}: {error}"),
        removed => removed?,
    }
    Ok(())
}

/// Blocks `id`; durable when it returns.
pub(super) fn block(disk: &dyn Disk, id: &BundleId, tombstone: &Tombstone) -> io::Result<()> {
    make_folder(disk, BLOCKED)?;
    let bytes = json::compact(tombstone).map_err(io::Error::other)?;
    replace(disk, BLOCKED, &id.to_string(), &bytes)
}

/// All tombstones. One that cannot be read still blocks: its name says which bundle.
pub(super) fn blocked(disk: &dyn Disk) -> io::Result<Vec<(BundleId, Option<Tombstone>)>> {
    let mut found = Vec::new();
    for entry in disk.list(BLOCKED)? {
        let Ok(id) = entry.name.parse::<BundleId>() else { continue };
        let bytes = disk.read(&format!("{BLOCKED}/{id}"), LIMIT).ok().flatten();
        found.push((id, bytes.and_then(|bytes| json::parse_as(&bytes).ok())));
    }
    Ok(found)
}

/// Forgets the marks and tombstones that came from another native app than `native`.
pub(super) fn forget_native(disk: &dyn Disk, native: &NativeIdentity) -> io::Result<()> {
    for (id, tombstone) in blocked(disk)? {
        if tombstone.is_none_or(|tombstone| tombstone.native != *native) {
            remove(disk, &format!("{BLOCKED}/{id}"))?;
        }
    }
    for entry in disk.list(MARKS)? {
        remove(disk, &format!("{MARKS}/{}", entry.name))?;
    }
    for folder in [BLOCKED, MARKS] {
        if is_folder(disk, folder)? {
            disk.sync_folder(folder)?;
        }
    }
    Ok(())
}

/// Forgets every tombstone, and the launches of what it stood for.
pub(super) fn forget_blocks(disk: &dyn Disk) -> io::Result<()> {
    let blocked = blocked(disk)?;
    for (id, _) in &blocked {
        // First: what was counted before must not block it again at its first launch.
        forget_marks(disk, id)?;
        remove(disk, &format!("{BLOCKED}/{id}"))?;
    }
    if blocked.is_empty() { Ok(()) } else { disk.sync_folder(BLOCKED) }
}

fn is_folder(disk: &dyn Disk, name: &str) -> io::Result<bool> {
    Ok(disk.list("")?.iter().any(|entry| entry.folder && entry.name == name))
}

fn make_folder(disk: &dyn Disk, folder: &str) -> io::Result<()> {
    if is_folder(disk, folder)? {
        return Ok(());
    }
    ready_folder(disk, folder)?;
    disk.sync_folder("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::native::Native;
    use crate::store::memory::MemoryDisk;

    fn native(build: u64) -> NativeIdentity {
        NativeIdentity { native: Native::Android { build }, version: String::new(), embed: None }
    }

    fn known(disk: &MemoryDisk, id: &BundleId) -> (u32, bool, bool) {
        let Launches { count, excused, away } = launches(&disk.after_power_cut(), id).unwrap();
        (count, excused, away)
    }

    #[test]
    fn a_mark_survives_the_power_cut_that_follows_it() {
        let (disk, id) = (MemoryDisk::new(), BundleId(Digest::of(b"1")));
        for count in 1..=3 {
            mark(&disk, &id).unwrap();
            assert_eq!(known(&disk, &id), (count, false, false));
        }
        excuse(&disk, &id).unwrap();
        assert_eq!(known(&disk, &id), (3, true, false));
        forget_marks(&disk, &id).unwrap();
        assert_eq!(known(&disk, &id), (0, false, false));
    }

    #[test]
    fn who_looks_is_known_after_a_power_cut_until_the_next_launch_and_counts_as_none() {
        let (disk, id) = (MemoryDisk::new(), BundleId(Digest::of(b"1")));
        sight(&disk, &id, true).unwrap();
        assert_eq!(known(&disk, &id), (0, false, false), "nothing was launched");
        mark(&disk, &id).unwrap();
        for away in [true, false, true] {
            sight(&disk, &id, away).unwrap();
            assert_eq!(known(&disk, &id), (1, false, away));
        }
        excuse(&disk, &id).unwrap();
        assert_eq!(known(&disk, &id), (1, true, true));
        mark(&disk, &id).unwrap();
        assert_eq!(known(&disk, &id), (2, true, false));
    }

    #[test]
    fn who_comes_and_goes_without_end_fills_no_file() {
        let (disk, id) = (MemoryDisk::new(), BundleId(Digest::of(b"1")));
        mark(&disk, &id).unwrap();
        for turn in 0..3_000 {
            sight(&disk, &id, turn % 2 == 0).unwrap();
        }
        mark(&disk, &id).unwrap();
        assert_eq!(known(&disk, &id), (2, false, false));
    }

    #[test]
    fn more_marks_than_there_can_be_are_too_many_launches_and_no_error() {
        let (disk, id) = (MemoryDisk::new(), BundleId(Digest::of(b"1")));
        mark(&disk, &id).unwrap();
        disk.append(&format!("{MARKS}/{id}")).unwrap().write_all(&[0; 5000]).unwrap();
        let too_many = Launches { count: u32::MAX, excused: true, away: false };
        assert_eq!(launches(&disk, &id).unwrap(), too_many);
    }

    #[test]
    fn blocks_are_forgotten_with_what_was_counted_and_other_marks_stay() {
        let (disk, bad, other) =
            (MemoryDisk::new(), BundleId(Digest::of(b"1")), BundleId(Digest::of(b"2")));
        forget_blocks(&disk).unwrap();
        for id in [&bad, &other] {
            mark(&disk, id).unwrap();
        }
        let tombstone = Tombstone { reason: Reason::NotReady, native: native(1) };
        block(&disk, &bad, &tombstone).unwrap();
        forget_blocks(&disk).unwrap();
        let disk = disk.after_power_cut();
        assert_eq!(blocked(&disk).unwrap(), []);
        assert_eq!(known(&disk, &bad), (0, false, false));
        assert_eq!(known(&disk, &other), (1, false, false));
    }

    #[test]
    fn another_native_app_gives_blocked_bundles_another_chance() {
        let (disk, id) = (MemoryDisk::new(), BundleId(Digest::of(b"1")));
        let tombstone = Tombstone { reason: Reason::NotReady, native: native(1) };
        block(&disk, &id, &tombstone).unwrap();
        forget_native(&disk, &native(1)).unwrap();
        assert_eq!(blocked(&disk.after_power_cut()).unwrap(), [(id, Some(tombstone))]);
        forget_native(&disk, &native(2)).unwrap();
        assert_eq!(blocked(&disk.after_power_cut()).unwrap(), []);
    }
}
