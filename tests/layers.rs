//! The layers of `docs/architecture.md`: imports in `src/` only go down.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at a surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the bottom up, with their modules.
const LAYERS: [&[&str]; 6] = [
    &[
        "config", "digest", "error", "hex", "host", "id", "json", "limits", "native", "progress",
        "time", "wire",
    ],
    &["boot", "patch", "release", "rollout", "seal", "trust"],
    &["builtin", "fetch", "outbox", "store", "unpack"],
    &["updater"],
    &["pilot"],
    &["ffi"],
];

/// Imports within a layer, each with its reason.
const SIDEWAYS: [(&str, &str); 7] = [
    // A manifest says how its blobs are sealed.
    ("release", "seal"),
    // A patch leads from one index to another.
    ("patch", "release"),
    // Offers and policies name releases and their blobs.
    ("rollout", "release"),
    // A broken stream is the transport's error, whoever reads it.
    ("unpack", "fetch"),
    // Files are written through the disk trait.
    ("unpack", "store"),
    // Events wait in files of the same disk.
    ("outbox", "store"),
    // The built-in bundle hands out contents as installed bundles do.
    ("builtin", "unpack"),
];

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|modules| modules.contains(&module));
    found.unwrap_or_else(|| panic!("src/{module} belongs to no layer; put it into one"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Modules that a file imports by `crate::`, tests left out.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            // use crate::{json, limits};
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let word = name.trim().split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next();
            let word = word.unwrap_or_default();
            // Items of the crate's root begin with a capital.
            if word.starts_with(|c: char| c.is_ascii_lowercase()) {
                found.insert(word.to_owned());
            }
        }
    }
    found
}

#[test]
fn imports_only_go_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        let is_test = inside.components().any(|part| {
            let part = part.as_os_str().to_string_lossy();
            part == "tests.rs" || part == "tests"
        });
        if module == "lib" || is_test {
            continue;
        }
        seen.insert(module.clone());
        for import in imports(&fs::read_to_string(&path).unwrap()) {
            // Values are made of values.
            let values = layer(&import) == 0 && layer(&module) == 0;
            let sideways = SIDEWAYS.contains(&(&module, &import)) || values;
            if import != module && layer(&import) >= layer(&module) && !sideways {
                wrong.push(format!("{}: {module} imports {import}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let listed: BTreeSet<String> = LAYERS.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(seen, listed, "the list of modules and src/ differ");
}

#[test]
fn only_the_face_names_the_bindings_generator() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let naming = sources(&root).into_iter().filter(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.contains("uniffi")
    });
    let inside =
        |path: &PathBuf| path.starts_with(root.join("ffi")) || *path == root.join("ffi.rs");
    let naming: Vec<_> = naming.collect();
    assert!(naming.len() > 1 && naming.iter().all(inside), "{naming:?}");
}
