//! What was built for phones, for whoever publishes it: digests of the libraries, of the bindings that
//! they were built with, and the version. `plugin/scripts/libraries.js` reads it before a package goes
//! out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use farad::digest::Digest;
use serde_json::{Value, json};

use crate::shell::{Result, root};

/// What the libraries must fit.
const BINDINGS: [&str; 3] = [
    "bindings/kotlin/dev/farad/core/farad.kt",
    "bindings/swift/FaradCore.swift",
    "bindings/swift/FaradFFI.h",
];

/// Writes `PLATFORM/libraries.json` about these files of the project.
pub(crate) fn write(platform: &str, libraries: &[String]) -> Result<()> {
    let record = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "bindings": digests(BINDINGS.iter().copied())?,
        "libraries": digests(libraries.iter().map(String::as_str))?,
    });
    let place = root().join(platform).join("libraries.json");
    let text = serde_json::to_string_pretty(&record).map_err(|error| error.to_string())?;
    fs::write(place, text + "\n").map_err(|error| error.to_string())
}

fn digests<'a>(paths: impl Iterator<Item = &'a str>) -> Result<BTreeMap<&'a str, Value>> {
    paths.map(|path| Ok((path, Value::from(digest(&root().join(path))?)))).collect()
}

fn digest(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Digest::of(&bytes).to_string())
}
