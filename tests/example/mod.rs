//! The example `tuf_client`, built and run as a program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Builds the example where it is not built yet, and returns its place. Tests do not depend on
/// examples for Cargo, so that what lies there otherwise may be of yesterday.
fn tuf_client() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let target = profile.parent().unwrap();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--workspace", "--all-features"]);
        build.args(["--example", "tuf_client", "--target-dir"]).arg(target);
        build.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
        profile.join("examples").join("tuf_client")
    })
}

/// A folder of the example's own, with what it trusts and what it downloaded.
pub struct Client {
    pub home: tempfile::TempDir,
    pub url: String,
}

impl Client {
    pub fn new(url: String) -> Self {
        let home = tempfile::tempdir().unwrap();
        for folder in ["trusted", "targets"] {
            std::fs::create_dir(home.path().join(folder)).unwrap();
        }
        Self { home, url }
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(tuf_client());
        command.arg("--metadata-dir").arg(self.home.path().join("trusted"));
        command.args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// The exit code, which is 0 or 1 and nothing else.
    fn succeeds(&self, args: &[&str]) -> bool {
        let output = self.run(args);
        match output.status.code() {
            Some(0) => true,
            Some(1) => false,
            _ => panic!("{args:?}: {output:?}"),
        }
    }

    pub fn init(&self, root: &Path) -> bool {
        self.succeeds(&["init", root.to_str().unwrap()])
    }

    pub fn refresh(&self) -> bool {
        self.succeeds(&["--metadata-url", &format!("{}/metadata", self.url), "refresh"])
    }

    pub fn download(&self, targets: &[&str]) -> bool {
        let (metadata, base) = (format!("{}/metadata", self.url), format!("{}/targets", self.url));
        let folder = self.home.path().join("targets");
        let mut args = vec!["--metadata-url", &metadata, "--target-base-url", &base];
        args.extend(["--target-dir", folder.to_str().unwrap()]);
        for target in targets {
            args.extend(["--target-name", target]);
        }
        args.push("download");
        self.succeeds(&args)
    }

    /// What it trusts: the content of `*.json` by name.
    pub fn trusted(&self) -> std::collections::BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.home.path().join("trusted")).unwrap();
        let files = entries.map(Result::unwrap).filter(|entry| entry.path().is_file());
        files
            .map(|file| {
                (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())
            })
            .collect()
    }

    /// What it downloaded for a target, if anything.
    pub fn target(&self, path: &str) -> Option<Vec<u8>> {
        let name = farad::hex::encode(path.as_bytes());
        std::fs::read(self.home.path().join("targets").join(name)).ok()
    }
}
