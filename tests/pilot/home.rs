//! A publisher's folder, the server of its repository, and phones that ask there.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use farad::native::Native;
use farad::pilot::{Setup, Source};
use farad::seal::OpeningKeys;
use farad::time::UnixTime;
use farad_publisher::serve::{Faults, Server};
use serde_json::Value;

use crate::APP;
use crate::shell::Shell;

/// A publisher's folder, a server and a phone's folder.
pub struct Home {
    folder: tempfile::TempDir,
    pub server: Option<Server>,
}

impl Home {
    pub fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap(), server: None };
        home.farad(&["init", "--app", APP, "--no-passphrase"]);
        fs::create_dir_all(home.at("builtin")).unwrap();
        fs::write(home.at("builtin/index.html"), "built in").unwrap();
        home
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The publisher's command, in this process.
    pub fn farad(&self, args: &[&str]) {
        let config = self.at("farad.toml");
        let all = ["farad", "--config"].map(OsString::from).into_iter().chain([config.into()]);
        farad_publisher::cli::run(all.chain(args.iter().map(OsString::from)));
    }

    pub fn release(&self, version: &str, more: &[&str]) {
        let web = self.at(&format!("web-{version}"));
        fs::create_dir_all(&web).unwrap();
        fs::write(web.join("index.html"), version).unwrap();
        let web = web.display().to_string();
        let args = ["release", &web, "--channel", "production", "--version", version];
        self.farad(&[&args[..], more].concat());
    }

    pub fn serve(&mut self) -> String {
        let server = Server::start(&self.at("updates"), 0, Faults::default()).unwrap();
        let url = server.url();
        self.server = Some(server);
        url
    }

    /// The same, taking events too.
    pub fn serve_with_events(&mut self) -> String {
        let (folder, events) = (self.at("updates"), self.at("events"));
        let server = Server::start_with_events(&folder, 0, Faults::default(), &events).unwrap();
        let url = server.url();
        self.server = Some(server);
        url
    }

    /// Names of the events that came.
    pub fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("events")).unwrap();
        let name = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["event"].as_str().unwrap().to_owned()
        };
        text.lines().map(name).collect()
    }

    pub fn setup(&self, settings: &Value) -> Setup {
        Setup {
            settings: settings.to_string(),
            app_id: APP.to_owned(),
            live_reload: false,
            debug: false,
            native: Native::Android { build: 1 },
            native_version: "1.0".to_owned(),
            built: UnixTime::from_seconds(0),
            home: self.at("phone"),
            source: Source::Folders { web: self.at("builtin"), resources: self.at("") },
        }
    }

    pub fn phone(&self, settings: &Value) -> Arc<Shell> {
        self.phone_with(settings, None)
    }

    pub fn phone_with(&self, settings: &Value, keys: Option<&Arc<dyn OpeningKeys>>) -> Arc<Shell> {
        Shell::open(&self.setup(settings), keys)
    }
}
