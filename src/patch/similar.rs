//! Which old bytes resemble new ones, whatever their files are called.
//!
//! Both sides are sampled: a rolling hash over 32 bytes picks about one place in 64 by what stands
//! there, so that the same text is sampled at the same places wherever it moved. Edits between two
//! samples do not touch them; chunks between content-defined cuts would nearly all differ, since
//! minified files are one long line with scattered renames.

use std::collections::{HashMap, HashSet};

use crate::release::{File, Index};

/// Old files are looked at in blocks of this many bytes.
const BLOCK: u64 = 64 << 10;
/// Old files up to this length are taken whole.
const WHOLE: u64 = 1 << 20;
/// A sample that stands in more places says nothing.
const COMMON: usize = 16;
/// Old files that one stretch of new bytes may draw on.
const FILES: usize = 4;
/// Samples in one file: one place in this many, 2^6.
const SAMPLED: u32 = 6;

/// A stretch of an old file: its position in the index, first byte, byte after the last.
pub(super) type Stretch = (usize, u64, u64);

/// Samples of all old files.
pub(super) struct Old<'a> {
    index: &'a Index,
    places: HashMap<u64, Vec<(u32, u32)>>,
}

impl<'a> Old<'a> {
    pub(super) fn new(index: &'a Index) -> Self {
        Self { index, places: HashMap::new() }
    }

    /// Adds the bytes of the file at `at`.
    pub(super) fn add(&mut self, at: usize, bytes: &[u8]) {
        // Files and blocks have limits far below 2^32.
        let file = u32::try_from(at).unwrap_or(u32::MAX);
        for (hash, end) in samples(bytes) {
            let block = u32::try_from(end as u64 / BLOCK).unwrap_or(u32::MAX);
            let places = self.places.entry(hash).or_default();
            if places.len() <= COMMON && places.last() != Some(&(file, block)) {
                places.push((file, block));
            }
        }
    }

    /// The stretches of old files that `bytes`, of the new file `new`, resembles most; at most
    /// `room` bytes, sorted, apart from each other.
    pub(super) fn like(&self, new: &File, bytes: &[u8], room: u64) -> Vec<Stretch> {
        let hashes: HashSet<u64> = samples(bytes).map(|(hash, _)| hash).collect();
        let mut open: Vec<&[(u32, u32)]> = hashes
            .iter()
            .filter_map(|hash| self.places.get(hash))
            .filter(|places| places.len() <= COMMON)
            .map(Vec::as_slice)
            .collect();
        let enough = open.len() / 32 + 4;
        let mut found = Vec::new();
        let mut room = room;
        for round in 0..FILES {
            let Some((file, shared)) = self.best(new, &open) else { break };
            // The first is taken for little, further ones only where they explain much.
            if round > 0 && shared < enough {
                break;
            }
            let stretches = self.stretches(file, &open, room);
            room =
                stretches.iter().fold(room, |room, (_, from, to)| room.saturating_sub(to - from));
            found.extend(stretches);
            open.retain(|places| places.iter().all(|(other, _)| *other as usize != file));
        }
        if found.is_empty() {
            found.extend(self.by_name(new).filter(|(_, from, to)| to - from <= room));
        }
        found.sort_unstable();
        found
    }

    /// The file that shares most samples; of equals the one whose path is most alike.
    fn best(&self, new: &File, open: &[&[(u32, u32)]]) -> Option<(usize, usize)> {
        let mut shared: HashMap<u32, usize> = HashMap::new();
        for places in open {
            let mut last = None;
            for (file, _) in *places {
                if last != Some(file) {
                    *shared.entry(*file).or_default() += 1;
                }
                last = Some(file);
            }
        }
        let alike = |at: usize| self.index.files().get(at).map_or(0, |f| alike(&f.path, &new.path));
        let score = |(file, count): &(u32, usize)| {
            (*count, alike(*file as usize), std::cmp::Reverse(*file))
        };
        shared.into_iter().max_by_key(score).map(|(file, count)| (file as usize, count))
    }

    /// What of `file` is worth having: all of it if it is not large, else the blocks that share
    /// most samples, and those around them.
    fn stretches(&self, file: usize, open: &[&[(u32, u32)]], room: u64) -> Vec<Stretch> {
        let length = self.index.files().get(file).map_or(0, |file| file.length);
        if length <= WHOLE.min(room) {
            return vec![(file, 0, length)];
        }
        let mut blocks: HashMap<u64, usize> = HashMap::new();
        for (_, block) in
            open.iter().flat_map(|places| places.iter()).filter(|p| p.0 as usize == file)
        {
            let block = u64::from(*block);
            *blocks.entry(block).or_default() += 2;
            for near in [block.saturating_sub(1), block + 1] {
                *blocks.entry(near).or_default() += 1;
            }
        }
        let mut blocks: Vec<_> = blocks.into_iter().filter(|(b, _)| b * BLOCK < length).collect();
        blocks.sort_by_key(|(block, shared)| (std::cmp::Reverse(*shared), *block));
        blocks.truncate(usize::try_from(room / BLOCK).unwrap_or(usize::MAX));
        let mut blocks: Vec<u64> = blocks.into_iter().map(|(block, _)| block).collect();
        blocks.sort_unstable();
        let mut stretches: Vec<Stretch> = Vec::new();
        for block in blocks {
            let (from, to) = (block * BLOCK, ((block + 1) * BLOCK).min(length));
            match stretches.last_mut() {
                Some((_, _, end)) if *end == from => *end = to,
                _ => stretches.push((file, from, to)),
            }
        }
        stretches
    }

    /// For what shares no sample, such as a very short file: the old file with the same name, or
    /// nearly.
    fn by_name(&self, new: &File) -> Option<Stretch> {
        let at = nearest(self.index, &new.path)?;
        let old = self.index.files().get(at)?;
        let folder = |path: &str| path.rsplit_once('/').map_or(0, |(folder, _)| folder.len() + 1);
        let same = extension(&old.path) == extension(&new.path)
            && shared_front(&old.path, &new.path) > folder(&new.path);
        (same && old.length > 0).then_some((at, 0, old.length))
    }
}

/// Position of the old file whose path is most like `path`.
pub(super) fn nearest(index: &Index, path: &str) -> Option<usize> {
    let after = index.files().partition_point(|file| file.path.as_str() < path);
    let around = [after.checked_sub(1), Some(after)].into_iter().flatten();
    let known = around.filter_map(|at| index.files().get(at).map(|file| (at, file)));
    known.max_by_key(|(_, file)| alike(&file.path, path)).map(|(at, _)| at)
}

/// Bytes that two paths share at both ends.
pub(super) fn alike(old: &str, new: &str) -> usize {
    let front = shared_front(old, new);
    front + shared_back(old, new, front)
}

pub(super) fn shared_front(old: &str, new: &str) -> usize {
    old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count()
}

/// Bytes shared at the end, beyond the `front` that is shared already.
pub(super) fn shared_back(old: &str, new: &str, front: usize) -> usize {
    let most = (old.len() - front).min(new.len() - front);
    let pairs = old.bytes().rev().zip(new.bytes().rev());
    pairs.take_while(|(a, b)| a == b).count().min(most)
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The sampled places of `bytes`: what stands there, hashed, and where it ends.
fn samples(bytes: &[u8]) -> impl Iterator<Item = (u64, usize)> {
    let mut hash = 0_u64;
    bytes.iter().enumerate().filter_map(move |(at, byte)| {
        // Two bits a byte: after 32 bytes the oldest has left.
        let noise = NOISE.get(usize::from(*byte)).copied().unwrap_or_default();
        hash = (hash << 2).wrapping_add(noise);
        (hash >> (64 - SAMPLED) == 0).then_some((hash, at))
    })
}

/// A random number for each byte (SplitMix64).
static NOISE: [u64; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    let mut state = 0_u64;
    while at < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[at] = mixed ^ (mixed >> 31);
        }
        at += 1;
    }
    table
};
