//! The machines and media of the runbooks, and the blocks of their page.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::page::Section;
use crate::support::{Device, Shop, files};
use farad_publisher::serve::{Faults, Server};

pub const DAY: u64 = 86_400;
pub const PASSPHRASES: &str = "root: first of all\nrecovery: last of all\nrelease: in between\n\
                           online: every day\nbob: bob's own\ncarol: carol's own\n";

pub const PAGE: &str = "runbooks.md";

/// A section of the page that is gone through.
pub struct Runbook(pub Section);

impl Runbook {
    pub fn open(title: &str) -> Self {
        Self(Section::open(PAGE, title))
    }

    /// Runs the next block, which must be for this machine (no name: the only one).
    pub fn next(&mut self, machine: &str, world: &World, on: &Shop) -> String {
        on.sh(&self.0.next(machine), &world.variables())
    }
}

/// The publisher's machine after the ceremony, two media, the hosting, and a phone whose app was
/// built that day.
pub struct World {
    pub shop: Shop,
    pub media: tempfile::TempDir,
    pub hosting: tempfile::TempDir,
    pub url: std::sync::Mutex<String>,
}

impl World {
    /// As the ceremony leaves it, with release 1.0.0.
    pub fn new() -> Self {
        static CEREMONY: OnceLock<World> = OnceLock::new();
        let made = CEREMONY.get_or_init(|| {
            let mut world = Self::empty();
            let mut runbook = Runbook::open("Key ceremony");
            runbook.next("", &world, &world.shop);
            world.shop.web("dist", 1);
            runbook.next("", &world, &world.shop);
            fs::copy(world.shop.path("farad-root.json"), world.shop.path("shipped.json")).unwrap();
            world.shop.passphrases = None;
            world
        });
        let world = Self::empty();
        copy(made.shop.home.path(), world.shop.home.path());
        copy(made.media.path(), world.media.path());
        world
    }

    pub fn empty() -> Self {
        let mut shop = Shop::empty();
        let (media, hosting) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        crate::support::secret(&media.path().join("passphrases"), PASSPHRASES);
        shop.passphrases = Some(media.path().join("passphrases"));
        Self { shop, media, hosting, url: String::new().into() }
    }

    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let place = |name: &str| self.media.path().join(name).to_str().unwrap().to_owned();
        vec![
            ("STICK", place("stick")),
            ("SAFE", place("safe")),
            ("URL", self.url.lock().unwrap().clone()),
        ]
    }

    /// The file of the keys on a medium.
    pub fn medium(&self, path: &str) -> PathBuf {
        self.media.path().join(path)
    }

    /// Another person's machine.
    pub fn colleague(&self) -> Shop {
        let mut shop = Shop::empty();
        shop.passphrases.clone_from(&self.shop.passphrases);
        shop.pull(&self.shop);
        fs::create_dir_all(shop.path("keys")).unwrap();
        shop
    }

    pub fn serve(&self) -> Server {
        let server = Server::start(self.hosting.path(), 0, Faults::default()).unwrap();
        *self.url.lock().unwrap() = server.url();
        server
    }

    /// Brings a repository to the hosting, in place of what is there.
    pub fn upload(&self, from: &Shop) {
        for old in fs::read_dir(self.hosting.path()).unwrap() {
            fs::remove_dir_all(old.unwrap().path()).unwrap();
        }
        for (path, bytes) in from.published() {
            write(&self.hosting.path().join(path), &bytes);
        }
    }

    /// A phone whose app was built after the ceremony.
    pub fn phone(&self, server: &Server) -> Device<'_> {
        let mut phone = self.shop.device(server, "phone");
        phone.more = ["--root", "shipped.json"].map(str::to_owned).to_vec();
        phone
    }

    /// A new release reaches the phone, and one whose app is built today.
    pub fn releases_reach_phones(&self, server: &Server, version: &str) {
        self.shop.web("dist", 99);
        self.shop.ok(&["release", "dist", "--channel", "production", "--version", version]);
        self.upload(&self.shop);
        assert_eq!(self.phone(server).update()["version"], version);
        assert_eq!(self.shop.device(server, "fresh").update()["version"], version);
        self.shop.ok(&["verify", "updates"]);
        let status = self.shop.ok(&["status"]);
        assert_eq!(status["warnings"], serde_json::json!([]), "no key lies where it should not");
        assert!(!self.shop.path("keys/root").exists());
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Copies a folder as `cp -R` does: modes are kept.
pub fn copy(from: &Path, to: &Path) {
    for path in files(from).into_keys() {
        let (from, to) = (from.join(&path), to.join(&path));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}
