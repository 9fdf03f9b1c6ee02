//! Builds of the sample app.

use std::path::{Path, PathBuf};

use crate::shell::{Result, command, output, root, run};

/// One build of the sample app.
pub(crate) struct Build {
    /// What it says of itself.
    pub(crate) version: &'static str,
    /// It throws before it is ready.
    pub(crate) broken: bool,
}

/// Installs what the app is built with.
pub(crate) fn install() -> Result<()> {
    let node = output(&mut command("node", &["--version"]))?;
    let mut numbers = node.trim().trim_start_matches('v').split('.');
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    if (number(), number()) < (20, 19) {
        return Err(format!("Node.js {} is too old: install 20.19 or newer", node.trim()));
    }
    let mut npm = command("npm", &["ci", "--no-audit", "--no-fund", "--silent"]);
    run(npm.current_dir(folder()))
}

/// Builds the app into `to`.
pub(crate) fn build(build: &Build, to: &Path) -> Result<()> {
    let mut npm = command("npm", &["run", "--silent", "build", "--", "--logLevel", "error"]);
    npm.arg("--outDir").arg(to).arg("--emptyOutDir");
    npm.current_dir(folder()).env("VITE_APP_VERSION", build.version);
    if build.broken {
        npm.env("VITE_BROKEN", "1");
    } else {
        npm.env_remove("VITE_BROKEN");
    }
    output(&mut npm).map(|_| ())
}

fn folder() -> PathBuf {
    root().join("examples/app")
}
