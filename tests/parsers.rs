//! The corpora of `fuzz/`, through the very functions that are fuzzed.
//!
//! Seeds are made by the code that writes such bytes: `FARAD_BLESS=1 cargo test --all-features --test
//! parsers` writes them anew. What a fuzzer finds is added by hand, as `good…` where the parser must
//! take it and `bad…` where it must not.

#![cfg(all(feature = "publish", feature = "net"))]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test stops at a surprise; the documents are those of the attacks"
)]

#[path = "attacks/forge.rs"]
mod forge;
#[path = "../fuzz/src/lib.rs"]
mod parsers;
#[path = "parsers/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use parsers::TARGETS;

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

/// Files of a folder by name.
fn folder(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn every_function_is_a_target_and_every_target_a_function() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let bins: Vec<_> = manifest
        .split("[[bin]]\nname = \"")
        .skip(1)
        .map(|bin| bin.split('"').next().unwrap().to_owned())
        .collect();
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(bins, names);
    let files: Vec<_> = folder(&fuzz().join("fuzz_targets")).into_iter().collect();
    assert_eq!(files.len(), names.len());
    for ((file, source), name) in files.iter().zip(&names) {
        assert_eq!(*file, format!("{name}.rs"));
        assert!(String::from_utf8_lossy(source).contains(&format!("::{name}(data);")), "{name}");
    }
}

#[test]
fn seeds_are_what_the_code_makes() {
    let bless = std::env::var_os("FARAD_BLESS").is_some();
    for (name, bytes) in seeds::all() {
        let place = fuzz().join("corpus").join(&name);
        if bless {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(&place, &bytes).unwrap();
        }
        let kept = fs::read(&place).unwrap_or_default();
        assert!(kept == bytes, "{name} is not what the code makes now: see the head of this file");
    }
}

#[test]
fn every_parser_takes_what_is_good_and_refuses_what_is_bad() {
    let mut wrong = Vec::new();
    for (target, parser) in TARGETS {
        let corpus = folder(&fuzz().join("corpus").join(target));
        for kind in ["good", "bad"] {
            assert!(corpus.keys().any(|name| name.starts_with(kind)), "{target} has no {kind}");
        }
        for (name, bytes) in corpus {
            assert!(bytes.len() < 16 << 10, "{target}/{name}: corpora are small");
            if parser(&bytes) != name.starts_with("good") {
                wrong.push(format!("{target}/{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn nothing_near_a_seed_makes_a_parser_panic() {
    for (target, parser) in TARGETS {
        for (name, bytes) in folder(&fuzz().join("corpus").join(target)) {
            let mut state =
                name.bytes().fold(7_u64, |state, byte| state.wrapping_mul(31) + u64::from(byte));
            let mut random = |below: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 33) as usize % below.max(1)
            };
            for _ in 0..40 {
                let mut near = bytes.clone();
                match random(4) {
                    0 => near.truncate(random(bytes.len())),
                    1 => near.insert(random(bytes.len()), random(256) as u8),
                    _ if near.is_empty() => {}
                    2 => near[random(bytes.len())] ^= 1 << random(8),
                    _ => drop(near.remove(random(bytes.len()))),
                }
                parser(&near);
            }
        }
    }
}
