//! `cargo xtask docs`: the documentation as a site, by mdBook, and every link in it followed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Result, command, root, run};

/// What the site was tried with.
const MDBOOK: &str = "0.5.4";

/// Builds `target/book`.
pub(crate) fn build() -> Result<()> {
    let book = root().join("target/book");
    run(Command::new(mdbook()?).arg("build").current_dir(root()))?;
    let pages = pages(&book)?;
    let mut links = 0;
    for page in &pages {
        links += follow(&book, page)?;
    }
    println!("{}: {} pages, {links} links, each leads somewhere", book.display(), pages.len());
    Ok(())
}

/// The one of this version in `target/tools`, which is built there where it is not yet (minutes).
fn mdbook() -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let program = tools.join("bin").join(format!("mdbook{}", std::env::consts::EXE_SUFFIX));
    let version = Command::new(&program).arg("--version").output();
    let wanted = format!("mdbook v{MDBOOK}");
    if version.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).trim() == wanted) {
        return Ok(program);
    }
    let install = ["install", "mdbook", "--locked", "--force", "--no-default-features"];
    let mut cargo = command("cargo", &install);
    cargo.args(["--features", "search", "--version", MDBOOK]).arg("--root").arg(tools);
    // Its own objects are of no use to anybody here: a folder for the while, as cargo makes it.
    run(cargo.env_remove("CARGO_TARGET_DIR"))?;
    Ok(program)
}

fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            found.extend(pages(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Follows the links of a page that stay in the site, and counts them.
fn follow(book: &Path, page: &Path) -> Result<usize> {
    let text = read(page)?;
    // Not what examples of HTML link to.
    let text: String =
        text.split("<pre").map(|part| part.split("</pre>").last().unwrap_or_default()).collect();
    let mut count = 0;
    for link in values(&text, " href=\"").chain(values(&text, " src=\"")) {
        let outside = link.contains(':') || link.starts_with("//");
        // The page for what is not there is served from anywhere.
        if outside || page.ends_with("404.html") {
            continue;
        }
        let (path, place) = link.split_once('#').unwrap_or((link, ""));
        let target = match path {
            "" => page.to_owned(),
            path => page.parent().unwrap_or(book).join(path),
        };
        let target = if target.is_dir() { target.join("index.html") } else { target };
        if !target.exists() {
            return Err(format!("{}: {link} leads nowhere", page.display()));
        }
        if !place.is_empty() && !values(&read(&target)?, " id=\"").any(|id| id == place) {
            return Err(format!("{}: {link}: there is no such place", page.display()));
        }
        count += 1;
    }
    Ok(count)
}

/// What stands between `before` and the next quotation mark, everywhere.
fn values<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    let found: BTreeSet<_> =
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    found.into_iter()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
