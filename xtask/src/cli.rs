//! `cargo xtask cli`: the publisher's command as npm packages: one with a launcher, and one for each
//! platform with the program.
//!
//! Enters: `npm/cli`, the command's source. Leaves: `target/cli`, packed, for this machine's platform or
//! those named; for this machine's, installed into an empty folder and run. With `debug` the program is
//! a debug build, which believes what the environment says of the time: to try the packages, which npm
//! refuses to publish then. Refuses: packages whose versions differ from the project's.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::count::Count;
use crate::debian::{self, EMULATED, EMULATOR};
use crate::shell::{self, Result, command, output, root, target};

/// npm's names of platforms, and Rust's.
const PLATFORMS: [(&str, &str); 5] = [
    ("darwin-arm64", "aarch64-apple-darwin"),
    ("darwin-x64", "x86_64-apple-darwin"),
    ("linux-arm64", "aarch64-unknown-linux-gnu"),
    ("linux-x64", "x86_64-unknown-linux-gnu"),
    ("win32-x64", "x86_64-pc-windows-msvc"),
];

/// Builds and packs for `platforms`, or for this machine.
pub(crate) fn run(platforms: &[String], debug: bool) -> Result<()> {
    let here = here()?;
    let wanted = if platforms.is_empty() { vec![here.0.to_owned()] } else { platforms.to_vec() };
    let work = target().join("cli");
    if work.exists() {
        fs::remove_dir_all(&work).map_err(text)?;
    }
    let mut count = Count::default();
    count.check("versions are the project's", versions());
    let launcher = work.join("cli");
    fs::create_dir_all(&work).map_err(text)?;
    shell::run(command("cp", &["-R"]).arg(root().join("npm/cli")).arg(&launcher))?;
    licences(&launcher)?;
    if debug {
        withhold(&launcher.join("package.json"))?;
    }
    let launcher = pack(&launcher)?;
    if debug {
        count.check("npm publishes no launcher of a debug build", is_withheld(&launcher));
    }
    for name in wanted {
        let known = PLATFORMS.iter().find(|(npm, _)| *npm == name);
        let (npm, triple) = *known.ok_or_else(|| format!("there is no platform {name}"))?;
        match build(npm, (npm != here.0).then_some(triple), debug, &work) {
            Err(why) => count.check(&format!("{npm} is built"), Err(why)),
            Ok(package) => {
                count.check(&format!("{npm} is built"), Ok(()));
                if debug {
                    count.check("npm publishes no debug build", is_withheld(&package));
                }
                if triple == EMULATED && npm != here.0 {
                    let program = work.join(npm).join("bin/farad");
                    match debian::emulates() {
                        Ok(()) => count.check("it runs as arm64", runs_emulated(&program, &work)),
                        Err(missing) => count.skip(1, &missing),
                    }
                }
                if npm == here.0 {
                    count.check("it runs as it is installed", runs(&work, &[&launcher, &package]));
                }
            }
        }
    }
    count.close()
}

fn here() -> Result<(&'static str, &'static str)> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let os = match os {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let name = format!("{os}-{}", if arch == "aarch64" { "arm64" } else { "x64" });
    let known = PLATFORMS.into_iter().find(|(npm, _)| *npm == name);
    known.ok_or_else(|| format!("there is no package for {name}"))
}

/// The program for one platform, packed. Another's compiler is Rust's own matter: `rustup target add`,
/// and a linker; where Linux on arm64 was not added, Debian's Rust builds it if it is there.
fn build(npm: &str, triple: Option<&str>, debug: bool, work: &Path) -> Result<PathBuf> {
    let (mut cargo, mut built) = match triple {
        Some(EMULATED) if !is_added(EMULATED)? && debian::emulates().is_ok() => {
            (debian::emulated("build"), debian::folder().join(EMULATED))
        }
        Some(triple) => {
            let target_of = ["build", "--locked", "--quiet", "--target", triple];
            (command("cargo", &target_of), target().join(triple))
        }
        None => (command("cargo", &["build", "--locked", "--quiet"]), target()),
    };
    cargo.args(["--package", "farad-publisher"]);
    if !debug {
        cargo.arg("--release");
    }
    built.push(if debug { "debug" } else { "release" });
    shell::run(&mut cargo)?;
    let file = if npm.starts_with("win32") { "farad.exe" } else { "farad" };
    let folder = work.join(npm);
    fs::create_dir_all(folder.join("bin")).map_err(text)?;
    fs::copy(built.join(file), folder.join("bin").join(file)).map_err(text)?;
    licences(&folder)?;
    let (os, cpu) = npm.split_once('-').unwrap_or((npm, ""));
    let mut manifest = json!({
        "name": format!("@farad/cli-{npm}"),
        "version": env!("CARGO_PKG_VERSION"),
        "description": format!("The program of @farad/cli for {npm}."),
        "license": "(MIT OR Apache-2.0)",
        "os": [os],
        "cpu": [cpu],
        "files": ["bin/"],
        "preferUnplugged": true,
    });
    // What it is linked against, so that npm leaves it out elsewhere.
    if let (true, Some(manifest)) = (os == "linux", manifest.as_object_mut()) {
        manifest.insert("libc".to_owned(), json!(["glibc"]));
    }
    let manifest = serde_json::to_string_pretty(&manifest).map_err(text)?;
    fs::write(folder.join("package.json"), manifest + "\n").map_err(text)?;
    if debug {
        withhold(&folder.join("package.json"))?;
    }
    pack(&folder)
}

/// Whether this machine's Rust has the standard library of another platform.
fn is_added(triple: &str) -> Result<bool> {
    let sysroot = output(&mut command("rustc", &["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(triple).join("lib").exists())
}

/// Makes a repository with a program for Linux on arm64, under qemu.
fn runs_emulated(program: &Path, work: &Path) -> Result<()> {
    let [emulator, of, system] = EMULATOR;
    let project = work.join("emulated");
    fs::create_dir_all(&project).map_err(text)?;
    for args in [
        &["init", "--app", "com.example.shop", "--no-passphrase"][..],
        &["verify", "updates"],
        &["status"],
    ] {
        let mut farad = command(emulator, &[of, system]);
        output(farad.arg(program).args(args).current_dir(&project))?;
    }
    Ok(())
}

/// Marks a package as one that is not published: it has the name and the version of one that is.
fn withhold(manifest: &Path) -> Result<()> {
    let read = fs::read_to_string(manifest).map_err(text)?;
    let mut package: Value = serde_json::from_str(&read).map_err(text)?;
    let fields = package.as_object_mut().ok_or("package.json is no object")?;
    fields.insert("private".to_owned(), json!(true));
    let package = serde_json::to_string_pretty(&package).map_err(text)?;
    fs::write(manifest, package + "\n").map_err(text)
}

/// Whether npm itself refuses to publish a package, at a registry that is nowhere.
fn is_withheld(package: &Path) -> Result<()> {
    let registry = ["--registry", "http://127.0.0.1:9", "--//127.0.0.1:9/:_authToken=none"];
    let mut publish = command("npm", &["publish", "--fetch-retries", "0"]);
    match output(publish.args(registry).arg(package)) {
        Err(said) if said.contains("EPRIVATE") => Ok(()),
        Err(said) => Err(format!("npm would have published it: {said}")),
        Ok(_) => Err("npm published it".to_owned()),
    }
}

fn licences(folder: &Path) -> Result<()> {
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root().join(name), folder.join(name)).map_err(text)?;
    }
    Ok(())
}

fn pack(folder: &Path) -> Result<PathBuf> {
    let named = output(command("npm", &["pack", "--silent"]).current_dir(folder))?;
    Ok(folder.join(named.trim()))
}

/// Installs the packages into an empty folder, without a network, and makes a repository with them.
fn runs(work: &Path, packages: &[&Path]) -> Result<()> {
    let app = work.join("app");
    fs::create_dir_all(&app).map_err(text)?;
    fs::write(app.join("package.json"), r#"{"name":"shop","private":true}"#).map_err(text)?;
    let mut install = command("npm", &["install", "--silent", "--offline", "--no-audit"]);
    output(install.args(packages).current_dir(&app))?;
    let farad = |args: &[&str]| {
        let mut farad = command("npm", &["exec", "--offline", "--", "farad"]);
        output(farad.args(args).current_dir(&app))
    };
    let told = farad(&["--version"])?;
    if told.trim() != concat!("farad ", env!("CARGO_PKG_VERSION")) {
        return Err(format!("it says {told:?}"));
    }
    farad(&["init", "--app", "com.example.shop", "--no-passphrase"])?;
    farad(&["verify", "updates"])?;
    if cfg!(unix) {
        // `npm exec` hands on no open file; the launcher does.
        let line = "umask 077; echo 'for trying it' > passphrases; mkdir keyed; cd keyed
            ../node_modules/.bin/farad --passphrase-fd 9 init --app com.example.shop 9< ../passphrases";
        output(command("sh", &["-eu", "-c", line]).current_dir(&app))?;
    }
    match farad(&["verify", "nowhere"]) {
        Ok(_) => Err("what fails is not told".to_owned()),
        Err(_) => Ok(()),
    }
}

fn versions() -> Result<()> {
    let manifest = fs::read_to_string(root().join("npm/cli/package.json")).map_err(text)?;
    let manifest: Value = serde_json::from_str(&manifest).map_err(text)?;
    let ours = json!(env!("CARGO_PKG_VERSION"));
    let needs = manifest.get("optionalDependencies").and_then(Value::as_object);
    let needs = needs.ok_or("no platforms are named")?;
    let expected: Vec<_> = PLATFORMS.iter().map(|(npm, _)| format!("@farad/cli-{npm}")).collect();
    let named: Vec<_> = needs.keys().cloned().collect();
    if named != expected {
        return Err(format!("the platforms are {named:?}"));
    }
    let same = manifest.get("version") == Some(&ours) && needs.values().all(|need| *need == ours);
    if same { Ok(()) } else { Err(format!("not all are {ours}")) }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
