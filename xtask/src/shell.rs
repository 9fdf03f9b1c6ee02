//! Running other programs, from the project's root.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A result whose error is one line for the terminal.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// A command that runs in the project's root. Cargo builds into [`target`] there, whatever the
/// environment says: the tasks know where to find what it built.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    // A script there, which nothing finds by its bare name.
    let program = if cfg!(windows) && program == "npm" { "npm.cmd" } else { program };
    let mut command = Command::new(program);
    command.args(args).current_dir(root()).env("CARGO_TARGET_DIR", target());
    command
}

/// Runs a command to its end, its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().map_err(|error| missing(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("failed: {shown} ({status})")) }
}

/// Runs a command to its end, its output on the terminal and handed to `each`, line by line.
pub(crate) fn run_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let shown = show(command);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| missing(command, &error))?;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
            println!("{line}");
            each(&line);
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("failed: {shown} ({status})")) }
}

/// Runs a command to its end and returns what it wrote on standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().map_err(|error| missing(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("failed: {shown} ({})\n{said}", output.status))
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What to install where a program is not there.
fn missing(command: &Command, error: &std::io::Error) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let install = match program.as_str() {
        "npm" | "node" => "install Node.js 20.19 or newer",
        "cargo" => "install Rust with rustup",
        "mvn" => "install Maven and a JDK, 17 or newer",
        _ => "install it",
    };
    format!("{program} cannot be run ({error}): {install}")
}
