//! What sealing costs a phone: the time to install a bundle, open beside sealed, in one run.
//!
//! `cargo xtask bench seal`. A bundle of 30 MB as a web build might be (a third of it compressed
//! already) is packed both ways, then unpacked in turn from memory onto a real disk, each file hashed
//! and synced as an update does it. Memory is the peak of the process while one bundle is unpacked,
//! over what it held before (Linux only).

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a program for the terminal"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use farad::digest::Digest;
use farad::host::System;
use farad::id::AppId;
use farad::release::pack::{index_folder, write_pack};
use farad::release::{Index, Layout};
use farad::seal::{Object, ObjectKey, Sealer};
use farad::store::RealDisk;
use farad::unpack::{Stream, unpack};

const ROUNDS: usize = 9;

struct Packed {
    layout: Layout,
    pack: Vec<u8>,
    key: Option<ObjectKey>,
}

fn main() {
    let app: AppId = "com.example.bench".parse().unwrap();
    for megabytes in [10, 30] {
        let home = tempfile::tempdir().unwrap();
        let web = home.path().join("web");
        make_web(&web, megabytes);
        let index = index_folder(&web).unwrap();
        let open = pack(&web, &index, None, &app);
        let sealed = pack(&web, &index, Some(&Sealer::new(&app, &System).unwrap()), &app);
        let (mut times, mut peaks) = ([Vec::new(), Vec::new()], [0, 0]);
        // In turn, so that whatever else the machine does hits both alike.
        for round in 0..ROUNDS {
            for (kind, packed) in [&open, &sealed].into_iter().enumerate() {
                let folder = home.path().join(format!("{round}-{kind}"));
                let (time, peak) = install(&index, packed, &folder);
                times[kind].push(time);
                peaks[kind] = peaks[kind].max(peak);
                fs::remove_dir_all(&folder).unwrap();
            }
        }
        let middle = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times[ROUNDS / 2].as_secs_f64() * 1000.0
        };
        let [open_time, sealed_time] = times.each_mut().map(middle);
        println!(
            "{megabytes} MB in {} files, pack {:.1} MB: open {open_time:.0} ms, sealed {sealed_time:.0} ms \
             (median of {ROUNDS}), ratio {:.3}; peak memory over idle: open {} KiB, sealed {} KiB",
            index.files().len(),
            open.pack.len() as f64 / 1e6,
            sealed_time / open_time,
            peaks[0],
            peaks[1],
        );
    }
}

fn pack(web: &Path, index: &Index, sealer: Option<&Sealer<'_>>, app: &AppId) -> Packed {
    let mut pack = Vec::new();
    let (layout, blob) = write_pack(web, index, sealer, &mut pack).unwrap();
    // As a phone reads it: with the piece size that the blob tells.
    let layout = Layout::parse(&layout.to_bytes().unwrap(), index, &blob).unwrap();
    let key = sealer
        .zip(blob.salt)
        .map(|(sealer, salt)| sealer.content().object(app, Object::Pack, &salt).unwrap());
    Packed { layout, pack, key }
}

fn install(index: &Index, packed: &Packed, folder: &Path) -> (Duration, u64) {
    let disk = RealDisk::new(folder).unwrap();
    let before = reset_peak();
    let begun = Instant::now();
    let mut pieces = Stream::new(&packed.pack[..]);
    let key = packed.key.as_ref();
    unpack(&mut pieces, key, &|_| true, index, &packed.layout, &disk, "files").unwrap();
    (begun.elapsed(), peak().saturating_sub(before))
}

/// Text, code-like and compressible, two thirds; noise, as images are, one third.
fn make_web(folder: &Path, megabytes: usize) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("index.html"), "<!doctype html>").unwrap();
    let words = ["const ", "value", " = ", "render(", ");\n", "this.", "state", " => {", "}\n"];
    for file in 0..megabytes * 10 {
        let mut state = file as u64 * 0x9e37_79b9_7f4a_7c15 + 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut bytes = Vec::with_capacity(100_000);
        while bytes.len() < 100_000 {
            if file % 3 == 0 {
                bytes.extend_from_slice(Digest::of(&next().to_be_bytes()).as_bytes());
            } else {
                let at = usize::try_from(next() % words.len() as u64).unwrap();
                bytes.extend_from_slice(words[at].as_bytes());
                bytes.extend_from_slice((next() % 1000).to_string().as_bytes());
            }
        }
        fs::write(folder.join(format!("chunk-{file}.js")), bytes).unwrap();
    }
}

/// Forgets the highest memory so far; what the process holds now, KiB.
fn reset_peak() -> u64 {
    let _ = fs::write("/proc/self/clear_refs", "5");
    status("VmRSS:")
}

/// The highest memory since, KiB.
fn peak() -> u64 {
    status("VmHWM:")
}

fn status(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}
