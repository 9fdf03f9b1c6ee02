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

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use farad::digest::Digest;
use farad::patch::Plan;
use farad::patch::make::{Bundle, Draft, make};
use farad::progress::Cancel;
use farad::release::pack::{index_folder, small_blob, write_pack};
use farad::release::{File, Index, Layout};
use farad::seal::Object;
use farad::store::RealDisk;
use farad::unpack::{self, Contents, Folder};

/// Pairs of consecutive versions, and the fewest bytes (KiB) that any of eight delta tools needed for
/// them in an earlier comparison: zstd, bidiff, qbsdiff, HDiffPatch and xdelta3 over whole folders,
/// zstd file by file and in groups. Most of these carry neither names nor digests.
#[rustfmt::skip]
const PAIRS: [(&str, &str, &str, f64); 25] = [
    ("directus", "16.2.0", "16.2.1", 143.0),
    ("ionic", "8.8.19", "9.0.0", 48.1),
    ("ionic", "9.0.0", "9.0.1", 25.7),
    ("jupyterlab", "4.6.4", "4.6.5", 172.7),
    ("jupyterlab", "4.6.5", "4.6.6", 12.0),
    ("mermaid", "11.17.0", "11.17.1", 1.4),
    ("mermaid", "11.17.1", "11.17.2", 0.5),
    ("monaco", "0.55.0", "0.55.1", 0.2),
    ("n8n", "2.40.2", "2.40.3", 33.7),
    ("pdfjs", "6.1.200", "6.2.108", 33.4),
    ("pdfjs", "6.2.108", "6.3.289", 30.8),
    ("pdfjs", "6.3.289", "6.4.299", 38.2),
    ("pdfjs", "6.4.299", "6.5.438", 61.9),
    ("streamlit", "1.66.0", "1.66.1", 3.0),
    ("swagger", "5.33.0", "5.33.1", 0.2),
    ("swagger", "5.33.1", "5.33.2", 4.9),
    ("swagger", "5.33.2", "5.33.3", 0.1),
    ("swagger", "5.33.3", "5.34.0", 27.8),
    ("tinymce", "8.9.0", "8.9.1", 0.4),
    ("tinymce", "8.9.1", "8.9.2", 0.1),
    ("vite", "0-base", "1-oneline-shared", 0.6),
    ("vite", "1-oneline-shared", "2-oneline-page", 0.6),
    ("vite", "2-oneline-page", "3-addpage", 9.9),
    ("vite", "3-addpage", "4-multi", 0.8),
    ("vite", "4-multi", "5-depbump", 16.9),
];
const PARTS: &str = "distance,apply,make,bytes,more";
/// Ranges of the pack this close travel as one.
const GAP: u64 = 4 << 10;
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
        bytes(&corpus);
    }
    if has("more") {
        more(&corpus);
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

/// What an update costs by each way.
struct Row {
    zip: u64,
    pack: u64,
    rivals: u64,
    ranges: u64,
    patch: u64,
}

impl Row {
    fn of(from: &Web, to: &Web) -> Self {
        let (pack, ranges) = pack_and_ranges(from, to);
        Self {
            zip: zipped(to),
            pack,
            rivals: file_level(from, to),
            ranges,
            patch: patch(from, to).len() as u64,
        }
    }

    /// Parts of a line of the table.
    fn told(&self) -> String {
        let Self { zip, pack, rivals, ranges, patch } = self;
        let share = percent(*patch, *rivals);
        let beside = *ranges as f64 / *rivals as f64;
        format!("{zip} | {pack} | {rivals} | {ranges} | {beside:.3} | {patch} | {share:.2} %")
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

/// Rows, added up and summed up.
#[derive(Default)]
struct Sums {
    rows: Vec<Row>,
    bests: f64,
}

impl Sums {
    fn tell(&self) {
        let sum = |of: fn(&Row) -> u64| self.rows.iter().map(of).sum::<u64>();
        let all = Row {
            zip: sum(|row| row.zip),
            pack: sum(|row| row.pack),
            rivals: sum(|row| row.rivals),
            ranges: sum(|row| row.ranges),
            patch: sum(|row| row.patch),
        };
        println!("| all {} | {} | |", self.rows.len(), all.told());
        let mut shares: Vec<f64> =
            self.rows.iter().map(|row| percent(row.patch, row.rivals)).collect();
        shares.sort_by(f64::total_cmp);
        println!("\nmedian pair: {:.2} % of file-level", shares[shares.len() / 2]);
        if self.bests > 0.0 {
            let bests = all.patch as f64 / 1024.0 / self.bests;
            println!("patches: {bests:.3} of the sum of the bests");
        }
        let dearer = self.rows.iter().filter(|row| row.ranges > row.rivals).count();
        println!("ranges dearer than file-level in {dearer} of {}", self.rows.len());
        let larger = self.rows.iter().filter(|row| row.pack >= row.zip).count();
        println!("packs not smaller than zip -9: {larger}; CPU so far {:.0} s", cpu());
    }
}

const HEAD: &str = "| Pair | zip -9 | Pack | File-level | Ranges | of file-level | Patch | of \
file-level | Best of eight, KiB |\n|---|---|---|---|---|---|---|---|---|";

fn bytes(corpus: &Corpus) {
    println!("\n{HEAD}");
    let mut sums = Sums::default();
    for (set, old, new, best) in PAIRS {
        let (Some(from), Some(to)) = (corpus.version(set, old), corpus.version(set, new)) else {
            continue;
        };
        let row = Row::of(&from, &to);
        println!("| {set} {old} → {new} | {} | {best:.1} |", row.told());
        sums.rows.push(row);
        sums.bests += best;
    }
    sums.tell();
}

/// The consecutive versions of the corpus that nobody measured before.
fn more(corpus: &Corpus) {
    println!("\n{HEAD}");
    let mut sums = Sums::default();
    for (set, folders) in &corpus.0 {
        for two in folders.windows(2) {
            let [old, new] = [&two[0], &two[1]].map(|path| path.file_name().unwrap());
            if PAIRS.iter().any(|(name, from, to, _)| name == set && old == *from && new == *to) {
                continue;
            }
            let row = Row::of(&Web::open(&two[0]), &Web::open(&two[1]));
            println!("| {set} {} → {} | {} | |", old.display(), new.display(), row.told());
            sums.rows.push(row);
        }
    }
    sums.tell();
}

/// Bytes of the folder as `zip -9`.
fn zipped(web: &Web) -> u64 {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9));
    for file in web.index.files() {
        zip.start_file(file.path.as_str(), options).unwrap();
        zip.write_all(&web.read(file, 0, file.length)).unwrap();
    }
    zip.finish().unwrap().into_inner().len() as u64
}

fn brotli(bytes: &[u8]) -> u64 {
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut out, &params).unwrap();
    out.len() as u64
}

/// What a file-level update moves: contents that the old folder has nowhere, and the manifest.
fn file_level(old: &Web, new: &Web) -> u64 {
    let mut known = old.digests();
    let fresh = new.index.files().iter().filter(|file| known.insert(file.sha256));
    let fresh: Vec<_> = fresh.collect();
    let jobs = std::sync::Mutex::new(fresh.into_iter());
    let files: u64 = std::thread::scope(|scope| {
        let work = || {
            let mut sum = 0;
            loop {
                let next = jobs.lock().unwrap().next();
                let Some(file) = next else { return sum };
                sum += brotli(&new.read(file, 0, file.length));
            }
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let address = "https://cdn.example.com/apps/6e351b4c-69a7-415e-a057-4567df7ffe94/files";
    let manifest: Vec<_> = new
        .index
        .files()
        .iter()
        .map(|file| {
            let (path, digest) = (&file.path, file.sha256);
            serde_json::json!({
                "path": path, "sha256": digest, "size": file.length,
                "url": format!("{address}/{path}"),
            })
        })
        .collect();
    files + brotli(serde_json::Value::from(manifest).to_string().as_bytes())
}

/// The whole pack, and what of it a device with the old version fetches, with index and layout.
fn pack_and_ranges(old: &Web, new: &Web) -> (u64, u64) {
    let out = &mut std::io::sink();
    let (layout, pack) = write_pack(&new.folder, &new.index, None, out).unwrap();
    let known = old.digests();
    let wanted = |sha256: &Digest| !known.contains(sha256);
    let (mut at, mut end, mut travels) = (0, 0, 0);
    for frame in layout.frames() {
        let begin = at;
        at += frame.length;
        if unpack::holds(frame, &new.index, &wanted) {
            let gap = begin - end;
            travels += frame.length + if end > 0 && gap <= GAP { gap } else { 0 };
            end = at;
        }
    }
    let length = |bytes: &[u8], kind| small_blob(bytes, kind, None).unwrap().0.length;
    let described = length(&new.index.to_bytes(), Object::Index)
        + length(&layout.to_bytes().unwrap(), Object::Layout);
    (pack.length, travels + described)
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
