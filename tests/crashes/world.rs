//! What is published, in the order in which it came about: a phone may skip steps, never go back.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use farad::boot::Which;
use farad::digest::Digest;
use farad::fetch::{Request, Response, Transport};
use farad::id::BundleId;
use farad::progress::Cancel;
use serde_json::json;

use crate::forge::{Forge, Release, offer};

/// Steps of the history.
pub const FIRST: usize = 0;
pub const SECOND: usize = 1;
pub const ROLLED_BACK: usize = 2;
pub const REVOKED: usize = 3;
pub const THIRD: usize = 4;
pub const BUILTIN: usize = 5;
pub const FLOOR: usize = 6;
pub const LAST: usize = 7;

/// Builds of the native app.
pub const BARE: u64 = 1;
pub const WITH_FIRST: u64 = 2;
pub const WITH_THIRD: u64 = 3;

/// One step of the history.
pub struct Step {
    files: BTreeMap<String, Vec<u8>>,
    /// The release of production that is offered; none where the built-in bundle is.
    pub offered: Option<Release>,
    pub floor: u64,
    pub revoked: Vec<u64>,
}

/// All that was ever published.
pub struct History {
    pub steps: Vec<Arc<Step>>,
    pub anchor: Vec<u8>,
    pub beta: Release,
    /// Sequence and channel of every release.
    pub releases: BTreeMap<BundleId, (&'static str, u64)>,
    builtins: tempfile::TempDir,
}

/// The one history; signing it takes a moment.
pub fn history() -> &'static History {
    static HISTORY: OnceLock<History> = OnceLock::new();
    HISTORY.get_or_init(History::new)
}

impl History {
    fn new() -> Self {
        let mut forge = Forge::empty(crate::forge::APP, crate::forge::NOW);
        let anchor = forge.anchor();
        let beta = forge.release("beta", 1, "1.0.0-beta");
        forge.rollout("beta", &[beta.offer()]);
        let builtins = tempfile::tempdir().unwrap();
        let build_in = |forge: &Forge, build: u64, release, version| {
            let folder = builtins.path().join(build.to_string());
            fs::create_dir(&folder).unwrap();
            let embed = forge.embed(release, version);
            fs::write(folder.join("farad-embed.json"), embed.to_string()).unwrap();
        };
        let mut steps = Vec::new();
        let mut publish = |forge: &mut Forge, offered, floor: u64, revoked: &[u64]| {
            let offers = [match offered {
                Some(release) => Release::offer(release),
                None => offer(&json!("builtin")),
            }];
            forge.rollout("production", &offers);
            forge.policy("production", floor, revoked);
            forge.publish();
            let files = forge.files.clone();
            steps.push(Arc::new(Step { files, offered, floor, revoked: revoked.to_vec() }));
        };
        let first = forge.release("production", 1, "1.0.0");
        publish(&mut forge, Some(first), 0, &[]);
        build_in(&forge, WITH_FIRST, first, "1.0.0");
        let second = forge.release("production", 2, "2.0.0");
        publish(&mut forge, Some(second), 0, &[]);
        publish(&mut forge, Some(first), 0, &[]);
        publish(&mut forge, Some(first), 0, &[2]);
        let third = forge.release("production", 3, "3.0.0");
        publish(&mut forge, Some(third), 0, &[2]);
        build_in(&forge, WITH_THIRD, third, "3.0.0");
        publish(&mut forge, None, 0, &[2]);
        publish(&mut forge, Some(third), 3, &[2]);
        let last = forge.release("production", 9, "9.0.0");
        publish(&mut forge, Some(last), 3, &[2]);

        let production = [first, second, third, last].map(|r| ("production", r));
        let releases = production.into_iter().chain([("beta", beta)]);
        let releases = releases
            .map(|(channel, release)| (BundleId(release.manifest), (channel, release.sequence)))
            .collect();
        Self { steps, anchor, beta, releases, builtins }
    }

    /// The built-in bundle of a build, as a folder that may not exist.
    pub fn builtin(&self, build: u64) -> PathBuf {
        self.builtins.path().join(build.to_string())
    }

    /// What a phone without a fault ends on, if it follows `channel` under `build`.
    pub fn target(&self, step: usize, channel: &str, build: u64) -> Which {
        if channel == "beta" {
            return Which::Bundle(BundleId(self.beta.manifest));
        }
        let embedded = match build {
            WITH_FIRST => Some(1),
            WITH_THIRD => Some(3),
            _ => None,
        };
        match self.steps[step].offered {
            Some(release) if Some(release.sequence) == embedded => Which::Builtin,
            Some(release) => Which::Bundle(BundleId(release.manifest)),
            None => Which::Builtin,
        }
    }
}

/// Serves one step of the history.
pub struct Served(pub Arc<Step>);

impl Transport for Served {
    fn get(&self, request: &Request<'_>, cancel: &Cancel) -> farad::Result<Response> {
        cancel.check()?;
        Ok(answer(&self.0.files, request))
    }
}

/// What a server of these files answers.
pub fn answer(files: &BTreeMap<String, Vec<u8>>, request: &Request<'_>) -> Response {
    let Some(bytes) = files.get(request.path) else { return Response::Missing };
    let etag = Digest::of(bytes).to_string();
    if request.etag == Some(&etag) {
        return Response::NotModified;
    }
    let (from, to) = match request.part {
        Some(part) => (part.from, part.to.min(bytes.len() as u64)),
        None => (0, bytes.len() as u64),
    };
    let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
    let body = std::io::Cursor::new(bytes[range].to_vec());
    Response::Found { etag: Some(etag), date: None, from, body: Box::new(body) }
}
