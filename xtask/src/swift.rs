//! `cargo xtask swift`: the Swift bindings and the iOS plugin, compiled and run on Linux over the
//! library for this machine.
//!
//! Enters: the sources as they are shipped, stand-ins for Apple's modules and for Capacitor
//! (`tests/swift`). Leaves: the counts of the tests; all of them skipped, with the reason, where no
//! Swift is to be had. What a compiler for Linux refuses is left out of the copy: Objective-C's
//! attributes. The stand-ins for Capacitor are held against the sources that it ships.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::count::{Count, XcTest};
use crate::shell::{self, Result, command, root, run_lines, target};
use crate::trixie::{Trixie, is_there};
use crate::{bindings, npm};

/// Where Swift comes from.
enum Swift {
    /// The machine has it.
    Here,
    /// A system beside this one has it.
    Beside(Trixie),
}

/// Runs the tests and prints the closing line; fetches a compiler where there is none.
pub(crate) fn run() -> Result<()> {
    test(true)?.close()
}

/// Sees to it that a compiler is there, if one is to be had.
pub(crate) fn prepare() -> Result<()> {
    match find(true) {
        Ok(_) => println!("Swift is there"),
        Err(why) => println!("there is no Swift: {why}"),
    }
    Ok(())
}

/// Runs the tests. Where there is no compiler, one is fetched, or they are skipped.
pub(crate) fn test(fetch: bool) -> Result<Count> {
    let mut count = Count::default();
    npm::install()?;
    count.check("the stand-ins are Capacitor's interface", standins());
    let swift = match find(fetch) {
        Ok(swift) => swift,
        Err(why) => {
            count.skip(written()?, &format!("there is no Swift: {why}"));
            return Ok(count);
        }
    };
    let library = bindings::library()?;
    shell::run(&mut command("cargo", &["build", "--quiet", "--package", "farad-publisher"]))?;
    let package = assemble()?;
    count.check("Package.swift can be read", manifest(&swift));
    let search = format!("-L{}", library.display());
    let mut tests = swift.command("swift", &["test", "--disable-sandbox", "--package-path"])?;
    tests.arg(package).arg("--scratch-path").arg(target().join("swift/build"));
    tests.args(["-Xlinker", &search, "-Xlinker", "-lfarad"]);
    tests.env("LD_LIBRARY_PATH", &library).env("FARAD_COMMAND", library.join("farad"));
    let mut xctest = XcTest::default();
    run_lines(&mut tests, |line| xctest.read(line))?;
    count.add(xctest.count());
    if xctest.count().passed + xctest.count().skipped != written()? {
        return Err("not every test that is written was run".to_owned());
    }
    Ok(count)
}

fn find(fetch: bool) -> Result<Swift> {
    if is_there("swift") {
        return Ok(Swift::Here);
    }
    match Trixie::find() {
        // Nothing can be mounted in some containers.
        Some(trixie) => shell::output(&mut trixie.command("true", &[])?)
            .map(|_| Swift::Beside(trixie))
            .map_err(|error| format!("the one beside this system cannot be entered: {error}")),
        None if fetch => Trixie::make().map(Swift::Beside),
        None => Err("`cargo xtask swift` fetches one".to_owned()),
    }
}

impl Swift {
    fn command(&self, program: &str, args: &[&str]) -> Result<Command> {
        match self {
            Self::Here => Ok(command(program, args)),
            Self::Beside(trixie) => trixie.command(program, args),
        }
    }
}

/// Apps meet the package by this manifest, which is compiled to be read.
fn manifest(swift: &Swift) -> Result<()> {
    let told = shell::output(&mut swift.command("swift", &["package", "dump-package"])?)?;
    let told: serde_json::Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
    let names = (told.get("name"), told.pointer("/products/0/name"));
    let expected = Some(&serde_json::Value::from("FaradCapacitor"));
    if names == (expected, expected) { Ok(()) } else { Err(format!("names {names:?}")) }
}

/// Lays the package that is compiled: what is shipped, without Objective-C's attributes, and the
/// stand-ins.
fn assemble() -> Result<PathBuf> {
    let package = target().join("swift/package");
    let (tests, plugin) = (root().join("tests/swift"), root().join("ios/Sources/FaradCapacitor"));
    let sources = package.join("Sources");
    lay(&tests.join("Package.swift"), &package.join("Package.swift"), |text| text)?;
    lay_all(&tests.join("Tests/FaradTests"), &package.join("Tests/FaradTests"), |text| text)?;
    for module in folders(&tests.join("Sources"))? {
        // What Objective-C's runtime gives to every class belongs to the module of the class.
        let name = if module == "ObjectiveC" { "FaradCapacitor" } else { &module };
        lay_all(&tests.join("Sources").join(&module), &sources.join(name), |text| text)?;
    }
    lay_all(&plugin, &sources.join("FaradCapacitor"), |text| without_attributes(&text))?;
    let bindings = root().join("bindings/swift");
    for (from, to) in [
        ("FaradCore.swift", "FaradCore/FaradCore.swift"),
        ("FaradFFI.h", "FaradFFI/FaradFFI.h"),
        ("FaradFFI.modulemap", "FaradFFI/module.modulemap"),
    ] {
        lay(&bindings.join(from), &sources.join(to), |text| text)?;
    }
    Ok(package)
}

/// Lays the Swift files of a folder, and takes those away that came from there once.
fn lay_all(from: &Path, to: &Path, change: impl Fn(String) -> String) -> Result<()> {
    for name in files(from)?.into_iter().filter(|name| name.ends_with(".swift")) {
        lay(&from.join(&name), &to.join(&name), &change)?;
    }
    Ok(())
}

/// Lays one file, and leaves one alone that is as it should be: its age tells the compiler.
fn lay(from: &Path, to: &Path, change: impl Fn(String) -> String) -> Result<()> {
    let text =
        change(fs::read_to_string(from).map_err(|error| format!("{}: {error}", from.display()))?);
    if fs::read_to_string(to).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let folder = to.parent().map_or_else(root, Path::to_path_buf);
    fs::create_dir_all(folder).and_then(|()| fs::write(to, text)).map_err(|error| error.to_string())
}

/// The text without `@objc` and `@objc(Name)`.
fn without_attributes(text: &str) -> String {
    let mut parts = text.split("@objc");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = match part.strip_prefix('(').and_then(|named| named.split_once(')')) {
            Some((_, rest)) => rest,
            None => part,
        };
        kept += rest;
    }
    kept
}

/// Every line of Capacitor's sources that a stand-in names is there.
fn standins() -> Result<()> {
    let capacitor = root().join("node_modules/@capacitor/ios/Capacitor/Capacitor");
    let ours = root().join("tests/swift/Sources/Capacitor");
    let (mut named, mut missing) = (0, Vec::new());
    for name in files(&ours)? {
        let text = fs::read_to_string(ours.join(name)).map_err(|error| error.to_string())?;
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("// ")) {
            let Some((file, real)) = line.split_once(": ").filter(|(file, _)| is_source(file))
            else {
                continue;
            };
            named += 1;
            let source = fs::read_to_string(capacitor.join(file)).unwrap_or_default();
            if !source.lines().any(|line| line.trim() == real) {
                missing.push(format!("{file} has no {real:?}"));
            }
        }
    }
    match named {
        0 => Err("no stand-in names what it stands for".to_owned()),
        _ if missing.is_empty() => Ok(()),
        _ => Err(missing.join("; ")),
    }
}

fn is_source(file: &str) -> bool {
    !file.contains(' ') && (file.ends_with(".swift") || file.ends_with(".h"))
}

/// How many tests are written.
fn written() -> Result<u64> {
    let folder = root().join("tests/swift/Tests/FaradTests");
    let mut count = 0;
    for name in files(&folder)? {
        let text = fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())?;
        count += text.matches("\n    func test").count() as u64;
    }
    Ok(count)
}

fn files(folder: &Path) -> Result<Vec<String>> {
    entries(folder, |entry| entry.is_file())
}

fn folders(folder: &Path) -> Result<Vec<String>> {
    entries(folder, Path::is_dir)
}

fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| wanted(path));
    let mut names: Vec<_> =
        paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::without_attributes;

    #[test]
    fn attributes_go_and_everything_else_stays() {
        let text = "@objc(FaradPlugin)\npublic class FaradPlugin {\n    @objc func ready() {}\n}\n";
        let kept = "\npublic class FaradPlugin {\n     func ready() {}\n}\n";
        assert_eq!(without_attributes(text), kept);
    }
}
