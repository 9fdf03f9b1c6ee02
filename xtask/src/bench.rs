//! `cargo xtask bench`: the benchmarks, built as a release is.

use crate::shell::{self, Result, command};
use crate::{corpus, kotlin};

/// The benchmarks by name, in the order they run.
const ALL: [&str; 3] = ["boot", "seal", START];
/// The one that runs on a JVM.
const START: &str = "start";
/// Processes that it starts.
const STARTS: u32 = 200;
/// The one that needs the corpus, half an hour and to be named.
const DELTA: &str = "delta";

pub(crate) fn run(names: &[String]) -> Result<()> {
    let known = |name: &&String| ALL.contains(&name.as_str()) || *name == DELTA;
    if let Some(stranger) = names.iter().find(|name| !known(name)) {
        let all = ALL.join(", ");
        return Err(format!("there is no benchmark {stranger}; there is: {all}, {DELTA}"));
    }
    if names.iter().any(|name| name == DELTA) {
        delta()?;
    }
    for name in ALL.iter().filter(|name| names.is_empty() || names.iter().any(|n| n == *name)) {
        if *name == START {
            kotlin::measure(STARTS)?;
            continue;
        }
        let args = ["bench", "--quiet", "--all-features", "--package", "farad", "--bench", name];
        shell::run(&mut command("cargo", &args))?;
    }
    Ok(())
}

fn delta() -> Result<()> {
    let mut args = Vec::new();
    for set in corpus::sets(&[])? {
        let versions: Vec<_> =
            set.versions.iter().map(|version| version.display().to_string()).collect();
        args.push(format!("{}={}", set.name, versions.join(",")));
    }
    let bench = ["bench", "--quiet", "--all-features", "--package", "farad", "--bench", DELTA];
    shell::run(command("cargo", &bench).arg("--").args(args))
}
