//! The faces of the plugin name the same things: what pages call (`plugin/src/definitions.ts`) is
//! what the script, the web stub, the mock and native code answer, and statuses, reasons and codes
//! are those of the library. By text, since no compiler sees two of these languages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at a surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use farad::pilot::{EVENTS, METHODS};

type Names = BTreeSet<String>;

/// What native code and the stub answer for the plugin's own script, beside the page's calls.
const OF_THE_SCRIPT: [&str; 1] = ["attach"];
/// What Capacitor itself answers everywhere.
const OF_CAPACITOR: [&str; 2] = ["addListener", "removeAllListeners"];
/// What only a page without native code is told.
const OF_BROWSERS: [&str; 1] = ["unavailable"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn definitions() -> String {
    ["definitions", "answers", "events", "errors"]
        .map(|name| read(&format!("plugin/src/{name}.ts")))
        .concat()
}

/// The word at the start of `text`.
fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric()).collect()
}

/// Words that follow `before`, in every line that has it after nothing but spaces and `modifiers`.
fn declared(text: &str, indent: &str, modifiers: &[&str]) -> Names {
    let lines = text.lines().filter_map(|line| {
        let mut rest = line.strip_prefix(indent)?;
        for modifier in modifiers {
            rest = rest.strip_prefix(modifier)?;
        }
        let name = word(rest);
        let after = rest.strip_prefix(name.as_str())?;
        (!name.is_empty() && after.starts_with(['(', ':', '='])).then_some(name)
    });
    lines.collect()
}

/// What stands between the braces of `interface NAME {`.
fn interface(text: &str, name: &str) -> String {
    let after = text.split(&format!("interface {name} ")).nth(1).unwrap();
    after.split("\n}\n").next().unwrap().to_owned()
}

/// The members of a union of strings.
fn union(text: &str, name: &str) -> Names {
    let after = text.split(&format!("export type {name} =")).nth(1).unwrap();
    let members = after.split(';').next().unwrap();
    members.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

fn without(mut names: Names, others: &[&str]) -> Names {
    for other in others {
        assert!(names.remove(*other), "{other} is not there: {names:?}");
    }
    names
}

fn with(mut names: Names, others: &[&str]) -> Names {
    names.extend(others.iter().map(|&name| name.to_owned()));
    names
}

/// The calls of a page that native code answers.
fn calls() -> Names {
    let all = declared(&interface(&definitions(), "FaradPlugin"), "  ", &[]);
    let calls = without(all, &OF_CAPACITOR);
    assert!(calls.len() > 10, "{calls:?}");
    calls
}

/// Kebab-case names of a Rust enum's variants.
fn variants(file: &str, name: &str) -> Names {
    let text = read(file);
    let body = text.split(&format!("pub enum {name} {{")).nth(1).unwrap().to_owned();
    let body = body.split("\n}\n").next().unwrap().to_owned();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let variants = lines.filter(|line| line.starts_with(char::is_uppercase)).map(|line| {
        let mut kebab = String::new();
        for letter in word(line).chars() {
            if letter.is_uppercase() && !kebab.is_empty() {
                kebab.push('-');
            }
            kebab.extend(letter.to_lowercase());
        }
        kebab
    });
    variants.collect()
}

/// Files below `folder` with one of the extensions; none where there is no such folder.
fn sources(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("build") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn the_script_answers_every_call_of_a_page() {
    let facade = declared(&read("plugin/src/facade.ts"), "    ", &[]);
    assert_eq!(without(facade, &OF_CAPACITOR), calls());
}

#[test]
fn the_web_stub_answers_what_native_code_does() {
    let stub = declared(&read("plugin/src/web.ts"), "  ", &["async "]);
    assert_eq!(stub, with(calls(), &OF_THE_SCRIPT));
}

#[test]
fn the_mock_answers_every_call_of_a_page() {
    let text = read("plugin/src/testing/mock.ts");
    let api = text.split("// The plugin's API.").nth(1).unwrap();
    let api = api.split("\n  // ").next().unwrap();
    let mock = declared(api, "  ", &["async "]);
    assert_eq!(without(mock, &["removeAllListeners"]), calls());
}

#[test]
fn native_code_answers_what_the_script_asks() {
    let kotlin: Names = sources("android/src/main", "kt")
        .into_iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let after = text.split("@PluginMethod").skip(1);
            let names = after.filter_map(|text| Some(word(text.split("fun ").nth(1)?)));
            names.collect::<Vec<_>>()
        })
        .collect();
    let swift: Names = sources("ios", "swift")
        .into_iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let after = text.split("CAPPluginMethod(name: \"").skip(1);
            after.map(word).collect::<Vec<_>>()
        })
        .collect();
    for (platform, names) in [("android", kotlin), ("ios", swift)] {
        if root().join(platform).exists() {
            assert_eq!(names, with(calls(), &OF_THE_SCRIPT), "{platform}");
        }
    }
}

#[test]
fn the_pilot_answers_every_call_and_tells_every_event() {
    let methods: Names = METHODS.map(str::to_owned).into();
    assert_eq!(methods, with(calls(), &OF_THE_SCRIPT));
    let text = definitions();
    let events: Names = text
        .split("eventName: '")
        .skip(1)
        .filter_map(|at| Some(at.split('\'').next()?.to_owned()))
        .collect();
    assert_eq!(events, EVENTS.map(str::to_owned).into());
}

#[test]
fn the_configuration_has_the_keys_that_the_library_reads() {
    let text = read("plugin/src/config.ts");
    let after = text.split("Farad?: {").nth(1).unwrap();
    let typed = declared(&after.replace("?:", ":"), "      ", &[]);
    let settings = read("src/pilot/settings.rs");
    let code = settings.split("#[cfg(test)]").next().unwrap();
    let reads = ["take(\"", "text(\"", "texts(\"", "file(\"", "flag(\"", "number(\""];
    let mut read = Names::new();
    for call in reads {
        read.extend(code.split(&format!("read.{call}")).skip(1).map(word));
    }
    assert_eq!(typed, read);
}

#[test]
fn statuses_reasons_and_ways_are_the_librarys() {
    let text = definitions();
    let statuses = without(union(&text, "SyncStatus"), &OF_BROWSERS);
    assert_eq!(statuses, variants("src/updater/sync.rs", "Status"));
    assert_eq!(union(&text, "Via"), variants("src/updater/sync.rs", "Via"));
    assert_eq!(union(&text, "RollbackReason"), variants("src/boot/mod.rs", "Reason"));
}

#[test]
fn codes_are_those_of_the_table() {
    // tests/docs.rs holds the table against the library.
    let table: Names = read("docs/errors.md")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()))
        .collect();
    assert_eq!(union(&definitions(), "ErrorCode"), table);
}
