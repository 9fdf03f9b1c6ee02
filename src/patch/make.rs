//! Making patches: the publisher's side.
//!
//! Enters: the indexes of two bundles, and their files. Leaves: a patch from one to the other, whose
//! bytes follow from the two alone, with any number of threads. Each was applied once before it is
//! handed out. How new bytes are paired with old ones and grouped is the writer's choice and no part
//! of the format; the sizes were decided by measuring (ADR 5).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use zstd::zstd_safe::{CCtx, CParameter, compress_bound};

use super::difference::{EMPTY, MADE, OTHERS};
use super::similar::{Old, Stretch, alike, nearest, shared_back, shared_front};
use super::{ALGORITHM, Base, Groups, Made, Plan, refuse};
use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::release::{File, Index};
use crate::wire::Writer;

/// How large groups are.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// New bytes in a group, at most.
    pub new: u64,
    /// Old bytes that a group draws on, at most.
    pub old: u64,
}

/// How patches are made: a phone holds both at once.
pub const SIZES: Sizes = Sizes { new: 4 << 20, old: 5 << 20 };
/// zstd's level: patches are made once and applied a million times.
const LEVEL: i32 = 19;

/// Bytes of a file of a bundle, from one place to another.
pub type ReadFile<'a> = &'a (dyn Fn(&File, u64, u64) -> Result<Vec<u8>> + Sync);

/// One bundle: its index and its files.
#[derive(Clone, Copy)]
pub struct Bundle<'a> {
    /// Its index.
    pub index: &'a Index,
    /// Reads its files.
    pub read: ReadFile<'a>,
}

/// A patch that is planned but not compressed.
pub struct Draft<'a> {
    base: Bundle<'a>,
    new: Bundle<'a>,
    kept: Vec<u64>,
    added: Vec<Added<'a>>,
    groups: Vec<Group<'a>>,
}

/// A file of the new bundle that the base has not, or not under this path.
struct Added<'a> {
    file: &'a File,
    /// File of the base that it is described by.
    like: Option<usize>,
    source: u64,
}

#[derive(Default)]
struct Group<'a> {
    parts: Vec<Stretch>,
    /// Stretches of new files, back to back.
    new: Vec<(&'a File, u64, u64)>,
}

impl<'a> Draft<'a> {
    /// Plans a patch from `base` to `new`. Reads all of `base`, and of `new` what `base` lacks.
    ///
    /// # Errors
    /// Those of reading.
    pub fn new(base: Bundle<'a>, new: Bundle<'a>) -> Result<Self> {
        Self::sized(base, new, SIZES)
    }

    /// As [`Draft::new`], with groups of another size: for measuring.
    ///
    /// # Errors
    /// As [`Draft::new`].
    pub fn sized(base: Bundle<'a>, new: Bundle<'a>, sizes: Sizes) -> Result<Self> {
        let mut contents: HashMap<Digest, usize> = HashMap::new();
        for (at, file) in base.index.files().iter().enumerate() {
            contents.entry(file.sha256).or_insert(at);
        }
        let stays =
            |file: &File| new.index.file(&file.path).is_some_and(|f| f.sha256 == file.sha256);
        let kept = runs(base.index.files().iter().map(stays));
        let is_new =
            |file: &&File| base.index.file(&file.path).is_none_or(|f| f.sha256 != file.sha256);
        let mut made: HashMap<Digest, usize> = HashMap::new();
        let mut added = Vec::new();
        let mut fresh = Vec::new();
        for file in new.index.files().iter().filter(is_new) {
            let source = match (contents.get(&file.sha256), made.get(&file.sha256)) {
                _ if file.length == 0 => EMPTY,
                (Some(at), _) => OTHERS + 2 * *at as u64,
                (None, Some(at)) => OTHERS + 2 * *at as u64 + 1,
                (None, None) => {
                    made.insert(file.sha256, made.len());
                    fresh.push((added.len(), file));
                    MADE
                }
            };
            added.push(Added { file, like: nearest(base.index, &file.path), source });
        }
        let mut draft = Self { base, new, kept, added, groups: Vec::new() };
        if !fresh.is_empty() {
            draft.group(&fresh, sizes)?;
        }
        Ok(draft)
    }

    /// Pairs what is made with what is old, and fills groups in the order of the paths.
    fn group(&mut self, fresh: &[(usize, &'a File)], sizes: Sizes) -> Result<()> {
        let mut old = Old::new(self.base.index);
        for (at, file) in self.base.index.files().iter().enumerate() {
            old.add(at, &(self.base.read)(file, 0, file.length)?);
        }
        let mut group = Group::default();
        let (mut new_room, mut old_room) = (sizes.new, sizes.old);
        for (added, file) in fresh {
            let mut from = 0;
            while from < file.length {
                let to = file.length.min(from + sizes.new);
                let bytes = (self.new.read)(file, from, to)?;
                let like = old.like(file, &bytes, sizes.old);
                if from == 0 {
                    self.describe(*added, &like);
                }
                let mut parts = lacking(&group.parts, &like);
                if to - from > new_room || total(&parts) > old_room {
                    self.groups.push(std::mem::take(&mut group));
                    (new_room, old_room) = (sizes.new, sizes.old);
                    parts = like;
                }
                new_room -= to - from;
                old_room = old_room.saturating_sub(total(&parts));
                group.parts.extend(parts);
                group.new.push((file, from, to));
                from = to;
            }
        }
        self.groups.push(group);
        Ok(())
    }

    /// A file whose bytes are like another's is mostly named like it too.
    fn describe(&mut self, at: usize, like: &[Stretch]) {
        let Some(added) = self.added.get_mut(at) else { return };
        let Some((partner, _, _)) = like.first() else { return };
        let path = |at: &usize| self.base.index.files().get(*at).map(|file| &file.path);
        let alike = |at: &usize| path(at).map_or(0, |path| alike(path, &added.file.path));
        if added.like.is_none_or(|named| alike(partner) + 4 >= alike(&named)) {
            added.like = Some(*partner);
        }
    }

    /// Bytes that are still to be compressed, old ones included: a measure of the work.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.groups.iter().map(|group| group.work()).sum()
    }

    fn names(&self) -> Vec<u8> {
        self.added.iter().flat_map(|added| added.file.path.bytes().chain([b'\n'])).collect()
    }

    /// The frame of a group.
    fn compress(&self, group: &Group<'_>) -> Result<Vec<u8>> {
        let mut prefix = self.names();
        for (at, from, to) in &group.parts {
            let file = self.base.index.files().get(*at).ok_or_else(|| refuse("no such file"))?;
            prefix.extend((self.base.read)(file, *from, *to)?);
        }
        let mut new = Vec::new();
        for (file, from, to) in &group.new {
            new.extend((self.new.read)(file, *from, *to)?);
        }
        zstd_frame(&prefix, &new)
    }

    /// The patch, once each group has its frame.
    fn finish(&self, frames: &[Vec<u8>]) -> Result<Vec<u8>> {
        let plain = self.head(frames);
        let head = zstd_frame(&[], &plain)?;
        let mut patch = Writer(vec![ALGORITHM]);
        patch.number(head.len() as u64);
        patch.number(plain.len() as u64);
        let mut patch = patch.0;
        patch.extend(head);
        frames.iter().for_each(|frame| patch.extend(frame));
        self.prove(&patch)?;
        Ok(patch)
    }

    fn head(&self, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut head = Writer::default();
        head.number(self.kept.len() as u64);
        self.kept.iter().for_each(|run| head.number(*run));
        let none = self.base.index.files().len();
        let old = |added: &Added<'_>| added.like.and_then(|at| self.base.index.files().get(at));
        let shared = |added: &Added<'_>| {
            let (old, new) = (old(added).map_or("", |file| &file.path), &added.file.path);
            let front = shared_front(old, new);
            (front, shared_back(old, new, front))
        };
        head.number(self.added.len() as u64);
        head.positions(self.added.iter().map(|added| added.like.unwrap_or(none)));
        self.added.iter().for_each(|added| head.number(shared(added).0 as u64));
        self.added.iter().for_each(|added| head.number(shared(added).1 as u64));
        for added in &self.added {
            let (front, back) = shared(added);
            head.number((added.file.path.len() - front - back) as u64);
        }
        self.added.iter().for_each(|added| head.number(added.source));
        for added in self.added.iter().filter(|added| added.source == MADE) {
            // Lengths have limits far below 2^63.
            let signed = |length: u64| i64::try_from(length).unwrap_or(i64::MAX);
            head.signed(signed(added.file.length) - old(added).map_or(0, |f| signed(f.length)));
        }
        for added in &self.added {
            let (front, back) = shared(added);
            let path = added.file.path.as_bytes();
            head.0.extend(path.get(front..path.len() - back).unwrap_or_default());
        }
        self.head_of_groups(frames, &mut head);
        head.0
    }

    fn head_of_groups(&self, frames: &[Vec<u8>], head: &mut Writer) {
        head.number(self.groups.len() as u64);
        self.groups.iter().for_each(|group| head.number(group.parts.len() as u64));
        self.groups.iter().for_each(|group| head.number(group.length()));
        frames.iter().for_each(|frame| head.number(frame.len() as u64));
        let parts = || self.groups.iter().flat_map(|group| &group.parts);
        head.positions(parts().map(|(file, _, _)| *file));
        parts().for_each(|(_, from, _)| head.number(*from));
        for (file, from, to) in parts() {
            let end = self.base.index.files().get(*file).map_or(0, |file| file.length);
            head.number(if *to == end { 0 } else { to - from });
        }
    }

    /// Applies the patch: what would not come out right is not published.
    fn prove(&self, patch: &[u8]) -> Result<()> {
        let mut rest = patch;
        let plan = Plan::read(&mut rest, self.base.index)?;
        let mut old = Reading(self.base.read);
        let mut groups = Groups::new(&plan, self.base.index, &mut rest);
        let mut digests = Vec::new();
        let mut lengths = plan.outline().made().iter();
        let (mut hasher, mut left) = (Hasher::new(), lengths.next().copied());
        while let Some(made) = groups.make(&mut old)? {
            let Made::Bytes(mut bytes) = made else {
                return Err(refuse("a group came to nothing"));
            };
            while let (Some(length), false) = (left, bytes.is_empty()) {
                let take = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
                let (now, later) = bytes.split_at(take);
                hasher.update(now);
                bytes = later;
                left = Some(length - take as u64);
                if left == Some(0) {
                    digests.push(std::mem::take(&mut hasher).finish());
                    left = lengths.next().copied();
                }
            }
        }
        if plan.outline().complete(&digests)? != *self.new.index {
            return Err(refuse("it does not make what it should"));
        }
        Ok(())
    }
}

impl Group<'_> {
    fn length(&self) -> u64 {
        self.new.iter().map(|(_, from, to)| to - from).sum()
    }

    fn work(&self) -> u64 {
        self.length() + total(&self.parts)
    }
}

/// The base's files as applying reads them.
struct Reading<'a>(ReadFile<'a>);

impl Base for Reading<'_> {
    fn part(&mut self, file: &File, from: u64, to: u64, into: &mut Vec<u8>) -> Result<bool> {
        into.extend((self.0)(file, from, to)?);
        Ok(true)
    }
}

/// Finishes `drafts` on `workers` threads, telling `progress` how much of [`Draft::work`] is done.
/// Each worker holds one group and zstd's tables, about 100 MiB.
///
/// # Errors
/// Those of reading; [`Error::Document`] for a patch that does not make what it should.
pub fn make(
    drafts: &[Draft<'_>],
    workers: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Vec<u8>>> {
    let jobs: Vec<(usize, usize)> = drafts
        .iter()
        .enumerate()
        .flat_map(|(draft, d)| (0..d.groups.len()).map(move |group| (draft, group)))
        .collect();
    let frames = in_parallel(&jobs, workers, |(draft, group)| {
        let found = drafts.get(*draft).and_then(|d| Some((d, d.groups.get(*group)?)));
        let (draft, group) = found.ok_or_else(|| refuse("no such group"))?;
        let frame = draft.compress(group)?;
        progress(group.work());
        Ok(frame)
    })?;
    let mut frames = frames.into_iter();
    let of = |draft: &Draft<'_>| frames.by_ref().take(draft.groups.len()).collect::<Vec<_>>();
    let drafts: Vec<_> = drafts.iter().map(of).zip(drafts).collect();
    in_parallel(&drafts, workers, |(frames, draft)| draft.finish(frames))
}

/// Does `work` for each of `jobs` on `workers` threads; the results keep the order.
///
/// # Errors
/// The first of the work's.
pub fn in_parallel<J: Sync, R: Send>(
    jobs: &[J],
    workers: usize,
    work: impl Fn(&J) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let take = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        jobs.get(at).map(|job| (at, job))
    };
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while let Some((at, job)) = take() {
                    let result = work(job);
                    if result.is_err() {
                        // Nobody begins another.
                        next.store(jobs.len(), Ordering::Relaxed);
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// One frame of `plain`, behind `prefix`.
fn zstd_frame(prefix: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let failed = |code| {
        let error = std::io::Error::other(zstd::zstd_safe::get_error_name(code));
        Error::storage("compressing a patch", error)
    };
    let bits = usize::BITS - (prefix.len() + plain.len()).leading_zeros();
    let mut context = CCtx::create();
    for parameter in [
        CParameter::CompressionLevel(LEVEL),
        // All that came before stays in reach.
        CParameter::WindowLog(bits.clamp(10, 27)),
        CParameter::ContentSizeFlag(true),
        CParameter::ChecksumFlag(false),
    ] {
        context.set_parameter(parameter).map_err(failed)?;
    }
    context.ref_prefix(prefix).map_err(failed)?;
    let mut frame = Vec::with_capacity(compress_bound(plain.len()));
    context.compress2(&mut frame, plain).map_err(failed)?;
    frame.shrink_to_fit();
    Ok(frame)
}

/// Lengths of runs of true and false in turn, true first.
fn runs(stays: impl Iterator<Item = bool>) -> Vec<u64> {
    let mut runs = vec![0];
    let mut current = true;
    for stay in stays {
        if stay != current {
            runs.push(0);
            current = stay;
        }
        if let Some(run) = runs.last_mut() {
            *run += 1;
        }
    }
    runs
}

/// What of `wanted` the stretches in `have` do not hold yet.
fn lacking(have: &[Stretch], wanted: &[Stretch]) -> Vec<Stretch> {
    let mut lacking = wanted.to_vec();
    for (file, from, to) in have {
        lacking = lacking
            .into_iter()
            .flat_map(|(other, begin, end)| {
                if other != *file || end <= *from || *to <= begin {
                    return vec![(other, begin, end)];
                }
                let pieces = [(other, begin, *from), (other, *to, end)];
                pieces.into_iter().filter(|(_, begin, end)| begin < end).collect()
            })
            .collect();
    }
    lacking
}

fn total(stretches: &[Stretch]) -> u64 {
    stretches.iter().map(|(_, from, to)| to - from).sum()
}
