//! Making packs: the publisher's side of the layout.
//!
//! Enters: a web folder, and what seals the release if it is sealed. Leaves: its index, and a pack. The
//! bytes of an open pack follow from the folder alone, whatever the number of threads; those of a sealed
//! one never come twice. Which files share a frame, and how it is coded, was decided by measuring: ADR 1,
//! ADR 6.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use brotli::enc::BrotliEncoderParams;

use super::blob::said;
pub use super::grouping::{GROUPING, Grouping};
use super::grouping::{Names, References, group};
use super::{Blob, Coding, File, Frame, Index, Layout};
use crate::digest::{Digest, Hasher, Truncated};
use crate::error::{Error, Result};
use crate::limits;
use crate::seal::{Object, ObjectKey, PADDING, Sealer};

/// zstd's level: packs are made once and read a million times.
const LEVEL: i32 = 19;
/// The level that tells whether a frame of so many bytes or more is worth anything better.
const QUICK: i32 = 3;
const NOISE: usize = 4 << 10;
/// brotli's level, and its largest window as a power of two: half of what a phone takes.
const QUALITY: i32 = 11;
const BROTLI_WINDOW: u32 = 22;
/// Frames that are held in memory for each worker, before they are written in order.
const BATCH: usize = 16;
/// Name of the file that marks a native app's built-in bundle; no part of any identity.
const EMBED: &str = "farad-embed.json";

/// The index of a web folder. Reads every file.
///
/// # Errors
/// [`Error::Document`] for links, special files and names that a bundle cannot hold; storage errors.
pub fn index_folder(root: &Path) -> Result<Index> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    Index::new(files)
}

fn walk(root: &Path, folder: &str, files: &mut Vec<File>) -> Result<()> {
    let here = if folder.is_empty() { root.to_owned() } else { root.join(folder) };
    let reading = |error| Error::storage(format!("reading {}", here.display()), error);
    for entry in fs::read_dir(&here).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let name = entry.file_name().into_string().map_err(|name| {
            Error::document(format!("{}", here.join(&name).display()), "its name is not UTF-8")
        })?;
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let kind = entry.file_type().map_err(reading)?;
        if kind.is_dir() {
            walk(root, &path, files)?;
        } else if kind.is_file() {
            if path != EMBED {
                let (length, sha256) = hash(&entry.path()).map_err(reading)?;
                files.push(File { path, length, sha256 });
            }
        } else {
            return Err(Error::document(path, "it is neither a file nor a folder"));
        }
    }
    Ok(())
}

fn hash(path: &Path) -> std::io::Result<(u64, Digest)> {
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut length, mut buffer) = (Hasher::new(), 0, vec![0; 64 << 10]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((length, hasher.finish()));
        }
        length += count as u64;
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}

/// Writes the pack of the folder at `root`, which `index` describes, and returns its layout and
/// blob. Uses all cores; holds a few frames in memory.
///
/// # Errors
/// [`Error::Digest`] where a file changed since the index was made; storage errors.
pub fn write_pack(
    root: &Path,
    index: &Index,
    sealer: Option<&Sealer<'_>>,
    out: &mut dyn Write,
) -> Result<(Layout, Blob)> {
    write_pack_grouped(root, index, sealer, out, GROUPING)
}

/// As [`write_pack`], with another grouping: for measuring.
///
/// # Errors
/// As [`write_pack`].
pub fn write_pack_grouped(
    root: &Path,
    index: &Index,
    sealer: Option<&Sealer<'_>>,
    out: &mut dyn Write,
    grouping: Grouping,
) -> Result<(Layout, Blob)> {
    let groups = group(index, &references(root, index)?, grouping);
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let seal = sealer.map(|sealer| sealer.object(Object::Pack)).transpose()?;
    let mut writer =
        PackWriter { out, seal, hasher: Hasher::new(), length: 0, frames: Vec::new(), pieces: 0 };
    let (mut decoded, mut done) = (0, 0);
    for batch in groups.chunks(workers * BATCH) {
        let packed = packed(root, index, batch, workers)?;
        for (group, frame) in batch.iter().zip(packed) {
            done += 1;
            writer.frame(group, &frame, done == groups.len())?;
            decoded +=
                group.iter().filter_map(|at| index.files().get(*at)).map(|f| f.length).sum::<u64>();
        }
    }
    writer.finish(decoded, sealer)
}

/// One frame a group, in their order. Each worker takes the next group that nobody has taken.
fn packed(root: &Path, index: &Index, groups: &[Vec<usize>], workers: usize) -> Result<Vec<Coded>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(group) = groups.get(at) else { return Ok(done) };
            done.push((at, compress(root, index, group)?));
        }
    };
    let mut frames = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let panicked = || Err(Error::document("pack", "a worker panicked"));
        let done = running.into_iter().map(|worker| worker.join().unwrap_or_else(|_| panicked()));
        done.collect::<Result<Vec<_>>>()
    })?
    .concat();
    frames.sort_unstable_by_key(|(at, _)| *at);
    Ok(frames.into_iter().map(|(_, frame)| frame).collect())
}

/// What was done to a frame, and the frame.
type Coded = (Coding, Vec<u8>);

/// Frames on their way into a pack, cut into pieces and sealed.
struct PackWriter<'a> {
    out: &'a mut dyn Write,
    /// Salt and key of the pack.
    seal: Option<(Digest, ObjectKey)>,
    hasher: Hasher,
    length: u64,
    frames: Vec<Frame>,
    /// Pieces of all frames so far.
    pieces: usize,
}

impl PackWriter<'_> {
    fn frame(&mut self, group: &[usize], (coding, frame): &Coded, last: bool) -> Result<()> {
        // A piece is 64 KiB, which fits any machine's usize.
        let size = usize::try_from(limits::PIECE).unwrap_or(usize::MAX);
        let number = self.pieces;
        let (before, count) = (self.length, frame.len().div_ceil(size));
        let mut pieces = Vec::with_capacity(count);
        for (at, piece) in frame.chunks(size).enumerate() {
            let mut piece = piece.to_vec();
            if let Some((_, key)) = &self.seal {
                let number = u32::try_from(number + at).map_err(|_| Error::Seal)?;
                key.seal(number, last && at + 1 == count, &mut piece)?;
            }
            pieces.push(Truncated::of(&piece));
            self.write(&piece)?;
        }
        self.pieces += count;
        let length = self.length - before;
        self.frames.push(Frame { coding: *coding, length, files: group.to_vec(), pieces });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|error| Error::storage("writing the pack", error))?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Fills a sealed pack up, with bytes that look like all others.
    fn finish(mut self, decoded: u64, sealer: Option<&Sealer<'_>>) -> Result<(Layout, Blob)> {
        let mut filler = 0;
        if let Some(sealer) = sealer {
            filler = self.length.next_multiple_of(PADDING) - self.length;
            let filling = sealer.filler(usize::try_from(filler).unwrap_or(0))?;
            self.write(&filling)?;
        }
        let sealed = self.seal.is_some();
        let blob = Blob {
            sha256: self.hasher.finish(),
            length: self.length,
            coding: Coding::Frames,
            decoded: said(decoded, sealed),
            salt: self.seal.map(|(salt, _)| salt),
        };
        Ok((Layout::new(self.frames, filler, sealed), blob))
    }
}

/// Which files each file names. Reads all of them.
fn references(root: &Path, index: &Index) -> Result<References> {
    let (names, mut references) = (Names::of(index), References::default());
    for at in index.contents() {
        if let Some(file) = index.files().get(at) {
            names.note(at, &read(root, file)?, &mut references);
        }
    }
    Ok(references)
}

/// The bytes of a file, still those that the index names.
fn read(root: &Path, file: &File) -> Result<Vec<u8>> {
    let bytes = fs::read(root.join(&file.path))
        .map_err(|error| Error::storage(format!("reading {}", file.path), error))?;
    if Digest::of(&bytes) != file.sha256 {
        return Err(Error::Digest { what: format!("{} (it changed meanwhile)", file.path) });
    }
    Ok(bytes)
}

fn compress(root: &Path, index: &Index, group: &[usize]) -> Result<Coded> {
    let mut plain = Vec::new();
    for file in group.iter().filter_map(|at| index.files().get(*at)) {
        plain.extend_from_slice(&read(root, file)?);
    }
    code(&plain)
}

/// One frame by the coding that makes it shortest: on minified text that is brotli, by 4 to 15 % (ADR
/// 6). What is compressed already is left to zstd, which decodes it faster.
fn code(plain: &[u8]) -> Result<Coded> {
    if plain.len() >= NOISE {
        let quick = zstd_frame(plain, QUICK)?;
        if quick.len() > plain.len() - plain.len() / 64 {
            return Ok((Coding::Zstd, quick));
        }
    }
    let brotli = brotli_frame(plain)?;
    if brotli.len() < plain.len() - plain.len() / 16 {
        return Ok((Coding::Brotli, brotli));
    }
    let zstd = zstd_frame(plain, LEVEL)?;
    Ok(if brotli.len() < zstd.len() { (Coding::Brotli, brotli) } else { (Coding::Zstd, zstd) })
}

fn brotli_frame(plain: &[u8]) -> Result<Vec<u8>> {
    // A window that holds all of it: a larger one costs the phone memory and gains nothing.
    let window = (plain.len() + 16).next_power_of_two().ilog2().clamp(16, BROTLI_WINDOW);
    let params = BrotliEncoderParams {
        quality: QUALITY,
        lgwin: i32::try_from(window).unwrap_or(16),
        size_hint: plain.len(),
        ..BrotliEncoderParams::default()
    };
    let mut frame = Vec::new();
    brotli::BrotliCompress(&mut &*plain, &mut frame, &params)
        .map_err(|error| Error::storage("compressing", error))?;
    Ok(frame)
}

fn zstd_frame(plain: &[u8], level: i32) -> Result<Vec<u8>> {
    let packing = |error| Error::storage("compressing", error);
    let mut encoder = zstd::bulk::Compressor::new(level).map_err(packing)?;
    encoder.window_log(limits::WINDOW_LOG).map_err(packing)?;
    encoder.include_checksum(false).map_err(packing)?;
    encoder.compress(plain).map_err(packing)
}

/// A small document as a blob: its description and the bytes that travel.
///
/// # Errors
/// Where it cannot be compressed or sealed.
pub fn small_blob(
    plain: &[u8],
    kind: Object,
    sealer: Option<&Sealer<'_>>,
) -> Result<(Blob, Vec<u8>)> {
    let (coding, bytes) = code(plain)?;
    let (blob, bytes) = blob(bytes, coding, kind, sealer)?;
    let decoded = said(plain.len() as u64, blob.salt.is_some());
    Ok((Blob { decoded, ..blob }, bytes))
}

/// A patch as a blob: its description and the bytes that travel.
///
/// # Errors
/// Where it cannot be sealed.
pub fn patch_blob(patch: Vec<u8>, sealer: Option<&Sealer<'_>>) -> Result<(Blob, Vec<u8>)> {
    blob(patch, Coding::Patch, Object::Patch, sealer)
}

/// Coded bytes as they travel.
fn blob(
    coded: Vec<u8>,
    coding: Coding,
    kind: Object,
    sealer: Option<&Sealer<'_>>,
) -> Result<(Blob, Vec<u8>)> {
    let length = coded.len() as u64;
    let (salt, bytes) = match sealer {
        None => (None, coded),
        Some(sealer) => {
            let mut sealed = Vec::new();
            let salt = sealer.stream(kind, &mut &coded[..], length, &mut sealed)?;
            (Some(salt), sealed)
        }
    };
    let blob = Blob {
        sha256: Digest::of(&bytes),
        length: bytes.len() as u64,
        coding,
        decoded: said(length, salt.is_some()),
        salt,
    };
    Ok((blob, bytes))
}
