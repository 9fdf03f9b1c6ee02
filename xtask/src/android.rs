//! `cargo xtask android`: the libraries for Android phones, as they are published.
//!
//! Enters: the library's source, cargo-ndk, an NDK of version 28 or newer (`ANDROID_NDK_HOME`), Rust's
//! targets and rust-src. Leaves: `android/src/main/jniLibs`, stripped; `target/symbols/android`, with the symbols
//! that crash reports are read with; a record of both for `npm publish`. Refuses: a library that gives
//! other bindings than the committed ones, exports anything but what they call, was not optimised
//! across crates, is not aligned for pages of 16 KB, or is too large.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::phone::{self, LARGEST, PROFILE};
use crate::shell::{self, Result, command, output, root, target};
use crate::{binary, bindings, mobile, record};

/// Android's names of processors, and Rust's.
const ABIS: [(&str, &str); 3] = [
    ("arm64-v8a", "aarch64-linux-android"),
    ("armeabi-v7a", "armv7-linux-androideabi"),
    ("x86_64", "x86_64-linux-android"),
];
/// Android 7: what the plugin's manifest says.
const API: &str = "24";
/// Aligned for pages of 16 KB by itself from here on.
const NDK: u32 = 28;

/// Builds them all.
pub(crate) fn run() -> Result<()> {
    let ndk = Ndk::find()?;
    let mut libraries = Vec::new();
    for (abi, triple) in ABIS {
        println!("== {abi}");
        let built = build(abi, triple)?;
        let symbols = place(&target().join("symbols/android").join(abi))?.join("libfarad.so");
        fs::copy(&built, &symbols).map_err(|error| error.to_string())?;
        // What is stripped tells the generator nothing any more.
        bindings::check(&built)?;
        let folder = format!("android/src/main/jniLibs/{abi}");
        let library = place(&root().join(&folder))?.join("libfarad.so");
        output(ndk.tool("llvm-strip").args(["--strip-unneeded", "-o"]).arg(&library).arg(&built))?;
        inspect(&ndk, abi, &library)?;
        libraries.push(format!("{folder}/libfarad.so"));
    }
    record::write("android", &libraries)
}

fn build(abi: &str, triple: &str) -> Result<PathBuf> {
    let mut cargo = command("cargo", &["ndk", "--target", abi, "--platform", API, "rustc"]);
    phone::select(&mut cargo, "cdylib");
    phone::standard_library_if_there(&mut cargo)?;
    cargo.env(format!("CFLAGS_{}", triple.replace('-', "_")), phone::C);
    cargo.arg("--").args(phone::ANDROID);
    shell::run(&mut cargo)?;
    let release = target().join(triple).join(PROFILE);
    mobile::is_optimised(&release)?;
    Ok(release.join("libfarad.so"))
}

fn inspect(ndk: &Ndk, abi: &str, library: &Path) -> Result<()> {
    binary::read(library)?.aligned(16384)?;
    let mut nm = ndk.tool("llvm-nm");
    nm.args(["--dynamic", "--just-symbol-name", "--defined-only"]).arg(library);
    let exports: BTreeSet<String> = output(&mut nm)?.lines().map(str::to_owned).collect();
    mobile::exports(exports)?;
    let size = fs::metadata(library).map_err(|error| error.to_string())?.len();
    println!("   {size} bytes");
    match abi {
        "arm64-v8a" if size > LARGEST => Err(format!("{size} bytes are more than {LARGEST}")),
        _ => Ok(()),
    }
}

fn place(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    Ok(folder.to_owned())
}

/// Android's kit for native code.
struct Ndk(PathBuf);

impl Ndk {
    fn find() -> Result<Self> {
        let named = ["ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"].iter().find_map(std::env::var_os);
        let home = named.map(PathBuf::from).ok_or("ANDROID_NDK_HOME names no NDK")?;
        let properties = home.join("source.properties");
        let text = fs::read_to_string(&properties)
            .map_err(|error| format!("{}: {error}", properties.display()))?;
        let revision = text.lines().find_map(|line| line.strip_prefix("Pkg.Revision = "));
        let major = revision.and_then(|text| text.split('.').next()?.parse::<u32>().ok());
        if major.is_none_or(|major| major < NDK) {
            return Err(format!("the NDK is {revision:?}: {NDK} or newer is needed"));
        }
        output(&mut command("cargo", &["ndk", "--version"]))
            .map_err(|_| "there is no cargo-ndk: `cargo install --locked cargo-ndk@4.1.2`")?;
        Ok(Self(home))
    }

    fn tool(&self, name: &str) -> Command {
        let host = if cfg!(target_os = "macos") { "darwin-x86_64" } else { "linux-x86_64" };
        let bin = self.0.join("toolchains/llvm/prebuilt").join(host).join("bin");
        command(&bin.join(name).display().to_string(), &[])
    }
}
