//! What is written in TypeScript: the plugin at the project's root and the sample app.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Result, command, output, root, run};

/// One build of the sample app.
pub(crate) struct Build {
    /// What it says of itself.
    pub(crate) version: &'static str,
    /// It throws before it is ready.
    pub(crate) broken: bool,
}

/// Installs what the plugin and the app are built with, and builds the plugin.
pub(crate) fn install() -> Result<()> {
    let node = output(&mut command("node", &["--version"]))?;
    let mut numbers = node.trim().trim_start_matches('v').split('.');
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    if (number(), number()) < (20, 19) {
        return Err(format!("Node.js {} is too old: install 20.19 or newer", node.trim()));
    }
    for folder in [root(), app()] {
        if !is_installed(&folder) {
            run(npm(&["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(&folder))?;
        }
    }
    run(&mut npm(&["run", "--silent", "build", "--", "--silent"]))
}

/// Format, lints and types of the plugin and the app.
pub(crate) fn lint() -> Result<()> {
    run(&mut npm(&["run", "--silent", "lint"]))
}

/// The command that tests the plugin, in plain text.
pub(crate) fn test() -> Command {
    let mut command = npm(&["run", "--silent", "test"]);
    command.env("NO_COLOR", "1");
    command
}

/// Builds the app into `to`.
pub(crate) fn build(build: &Build, to: &Path) -> Result<()> {
    let mut npm = npm(&["run", "--silent", "build", "--", "--logLevel", "error"]);
    npm.arg("--outDir").arg(to).arg("--emptyOutDir");
    npm.current_dir(app()).env("VITE_APP_VERSION", build.version);
    npm.env("VITE_BROKEN", if build.broken { "throws" } else { "" });
    output(&mut npm).map(|_| ())
}

/// Whether what the lock file names was installed since it last changed.
fn is_installed(folder: &Path) -> bool {
    let changed = |path: &str| folder.join(path).metadata().and_then(|file| file.modified()).ok();
    let installed = changed("node_modules/.package-lock.json");
    installed.is_some() && installed > changed("package-lock.json")
}

fn npm(args: &[&str]) -> Command {
    command("npm", args)
}

fn app() -> PathBuf {
    root().join("examples/app")
}
