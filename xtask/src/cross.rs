//! The tests against other implementations, and the Python environment that they need.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Result, command, root, run_lines};

/// No other run includes these targets.
pub(crate) const TESTS: [&str; 6] =
    ["--test", "cross", "--test", "cross_apk", "--test", "cross_seal"];

/// Runs the tests, their output handed to `each`.
pub(crate) fn run(each: impl FnMut(&str)) -> Result<()> {
    let python = environment()?;
    let args = ["test", "--workspace", "--all-features", "--no-fail-fast"];
    run_lines(command("cargo", &args).args(TESTS).env("FARAD_PYTHON", python), each)
}

/// The interpreter of an environment under `target/` that has what `tests/cross/requirements.txt`
/// names, made anew where that file has changed.
fn environment() -> Result<PathBuf> {
    let place = root().join("target/python");
    let (done, python) = (place.join("requirements.txt"), place.join("bin/python"));
    let wanted = root().join("tests/cross/requirements.txt");
    if read(&wanted)? == read(&done).unwrap_or_default() {
        return Ok(python);
    }
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|error| error.to_string())?;
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    shell::run(&mut command("python3", &["-m", "venv", &text(&place)]))
        .map_err(|error| format!("{error}: install Python 3.10 or newer with venv and pip"))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    shell::run(command(&text(&python), &pip).arg(&wanted))
        .map_err(|error| format!("{error}: pip needs the Python package index once"))?;
    fs::copy(&wanted, &done).map_err(|error| error.to_string())?;
    Ok(python)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
