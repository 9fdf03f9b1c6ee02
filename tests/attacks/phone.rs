//! A phone: the real client over HTTP, on a real folder, with a clock that the test sets.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use farad::Error;
use farad::builtin::Builtin;
use farad::config::Config;
use farad::fetch::{Http, HttpOptions, Request, Response, Transport};
use farad::host::{Clock, System};
use farad::native::Native;
use farad::progress::Cancel;
use farad::seal::OpeningKey;
use farad::store::RealDisk;
use farad::time::UnixTime;
use farad::updater::{Launched, Status, Synced, Updater};
use serde_json::Value;

use crate::forge::{APP, Forge, NOW};
use crate::site::Site;

#[derive(Clone)]
struct Wrist(Arc<AtomicU64>);

impl Clock for Wrist {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(self.0.load(Ordering::SeqCst))
    }

    fn pause(&self, duration: Duration, _: &Cancel) {
        self.0.fetch_add(duration.as_secs(), Ordering::SeqCst);
    }
}

/// HTTP whose answers' bytes are counted.
struct Counting {
    http: Http,
    came: Arc<AtomicU64>,
}

struct CountingBody {
    body: Box<dyn Read + Send>,
    came: Arc<AtomicU64>,
}

impl Transport for Counting {
    fn get(&self, request: &Request<'_>, cancel: &Cancel) -> Result<Response, Error> {
        let response = self.http.get(request, cancel)?;
        let Response::Found { etag, date, from, body } = response else { return Ok(response) };
        let body = Box::new(CountingBody { body, came: self.came.clone() });
        Ok(Response::Found { etag, date, from, body })
    }
}

impl Read for CountingBody {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.body.read(buffer)?;
        self.came.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

/// A phone with the app installed.
pub struct Phone {
    pub home: tempfile::TempDir,
    pub config: Config,
    pub url: String,
    /// Addresses that are asked where the first one fails.
    pub mirrors: Vec<String>,
    /// How the first address is asked; the others by default.
    pub http: HttpOptions,
    /// What opens sealed releases.
    pub opening: Vec<OpeningKey>,
    clock: Wrist,
    came: Arc<AtomicU64>,
}

impl Phone {
    /// A fresh installation; follows production.
    pub fn new(forge: &Forge, site: &Site) -> Self {
        let native = Native::Android { build: 30 };
        let config = Config::new(
            APP.parse().unwrap(),
            "production".parse().unwrap(),
            forge.anchor(),
            native,
        );
        Self {
            home: tempfile::tempdir().unwrap(),
            config,
            url: site.url(),
            mirrors: Vec::new(),
            http: HttpOptions::default(),
            opening: Vec::new(),
            clock: Wrist(Arc::new(AtomicU64::new(NOW))),
            came: Arc::default(),
        }
    }

    /// An installation that runs what is offered.
    pub fn running(forge: &Forge, site: &Site) -> Self {
        let phone = Self::new(forge, site);
        phone.sync().unwrap();
        assert_ne!(phone.shows(), "builtin");
        site.asked();
        phone
    }

    /// The app's storage.
    pub fn storage(&self) -> PathBuf {
        self.home.path().join("storage")
    }

    /// Builds `embed` into the app.
    pub fn with_builtin(self, embed: &Value) -> Self {
        let folder = self.home.path().join("builtin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("farad-embed.json"), embed.to_string()).unwrap();
        fs::write(folder.join("index.html"), "built in").unwrap();
        self
    }

    pub fn set_clock(&self, seconds: u64) {
        self.clock.0.store(seconds, Ordering::SeqCst);
    }

    pub fn wait(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// What its clock says.
    pub fn now(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// Bytes of answers that came since the last call.
    pub fn came(&self) -> u64 {
        self.came.swap(0, Ordering::SeqCst)
    }

    /// The app's process, started anew.
    pub fn updater(&self) -> Updater {
        let http = |url: &String, options: &HttpOptions| {
            let http = Http::new(url, options).unwrap();
            Arc::new(Counting { http, came: self.came.clone() })
        };
        let updater = Updater::new(
            self.config.clone(),
            Arc::new(RealDisk::new(self.storage()).unwrap()),
            http(&self.url, &self.http),
            Arc::new(self.clock.clone()),
            Arc::new(System),
            Builtin::Folder(self.home.path().join("builtin")),
        )
        .with_opening_keys(Arc::new(self.opening.clone()));
        let mirrors = self.mirrors.iter().map(|url| http(url, &HttpOptions::default()));
        mirrors.fold(updater, |updater, mirror| updater.with_mirror(mirror))
    }

    pub fn sync(&self) -> Result<Synced, Error> {
        self.updater().sync(&Cancel::default(), &mut |_| {})
    }

    pub fn status(&self) -> Status {
        self.sync().unwrap().status
    }

    /// Syncs and is refused: role and code, or the code alone where no role is to blame. What the
    /// phone shows stays as it was, and nothing is left that an earlier sync had not left.
    pub fn refused(&self) -> String {
        let before = (self.shows(), self.bundles());
        let error = match self.sync() {
            Ok(synced) => panic!("not refused: {synced:?}"),
            Err(error) => error,
        };
        assert_eq!((self.shows(), self.bundles()), before, "{error}");
        match &error {
            Error::Trust(refused) => format!("{} {}", refused.role, error.code()),
            _ => error.code().to_owned(),
        }
    }

    pub fn boot(&self) -> Launched {
        self.updater().boot(false)
    }

    /// Starts, lets the page say that it came up, and returns the version that it shows.
    pub fn shows(&self) -> String {
        let updater = self.updater();
        let launched = updater.boot(false);
        if let Some(token) = &launched.token {
            updater.ready(token).unwrap();
        }
        let Some(path) = launched.path else { return "builtin".to_owned() };
        let version = launched.version.unwrap();
        let page = fs::read_to_string(path.join("index.html")).unwrap();
        assert_eq!(page, format!("<title>{version}</title>"));
        version
    }

    /// Ids of the bundles on the phone.
    pub fn bundles(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.storage().join("bundles")) else { return Vec::new() };
        let mut names: Vec<_> =
            folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// All that trust keeps, by name.
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.storage().join("trust"))
    }

    /// The version of a kept role's file, 0 if none is kept.
    pub fn kept_version(&self, role: &str) -> u64 {
        let kept = self.kept();
        if role == "root" {
            let version =
                |name: &String| name.strip_prefix("root/")?.strip_suffix(".json")?.parse().ok();
            return kept.keys().filter_map(version).max().unwrap_or(0);
        }
        let file = kept.get(&format!("{role}.json"));
        file.map_or(0, |bytes| {
            let file: Value = serde_json::from_slice(bytes).unwrap();
            file["signed"]["version"].as_u64().unwrap()
        })
    }
}

/// All files below `folder`, by path.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}
