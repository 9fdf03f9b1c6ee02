//! A Debian 13 in a folder, for tools that this machine's system does not have: Swift.
//!
//! Enters: packages to install, commands to run. Leaves: a folder in the user's cache, 2.7 GB with
//! Swift in it, shared by all work trees; what runs in it sees the project under its own path.
//! Refuses: to begin where the machine is not Debian, or this is not root. Nothing is mounted
//! outside the namespace of a command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Result, command, output, root};

/// Swift, and what its compiler needs without being told by the package.
const PACKAGES: [&str; 3] = ["swiftlang", "libc6-dev", "libstdc++-14-dev"];

/// The system in its folder.
pub(crate) struct Trixie(PathBuf);

impl Trixie {
    /// The one that is there.
    pub(crate) fn find() -> Option<Self> {
        let place = place()?;
        // Not the link to it in /usr/bin, which leads elsewhere from out here.
        let swift = place.join("usr/libexec/swift/bin/swift-test");
        swift.exists().then_some(Self(place)).filter(|_| is_root())
    }

    /// Makes it: 600 MB are fetched, a minute of work. An interrupted one leaves nothing that
    /// `find` takes for whole.
    pub(crate) fn make() -> Result<Self> {
        let place = place().ok_or("there is no HOME to keep it in")?;
        if !is_root() {
            return Err("only root can make a Debian in a folder".to_owned());
        }
        if !Path::new("/etc/debian_version").exists() {
            return Err("this is no Debian".to_owned());
        }
        if !is_there("debootstrap") {
            apt(&["update", "--quiet=2"])?;
            apt(&["install", "--yes", "--quiet=2", "debootstrap"])?;
        }
        let partial = place.with_extension(std::process::id().to_string());
        fs::create_dir_all(&partial).map_err(|error| error.to_string())?;
        let made = fill(&Self(partial.clone()));
        let made = made.and_then(|()| match fs::rename(&partial, &place) {
            // Somebody else was faster.
            Err(_) if place.exists() => Ok(()),
            renamed => renamed.map_err(|error| error.to_string()),
        });
        if partial.exists() {
            fs::remove_dir_all(&partial).ok();
        }
        made.map(|()| Self(place))
    }

    /// A command that runs in there, in the project's root.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Result<Command> {
        let (here, project) = (&self.0, root());
        let inside = project.strip_prefix("/").unwrap_or(&project);
        fs::create_dir_all(here.join(inside)).map_err(|error| error.to_string())?;
        // Swift finds its own libraries by /proc.
        let script = r#"mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && mount --bind "$2" "$1$2" &&
            exec chroot "$1" sh -c 'cd "$0" && exec "$@"' "${@:2}""#;
        let mut command = command("unshare", &["--mount", "bash", "-c", script, "farad"]);
        command.arg(here).arg(project).arg(program).args(args);
        // Nothing of this machine's own folders is in there.
        command.env("TMPDIR", "/tmp").env("HOME", "/root");
        Ok(command)
    }
}

fn fill(trixie: &Trixie) -> Result<()> {
    let mut bootstrap = command("debootstrap", &["--variant=minbase"]);
    bootstrap.args(["--include=ca-certificates", "trixie"]).arg(&trixie.0);
    output(&mut bootstrap)?;
    output(&mut trixie.command("apt-get", &["update", "--quiet=2"])?)?;
    let install = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
    let args: Vec<_> = install.into_iter().chain(PACKAGES).collect();
    output(trixie.command("apt-get", &args)?.env("DEBIAN_FRONTEND", "noninteractive"))?;
    output(&mut trixie.command("apt-get", &["clean"])?).map(|_| ())
}

fn place() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("farad/trixie"))
}

/// Runs apt-get, for packages of this machine's own system. Needs root.
pub(crate) fn apt(args: &[&str]) -> Result<()> {
    let mut apt = command("apt-get", args);
    output(apt.env("DEBIAN_FRONTEND", "noninteractive")).map(|_| ())
}

/// Whether this is root, who may install.
pub(crate) fn is_root() -> bool {
    output(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Whether a program can be run.
pub(crate) fn is_there(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .output()
        .is_ok_and(|found| found.status.success())
}
