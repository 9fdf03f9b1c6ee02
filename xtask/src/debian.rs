//! Debian's Rust and its own source: for processors that the Rust of a plain machine has no standard library
//! for.
//!
//! Enters: Debian's packages, and for what is run here as arm64 its cross compiler and qemu. Leaves: cargo
//! commands. What is missing is named with the package that has it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Result, command, target};
use crate::trixie::is_there;

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// What is run here under qemu, as Rust calls it.
pub(crate) const EMULATED: &str = "aarch64-unknown-linux-gnu";
/// Runs it.
pub(crate) const EMULATOR: [&str; 3] = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"];
const LINKER: &str = "aarch64-linux-gnu-gcc";

/// Nothing where Rust and its source are there; what is missing, else.
pub(crate) fn is_installed() -> Result<()> {
    for (file, package) in [(RUSTC, "rustc-web"), (CARGO, "cargo-web"), (SOURCE, "rust-web-src")] {
        if !Path::new(file).exists() {
            return Err(format!("there is no {file}: install Debian's {package}"));
        }
    }
    Ok(())
}

/// Nothing where [`emulated`] works; what is missing, else.
pub(crate) fn emulates() -> Result<()> {
    is_installed()?;
    for (program, package) in [(EMULATOR[0], "qemu-user"), (LINKER, "gcc-aarch64-linux-gnu")] {
        if !is_there(program) {
            return Err(format!("there is no {program}: install {package}"));
        }
    }
    Ok(())
}

/// A cargo of Debian's.
pub(crate) fn cargo(subcommand: &str, target: &str) -> Command {
    let mut cargo = command(CARGO, &[subcommand, "--target", target, "--target-dir"]);
    cargo.arg(folder());
    // Not rustup's, and its compiler is taken for one that may do what is not stable yet.
    cargo.env("PATH", "/usr/bin:/bin").env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1");
    for ours in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        cargo.env_remove(ours);
    }
    cargo
}

/// The same for Linux on arm64, with the standard library; what is run is run under qemu.
pub(crate) fn emulated(subcommand: &str) -> Command {
    let mut cargo = cargo(subcommand, EMULATED);
    cargo.args(["--locked", "--quiet", "-Zbuild-std"]);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", EMULATOR.join(" "));
    cargo
}

/// Where its commands build.
pub(crate) fn folder() -> PathBuf {
    target().join("mobile")
}
