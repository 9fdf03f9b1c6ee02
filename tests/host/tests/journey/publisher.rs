//! A publisher: keys, releases, a server, and the native builds that go to the stores.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use farad_host::routes::Platform;
use farad_publisher::serve::{Faults, Server};
use serde_json::{Value, json};

use crate::web;

pub(crate) const APP: &str = "com.example.cornershop";

pub(crate) struct Publisher {
    folder: tempfile::TempDir,
    server: Option<Server>,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let mut publisher = Self { folder: tempfile::tempdir().unwrap(), server: None };
        publisher.farad(&["init", "--app", APP, "--no-passphrase"]);
        publisher.serve(Faults::default());
        publisher
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The publisher's command, in this process.
    pub(crate) fn farad(&self, args: &[&str]) {
        let config = self.at("farad.toml");
        let all = ["farad", "--config"].map(OsString::from).into_iter().chain([config.into()]);
        farad_publisher::cli::run(all.chain(args.iter().map(OsString::from)));
    }

    /// Releases a web app to everyone.
    pub(crate) fn release(&self, version: &str, web: &Path) {
        self.release_with(version, web, &["--channel", "production"]);
    }

    pub(crate) fn release_with(&self, version: &str, web: &Path, more: &[&str]) {
        let web = web.display().to_string();
        self.farad(&[&["release", &web, "--version", version], more].concat());
    }

    /// A page without a bundler, of this version and behaviour.
    pub(crate) fn plain(&self, version: &str, behaviour: &str) -> PathBuf {
        let folder = self.at(&format!("web/{version}"));
        web::plain(&folder, version, behaviour);
        folder
    }

    pub(crate) fn release_plain(&self, version: &str, behaviour: &str) {
        self.release(version, &self.plain(version, behaviour));
    }

    /// Serves the repository anew, perhaps with faults, at another address.
    pub(crate) fn serve(&mut self, faults: Faults) {
        self.server = Some(Server::start(&self.at("updates"), 0, faults).unwrap());
    }

    pub(crate) fn stop_serving(&mut self) {
        self.server = None;
    }

    pub(crate) fn url(&self) -> String {
        self.server.as_ref().map(Server::url).unwrap()
    }

    /// What was asked for so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.server.as_ref().map(Server::requests).unwrap()
    }

    /// `plugins.Farad` as the journeys need it: nothing happens by itself, and a bundle that comes up
    /// has all the time that a slow machine may need.
    pub(crate) fn settings(&self, more: &Value) -> Value {
        let mut settings = json!({
            "url": self.url(), "channel": "production", "autoSync": "off", "readyTimeout": 600_000,
        });
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        settings
    }

    /// A native build around `web`: an APK, or a folder `App.app`.
    pub(crate) fn package(&self, platform: Platform, web: &Path) -> PathBuf {
        let name = web.file_name().unwrap().to_string_lossy().into_owned();
        native_build(platform, web, &self.at("farad-root.json"), &self.at(&name))
    }
}

/// Builds the native app around `web` and the trust anchor `anchor`: `PLACE.apk`, or the folder
/// `PLACE.app`.
pub(crate) fn native_build(platform: Platform, web: &Path, anchor: &Path, place: &Path) -> PathBuf {
    let anchor = fs::read(anchor).unwrap();
    let named = |suffix: &str| PathBuf::from(format!("{}.{suffix}", place.display()));
    match platform {
        Platform::Ios => {
            let app = named("app");
            for (path, bytes) in files(web, web) {
                write(&app.join("public").join(path), &bytes);
            }
            write(&app.join("farad-root.json"), &anchor);
            app
        }
        Platform::Android => {
            let apk = named("apk");
            let mut archive = zip::ZipWriter::new(File::create(&apk).unwrap());
            let mut add = |path: &str, bytes: &[u8]| {
                let options = zip::write::SimpleFileOptions::default();
                archive.start_file(path, options).unwrap();
                archive.write_all(bytes).unwrap();
            };
            for (path, bytes) in files(web, web) {
                add(&format!("assets/public/{}", path.display()), &bytes);
            }
            add("assets/farad-root.json", &anchor);
            archive.finish().unwrap();
            apk
        }
    }
}

/// All files below a folder, by relative path.
fn files(root: &Path, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(root, &path));
        } else {
            found.push((path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap()));
        }
    }
    found
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
