//! What most tests begin with: a phone that runs 1.0.0 and is to fetch 1.1.0.

use serde_json::Value;

use crate::forge::Forge;
use crate::phone::Phone;
use crate::site::{Fate, Site};

/// More than a piece and what stands in front of it.
pub const PIECE: u64 = 66_000;

/// An update that waits at a server.
pub struct Update {
    pub forge: Forge,
    pub site: Site,
    pub phone: Phone,
    /// Paths of the new release's blobs.
    pub index: String,
    pub layout: String,
    pub pack: String,
}

impl Update {
    /// Of a megabyte that does not compress.
    pub fn new() -> Self {
        Self::of(|forge| forge.noise = 1_000_000)
    }

    /// Of what `fill` makes releases carry.
    pub fn of(fill: impl Fn(&mut Forge)) -> Self {
        let mut forge = Forge::new();
        let site = Site::new(&forge);
        let mut phone = Phone::running(&forge, &site);
        phone.config.retries = 0;
        fill(&mut forge);
        Self::offered(forge, site, phone, 2, "1.1.0")
    }

    /// 1.2.0, of which most is on the phone.
    pub fn next(self) -> Self {
        Self::offered(self.forge, self.site, self.phone, 3, "1.2.0")
    }

    fn offered(mut forge: Forge, site: Site, phone: Phone, sequence: u64, version: &str) -> Self {
        let mut manifest = Value::Null;
        let keep = |signed: &mut Value| manifest = signed.clone();
        let release = forge.release_with("production", sequence, version, keep);
        forge.rollout("production", &[release.offer()]);
        forge.publish();
        site.serve(&forge);
        let [index, layout, pack] = ["index", "layout", "pack"]
            .map(|blob| format!("blobs/{}", manifest[blob]["sha256"].as_str().unwrap()));
        phone.came();
        Self { forge, site, phone, index, layout, pack }
    }

    /// Bytes of the file at `path`.
    pub fn length(&self, path: &str) -> u64 {
        self.forge.files[path].len() as u64
    }

    /// Every answer with the file at `path` has this fate.
    pub fn doom(&self, path: &str, fate: Fate) {
        let path = path.to_owned();
        self.site.let_fate_decide(move |asked, _| if asked == path { fate } else { Fate::Well });
    }

    /// All goes well from now on.
    pub fn mend(&self) {
        self.site.let_fate_decide(|_, _| Fate::Well);
    }

    /// How the file at `path` was asked for since the last call.
    pub fn asked_for(&self, path: &str) -> Vec<String> {
        self.site.asked().into_iter().filter(|asked| asked.starts_with(path)).collect()
    }

    /// Syncs once and holds that the update is there.
    pub fn arrives(&self) {
        self.phone.sync().unwrap();
        assert_eq!(self.phone.shows(), "1.1.0");
    }
}
