//! Small updates on real apps: bytes, memory and time. `cargo xtask bench delta` fetches the corpus
//! and runs it; `DELTA=distance,apply,make,bytes,more` chooses parts. A line is printed as soon as it
//! is known, so that a run that is stopped has told something.
//!
//! Arguments: `set=FOLDER,FOLDER,…`, each the versions of one app. What is not ours is measured as
//! the rivals do it: the whole folder as `zip -9`; or every changed content by brotli 11, with a
//! manifest of paths, digests and addresses, by brotli 11 too.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a program for the terminal"
)]

mod bytes;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use farad::digest::Digest;
use farad::patch::Plan;
use farad::patch::make::{Bundle, Draft, make};
use farad::progress::Cancel;
use farad::release::pack::{index_folder, write_pack};
use farad::release::{File, Index, Layout};
use farad::store::RealDisk;
use farad::unpack::{self, Contents, Folder};

const PARTS: &str = "distance,apply,make,bytes,more";
const LARGEST: (&str, &str, &str) = ("n8n", "2.40.2", "2.40.3");

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.first().map(String::as_str) {
        Some("apply") => return apply(&args[1..]),
        Some("write") => return write(&args[1..]),
        Some("unpack") => return unpack_whole(&args[1..]),
        Some("idle") => return report(0.0),
        _ => {}
    }
    let chosen = std::env::var("DELTA").unwrap_or_else(|_| PARTS.to_owned());
    let has = |part: &str| chosen.split(',').any(|one| one == part);
    let corpus = Corpus::of(&args);
    if has("distance") {
        distance(&corpus);
    }
    if has("apply") {
        applying(&corpus);
    }
    if has("make") {
        making(&corpus);
    }
    if has("bytes") {
        bytes::bytes(&corpus);
    }
    if has("more") {
        bytes::more(&corpus);
    }
}

/// The versions of every app, by name.
struct Corpus(BTreeMap<String, Vec<PathBuf>>);

impl Corpus {
    fn of(args: &[String]) -> Self {
        let set = |arg: &String| {
            let (name, folders) = arg.split_once('=').unwrap();
            (name.to_owned(), folders.split(',').map(PathBuf::from).collect())
        };
        Self(args.iter().map(set).collect())
    }

    fn version(&self, set: &str, version: &str) -> Option<Web> {
        let folder = self.0.get(set)?.iter().find(|path| path.ends_with(version))?;
        Some(Web::open(folder))
    }
}

/// One version of an app.
struct Web {
    folder: PathBuf,
    index: Index,
}

impl Web {
    fn open(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), index: index_folder(folder).unwrap() }
    }

    fn read(&self, file: &File, from: u64, to: u64) -> Vec<u8> {
        let mut reader = fs::File::open(self.folder.join(&file.path)).unwrap();
        reader.seek(SeekFrom::Start(from)).unwrap();
        let mut bytes = vec![0; (to - from) as usize];
        reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn digests(&self) -> HashSet<Digest> {
        self.index.files().iter().map(|file| file.sha256).collect()
    }
}

fn patches(olds: &[&Web], new: &Web, workers: usize) -> Vec<Vec<u8>> {
    let read_new = |file: &File, from: u64, to: u64| Ok(new.read(file, from, to));
    let readers: Vec<_> = olds
        .iter()
        .map(|old| move |file: &File, from: u64, to: u64| Ok(old.read(file, from, to)))
        .collect();
    let drafts: Vec<_> = olds
        .iter()
        .zip(&readers)
        .map(|(old, read)| {
            let base = Bundle { index: &old.index, read };
            Draft::new(base, Bundle { index: &new.index, read: &read_new }).unwrap()
        })
        .collect();
    make(&drafts, workers, &|_| ()).unwrap()
}

fn patch(old: &Web, new: &Web) -> Vec<u8> {
    patches(&[old], new, 2).remove(0)
}

/// Patches to the newest version from each earlier one, beside the steps between them.
fn distance(corpus: &Corpus) {
    for set in ["vite", "jupyterlab", "pdfjs"] {
        let Some(folders) = corpus.0.get(set) else { continue };
        let webs: Vec<Web> = folders.iter().map(|folder| Web::open(folder)).collect();
        let (newest, earlier) = webs.split_last().unwrap();
        let steps: Vec<usize> = webs.windows(2).map(|two| patch(&two[0], &two[1]).len()).collect();
        let all: Vec<&Web> = earlier.iter().collect();
        let direct: Vec<usize> = patches(&all, newest, 2).iter().map(Vec::len).collect();
        let largest = steps.iter().max().copied().unwrap_or_default();
        println!(
            "\n{set}: steps {steps:?}; direct to the newest {direct:?}; from the oldest {:.2} of the largest step",
            direct[0] as f64 / largest as f64
        );
    }
}

/// Peak memory and time of applying the largest pair's patch, in processes of their own.
fn applying(corpus: &Corpus) {
    let (set, old, new) = LARGEST;
    let (Some(from), Some(to)) = (corpus.version(set, old), corpus.version(set, new)) else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("patch");
    fs::write(&file, patch(&from, &to)).unwrap();
    let pack = work.path().join("pack");
    let mut out = fs::File::create(&pack).unwrap();
    let (layout, blob) = write_pack(&to.folder, &to.index, None, &mut out).unwrap();
    let (layout, blob) = (layout.to_bytes().unwrap(), serde_json::to_vec(&blob).unwrap());
    fs::write(pack.with_extension("layout"), layout).unwrap();
    fs::write(pack.with_extension("blob"), blob).unwrap();
    fs::write(pack.with_extension("index"), to.index.to_bytes()).unwrap();
    let run = |args: &[&Path]| {
        let best = (0..3).map(|n| {
            let out = work.path().join(format!("out-{n}"));
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(args).arg(&out);
            let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
            let _ = fs::remove_dir_all(out);
            let mut numbers = said.split_whitespace().map(|n| n.parse::<f64>().unwrap());
            [(); 3].map(|()| numbers.next().unwrap())
        });
        best.reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1]), a[2].min(b[2])]).unwrap()
    };
    let idle = run(&[Path::new("idle")]);
    let written = run(&[Path::new("write"), &from.folder, &to.folder]);
    let applied = run(&[Path::new("apply"), &from.folder, &file]);
    let unpacked = run(&[Path::new("unpack"), &pack]);
    println!("\n{set} {old} → {new}, the best of three, each a process of its own:");
    println!("| | peak memory, MiB | CPU, s | wall, s |\n|---|---|---|---|");
    for (what, [peak, cpu, wall]) in [
        ("idle", idle),
        ("copying the new bundle from files", written),
        ("applying the patch", applied),
        ("unpacking the whole pack", unpacked),
    ] {
        println!("| {what} | {peak:.1} | {cpu:.2} | {wall:.2} |");
    }
    let above = [applied, unpacked].map(|[peak, ..]| peak - idle[0]);
    println!("above idle: {:.1} MiB to apply, {:.1} MiB to unpack", above[0], above[1]);
}

/// `apply OLD PATCH OUT`, as a phone does it.
fn apply(args: &[String]) {
    let old = Web::open(Path::new(&args[0]));
    let (from, disk) = (RealDisk::new(&old.folder).unwrap(), RealDisk::new(&args[2]).unwrap());
    let source = Folder::new(&from, ".".to_owned(), &old.index);
    let sources: [&dyn Contents; 1] = [&source];
    let begun = Instant::now();
    let mut patch = fs::File::open(&args[1]).unwrap();
    let plan = Plan::read(&mut patch, &old.index).unwrap();
    let cancel = Cancel::default();
    let patched =
        unpack::apply_patch(&plan, &old.index, &mut patch, &sources, (&disk, "files"), &cancel);
    assert!(patched.unwrap().index(plan.outline()).is_some());
    report(begun.elapsed().as_secs_f64());
}

/// `write OLD NEW OUT`: what a device would do that had all files: read, hash, write, sync.
fn write(args: &[String]) {
    let new = Web::open(Path::new(&args[1]));
    let (from, disk) = (RealDisk::new(&new.folder).unwrap(), RealDisk::new(&args[2]).unwrap());
    let source = Folder::new(&from, ".".to_owned(), &new.index);
    let sources: [&dyn Contents; 1] = [&source];
    let begun = Instant::now();
    let cancel = Cancel::default();
    let missing = unpack::copy_local(&disk, "files", &new.index, &sources, &cancel).unwrap();
    assert!(missing.is_empty());
    report(begun.elapsed().as_secs_f64());
}

/// `unpack PACK OUT`: a first download, from a file.
fn unpack_whole(args: &[String]) {
    let pack = Path::new(&args[0]);
    let disk = RealDisk::new(&args[1]).unwrap();
    let beside = |what| fs::read(pack.with_extension(what)).unwrap();
    let index = Index::parse(&beside("index")).unwrap();
    let blob = serde_json::from_slice(&beside("blob")).unwrap();
    let layout = Layout::parse(&beside("layout"), &index, &blob).unwrap();
    let begun = Instant::now();
    let mut pieces = unpack::Stream::new(fs::File::open(pack).unwrap());
    unpack::unpack(&mut pieces, None, &|_| true, &index, &layout, &disk, "files").unwrap();
    report(begun.elapsed().as_secs_f64());
}

/// Peak memory in MiB, CPU seconds of this process, and `wall`. Linux.
fn report(wall: f64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{} {} {wall}", peak / 1024.0, cpu());
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // utime and stime, in hundredths of a second everywhere that matters.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Ten patches of a 20 MB app, and what a second core is worth.
fn making(corpus: &Corpus) {
    if let Some(folders) = corpus.0.get("directus") {
        let webs: Vec<Web> = folders.iter().take(3).map(|folder| Web::open(folder)).collect();
        let bases: Vec<&Web> = (0..10).map(|n| &webs[n % 2]).collect();
        let before = cpu();
        write_pack(&webs[2].folder, &webs[2].index, None, &mut std::io::sink()).unwrap();
        println!("\nthe pack of directus 16.2.1: {:.0} CPU s", cpu() - before);
        let (before, begun) = (cpu(), Instant::now());
        patches(&bases, &webs[2], 2);
        println!(
            "ten patches of directus 16.2.1 ({:.1} MB): {:.0} CPU s, {:.0} s on two cores",
            webs[2].index.total() as f64 / 1e6,
            cpu() - before,
            begun.elapsed().as_secs_f64()
        );
    }
    if let Some(folders) = corpus.0.get("pdfjs") {
        let webs: Vec<Web> = folders.iter().map(|folder| Web::open(folder)).collect();
        let (newest, earlier) = webs.split_last().unwrap();
        let all: Vec<&Web> = earlier.iter().collect();
        let timed = |workers| {
            let begun = Instant::now();
            patches(&all, newest, workers);
            begun.elapsed().as_secs_f64()
        };
        let (one, two) = (timed(1), timed(2));
        println!(
            "four patches of pdfjs: {one:.1} s on one thread, {two:.1} s on two: {:.2}×",
            one / two
        );
    }
}
