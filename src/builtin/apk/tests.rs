//! Archives that were made to deceive, and those that are merely unusual.

use std::fs;

use super::*;

/// One entry, with what its heads state of it.
#[derive(Clone)]
struct Made {
    name: &'static str,
    method: u16,
    flags: u16,
    packed: Vec<u8>,
    /// Packed length, length and CRC-32 as the directory states them.
    stated: (u32, u32, u32),
    /// Added to the place that the directory states.
    moved: u32,
    /// Extra field of the directory.
    extra: Vec<u8>,
    /// Upper half of the attributes: a mode of Unix.
    mode: u16,
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn stored(name: &'static str, bytes: &[u8]) -> Made {
    let length = u32::try_from(bytes.len()).unwrap();
    Made {
        name,
        method: 0,
        flags: 0,
        packed: bytes.to_vec(),
        stated: (length, length, crc(bytes)),
        moved: 0,
        extra: Vec::new(),
        mode: 0o100_644,
    }
}

fn deflated(name: &'static str, bytes: &[u8]) -> Made {
    let mut packed = Vec::new();
    let level = flate2::Compression::default();
    flate2::read::DeflateEncoder::new(bytes, level).read_to_end(&mut packed).unwrap();
    let mut made = stored(name, bytes);
    made.stated.0 = u32::try_from(packed.len()).unwrap();
    Made { method: 8, packed, ..made }
}

/// APPNOTE 4.3.7, 4.3.12 and 4.3.16: local heads with bytes, directory, end of directory.
fn zip(entries: &[Made]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let place = u32::try_from(bytes.len()).unwrap().wrapping_add(entry.moved);
        let (packed, length, crc) = entry.stated;
        let name = u16::try_from(entry.name.len()).unwrap();
        let head = [
            &20u16.to_le_bytes()[..],
            &entry.flags.to_le_bytes(),
            &entry.method.to_le_bytes(),
            &[0; 4],
            &crc.to_le_bytes(),
            &packed.to_le_bytes(),
            &length.to_le_bytes(),
            &name.to_le_bytes(),
        ]
        .concat();
        bytes.extend([b"PK\x03\x04", &head[..], &[0; 2], entry.name.as_bytes()].concat());
        bytes.extend_from_slice(&entry.packed);
        directory.extend([b"PK\x01\x02\x14\x03", &head[..]].concat());
        directory.extend(u16::try_from(entry.extra.len()).unwrap().to_le_bytes());
        directory.extend([0; 6]);
        directory.extend((u32::from(entry.mode) << 16).to_le_bytes());
        directory.extend(place.to_le_bytes());
        directory.extend([entry.name.as_bytes(), &entry.extra].concat());
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let place = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    bytes.extend(directory);
    bytes.extend([b"PK\x05\x06", &[0; 4][..], &count, &count, &length, &place, &[0; 2]].concat());
    bytes
}

fn open(bytes: &[u8]) -> Result<Apk> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    Apk::open(file.path(), "")
}

fn content(apk: &Apk, name: &str) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let poured = apk.pour(name, &mut |piece| {
        found.extend_from_slice(piece);
        Ok(())
    });
    let found = poured.unwrap().then_some(found);
    assert_eq!(apk.read(name, 1 << 20), found, "{name} is the same by either way");
    found
}

/// What is found of an entry "a" of an archive that has a sound "b" beside it.
fn beside_a_sound_one(entry: Made) -> Option<Vec<u8>> {
    let apk = open(&zip(&[entry, deflated("b", b"sound, sound, sound")])).unwrap();
    assert_eq!(content(&apk, "b").as_deref(), Some(&b"sound, sound, sound"[..]));
    content(&apk, "a")
}

#[test]
fn stored_deflated_and_empty_entries_are_read() {
    let long = b"a line of the app\n".repeat(20_000);
    for entry in [stored("a", &long), deflated("a", &long)] {
        assert_eq!(beside_a_sound_one(entry), Some(long.clone()));
    }
    for entry in [stored("a", b""), deflated("a", b"")] {
        assert_eq!(beside_a_sound_one(entry), Some(Vec::new()));
    }
}

#[test]
fn an_entry_that_is_longer_than_the_limit_is_none() {
    let apk = open(&zip(&[deflated("a", &[7; 1000])])).unwrap();
    assert_eq!(apk.read("a", 1000).unwrap().len(), 1000);
    assert_eq!(apk.read("a", 999), None);
}

#[test]
fn a_name_that_stands_twice_is_not_there() {
    for again in [stored("a", b"other"), stored("a", b"first"), deflated("a", b"first")] {
        assert_eq!(beside_a_sound_one(stored("a", b"first")).as_deref(), Some(&b"first"[..]));
        let apk = open(&zip(&[stored("a", b"first"), again, stored("b", b"sound")])).unwrap();
        assert_eq!(content(&apk, "a"), None);
        assert!(content(&apk, "b").is_some());
    }
    let three = [stored("a", b"1"), stored("a", b"1"), stored("a", b"1")];
    assert_eq!(content(&open(&zip(&three)).unwrap(), "a"), None, "nor one that stands thrice");
}

#[test]
fn what_is_encrypted_a_link_or_packed_otherwise_is_not_there() {
    for flags in [1, 1 | 1 << 6] {
        assert_eq!(beside_a_sound_one(Made { flags, ..stored("a", b"bytes") }), None);
    }
    assert_eq!(beside_a_sound_one(Made { mode: 0o120_777, ..stored("a", b"b") }), None);
    for method in [1, 9, 12, 14, 93, 95, 99, u16::MAX] {
        assert_eq!(beside_a_sound_one(Made { method, ..stored("a", b"bytes") }), None);
    }
}

#[test]
fn lengths_and_checksums_that_lie_make_an_entry_none() {
    for good in [stored("a", &[7; 500]), deflated("a", &[7; 500])] {
        assert!(beside_a_sound_one(good.clone()).is_some());
        let (packed, length, crc) = good.stated;
        for stated in [
            (packed, length, crc ^ 1),
            (packed, length + 1, crc),
            (packed, length - 1, crc),
            (packed, 0, crc),
            (packed, u32::MAX - 1, crc),
            (packed - 1, length, crc),
            (0, length, crc),
        ] {
            assert_eq!(beside_a_sound_one(Made { stated, ..good.clone() }), None, "{stated:?}");
        }
    }
    // More packed bytes than there are: stored ones run on into what follows, deflated ones end by themselves.
    let good = stored("a", &[7; 500]);
    for packed in [501, u32::MAX - 1] {
        let stated = (packed, 500, good.stated.2);
        assert_eq!(beside_a_sound_one(Made { stated, ..good.clone() }), None);
    }
}

#[test]
fn places_that_lie_make_an_entry_none() {
    for moved in [1, 4, 30, 60, 1 << 20, u32::MAX - 1] {
        assert_eq!(beside_a_sound_one(Made { moved, ..stored("a", b"bytes") }), None, "{moved}");
    }
    // At another's bytes: its length and checksum are not the same.
    let first = stored("a", b"bytes");
    let moved = u32::try_from(30 + 1 + first.packed.len()).unwrap();
    assert_eq!(beside_a_sound_one(Made { moved, ..first }), None);
}

#[test]
fn no_small_archive_unpacks_without_end() {
    let bomb = deflated("a", &vec![0; 4 << 20]);
    assert!(bomb.packed.len() < 5000);
    let stated = (bomb.stated.0, 1000, bomb.stated.2);
    let apk = open(&zip(&[Made { stated, ..bomb }])).unwrap();
    let mut poured = 0;
    let found = apk.pour("a", &mut |piece| {
        poured += piece.len();
        Ok(())
    });
    assert!(!found.unwrap());
    assert!(poured <= 64 << 10, "it stops where more came than was stated, not at the end");
}

#[test]
fn the_64_bit_form_is_read() {
    // APPNOTE 4.5.3: lengths that do not fit stand in an extra field.
    let good = stored("a", b"bytes");
    let extra = |length: u64| {
        let field = [&1u16.to_le_bytes()[..], &16u16.to_le_bytes()];
        [&field.concat()[..], &length.to_le_bytes(), &5u64.to_le_bytes()].concat()
    };
    let stated = (u32::MAX, u32::MAX, good.stated.2);
    let entry = |length| Made { extra: extra(length), stated, ..good.clone() };
    assert_eq!(beside_a_sound_one(entry(5)).as_deref(), Some(&b"bytes"[..]));
    assert_eq!(beside_a_sound_one(entry(6)), None);
    assert_eq!(beside_a_sound_one(entry(u64::MAX)), None);
}

#[test]
fn a_comment_and_bytes_before_the_archive_do_no_harm() {
    let entries = [stored("a", b"one"), deflated("b", b"two")];
    let mut commented = zip(&entries);
    let at = commented.len() - 2;
    commented[at..].copy_from_slice(&u16::MAX.to_le_bytes());
    commented.extend([b'c'; u16::MAX as usize]);
    let before = [&[9; 5000][..], &zip(&entries)].concat();
    for archive in [commented, before] {
        let apk = open(&archive).unwrap();
        assert_eq!(content(&apk, "a").as_deref(), Some(&b"one"[..]));
        assert_eq!(content(&apk, "b").as_deref(), Some(&b"two"[..]));
    }
}

#[test]
fn a_directory_of_no_sensible_size_is_refused_unread() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let sparse = File::create(file.path()).unwrap();
    sparse.set_len(DIRECTORY + 1).unwrap();
    let length = u32::try_from(DIRECTORY + 1).unwrap().to_le_bytes();
    let end = [b"PK\x05\x06", &[0; 8][..], &length, &[0; 6]].concat();
    io::Write::write_all(&mut fs::OpenOptions::new().append(true).open(file.path()).unwrap(), &end)
        .unwrap();
    let error = Apk::open(file.path(), "").unwrap_err().to_string();
    assert!(error.contains("the directory is too large"), "{error}");
}

#[test]
fn an_archive_that_was_cut_is_no_archive() {
    let whole = zip(&[stored("a", b"one"), deflated("b", b"two")]);
    for end in 0..whole.len() {
        assert!(matches!(open(&whole[..end]), Err(Error::Config(_))), "{end}");
    }
}

#[test]
fn whatever_bit_is_changed_an_entry_is_as_it_was_or_not_there() {
    let (one, two) = (b"the first, the first".to_vec(), b"the second".to_vec());
    let whole = zip(&[deflated("a", &one), stored("b", &two)]);
    let mut gone = 0;
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(apk) = open(&changed) else { continue };
        for (name, bytes) in [("a", &one), ("b", &two)] {
            match content(&apk, name) {
                Some(found) => assert_eq!(found, *bytes, "{name}, bit {bit}"),
                None => gone += 1,
            }
        }
    }
    assert!(gone > whole.len());
}
