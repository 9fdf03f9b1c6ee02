//! `cargo xtask bench`: the benchmarks, built as a release is.

use crate::shell::{self, Result, command};

pub(crate) fn run() -> Result<()> {
    shell::run(&mut command("cargo", &["bench", "--quiet", "--all-features", "--bench", "boot"]))
}
