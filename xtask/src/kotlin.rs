//! `cargo xtask kotlin`: the Kotlin bindings and the Android plugin, compiled and run on a JVM over
//! the library for this machine. Maven fetches the compiler, JNA and JUnit (`tests/kotlin/pom.xml`).

use std::process::Command;

use crate::shell::{self, Result, command, root};
use crate::{bindings, npm};

/// Runs the tests; each line of Maven goes to `each`.
pub(crate) fn run(each: impl FnMut(&str)) -> Result<()> {
    npm::install()?;
    let library = bindings::library()?;
    shell::run(&mut command("cargo", &["build", "--quiet", "--package", "farad-publisher"]))?;
    let publisher = library.join(format!("farad{}", std::env::consts::EXE_SUFFIX));
    let mut maven = maven();
    maven.arg("test");
    maven.arg(format!("-Dfarad.library={}", library.display()));
    maven.arg(format!("-Dfarad.command={}", publisher.display()));
    shell::run_lines(&mut maven, each)
}

fn maven() -> Command {
    let mut maven = command("mvn", &["--batch-mode", "--no-transfer-progress", "--file"]);
    maven.arg(root().join("tests/kotlin/pom.xml"));
    maven
}
