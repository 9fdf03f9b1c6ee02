//! Bytes of an update by each way: the whole app, file by file, ranges of the pack, a patch.

use std::io::Write;

use farad::digest::Digest;
use farad::release::pack::{small_blob, write_pack};
use farad::seal::Object;
use farad::unpack;

use super::{Corpus, Web, cpu, patch};

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
/// Ranges of the pack this close travel as one, as `src/updater/pack.rs` has it.
const GAP: u64 = 512;

/// What an update costs by each way.
struct Row {
    zip: u64,
    pack: u64,
    rivals: u64,
    ranges: u64,
    /// In which the frames are fetched; index and layout are two more.
    requests: u64,
    patch: u64,
}

impl Row {
    fn of(from: &Web, to: &Web) -> Self {
        let (pack, ranges, requests) = pack_and_ranges(from, to);
        Self {
            zip: zipped(to),
            pack,
            rivals: file_level(from, to),
            ranges,
            requests,
            patch: patch(from, to).len() as u64,
        }
    }

    /// Parts of a line of the table.
    fn told(&self) -> String {
        let Self { zip, pack, rivals, ranges, requests, patch } = self;
        let share = percent(*patch, *rivals);
        let beside = *ranges as f64 / *rivals as f64;
        format!(
            "{zip} | {pack} | {rivals} | {ranges} | {beside:.3} | {requests} | {patch} | {share:.2} %"
        )
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
            requests: sum(|row| row.requests),
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

const HEAD: &str = "| Pair | zip -9 | Pack | File-level | Ranges | of file-level | Requests | Patch | of \
file-level | Best of eight, KiB |\n|---|---|---|---|---|---|---|---|---|---|";

pub(crate) fn bytes(corpus: &Corpus) {
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
pub(crate) fn more(corpus: &Corpus) {
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

/// The whole pack, what of it a device with the old version fetches, with index and layout, and in how
/// many requests for ranges.
fn pack_and_ranges(old: &Web, new: &Web) -> (u64, u64, u64) {
    let out = &mut std::io::sink();
    let (layout, pack) = write_pack(&new.folder, &new.index, None, out).unwrap();
    let known = old.digests();
    let wanted = |sha256: &Digest| !known.contains(sha256);
    let (mut at, mut end, mut travels, mut requests) = (0, 0, 0, 0);
    for frame in layout.frames() {
        let begin = at;
        at += frame.length;
        if unpack::holds(frame, &new.index, &wanted) {
            let joins = requests > 0 && begin - end <= GAP;
            travels += frame.length + if joins { begin - end } else { 0 };
            requests += u64::from(!joins);
            end = at;
        }
    }
    let length = |bytes: &[u8], kind| small_blob(bytes, kind, None).unwrap().0.length;
    let described = length(&new.index.to_bytes(), Object::Index)
        + length(&layout.to_bytes().unwrap(), Object::Layout);
    (pack.length, travels + described, requests)
}
