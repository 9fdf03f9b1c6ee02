//! `cargo xtask corpus`: consecutive versions of real built web apps, to measure updates on.
//!
//! Enters: names and versions of packages that ship what a bundler wrote, and the sources of a
//! synthetic app whose changes are known (one line, a page more, a dependency bumped). Leaves:
//! `target/corpus/<set>/<version>/`, cut to what an app would ship. Fetched by name with `npm` and
//! `pip`; never committed. A version that is there is left alone.

use std::fs;
use std::path::{Path, PathBuf};

use farad::release::pack::index_folder;

use crate::shell::{Result, command, output, root};

/// A package, and where in it the web files are.
struct Package {
    set: &'static str,
    client: Client,
    name: &'static str,
    /// Folder of the web files inside the package; `*` at the start of a segment stands for any.
    folder: &'static str,
    /// Oldest first.
    versions: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Client {
    Npm,
    Pip,
}

const fn npm(
    set: &'static str,
    name: &'static str,
    folder: &'static str,
    versions: &'static [&'static str],
) -> Package {
    Package { set, client: Client::Npm, name, folder, versions }
}

const fn pip(
    set: &'static str,
    name: &'static str,
    folder: &'static str,
    versions: &'static [&'static str],
) -> Package {
    Package { set, client: Client::Pip, name, folder, versions }
}

#[rustfmt::skip]
const PACKAGES: [Package; 10] = [
    npm("swagger", "swagger-ui-dist", "", &["5.33.0", "5.33.1", "5.33.2", "5.33.3", "5.34.0"]),
    npm("mermaid", "mermaid", "dist/chunks/mermaid.esm.min", &["11.16.0", "11.16.1", "11.17.0", "11.17.1", "11.17.2"]),
    npm("pdfjs", "pdfjs-dist", "build", &["6.1.200", "6.2.108", "6.3.289", "6.4.299", "6.5.438"]),
    npm("tinymce", "tinymce", "", &["8.8.0", "8.8.2", "8.9.0", "8.9.1", "8.9.2"]),
    npm("ionic", "@ionic/core", "dist/ionic", &["8.8.17", "8.8.18", "8.8.19", "9.0.0", "9.0.1"]),
    npm("directus", "@directus/app", "dist", &["16.1.1", "16.2.0", "16.2.1", "17.0.0"]),
    npm("n8n", "n8n-editor-ui", "dist", &["2.39.4", "2.39.5", "2.39.6", "2.40.2", "2.40.3"]),
    npm("monaco", "monaco-editor", "min", &["0.54.0", "0.55.0", "0.55.1", "0.56.0"]),
    pip("streamlit", "streamlit", "streamlit/static", &["1.64.0", "1.65.0", "1.66.0", "1.66.1", "1.67.0"]),
    pip("jupyterlab", "jupyterlab", "*.data/data/share/jupyter/lab/static", &["4.6.2", "4.6.3", "4.6.4", "4.6.5", "4.6.6"]),
];

/// The synthetic app: what each version has changed since the first.
const SYNTHETIC: &str = "vite";
const STEPS: [(&str, &[&str]); 6] = [
    ("0-base", &[]),
    ("1-oneline-shared", &["oneline"]),
    ("2-oneline-page", &["oneline", "pageline"]),
    ("3-addpage", &["oneline", "pageline", "addpage"]),
    ("4-multi", &["oneline", "pageline", "addpage", "multi"]),
    ("5-depbump", &["oneline", "pageline", "addpage", "multi"]),
];
/// Dependencies that the last version has newer.
const BUMPED: [&str; 6] = [
    "@ionic/core@9.0.4",
    "@ionic/react@9.0.4",
    "@ionic/react-router@9.0.4",
    "date-fns@4.2.0",
    "react-dom@19.2.1",
    "react@19.2.1",
];
const NPM_INSTALL: [&str; 5] =
    ["install", "--silent", "--no-audit", "--no-fund", "--legacy-peer-deps"];

/// Source maps, typings, twins compressed in advance, and what only npm reads.
const NOT_SHIPPED: [&str; 8] =
    [".map", ".ts", ".gz", ".br", ".tsbuildinfo", "package.json", ".md", ".txt"];

/// One set of the corpus: its name, and the folders of its versions, oldest first.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) versions: Vec<PathBuf>,
}

/// Fetches and builds what is not there yet; all of it if `only` is empty.
pub(crate) fn run(only: &[String]) -> Result<()> {
    println!("set | version | files | bytes | identity");
    for set in sets(only)? {
        for version in &set.versions {
            let index = index_folder(version).map_err(|error| error.to_string())?;
            let name = version.file_name().unwrap_or_default().to_string_lossy();
            let (files, bytes, identity) = (index.files().len(), index.total(), index.identity());
            println!("{} | {name} | {files} | {bytes} | {identity}", set.name);
        }
    }
    Ok(())
}

/// The sets that are asked for, fetched if need be.
pub(crate) fn sets(only: &[String]) -> Result<Vec<Set>> {
    let known: Vec<&str> = PACKAGES.iter().map(|package| package.set).chain([SYNTHETIC]).collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("there is no set {unknown}; there are: {}", known.join(", ")));
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let mut sets = Vec::new();
    for package in PACKAGES.iter().filter(|package| wanted(package.set)) {
        let place = |version: &&str| corpus().join(package.set).join(version);
        for version in package.versions {
            fetch(package, version, &place(version))?;
        }
        sets.push(Set {
            name: package.set,
            versions: package.versions.iter().map(place).collect(),
        });
    }
    if wanted(SYNTHETIC) {
        let versions: Vec<_> =
            STEPS.iter().map(|(n, _)| corpus().join(SYNTHETIC).join(n)).collect();
        if !versions.iter().all(|version| version.is_dir()) {
            synthesize()?;
        }
        sets.push(Set { name: SYNTHETIC, versions });
    }
    Ok(sets)
}

fn corpus() -> PathBuf {
    root().join("target/corpus")
}

/// Fetches one version of a package; nothing if it is there.
fn fetch(package: &Package, version: &str, place: &Path) -> Result<()> {
    if place.is_dir() {
        return Ok(());
    }
    println!("fetching {} {version}", package.name);
    let work = workplace()?;
    let here = work.path();
    match package.client {
        Client::Npm => {
            let spec = format!("{}@{version}", package.name);
            output(command("npm", &["pack", "--silent", &spec]).current_dir(here))?;
            let archive = only_entry(here)?;
            let archive = archive.to_string_lossy();
            output(command("tar", &["-xzf", &archive]).current_dir(here))?;
            fs::remove_file(&*archive).map_err(|error| error.to_string())?;
        }
        Client::Pip => {
            let spec = format!("{}=={version}", package.name);
            let args = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"];
            output(command("python3", &args).arg(&spec).current_dir(here))?;
            let wheel = only_entry(here)?;
            let wheel = wheel.to_string_lossy();
            output(command("python3", &["-m", "zipfile", "-e", &wheel, "x"]).current_dir(here))?;
            fs::remove_file(&*wheel).map_err(|error| error.to_string())?;
        }
    }
    // Both kinds of archive unpack into one folder.
    let mut web = only_entry(here)?;
    for segment in package.folder.split('/').filter(|segment| !segment.is_empty()) {
        web = match segment.strip_prefix('*') {
            Some(end) => find(&web, |path| path.to_string_lossy().ends_with(end))?,
            None => web.join(segment),
        };
    }
    cut(&web, package.set)?;
    keep(&web, place)
}

/// Removes what an app would not ship, and folders that are empty then.
fn cut(folder: &Path, set: &str) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            cut(&path, set)?;
            if entries(&path)?.is_empty() {
                fs::remove_dir(&path).map_err(|error| error.to_string())?;
            }
        } else if !is_shipped(&path, set) {
            fs::remove_file(&path).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn is_shipped(path: &Path, set: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&NOT_SHIPPED) || name.starts_with("entrypoint") {
        return false;
    }
    match set {
        // Twins that are not minified, and second builds of the same.
        "pdfjs" => ends(&[".min.mjs", ".wasm"]),
        "tinymce" => !name.ends_with(".js") || name.ends_with(".min.js"),
        "swagger" => !name.contains("es-bundle"),
        _ => true,
    }
}

/// Builds the synthetic app in all its versions.
fn synthesize() -> Result<()> {
    let work = workplace()?;
    let here = work.path();
    let sources = root().join("xtask/corpus");
    for name in ["package.json", "vite.config.js", "generate.mjs"] {
        fs::copy(sources.join(name), here.join(name)).map_err(|error| error.to_string())?;
    }
    output(command("npm", &NPM_INSTALL).current_dir(here))?;
    for (version, changed) in STEPS {
        println!("building {SYNTHETIC} {version}");
        if version == "5-depbump" {
            output(command("npm", &NPM_INSTALL).args(BUMPED).current_dir(here))?;
        }
        for old in ["src", "public"].map(|name| here.join(name)).iter().filter(|old| old.is_dir()) {
            fs::remove_dir_all(old).map_err(|error| error.to_string())?;
        }
        output(command("node", &["generate.mjs"]).args(changed).current_dir(here))?;
        let args = ["vite", "build", "--logLevel", "error", "--outDir", "dist"];
        output(command("npx", &args).current_dir(here))?;
        keep(&here.join("dist"), &corpus().join(SYNTHETIC).join(version))?;
    }
    Ok(())
}

/// A folder to work in, beside the corpus so that what is done can be moved there at once.
fn workplace() -> Result<tempfile::TempDir> {
    let folder = root().join("target");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    tempfile::tempdir_in(folder).map_err(|error| error.to_string())
}

/// Moves a finished folder to its place, where an earlier run may have left the same.
fn keep(folder: &Path, place: &Path) -> Result<()> {
    if place.is_dir() {
        return Ok(());
    }
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent)
        .and_then(|()| fs::rename(folder, place))
        .map_err(|error| format!("{}: {error}", place.display()))
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    find(folder, |_| true)
}

/// The one entry that `is` is true of.
fn find(folder: &Path, is: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    let mut found: Vec<_> = entries(folder)?.into_iter().filter(|path| is(path)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        _ => Err(format!("{} does not hold what it should", folder.display())),
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    entries.map(|entry| Ok(entry.map_err(|error| error.to_string())?.path())).collect()
}
