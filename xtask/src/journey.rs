//! `cargo xtask journey`: the whole client in a browser, against what stands in for a phone.

use std::process::Command;

use crate::shell::{Result, command, run_lines};
use crate::trixie::{apt, is_root};
use crate::{device, npm};

/// Prepares and runs the journeys; `each` gets the lines of the test harness.
pub(crate) fn run_with(each: impl FnMut(&str)) -> Result<()> {
    chromium()?;
    npm::install()?;
    // For whoever follows the guide: a command of its own, as people have it.
    let farad = device::build()?;
    run_lines(tests().env("FARAD", farad), each)
}

/// The command that runs them, with the features of all other tests, so that nothing is built twice.
fn tests() -> Command {
    command("cargo", &["test", "--workspace", "--all-features", "--test", "journey"])
}

/// Sees to it that Chromium is there: from Debian's packages, where this may install any.
fn chromium() -> Result<()> {
    let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    if Command::new(&program).arg("--version").output().is_ok_and(|it| it.status.success()) {
        return Ok(());
    }
    let missing = format!("there is no {program}: install Chromium, or name it in CHROMIUM");
    if !is_root() || std::env::var_os("CHROMIUM").is_some() {
        return Err(missing);
    }
    apt(&["update", "--quiet=2"])
        .and_then(|()| apt(&["install", "--yes", "--quiet=2", "chromium", "fonts-dejavu-core"]))
        .map_err(|error| format!("{missing} ({error})"))
}
