//! How the library for phones is compiled and linked: the same where it is measured (`mobile`) and where
//! it is published (`android`, `ios`). What each part saves stands in `docs/performance.md`.
//!
//! Enters: a cargo command that is being put together, and the standard library's source if there is
//! one. Leaves: the command with all that makes the library small. The same code and the same
//! functions come out of a compiler that has no such source, in a larger library.

use std::path::Path;
use std::process::Command;

use crate::shell::{Result, output};

/// Cargo's profile of what phones link.
pub(crate) const PROFILE: &str = "phone";
/// Largest library for an Android phone of today, stripped: bytes.
pub(crate) const LARGEST: u64 = 2_300_000;

/// What cargo is asked for, before the `--`: farad's face for the bindings, as this kind of library.
///
/// By itself: beside other kinds of library, cargo leaves optimisation across crates away.
pub(crate) fn select(cargo: &mut Command, kind: &str) {
    cargo.args(["--locked", "--package", "farad", "--lib", "--profile", PROFILE]);
    cargo.args(["--no-default-features", "--features", "ffi", "--crate-type", kind]);
}

/// Builds the standard library too, small and without what reads debug information to print the
/// backtrace of a panic: a phone shows standard error to nobody, and a panic reaches Kotlin and Swift
/// as an error. For the same reason panics do not carry the file and line that they came from.
///
/// Rust has not made any of this stable: the compiler is taken for one that may do it.
pub(crate) fn standard_library(cargo: &mut Command) {
    cargo.args(["-Zbuild-std=std", "-Zbuild-std-features=panic-unwind,optimize_for_size"]);
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zlocation-detail=none");
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
}

/// As [`standard_library`] where this compiler came with the source; says which it is.
///
/// # Errors
/// Where no compiler runs.
pub(crate) fn standard_library_if_there(cargo: &mut Command) -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if source.exists() {
        standard_library(cargo);
    } else {
        println!(
            "   with the standard library as it comes, which is larger: no component rust-src"
        );
    }
    Ok(())
}

/// For what is C, beside the optimisation of [`PROFILE`]. Both are zstd's own switches for small decoders.
///
/// - Its second way to decode sequences, which pays for itself beyond 16 MB of history, is left out. No frame
///   of a pack has so much.
/// - So is its second way to decode Huffman codes, two symbols at a time; the other reads all that this one
///   does.
pub(crate) const C: &str = "-DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT -DHUF_FORCE_DECOMPRESS_X1";

/// For Android, after the `--`.
///
/// - Small functions become part of their callers while that costs little code: they too have tables.
/// - Code that many functions share is moved into a function of its own only where that saves more than
///   the tables for unwinding cost, which every function has (28 bytes and more); LLVM counts code alone.
/// - Addresses that the loader fills in are packed: every Android since 6 reads that.
/// - Functions that came out the same are one. Nothing compares their addresses.
/// - Segments are aligned for pages of 16 KB.
pub(crate) const ANDROID: [&str; 5] = [
    "-Cllvm-args=-inline-threshold=15",
    "-Cllvm-args=-outliner-benefit-threshold=40",
    "-Clink-arg=-Wl,--pack-dyn-relocs=android",
    "-Clink-arg=-Wl,--icf=all",
    "-Clink-arg=-Wl,-z,max-page-size=16384",
];
