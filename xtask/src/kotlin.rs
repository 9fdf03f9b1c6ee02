//! `cargo xtask kotlin`: the Kotlin bindings and the Android plugin, compiled and run on a JVM over
//! the library for this machine. Maven fetches the compiler, JNA and JUnit (`tests/kotlin/pom.xml`).

use std::path::Path;
use std::process::Command;

use crate::shell::{self, Result, command, root, target};
use crate::{bindings, npm, phone};

/// Runs the tests; each line of Maven goes to `each`.
pub(crate) fn run(each: impl FnMut(&str)) -> Result<()> {
    npm::install()?;
    shell::run_lines(&mut maven(&bindings::library()?)?, each)
}

/// Measures so many starts of a process, with the library built as phones get it.
pub(crate) fn measure(starts: u32) -> Result<()> {
    npm::install()?;
    let mut maven = maven(&bindings::library_of(phone::PROFILE)?)?;
    maven.args(["-Dtest=Measure", &format!("-Dfarad.starts={starts}")]);
    shell::run(&mut maven)
}

/// `mvn test` over the library in a folder.
fn maven(library: &Path) -> Result<Command> {
    shell::run(&mut command("cargo", &["build", "--quiet", "--package", "farad-publisher"]))?;
    let publisher = target().join("debug").join(format!("farad{}", std::env::consts::EXE_SUFFIX));
    let mut maven = command("mvn", &["--batch-mode", "--no-transfer-progress", "--file"]);
    maven.arg(root().join("tests/kotlin/pom.xml")).arg("test");
    maven.arg(format!("-Dfarad.library={}", library.display()));
    maven.arg(format!("-Dfarad.command={}", publisher.display()));
    Ok(maven)
}
