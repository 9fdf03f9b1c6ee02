//! The `farad` command as the demo uses it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::shell::{Result, command, run, target};

/// Builds the command, and tells where it is.
pub(crate) fn build() -> Result<PathBuf> {
    run(&mut command("cargo", &["build", "--quiet", "--package", "farad-publisher"]))?;
    Ok(target().join("debug").join(format!("farad{}", std::env::consts::EXE_SUFFIX)))
}

/// The built command.
pub(crate) struct Farad {
    binary: PathBuf,
    project: PathBuf,
}

impl Farad {
    /// Builds the command; it will work in `project`.
    pub(crate) fn build(project: PathBuf) -> Result<Self> {
        Ok(Self { binary: build()?, project })
    }

    /// Runs `farad ARGS --json` and returns its object.
    pub(crate) fn json(&self, args: &[&str]) -> Result<Value> {
        let (answer, succeeded) = self.try_json(args)?;
        if succeeded { Ok(answer) } else { Err(format!("farad {}: {answer}", args.join(" "))) }
    }

    /// As [`Farad::json`], with a failure as an answer.
    pub(crate) fn try_json(&self, args: &[&str]) -> Result<(Value, bool)> {
        let output = self.command(args).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let answer = serde_json::from_str(text.trim())
            .map_err(|error| format!("farad {}: {error}: {text}", args.join(" ")))?;
        Ok((answer, output.status.success()))
    }

    /// The command, ready to be started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).arg("--json").current_dir(&self.project).stdin(Stdio::null());
        command
    }

    /// Serves `repository` on a free port.
    pub(crate) fn serve(&self, repository: &Path) -> Result<Server> {
        let mut command = self.command(&["serve", "--port", "0"]);
        command.arg("--repo").arg(repository).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let answer: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let url = answer.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Server { child, url })
    }
}

/// A server that ends with the demo.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A simulated device.
pub(crate) struct Device<'a> {
    farad: &'a Farad,
    args: Vec<String>,
}

impl<'a> Device<'a> {
    pub(crate) fn new(farad: &'a Farad, url: &str, folder: &str, builtin: &Path) -> Self {
        let builtin = builtin.display().to_string();
        let args = ["device", "--url", url, "--dir", folder, "--builtin", &builtin];
        Self { farad, args: args.map(str::to_owned).to_vec() }
    }

    /// With the opening key that the app ships, and taking sealed releases alone.
    pub(crate) fn with_key(mut self, key: &str) -> Self {
        let args = ["--require-sealed", "--recipient-key", key];
        self.args.extend(args.map(str::to_owned));
        self
    }

    /// One action; a failure is an error.
    pub(crate) fn does(&self, action: &str) -> Result<Value> {
        self.farad.json(&self.words(action))
    }

    /// One action that may fail.
    pub(crate) fn tries(&self, action: &str) -> Result<Value> {
        Ok(self.farad.try_json(&self.words(action))?.0)
    }

    /// The process of one action.
    pub(crate) fn process(&self, action: &str) -> Command {
        self.farad.command(&self.words(action))
    }

    fn words<'b>(&'b self, action: &'b str) -> Vec<&'b str> {
        self.args.iter().map(String::as_str).chain([action]).collect()
    }
}
