//! Documentation that code can be held against.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at a surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Texts between double quotes in the `code` functions of `src/error.rs`.
fn codes_in_code() -> BTreeSet<String> {
    let text = read("src/error.rs");
    let mut found = BTreeSet::new();
    for body in text.split("fn code(self)").chain(text.split("fn code(&self)")).skip(1) {
        let body = body.split("\n    }\n").next().unwrap();
        for line in body.lines().filter(|line| line.contains("=>")) {
            if let Some(code) = line.split('"').nth(1) {
                found.insert(code.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_code_stands_in_the_table_and_no_other() {
    let table: BTreeSet<String> = read("docs/errors.md")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()))
        .collect();
    let code = codes_in_code();
    assert!(code.len() > 20, "{code:?}");
    assert_eq!(table, code);
    for kebab in &code {
        assert!(kebab.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{kebab}");
    }
}

#[test]
fn every_code_of_the_command_stands_in_the_list_and_no_other() {
    let text = read("docs/errors.md");
    let list = text.split("## Codes of the command").nth(1).unwrap();
    let quoted = list.lines().filter_map(|line| line.strip_prefix("- ")).flat_map(|line| {
        let (codes, _) = line.split_once(": ").unwrap();
        codes.split(", ").map(|code| code.trim_matches('`').to_owned()).collect::<Vec<_>>()
    });
    let listed: BTreeSet<String> = quoted.collect();
    let sources = sources(&["publisher/src"]);
    let made = sources.split("Failure::new(").skip(1).filter_map(|rest| {
        let code = rest.trim_start().strip_prefix('"')?.split('"').next()?;
        Some(code.to_owned())
    });
    let own: BTreeSet<String> = made.filter(|code| !codes_in_code().contains(code)).collect();
    assert!(own.len() > 20, "{own:?}");
    assert_eq!(listed, own);
}

#[test]
fn workflows_install_programs_of_a_version_that_is_named() {
    let mut installs = Vec::new();
    for file in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let lines = text.lines().filter(|line| line.contains("cargo install"));
        installs.extend(lines.map(str::to_owned));
    }
    assert!(!installs.is_empty());
    for line in installs {
        let program = line.split_whitespace().next_back().unwrap();
        assert!(program.contains('@') && line.contains("--locked"), "{line}");
    }
}

#[test]
fn every_code_status_and_reason_stands_in_the_troubleshooting() {
    let page = read("docs/guides/troubleshooting.md");
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| Some(line.strip_prefix("### `")?.strip_suffix('`')?.to_owned()))
        .collect();
    assert_eq!(headings, codes_in_code());
    let types = read("plugin/src/answers.ts");
    for name in ["SyncStatus", "RollbackReason"] {
        let union = types.split(&format!("export type {name} =")).nth(1).unwrap();
        let union = union.split(';').next().unwrap();
        let words: Vec<_> = union.split('\'').skip(1).step_by(2).collect();
        assert!(words.len() >= 3, "{union}");
        for word in words {
            assert!(page.contains(&format!("| `{word}` | ")), "{name}: {word}");
        }
    }
}

#[test]
fn every_page_stands_in_the_books_list_and_every_guide_in_the_readme() {
    let list = read("docs/SUMMARY.md");
    let readme = read("README.md");
    for page in markdown(&root().join("docs")) {
        let path = page.strip_prefix(root().join("docs")).unwrap().display().to_string();
        if path != "SUMMARY.md" && !path.starts_with("adr/") {
            assert_eq!(list.matches(&format!("]({path})")).count(), 1, "{path}");
        }
        if path.starts_with("guides/") {
            assert!(readme.contains(&format!("](docs/{path})")), "{path}");
        }
    }
}

/// All Rust below these folders.
fn sources(folders: &[&str]) -> String {
    let mut text = String::new();
    let mut folders: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

fn markdown(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules", ".git"].contains(&name.as_str()) {
            found.extend(markdown(&path));
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    for page in markdown(root()) {
        let text = fs::read_to_string(&page).unwrap();
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = page.parent().unwrap().join(path);
            assert!(target.exists(), "{}: {link}", page.display());
            let target = if path.is_empty() { page.clone() } else { target };
            let place = anchor.is_empty() || anchors(&target).contains(anchor);
            assert!(place, "{}: {link}: no such heading", page.display());
        }
    }
}

/// What links to a page may name, as Markdown's readers make it from headings: lower case, spaces to
/// hyphens, all but letters, digits, hyphens and underscores left out.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let mut code = false;
    let headings = text.lines().filter(move |line| {
        code ^= line.starts_with("```");
        !code && line.starts_with('#')
    });
    let anchor = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_test_that_security_names_exists() {
    let sources = sources(&["src", "tests", "publisher"]);
    let text = read("docs/security.md");
    let named =
        text.split('`').filter(|word| word.contains('_') && !word.contains(['.', ' ', '-']));
    let named: Vec<_> = named.filter(|word| word.chars().any(char::is_lowercase)).collect();
    assert!(named.len() > 8, "{named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "no test {name}");
    }
    // And the other way round: no attack is tried without a row.
    let attacks: Vec<_> = sources.split("#[test]\nfn attack_").skip(1).collect();
    assert!(attacks.len() > 30);
    for attack in attacks {
        let name = format!("`attack_{}`", attack.split('(').next().unwrap());
        assert!(text.contains(&name), "no row for {name}");
    }
}

/// A variant's name as the command line has it.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[test]
fn contributing_lists_the_tasks_that_there_are() {
    let text = read("CONTRIBUTING.md");
    let main = read("xtask/src/main.rs");
    let tasks = main.split("enum Task {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let names = tasks.lines().filter_map(|line| {
        let name = line.trim().trim_end_matches(['{', ',', ' ']);
        let is_variant = line.starts_with("    ") && !line.starts_with("     ");
        (is_variant && name.starts_with(char::is_uppercase)).then(|| kebab(name))
    });
    let names: Vec<_> = names.collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        assert!(text.contains(&format!("cargo xtask {name} ")), "{name}");
    }
}
