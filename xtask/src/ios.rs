//! `cargo xtask ios`: the library for iPhones and simulators, as it is published.
//!
//! Enters: the library's source, a Mac with Xcode, Rust's targets and rust-src. Leaves:
//! `ios/Frameworks/FaradFFI.xcframework`; `target/symbols/ios`, with the symbols that crash reports are
//! read with; a record for `npm publish`. Refuses: a library that gives other bindings than the
//! committed ones, or was not optimised across crates.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Result, command, output, root, target};
use crate::{bindings, mobile, phone, record};

const PHONE: &str = "aarch64-apple-ios";
const SIMULATORS: [&str; 2] = ["aarch64-apple-ios-sim", "x86_64-apple-ios"];
/// What `Package.swift` says.
const OLDEST: &str = "15.0";
const FRAMEWORK: &str = "ios/Frameworks/FaradFFI.xcframework";

/// Builds phone and simulators into one framework.
pub(crate) fn run() -> Result<()> {
    output(&mut command("xcodebuild", &["-version"]))
        .map_err(|_| "there is no xcodebuild: this needs a Mac with Xcode")?;
    let work = target().join("ios");
    let headers = headers(&work)?;
    let phone = strip(&build(PHONE)?, &work, "phone")?;
    let [arm, intel] = SIMULATORS;
    let (arm, intel) = (build(arm)?, build(intel)?);
    let both = folder(&work.join("both"))?.join("libfarad.a");
    output(command("lipo", &["-create", "-output"]).arg(&both).arg(arm).arg(intel))?;
    let simulators = strip(&both, &work, "simulators")?;

    let framework = root().join(FRAMEWORK);
    if framework.exists() {
        fs::remove_dir_all(&framework).map_err(|error| error.to_string())?;
    }
    let mut create = command("xcodebuild", &["-create-xcframework"]);
    for library in [&phone, &simulators] {
        create.arg("-library").arg(library).arg("-headers").arg(&headers);
    }
    shell::run(create.arg("-output").arg(&framework))?;
    let mut files = vec![format!("{FRAMEWORK}/Info.plist")];
    for slice in ["ios-arm64", "ios-arm64_x86_64-simulator"] {
        // Without the module map no app finds the library, and Xcode says so only there.
        for file in
            ["libfarad.a", "Headers/FaradFFI/FaradFFI.h", "Headers/FaradFFI/module.modulemap"]
        {
            files.push(format!("{FRAMEWORK}/{slice}/{file}"));
        }
    }
    record::write("ios", &files)
}

fn build(triple: &str) -> Result<PathBuf> {
    println!("== {triple}");
    let mut cargo = command("cargo", &["rustc", "--target", triple]);
    phone::select(&mut cargo, "staticlib");
    phone::standard_library_if_there(&mut cargo)?;
    cargo.env(format!("CFLAGS_{}", triple.replace('-', "_")), phone::C);
    shell::run(cargo.env("IPHONEOS_DEPLOYMENT_TARGET", OLDEST))?;
    let release = target().join(triple).join(phone::PROFILE);
    mobile::is_optimised(&release)?;
    let library = release.join("libfarad.a");
    // What is stripped tells the generator nothing any more.
    bindings::check(&library)?;
    let symbols = folder(&target().join("symbols/ios").join(triple))?;
    fs::copy(&library, symbols.join("libfarad.a")).map_err(|error| error.to_string())?;
    Ok(library)
}

/// Without what only a debugger reads: an app's own linker takes the rest away.
fn strip(library: &Path, work: &Path, name: &str) -> Result<PathBuf> {
    let stripped = folder(&work.join(name))?.join("libfarad.a");
    output(command("xcrun", &["strip", "-S", "-o"]).arg(&stripped).arg(library))?;
    Ok(stripped)
}

/// What Swift imports, in a folder of its own: two frameworks of an app must not both bring a module
/// map at the top.
fn headers(work: &Path) -> Result<PathBuf> {
    let headers = work.join("headers");
    let ours = folder(&headers.join("FaradFFI"))?;
    for (from, to) in [("FaradFFI.h", "FaradFFI.h"), ("FaradFFI.modulemap", "module.modulemap")] {
        fs::copy(root().join("bindings/swift").join(from), ours.join(to))
            .map_err(|error| format!("{from}: {error}"))?;
    }
    Ok(headers)
}

fn folder(path: &Path) -> Result<PathBuf> {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.to_owned())
}
