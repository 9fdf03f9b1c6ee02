//! `cargo xtask pack`: the npm package as an app gets it.
//!
//! Enters: the plugin, built; Capacitor's own command. Leaves: the package packed, its contents held
//! against a list (`tests/pack/files.txt`); two fresh apps, one with Swift packages and one with
//! CocoaPods, that installed it, added Android and iOS and were synced with the network cut; what
//! Capacitor wrote about the plugin held against what it must be. Libraries that were not built here
//! are stood in for by files of their names, and it is said. Refuses nothing that needs a phone: no
//! Gradle, no Xcode is run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::count::Count;
use crate::npm;
use crate::shell::{Result, command, output, root, run, target};

/// What Capacitor's command runs on.
const NODE: u32 = 22;
/// What a published package has beside what is committed and what is built here.
const LIBRARIES: [&str; 12] = [
    "android/libraries.json",
    "android/src/main/jniLibs/arm64-v8a/libfarad.so",
    "android/src/main/jniLibs/armeabi-v7a/libfarad.so",
    "android/src/main/jniLibs/x86_64/libfarad.so",
    "ios/libraries.json",
    "ios/Frameworks/FaradFFI.xcframework/Info.plist",
    "ios/Frameworks/FaradFFI.xcframework/ios-arm64/Headers/FaradFFI/FaradFFI.h",
    "ios/Frameworks/FaradFFI.xcframework/ios-arm64/Headers/FaradFFI/module.modulemap",
    "ios/Frameworks/FaradFFI.xcframework/ios-arm64/libfarad.a",
    "ios/Frameworks/FaradFFI.xcframework/ios-arm64_x86_64-simulator/Headers/FaradFFI/FaradFFI.h",
    "ios/Frameworks/FaradFFI.xcframework/ios-arm64_x86_64-simulator/Headers/FaradFFI/module.modulemap",
    "ios/Frameworks/FaradFFI.xcframework/ios-arm64_x86_64-simulator/libfarad.a",
];
/// What Capacitor writes about the plugin: a file of the app, and a line that must be in it.
const WRITTEN: [(&str, &str); 4] = [
    ("android/capacitor.settings.gradle", "include ':farad-capacitor'"),
    (
        "android/capacitor.settings.gradle",
        "project(':farad-capacitor').projectDir = new File('../node_modules/@farad/capacitor/android')",
    ),
    ("android/app/capacitor.build.gradle", "implementation project(':farad-capacitor')"),
    (
        "android/app/src/main/assets/capacitor.plugins.json",
        "\"classpath\": \"dev.farad.capacitor.FaradPlugin\"",
    ),
];
const SWIFT: [(&str, &str); 2] = [
    (
        "ios/App/CapApp-SPM/Package.swift",
        ".package(name: \"FaradCapacitor\", path: \"../../../node_modules/@farad/capacitor\")",
    ),
    (
        "ios/App/CapApp-SPM/Package.swift",
        ".product(name: \"FaradCapacitor\", package: \"FaradCapacitor\")",
    ),
];
const PODS: [(&str, &str); 1] =
    [("ios/App/Podfile", "pod 'FaradCapacitor', :path => '../../node_modules/@farad/capacitor'")];

/// Packs, installs, adds and syncs; `write` writes the list instead of comparing.
pub(crate) fn run_all(write: bool) -> Result<()> {
    npm::install()?;
    let work = target().join("pack");
    if work.exists() {
        fs::remove_dir_all(&work).map_err(text)?;
    }
    let mut count = Count::default();
    let package = pack(&work)?;
    count.check("the package has what is on the list, and nothing else", contents(&package, write));
    let node = match node() {
        Ok(node) => node,
        Err(why) => {
            count.skip(2 * (1 + WRITTEN.len()) as u64 + 3 + 2, &why);
            return count.close();
        }
    };
    for (manager, more) in [("SPM", &SWIFT[..]), ("CocoaPods", &PODS[..])] {
        println!("== an app with {manager}");
        let app = work.join(manager);
        let made = make(&app, &package, &node, manager);
        let stands = made.is_ok();
        count.check("installed, added and synced with the network cut", made);
        if !stands {
            continue;
        }
        for (file, line) in WRITTEN.iter().chain(more) {
            count.check(&format!("{file}: {line}"), has(&app.join(file), line));
        }
        count.check("Capacitor knows the class of the plugin on iOS", class(&app));
    }
    count.close()
}

/// Lays what is published beside the work tree, and packs it.
fn pack(work: &Path) -> Result<PathBuf> {
    let stage = work.join("stage");
    let manifest = fs::read_to_string(root().join("package.json")).map_err(text)?;
    let manifest: Value = serde_json::from_str(&manifest).map_err(text)?;
    let listed = manifest.get("files").and_then(Value::as_array).ok_or("no files are named")?;
    let files = listed.iter().filter_map(Value::as_str);
    for path in files.chain(["package.json", "README.md", ".gitignore", "android/.gitignore"]) {
        let from = root().join(path.trim_end_matches('/'));
        if from.exists() {
            copy(&from, &stage.join(path.trim_end_matches('/')))?;
        }
    }
    for path in LIBRARIES {
        let place = stage.join(path);
        if !place.exists() {
            println!("{path} was not built here: something of its name stands in for it");
            fs::create_dir_all(place.parent().unwrap_or(&stage)).map_err(text)?;
            fs::write(place, "not built here\n").map_err(text)?;
        }
    }
    let mut npm = command("npm", &["pack", "--ignore-scripts", "--silent"]);
    let named = output(npm.current_dir(&stage))?;
    Ok(stage.join(named.trim()))
}

fn contents(package: &Path, write: bool) -> Result<()> {
    let told = output(command("tar", &["tzf"]).arg(package))?;
    let found: BTreeSet<_> = told
        .lines()
        .filter_map(|line| line.strip_prefix("package/"))
        // One for each source: `plugin/tests/package.test.ts` knows what they may be called.
        .map(|path| if path.starts_with("dist/") { "dist/" } else { path })
        .collect();
    let list = root().join("tests/pack/files.txt");
    if write {
        let lines: String = found.iter().map(|path| format!("{path}\n")).collect();
        return fs::write(list, lines).map_err(text);
    }
    let list = fs::read_to_string(list).map_err(text)?;
    let listed: BTreeSet<_> = list.lines().collect();
    let (new, gone): (Vec<_>, Vec<_>) =
        (found.difference(&listed).collect(), listed.difference(&found).collect());
    if new.is_empty() && gone.is_empty() {
        Ok(())
    } else {
        Err(format!("new {new:?}, gone {gone:?}"))
    }
}

/// The folder of a Node.js that is new enough: the machine's, or one from npm.
fn node() -> Result<Option<PathBuf>> {
    let version = output(&mut command("node", &["--version"]))?;
    let major = version.trim().trim_start_matches('v').split('.').next();
    if major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= NODE) {
        return Ok(None);
    }
    let place = target().join("node");
    let bin = place.join("node_modules/node/bin");
    if !bin.join("node").exists() {
        fs::create_dir_all(&place).map_err(text)?;
        let package = format!("node@{NODE}");
        let mut npm = command("npm", &["install", "--silent", "--no-audit", "--no-fund", &package]);
        output(npm.arg("--prefix").arg(&place))
            .map_err(|error| format!("Node.js {NODE} is not to be had from npm: {error}"))?;
    }
    Ok(Some(bin))
}

/// A fresh app that has the package, with both platforms.
fn make(app: &Path, package: &Path, node: &Option<PathBuf>, manager: &str) -> Result<()> {
    let web = app.join("www");
    fs::create_dir_all(&web).map_err(text)?;
    fs::write(web.join("index.html"), "<title>Shop</title>").map_err(text)?;
    let manifest = json!({ "name": "shop", "version": "1.0.0", "private": true });
    fs::write(app.join("package.json"), manifest.to_string()).map_err(text)?;
    let farad = json!({ "url": "https://updates.example.com/shop", "channel": "production" });
    let config = json!({
        "appId": "com.example.shop",
        "appName": "Shop",
        "webDir": "www",
        "plugins": { "Farad": farad },
    });
    fs::write(app.join("capacitor.config.json"), config.to_string()).map_err(text)?;
    let mut install = on(node, Command::new("npm"));
    install.args(["install", "--silent", "--no-audit", "--no-fund", "--prefer-offline"]);
    // The versions that the plugin itself was built and tested with.
    for name in ["core", "cli", "android", "ios"] {
        install.arg(format!("@capacitor/{name}@{}", version(name)?));
    }
    output(install.arg(package).current_dir(app))?;
    for args in [&["add", "android"][..], &["add", "ios", "--packagemanager", manager], &["sync"]] {
        let mut cap = on(node, cut());
        cap.args(["node", "node_modules/@capacitor/cli/bin/capacitor"]).args(args);
        // No question is asked, nothing is reported.
        cap.env("CI", "true").current_dir(app);
        output(&mut cap)?;
    }
    Ok(())
}

/// Runs what follows without a network. Needs root, or user namespaces.
fn cut() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--map-root-user"]);
    unshare
}

fn on(node: &Option<PathBuf>, mut program: Command) -> Command {
    if let Some(bin) = node {
        let path = std::env::var("PATH").unwrap_or_default();
        program.env("PATH", format!("{}:{path}", bin.display()));
    }
    program
}

fn version(name: &str) -> Result<String> {
    let manifest = root().join(format!("node_modules/@capacitor/{name}/package.json"));
    let manifest = fs::read_to_string(manifest).map_err(text)?;
    let manifest: Value = serde_json::from_str(&manifest).map_err(text)?;
    let version = manifest.get("version").and_then(Value::as_str);
    version.map(str::to_owned).ok_or_else(|| format!("@capacitor/{name} has no version"))
}

fn has(file: &Path, line: &str) -> Result<()> {
    let content = fs::read_to_string(file).map_err(text)?;
    let found = content.lines().any(|found| found.trim().trim_end_matches(',') == line);
    if found { Ok(()) } else { Err(format!("is not in it:\n{content}")) }
}

fn class(app: &Path) -> Result<()> {
    let config = fs::read_to_string(app.join("ios/App/App/capacitor.config.json")).map_err(text)?;
    let config: Value = serde_json::from_str(&config).map_err(text)?;
    let classes = config.get("packageClassList").cloned().unwrap_or_default();
    if classes == json!(["FaradPlugin"]) { Ok(()) } else { Err(format!("{classes}")) }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to)).map_err(text)?;
    run(command("cp", &["-R"]).arg(from).arg(to))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_source_of_the_shells() {
        let list = fs::read_to_string(root().join("tests/pack/files.txt")).unwrap();
        let listed: Vec<&str> = list.lines().collect();
        let mut sources = 0;
        for folder in ["android/src/main/kotlin/dev/farad/capacitor", "ios/Sources/FaradCapacitor"]
        {
            for entry in fs::read_dir(root().join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let path = format!("{folder}/{name}");
                assert!(listed.contains(&path.as_str()), "{path}: cargo xtask pack --write");
                sources += 1;
            }
        }
        assert!(sources > 10, "{sources}");
    }
}
