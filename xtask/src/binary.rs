//! What a library's own bytes tell: how it is laid out for a phone's memory, what it is made of.
//!
//! Refuses what is no library of 64-bit or 32-bit little-endian ELF.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::shell::Result;

/// Formats of libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Elf,
    MachO,
}

/// An ELF library, as far as it is asked about.
#[derive(Debug)]
pub(crate) struct Elf {
    /// Alignments of the segments that are loaded.
    loads: Vec<u64>,
}

/// Reads the library's heads.
pub(crate) fn read(path: &Path) -> Result<Elf> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&bytes).ok_or_else(|| format!("{} is no library of a phone", path.display()))
}

/// ELF, System V ABI: file header, then program headers; type 1 is a segment to load.
fn parse(bytes: &[u8]) -> Option<Elf> {
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let wide = match bytes.get(..6)? {
        [0x7f, b'E', b'L', b'F', 1, 1] => false,
        [0x7f, b'E', b'L', b'F', 2, 1] => true,
        _ => return None,
    };
    let (table, size, many) = match wide {
        true => (number(32, 8)?, number(54, 2)?, number(56, 2)?),
        false => (number(28, 4)?, number(42, 2)?, number(44, 2)?),
    };
    let mut loads = Vec::new();
    for index in 0..many {
        let at = usize::try_from(table.checked_add(index * size)?).ok()?;
        if number(at, 4)? == 1 {
            loads.push(if wide { number(at + 48, 8)? } else { number(at + 28, 4)? });
        }
    }
    Some(Elf { loads })
}

impl Elf {
    /// Whether pages may be this large.
    pub(crate) fn aligned(&self, page: u64) -> Result<()> {
        match self.loads.iter().min() {
            Some(least) if *least >= page => Ok(()),
            Some(least) => Err(format!("a segment is aligned to {least} bytes")),
            None => Err("no segment is loaded".to_owned()),
        }
    }
}

/// Whether an archive of object files has code for LLVM's optimiser in it, and none for a processor.
pub(crate) fn is_bitcode(archive: &[u8]) -> bool {
    let (mut bitcode, mut other) = (0, 0);
    for (name, member) in members(archive) {
        match member {
            // Rust's own record of the crate, which is an object file too.
            _ if name.starts_with(b"lib.rmeta") => {}
            // By itself, and in the wrapper that Apple's targets have around it.
            [b'B', b'C', 0xc0, 0xde, ..] | [0xde, 0xc0, 0x17, 0x0b, ..] => bitcode += 1,
            [0x7f, b'E', b'L', b'F', ..] | [0xcf, 0xfa, 0xed, 0xfe, ..] => other += 1,
            _ => {}
        }
    }
    bitcode > other
}

/// The members of an archive by name. In archives of BSD's kind, which Apple's are, a long name stands in
/// front of the member's bytes and only its length in the head: `#1/20`.
fn members(archive: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = archive.strip_prefix(b"!<arch>\n").unwrap_or_default();
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse::<usize>().ok();
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(60)?;
        let length = number(head.get(48..58)?)?;
        let (member, after) = after.split_at_checked(length)?;
        rest = after.get(length % 2..).unwrap_or_default();
        let name = head.get(..16)?;
        match name.strip_prefix(b"#1/") {
            Some(length) => member.split_at_checked(number(length)?),
            None => Some((name, member)),
        }
    })
}

/// Bytes of code and data by crate, from what `llvm-nm --print-size --demangle` tells of ELF.
pub(crate) fn parts(symbols: &str) -> BTreeMap<String, u64> {
    let mut parts = BTreeMap::new();
    for line in symbols.lines() {
        let mut words = line.splitn(4, ' ');
        let (_, size, _, Some(name)) = (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        if let Some(size) = size.and_then(|size| u64::from_str_radix(size, 16).ok()) {
            *parts.entry(part(name)).or_default() += size;
        }
    }
    parts
}

/// As [`parts`] for Mach-O, which keeps no sizes of symbols: one reaches to the next of its section, or to the
/// section's end. What has no symbol of its own counts with the one before it.
///
/// `symbols` is what `llvm-nm --format=darwin` tells, its names made readable, `sections` what
/// `llvm-size --format=sysv --radix=16` does.
pub(crate) fn parts_by_place(symbols: &str, sections: &str) -> BTreeMap<String, u64> {
    let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    // First place of each section, and the one behind it.
    let sections: Vec<_> = sections
        .lines()
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [_, size, place] = words[..] else { return None };
            Some((hex(place)?, hex(place)?.checked_add(hex(size)?)?))
        })
        .collect();
    // `PLACE (SEGMENT,SECTION) external NAME`, with remarks; several names may have one place.
    let symbols: BTreeMap<_, _> = symbols
        .lines()
        .filter_map(|line| {
            let (place, rest) = line.split_once(" (__")?;
            let (_, rest) = rest.split_once(") ")?;
            let (_, mut name) = rest.split_once("external ")?;
            for more in ["(was a private external) ", "[no dead strip] ", "[alt entry] "] {
                name = name.strip_prefix(more).unwrap_or(name);
            }
            Some((hex(place)?, name))
        })
        .collect();
    let mut parts = BTreeMap::new();
    let mut places = symbols.keys().skip(1).copied();
    for (place, name) in &symbols {
        let next = places.next().unwrap_or(u64::MAX);
        if let Some((_, end)) = sections.iter().find(|(from, to)| (from..to).contains(&place)) {
            *parts.entry(part(name)).or_default() += next.min(*end) - place;
        }
    }
    parts
}

/// The crate that a symbol is of, or the library of C.
fn part(name: &str) -> String {
    const C: [(&str, &str); 7] = [
        ("ZSTD_", "zstd"),
        ("HUF_", "zstd"),
        ("FSE_", "zstd"),
        ("ring_core_", "ring"),
        ("fiat_", "ring"),
        ("uniffi_", "farad"),
        ("ffi_farad", "farad"),
    ];
    let plain = name.trim_start_matches('_');
    if let Some((_, library)) = C.iter().find(|(prefix, _)| plain.starts_with(prefix)) {
        return (*library).to_owned();
    }
    let Some((path, _)) = name.split_once("::") else { return "other".to_owned() };
    // `<a::B as c::D>::e` is of crate `a`.
    let word = path.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
    word.unwrap_or("other").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit library with one segment to load.
    fn elf(align: u64) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = 1;
        bytes[64 + 48..].copy_from_slice(&align.to_le_bytes());
        bytes
    }

    #[test]
    fn pages_of_16_kb_want_segments_aligned_to_them() {
        assert!(parse(&elf(16384)).unwrap().aligned(16384).is_ok());
        assert!(parse(&elf(4096)).unwrap().aligned(16384).is_err());
        assert!(parse(&elf(16384)[..100]).is_none());
        assert!(parse(b"!<arch>\n").is_none());
    }

    const BITCODE: &[u8] = b"BC\xc0\xde1234";
    const WRAPPED: &[u8] = b"\xde\xc0\x17\x0b1234";
    const ELF: &[u8] = b"\x7fELF1234";
    const MACH_O: &[u8] = b"\xcf\xfa\xed\xfe1234";

    fn member(name: &str, bytes: &[u8]) -> Vec<u8> {
        let odd = if bytes.len() % 2 == 1 { "\n" } else { "" };
        let head = format!("{name:<48}{:<10}`\n", bytes.len());
        [head.as_bytes(), bytes, odd.as_bytes()].concat()
    }

    /// As Apple's tools write it: the name in front of the bytes, filled up with zeros.
    fn apples(name: &str, bytes: &[u8]) -> Vec<u8> {
        let mut name = name.as_bytes().to_vec();
        name.resize(20, 0);
        member("#1/20", &[&name, bytes].concat())
    }

    #[test]
    fn an_archive_of_machine_code_is_not_for_the_optimiser() {
        let archive = |bytes: &[u8]| {
            let record = member("lib.rmeta/", b"\x7fELF, of Rust's own");
            [b"!<arch>\n".to_vec(), record, member("a.o/", bytes)].concat()
        };
        assert!(is_bitcode(&archive(BITCODE)));
        assert!(!is_bitcode(&archive(ELF)));
        assert!(!is_bitcode(b""));
    }

    #[test]
    fn nor_is_one_of_apples_kind() {
        let optimised = |members: &[&[u8]]| {
            let index = apples("__.SYMDEF", &[7; 11]);
            let record = apples("lib.rmeta", b"\xcf\xfa\xed\xfe, of Rust's own");
            let members = members.iter().map(|bytes| apples("a.b1c2d3.rcgu.o", bytes));
            let archive = [b"!<arch>\n".to_vec(), index, record].into_iter().chain(members);
            is_bitcode(&archive.flatten().collect::<Vec<_>>())
        };
        for bitcode in [BITCODE, WRAPPED] {
            assert!(optimised(&[bitcode]));
            assert!(optimised(&[bitcode, MACH_O, bitcode]), "assembly is no bitcode anywhere");
            assert!(!optimised(&[bitcode, MACH_O, MACH_O]));
        }
        assert!(!optimised(&[MACH_O]));
        assert!(!optimised(&[]));
    }

    #[test]
    fn an_archive_that_lies_about_lengths_ends_there() {
        for name in ["#1/99", "#1/x", "#1/-1", "#1/"] {
            assert_eq!(members(&[&b"!<arch>\n"[..], &member(name, BITCODE)].concat()).count(), 0);
        }
        let whole = [&b"!<arch>\n"[..], &member("a.o/", BITCODE)].concat();
        assert_eq!(members(&whole).count(), 1);
        for end in 0..whole.len() {
            assert_eq!(members(&whole[..end]).count(), 0);
        }
    }

    #[test]
    fn symbols_are_counted_by_the_crate_they_are_of() {
        let told = "0000000000001000 0000000000000010 t <rustls::Tls as core::fmt::Debug>::fmt\n\
                    0000000000001010 0000000000000020 t rustls::client::connect\n\
                    0000000000001030 0000000000000004 T ZSTD_decompress\n\
                    0000000000001034 0000000000000002 T uniffi_farad_fn_x\n\
                    0000000000001036 00000000000000ff t .Lanon.1\n";
        let parts = parts(told);
        assert_eq!(parts["rustls"], 0x30);
        assert_eq!((parts["zstd"], parts["farad"], parts["other"]), (4, 2, 0xff));
    }
    #[test]
    fn symbols_of_mach_o_reach_to_the_next_of_their_section() {
        let told = "0000000000004030 (__TEXT,__text) non-external (was a private external) _ZSTD_decompress\n\
                    0000000000004000 (__TEXT,__text) non-external <rustls::Tls as core::fmt::Debug>::fmt\n\
                    0000000000004020 (__TEXT,__text) external [no dead strip] _uniffi_farad_fn_x\n\
                    0000000000004010 (__TEXT,__text) non-external <[rustls::A] as core::B>::c\n\
                    0000000000008000 (__DATA,__data) non-external ring::TABLE\n\
                    0000000000008000 (__DATA,__data) non-external ring::TABLE\n\
                                     (undefined) external _malloc (dynamically looked up)\n";
        let sections = "a.dylib  :\n\
                        section             size     addr\n\
                        __text              0x58   0x4000\n\
                        __unwind_info     0x103c   0x4080\n\
                        __data              0xa0   0x8000\n\
                        Total             0x115c\n";
        let parts = parts_by_place(told, sections);
        assert_eq!(parts["rustls"], 0x20);
        assert_eq!((parts["farad"], parts["zstd"]), (0x10, 0x28));
        assert_eq!(parts["ring"], 0xa0);
        assert_eq!(parts.values().sum::<u64>(), 0x58 + 0xa0);
    }
}
