//! Random histories of edits: whatever a phone has, it ends with exactly the files of the newest
//! release.
//!
//! Each history is a web folder that is edited three times: files come, go, move, swap, double, are
//! emptied, become binary. Phones on each version, and one that has only the built-in bundle (a
//! folder or an APK), go to the newest by patch, in open and in sealed channels. Some meet a byte
//! that changed: of the patch on its way, of a file they have, of the pack on its way.
//! `FARAD_HISTORIES=1000` sets how many, `FARAD_SEED` where they begin; without them a share that
//! takes seconds. In every tenth there is a file of several megabytes (20 with `FARAD_LARGE=1`).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test stops at a surprise, and prints what it counted"
)]

#[allow(
    dead_code,
    unreachable_pub,
    clippy::cast_sign_loss,
    reason = "shared with the attacks, which use more of it"
)]
#[path = "attacks/forge.rs"]
mod forge;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use farad::builtin::{APK_PREFIX, Apk, Builtin};
use farad::config::Config;
use farad::digest::Digest;
use farad::fetch::{Request, Response, Transport};
use farad::host::{Clock, System};
use farad::native::Native;
use farad::patch::make::{Bundle, Draft, make};
use farad::progress::Cancel;
use farad::release::pack::{index_folder, patch_blob, small_blob, write_pack};
use farad::release::{File, Index};
use farad::seal::{Object, OpeningKey, Sealer};
use farad::store::Disk;
use farad::store::memory::MemoryDisk;
use farad::time::UnixTime;
use farad::updater::{Synced, Updater, Via};
use forge::{APP, Forge, NOW, Release};
use serde_json::json;

const PRODUCTION: &str = "production";

/// Path and content of every file.
type Files = BTreeMap<String, Vec<u8>>;

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }

    fn text(&mut self, length: usize) -> Vec<u8> {
        let words = ["let ", "x=>", "{", "}", ";", "return ", "this.", "(a,b)", "\n", "0x"];
        let mut text = Vec::new();
        while text.len() < length {
            text.extend_from_slice(words[self.below(words.len())].as_bytes());
            text.extend_from_slice(format!("{:x}", self.below(4096)).as_bytes());
        }
        text.truncate(length);
        text
    }

    fn noise(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    fn path(&mut self) -> String {
        let folders = ["", "a/", "b/", "b/c/"];
        format!("{}f{:06x}.js", folders[self.below(4)], self.below(1 << 24))
    }
}

/// A folder as a developer begins.
fn first(dice: &mut Dice, large: usize) -> Files {
    let mut files = Files::from([("index.html".to_owned(), b"<title>0</title>".to_vec())]);
    for _ in 0..3 + dice.below(8) {
        let length = dice.below(8000);
        files.insert(dice.path(), dice.text(length));
    }
    if large > 0 {
        files.insert("large.wasm".to_owned(), dice.noise(large));
    }
    files
}

/// A few edits, as developers and bundlers make them.
fn edit(files: &mut Files, dice: &mut Dice, version: usize) {
    let page = format!("<title>{version}</title>").into_bytes();
    for _ in 0..1 + dice.below(8) {
        let others: Vec<String> = files.keys().filter(|p| *p != "index.html").cloned().collect();
        let Some(path) = others.get(dice.below(others.len())).cloned() else {
            files.insert(dice.path(), dice.text(500));
            continue;
        };
        let bytes = files[&path].clone();
        match dice.below(9) {
            0 => drop(files.insert(dice.path(), dice.text(3000))),
            1 => drop(files.remove(&path)),
            2 => {
                files.remove(&path);
                files.insert(dice.path(), bytes);
            }
            3 => {
                let other = others[dice.below(others.len())].clone();
                let theirs = files.insert(other, bytes).unwrap();
                files.insert(path, theirs);
            }
            4 => drop(files.insert(path, Vec::new())),
            5 => drop(files.insert(path, dice.noise(2000))),
            6 => drop(files.insert(dice.path(), bytes)),
            _ => {
                let (at, to) = (dice.below(bytes.len()), dice.below(bytes.len()));
                let (at, to) = (at.min(to), at.max(to).min(at + 300));
                let text = dice.text(40);
                files.insert(path, [&bytes[..at], &text, &bytes[to.max(at)..]].concat());
            }
        }
    }
    files.insert("index.html".to_owned(), page);
}

/// One version on disk.
struct Web {
    folder: tempfile::TempDir,
    files: Files,
    index: Index,
}

impl Web {
    fn new(files: &Files) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
        let index = index_folder(folder.path()).unwrap();
        Self { folder, files: files.clone(), index }
    }
}

/// What is published: versions in order, each with what was served while it was the newest.
struct History {
    webs: Vec<Web>,
    releases: Vec<Release>,
    served: Vec<BTreeMap<String, Vec<u8>>>,
    anchor: Vec<u8>,
    /// Paths of the last release's patches and of its pack.
    patches: Vec<String>,
    pack: String,
}

impl History {
    fn new(seed: u64, large: usize, sealed: bool) -> Self {
        let mut dice = Dice(seed);
        let mut forge = Forge::empty(APP, NOW);
        let mut files = first(&mut dice, large);
        let mut history = Self {
            webs: Vec::new(),
            releases: Vec::new(),
            served: Vec::new(),
            anchor: forge.anchor(),
            patches: Vec::new(),
            pack: String::new(),
        };
        for version in 0..4 {
            if version > 0 {
                edit(&mut files, &mut dice, version);
            }
            history.webs.push(Web::new(&files));
            history.release(&mut forge, sealed, version == 3);
        }
        history
    }

    /// Releases the newest version, the last one with patches from all before it.
    fn release(&mut self, forge: &mut Forge, sealed: bool, last: bool) {
        let app = APP.parse().unwrap();
        let sealer = sealed.then(|| Sealer::new(&app, &System).unwrap());
        let sealer = sealer.as_ref();
        let (new, olds) = self.webs.split_last().unwrap();
        let mut pack = Vec::new();
        let (layout, pack_blob) =
            write_pack(new.folder.path(), &new.index, sealer, &mut pack).unwrap();
        let index = small_blob(&new.index.to_bytes(), Object::Index, sealer).unwrap();
        let layout = small_blob(&layout.to_bytes().unwrap(), Object::Layout, sealer).unwrap();
        self.pack = pack_blob.path();
        let mut patches = Vec::new();
        let olds = if last { olds } else { &[] };
        for (old, patch) in olds.iter().zip(made(olds, new)) {
            let identity = old.index.identity();
            let base = sealer.map(|sealer| sealer.content().label(&identity).unwrap());
            let (blob, bytes) = patch_blob(patch, sealer).unwrap();
            self.patches.push(blob.path());
            patches.push(json!({ "base": base.unwrap_or(identity), "blob": blob }));
            forge.files.insert(blob.path(), bytes);
        }
        let sequence = self.webs.len() as u64;
        let identity = new.index.identity();
        let mut manifest = json!({
            "schema": 1, "app": APP, "channel": PRODUCTION, "requires": [],
            "version": format!("{sequence}.0.0"), "sequence": sequence,
            "created": forge::time(NOW), "native": {}, "bundle": { "identity": identity },
            "index": index.0, "layout": layout.0, "pack": pack_blob, "patches": patches,
        });
        if let Some(sealer) = sealer {
            manifest["requires"] = json!(["seal"]);
            manifest["bundle"] = json!({ "keyed": sealer.content().label(&identity).unwrap() });
            manifest["seal"] = json!(sealer.seal(&[key().recipient()]).unwrap());
        }
        for (blob, bytes) in [index, layout, (pack_blob, pack)] {
            forge.files.insert(blob.path(), bytes);
        }
        let manifest = farad::json::compact(&manifest).unwrap();
        let path = format!("{PRODUCTION}/releases/{sequence}.json");
        forge.put(&format!("{PRODUCTION}-releases"), &path, &manifest);
        let release = Release { sequence, manifest: Digest::of(&manifest) };
        forge.rollout(PRODUCTION, &[release.offer()]);
        forge.publish();
        self.releases.push(release);
        self.served.push(forge.files.clone());
    }

    /// The first version as it ships inside the app: a folder, or an APK.
    fn builtin(&self, home: &Path, apk: bool) -> Builtin {
        let web = &self.webs[0];
        let embed = json!({
            "schema": 1, "app": APP, "channel": PRODUCTION, "sequence": 1, "version": "1.0.0",
            "manifest": self.releases[0].manifest,
            "index": String::from_utf8(web.index.to_bytes()).unwrap(),
        });
        let mut files = web.files.clone();
        files.insert("farad-embed.json".to_owned(), embed.to_string().into_bytes());
        files.insert("cordova.js".to_owned(), b"added by the shell".to_vec());
        if !apk {
            let folder = home.join("public");
            for (path, bytes) in files {
                let place = folder.join(path);
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                fs::write(place, bytes).unwrap();
            }
            return Builtin::Folder(folder);
        }
        let path = home.join("app.apk");
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (at, (path, bytes)) in files.iter().enumerate() {
            let method = [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated][at % 2];
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{APK_PREFIX}{path}"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        Builtin::Apk(Apk::open(&path, APK_PREFIX).unwrap())
    }
}

fn made(olds: &[Web], new: &Web) -> Vec<Vec<u8>> {
    let read = |web: &Web| {
        let files = web.files.clone();
        move |file: &File, from: u64, to: u64| {
            Ok(files[&file.path][from as usize..to as usize].to_vec())
        }
    };
    let (read_new, readers) = (read(new), olds.iter().map(read).collect::<Vec<_>>());
    let drafts = olds.iter().zip(&readers).map(|(old, read)| {
        let base = Bundle { index: &old.index, read };
        Draft::new(base, Bundle { index: &new.index, read: &read_new }).unwrap()
    });
    make(&drafts.collect::<Vec<_>>(), 2, &|_| ()).unwrap()
}

fn key() -> OpeningKey {
    OpeningKey::from_bytes([7; 32])
}

/// A server, and a byte that changes on the way, once or always.
struct Server {
    files: BTreeMap<String, Vec<u8>>,
    spoilt: Mutex<Vec<(String, usize, bool)>>,
}

impl Transport for Server {
    fn get(&self, request: &Request<'_>, _: &Cancel) -> farad::Result<Response> {
        let Some(bytes) = self.files.get(request.path) else { return Ok(Response::Missing) };
        let mut bytes = bytes.clone();
        let mut spoilt = self.spoilt.lock().unwrap();
        let part = request
            .part
            .map_or(0..bytes.len(), |part| part.from as usize..(part.to as usize).min(bytes.len()));
        spoilt.retain(|(path, at, always)| {
            let here = path == request.path && part.contains(at);
            if here {
                bytes[*at] ^= 1;
            }
            !here || *always
        });
        let from = part.start as u64;
        let body = Box::new(Cursor::new(bytes[part].to_vec()));
        Ok(Response::Found { etag: None, date: None, from, body })
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(NOW)
    }

    fn pause(&self, _: std::time::Duration, _: &Cancel) {}
}

/// What goes wrong on the way to the newest release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Nothing,
    /// A byte of every patch changes, whenever it is fetched.
    Patch,
    /// A byte of a file of the base is another.
    Base,
    /// There is no patch, and a byte of the pack changes the first time it is fetched.
    Range,
}

/// How phones came to the newest release.
#[derive(Debug, Default)]
struct Ways {
    local: usize,
    patch: usize,
    ranges: usize,
    pack: usize,
}

/// A phone on `version`, or with the built-in bundle alone, goes to the newest release.
fn travel(
    history: &History,
    version: Option<usize>,
    harm: Harm,
    apk: bool,
    dice: &mut Dice,
) -> Synced {
    let (disk, home) = (MemoryDisk::new(), tempfile::tempdir().unwrap());
    let process = |server: Server| {
        let builtin = match version {
            None => history.builtin(home.path(), apk),
            Some(_) => Builtin::Folder(home.path().join("none")),
        };
        let native = Native::Android { build: 30 };
        let (app, channel) = (APP.parse().unwrap(), PRODUCTION.parse().unwrap());
        let config = Config::new(app, channel, history.anchor.clone(), native);
        let (disk, server) = (Arc::new(disk.clone()), Arc::new(server));
        Updater::new(config, disk, server, Arc::new(Still), Arc::new(System), builtin)
            .with_opening_keys(Arc::new(vec![key()]))
    };
    let serve = |at: usize| Server { files: history.served[at].clone(), spoilt: Mutex::default() };
    if let Some(version) = version {
        let updater = process(serve(version));
        updater.sync(&Cancel::default(), &mut |_| ()).unwrap();
        let launched = updater.boot(false);
        updater.ready(&launched.token.unwrap()).unwrap();
        let folder = shown(launched.path);
        let files = &history.webs[version].files;
        let full = files.iter().filter(|(path, b)| *path != "index.html" && !b.is_empty());
        let full: Vec<_> = full.collect();
        if harm == Harm::Base && !full.is_empty() {
            let (path, bytes) = full[dice.below(full.len())];
            disk.damage(&format!("{folder}/{path}"), dice.below(bytes.len()));
        }
    }
    let mut server = serve(history.webs.len() - 1);
    let mut spoil = |path: &String, always| {
        let at = dice.below(server.files[path].len());
        server.spoilt.lock().unwrap().push((path.clone(), at, always));
    };
    match harm {
        Harm::Patch => history.patches.iter().for_each(|path| spoil(path, true)),
        Harm::Range => spoil(&history.pack, false),
        Harm::Nothing | Harm::Base => {}
    }
    if harm == Harm::Range {
        history.patches.iter().for_each(|path| drop(server.files.remove(path)));
    }
    let updater = process(server);
    let synced = updater.sync(&Cancel::default(), &mut |_| ()).unwrap();
    let launched = updater.boot(false);
    let folder = shown(launched.path);
    let (found, wanted) = (read(&disk, &folder), &history.webs.last().unwrap().files);
    let differs = |path: &&String| found.get(*path) != wanted.get(*path);
    let wrong: Vec<_> = wanted.keys().chain(found.keys()).filter(differs).collect();
    assert!(wrong.is_empty(), "{version:?}, {harm:?}: {wrong:?} after {synced:?}");
    synced
}

/// The folder that a start shows, relative to the store.
fn shown(path: Option<PathBuf>) -> String {
    path.unwrap().strip_prefix("/memory").unwrap().to_str().unwrap().to_owned()
}

/// All files below `folder`.
fn read(disk: &MemoryDisk, folder: &str) -> Files {
    let mut found = Files::new();
    let mut folders = vec![String::new()];
    while let Some(next) = folders.pop() {
        for entry in disk.list(format!("{folder}/{next}").trim_end_matches('/')).unwrap() {
            let path = format!("{next}{}", entry.name);
            if entry.folder {
                folders.push(path + "/");
            } else {
                let bytes = disk.read(&format!("{folder}/{path}"), u64::MAX).unwrap().unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

#[test]
fn every_phone_ends_with_the_files_of_the_newest_release() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (count, begin) = (number("FARAD_HISTORIES"), number("FARAD_SEED").unwrap_or(0));
    let mut ways = Ways::default();
    for seed in begin..begin + count.unwrap_or(12) {
        let large = match (seed % 10, number("FARAD_LARGE")) {
            (9, Some(_)) => 20 << 20,
            (9, None) if seed < 10 => 5 << 20,
            _ => 0,
        };
        let history = History::new(seed, large, seed % 2 == 1);
        let mut dice = Dice(!seed);
        for version in [None, Some(0), Some(1), Some(2)] {
            let harms = [Harm::Nothing, Harm::Patch, Harm::Base, Harm::Range];
            for harm in [Harm::Nothing, harms[dice.below(4)]] {
                let synced = travel(&history, version, harm, seed % 4 < 2, &mut dice);
                let said = format!("seed {seed}, {version:?}, {harm:?}: {synced:?}");
                match synced.via.unwrap() {
                    Via::Local => ways.local += 1,
                    Via::Patch => ways.patch += 1,
                    Via::Ranges => ways.ranges += 1,
                    Via::Pack => ways.pack += 1,
                }
                if harm == Harm::Nothing {
                    assert_eq!(synced.fallback, None, "{said}");
                }
            }
        }
    }
    println!("{ways:?}");
    assert!(ways.patch > ways.ranges && ways.ranges > 0, "{ways:?}");
}
