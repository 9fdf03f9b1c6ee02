//! A publisher's folder, a server, and devices, all through the real command.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "each test file uses its own part, and stops at a surprise"
)]

pub mod page;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use farad_publisher::serve::{Faults, Server};
use serde_json::Value;

pub const APP: &str = "com.example.shop";

/// A publisher's folder with a project in it.
pub struct Shop {
    pub home: tempfile::TempDir,
    /// The file with passphrases, if keys have any.
    pub passphrases: Option<PathBuf>,
    /// What the clock says, if not the system's time.
    pub now: Option<u64>,
}

impl Shop {
    /// A project without passphrases and with a channel `production`.
    pub fn new() -> Self {
        let shop = Self::empty();
        shop.ok(&["init", "--app", APP, "--no-passphrase"]);
        shop
    }

    /// An empty folder.
    pub fn empty() -> Self {
        Self { home: tempfile::tempdir().unwrap(), passphrases: None, now: None }
    }

    /// Takes over what another machine shares: everything but keys.
    pub fn pull(&self, from: &Self) {
        for shared in ["updates", "pending"].map(|name| self.path(name)) {
            let _ = fs::remove_dir_all(shared);
        }
        for (path, bytes) in files(from.home.path()) {
            let top = path.iter().next().unwrap();
            if ["updates", "pending", "farad.toml", "farad-root.json"].iter().any(|s| *s == top) {
                let place = self.home.path().join(path);
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::write(place, bytes).unwrap();
            }
        }
    }

    /// Hands a key to another machine, and keeps no copy.
    pub fn hand_key(&self, key: &str, to: &Self) {
        let (group, _) = key.split_once('/').unwrap();
        fs::create_dir_all(to.path("keys").join(group)).unwrap();
        for part in ["pem", "pub"] {
            let file = format!("keys/{key}.{part}");
            fs::rename(self.path(&file), to.path(&file)).unwrap();
        }
    }

    /// Succeeds without having published, and returns the file that waits.
    pub fn waits(&self, args: &[&str]) -> String {
        let before = self.published();
        let said = self.ok(args);
        assert_eq!(said["published"], false, "{said}");
        assert!(self.published() == before, "{args:?} changed the repository");
        let file = said["pending"]["file"].as_str().unwrap().to_owned();
        assert!(self.path(&file).exists());
        file
    }

    /// Fails with this code and changes no published file.
    pub fn refuses(&self, args: &[&str], code: &str, mentions: &str) {
        let before = self.published();
        let (got, message) = self.fails(args);
        assert_eq!(got, code, "{message}");
        assert!(message.contains(mentions), "{message}");
        assert!(self.published() == before, "{args:?} changed the repository");
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farad"));
        command.args(args).current_dir(self.home.path()).stdin(Stdio::null());
        command.env_remove("FARAD_PASSPHRASE_FILE").env_remove("FARAD_TEST_NOW");
        command.envs(self.passphrases.as_ref().map(|file| ("FARAD_PASSPHRASE_FILE", file)));
        command.envs(self.now.map(|now| ("FARAD_TEST_NOW", now.to_string())));
        command
    }

    /// Runs a block of shell with the real command in reach, and answers yes to whatever asks.
    pub fn sh(&self, block: &str, variables: &[(&str, String)]) -> String {
        let farad = Path::new(env!("CARGO_BIN_EXE_farad"));
        let places = [farad.parent().unwrap().to_owned(), "/usr/bin".into(), "/bin".into()];
        let mut command = Command::new("sh");
        command.args(["-eu", "-c", block]).current_dir(self.home.path());
        command.env_clear().env("PATH", std::env::join_paths(places).unwrap());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.envs(self.passphrases.as_ref().map(|file| ("FARAD_PASSPHRASE_FILE", file)));
        command.envs(self.now.map(|now| ("FARAD_TEST_NOW", now.to_string())));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A block that asks nothing may have closed its end already.
        let _ = child.stdin.take().unwrap().write_all(b"yes\n");
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{block}\n{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Succeeds, and returns the object that `--json` prints.
    pub fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Fails with exit code 1 and returns code and sentence.
    pub fn fails(&self, args: &[&str]) -> (String, String) {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |field: &str| answer["error"][field].as_str().unwrap().to_owned();
        assert!(!text("message").contains('\n'), "one sentence: {answer}");
        (text("code"), text("message"))
    }

    /// Makes a web folder whose content follows from `seed`.
    pub fn web(&self, name: &str, seed: u64) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(folder.join("assets/img")).unwrap();
        let noise = |length: u64| -> Vec<u8> {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            (0..length)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 32) as u8
                })
                .collect()
        };
        let write = |path: &str, bytes: &[u8]| fs::write(folder.join(path), bytes).unwrap();
        write("index.html", format!("<!doctype html><title>{seed}</title>").as_bytes());
        write("assets/app.js", format!("export const release = {seed};\n").repeat(3000).as_bytes());
        write("assets/noise.bin", &noise(200_000));
        write("assets/img/copy.bin", &noise(200_000));
        write("assets/empty.css", b"");
        folder
    }

    pub fn release(&self, version: &str, seed: u64) -> Value {
        let web = format!("web-{version}");
        self.web(&web, seed);
        self.ok(&["release", &web, "--channel", "production", "--version", version])
    }

    pub fn serve(&self) -> Server {
        Server::start(&self.path("updates"), 0, Faults::default()).unwrap()
    }

    /// The same, with a place for devices' events, which are written to the file `events`.
    pub fn serve_with_events(&self, faults: Faults) -> Server {
        let events = self.path("events");
        Server::start_with_events(&self.path("updates"), 0, faults, &events).unwrap()
    }

    /// What stands in that file.
    pub fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("events")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn device<'a>(&'a self, server: &Server, name: &str) -> Device<'a> {
        Device { shop: self, url: server.url(), name: name.to_owned(), more: Vec::new() }
    }

    /// Every file of the repository that a phone can reach, by path.
    pub fn published(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = files(&self.path("updates"));
        files.retain(|path, _| !path.starts_with(".lock"));
        files
    }
}

/// A simulated device.
pub struct Device<'a> {
    pub shop: &'a Shop,
    pub url: String,
    pub name: String,
    pub more: Vec<String>,
}

impl Device<'_> {
    pub fn args<'b>(&'b self, action: &'b [&'b str]) -> Vec<&'b str> {
        // A test waits for nothing: what fails is to fail at once.
        let mut args = vec!["device", "--retries", "0", "--url", &self.url, "--dir", &self.name];
        args.extend(self.more.iter().map(String::as_str));
        args.extend(action);
        args
    }

    /// The same device, with an app that wants events posted to this server.
    pub fn telling(mut self, server: &Server) -> Self {
        self.more.extend(["--events-url".to_owned(), format!("{}/events", server.url())]);
        self
    }

    /// Succeeds at an action with its arguments.
    pub fn does(&self, action: &str) -> Value {
        self.shop.ok(&self.args(&action.split(' ').collect::<Vec<_>>()))
    }

    pub fn fails(&self, action: &str) -> (String, String) {
        self.shop.fails(&self.args(&action.split(' ').collect::<Vec<_>>()))
    }

    /// Starts, and says that the page came up.
    pub fn boot_ready(&self) -> Value {
        let boot = self.does("boot");
        if boot["token"].is_string() {
            self.does("ready");
        }
        boot
    }

    /// Syncs, starts, and says that the page came up.
    pub fn update(&self) -> Value {
        self.does("sync");
        self.boot_ready()
    }

    /// The files that a start shows.
    pub fn shown(&self, boot: &Value) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.shop.path(boot["path"].as_str().unwrap()))
    }
}

/// Writes a file for its owner alone, as passphrases are kept.
pub fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// All files below `folder`, by path.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What killed runs left behind in a device's folder.
pub fn strays(device: &Path) -> Vec<PathBuf> {
    let made = ["staging", "trash", "downloads"];
    let is_stray = |path: &PathBuf| {
        made.iter().any(|folder| path.starts_with(folder))
            || path.extension().is_some_and(|extension| extension == "tmp")
    };
    files(device).into_keys().filter(is_stray).collect()
}

/// Says what was counted, past the harness, which shows nothing of what goes well.
#[expect(clippy::explicit_write, reason = "the harness captures what is printed")]
pub fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
}

/// A number that the environment sets.
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// A generator of numbers that a seed reproduces.
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}
