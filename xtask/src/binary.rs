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
    let mut rest = archive.strip_prefix(b"!<arch>\n").unwrap_or_default();
    let (mut bitcode, mut other) = (0, 0);
    while let Some((head, after)) = rest.split_at_checked(60) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let length =
            head.get(48..58).and_then(|size| text(size).parse().ok()).unwrap_or(usize::MAX);
        let Some((member, after)) = after.split_at_checked(length) else { break };
        match member {
            // Rust's own record of the crate, which is an object file too.
            _ if head.starts_with(b"lib.rmeta") => {}
            [b'B', b'C', 0xc0, 0xde, ..] => bitcode += 1,
            [0x7f, b'E', b'L', b'F', ..] | [0xcf, 0xfa, 0xed, 0xfe, ..] => other += 1,
            _ => {}
        }
        rest = after.get(length % 2..).unwrap_or_default();
    }
    bitcode > other
}

/// Bytes of code and data by crate, from what `llvm-nm --print-size --demangle` tells.
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

    #[test]
    fn an_archive_of_machine_code_is_not_for_the_optimiser() {
        let member = |name: &str, bytes: &[u8]| {
            [format!("{name:<48}{:<10}`\n", bytes.len()).as_bytes(), bytes].concat()
        };
        let archive = |bytes: &[u8]| {
            let record = member("lib.rmeta/", b"\x7fELF of Rust's own");
            [b"!<arch>\n".to_vec(), record, member("a.o/", bytes)].concat()
        };
        assert!(is_bitcode(&archive(b"BC\xc0\xde1234")));
        assert!(!is_bitcode(&archive(b"\x7fELF1234")));
        assert!(!is_bitcode(b""));
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
}
