//! `cargo xtask bench`: the benchmarks, built as a release is.

use crate::shell::{self, Result, command};

/// The benchmarks by name, in the order they run.
const ALL: [&str; 2] = ["boot", "seal"];

pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(stranger) = names.iter().find(|name| !ALL.contains(&name.as_str())) {
        return Err(format!("there is no benchmark {stranger}; there is: {}", ALL.join(", ")));
    }
    for name in ALL.iter().filter(|name| names.is_empty() || names.iter().any(|n| n == *name)) {
        let args = ["bench", "--quiet", "--all-features", "--package", "farad", "--bench", name];
        shell::run(&mut command("cargo", &args))?;
    }
    Ok(())
}
