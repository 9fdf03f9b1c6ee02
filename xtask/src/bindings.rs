//! `cargo xtask bindings`: writes the Kotlin and Swift bindings, or holds the committed ones against
//! what the library gives now.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Result, command, root, target};

/// Languages, each a folder of `bindings/`.
const LANGUAGES: [&str; 2] = ["kotlin", "swift"];

/// Builds the library as phones get it, for this machine, and returns the folder it is in. Not
/// stripped: the generator reads its symbols.
pub(crate) fn library() -> Result<PathBuf> {
    library_of("dev")
}

/// As [`library`], by one of cargo's profiles.
pub(crate) fn library_of(profile: &str) -> Result<PathBuf> {
    let args = ["rustc", "--quiet", "--package", "farad", "--lib", "--crate-type", "cdylib"];
    let mut cargo = command("cargo", &args);
    cargo.args(["--no-default-features", "--features", "ffi", "--profile", profile]);
    shell::run(&mut cargo)?;
    Ok(target().join(if profile == "dev" { "debug" } else { profile }))
}

/// Writes `bindings/`, or, with `check`, fails where it is not what would be written.
pub(crate) fn run(check: bool) -> Result<()> {
    let library = library()?.join(file_name());
    if check {
        return self::check(&library);
    }
    let made = generate(&library)?;
    let committed = root().join("bindings");
    for language in LANGUAGES {
        fs::remove_dir_all(committed.join(language)).ok();
    }
    for (path, bytes) in made {
        let place = committed.join(path);
        let folder = place.parent().map_or_else(root, Path::to_path_buf);
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        fs::write(place, bytes).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Fails where a library gives other bindings than the committed ones. It must not be stripped.
pub(crate) fn check(library: &Path) -> Result<()> {
    if files(&root().join("bindings"))? == generate(library)? {
        return Ok(());
    }
    Err("bindings/ is not what the library gives: run `cargo xtask bindings`".to_owned())
}

/// The bindings that a library gives, by path.
fn generate(library: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let fresh = target().join("bindings");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|error| error.to_string())?;
    }
    // A workspace and a target folder of its own: nothing of the library's is built for it.
    let mut bindgen = command("cargo", &["run", "--quiet", "--locked", "--manifest-path"]);
    bindgen.arg(root().join("bindgen/Cargo.toml")).arg("--target-dir");
    bindgen.arg(target().join("bindgen")).arg("--").arg(library).arg(root()).arg(&fresh);
    shell::run(&mut bindgen)?;
    files(&fresh)
}

fn file_name() -> String {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    format!("{prefix}farad{suffix}")
}

/// Every file below the languages' folders, by path.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<_> = LANGUAGES.iter().map(|language| folder.join(language)).collect();
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                found.insert(name, fs::read(&path).map_err(|error| error.to_string())?);
            }
        }
    }
    Ok(found)
}
