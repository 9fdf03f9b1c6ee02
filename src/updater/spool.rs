//! Downloads that were cut short, kept for the next run; here the pieces of a pack.
//!
//! Enters: verified pieces, as they come. Leaves: the same pieces in a later run, each verified
//! again, whatever that run needs of them. `downloads/<blob>/<n>` holds one record a piece: its
//! digest, its length (u32, big-endian), its bytes. A record that a crash cut short ends its file,
//! and the next run begins file `n + 1`. `downloads/<blob>/beginning` holds the digest of a piece
//! and the first of its bytes, which nothing covers yet. Nothing here is synced: what is lost is
//! fetched again.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};

use crate::digest::{Digest, Truncated};
use crate::error::{Error, Result};
use crate::limits;
use crate::release::{Blob, Piece};
use crate::seal::TAG;
use crate::store::{Disk, NewFile, drop_folder};

const FOLDER: &str = "downloads";
/// Name of a mark in a blob's folder.
const REFUSED: &str = "refused";
const BEGINNING: &str = "beginning";
const HEADER: usize = Truncated::LEN + 4;
/// A piece as it travels, sealed or not, bytes at most.
const LONGEST: u64 = limits::PIECE + TAG;
/// More files than this for one blob: something is wrong with it, so it begins anew.
const RUNS: usize = 256;

/// Where a piece lies.
#[derive(Clone, Copy)]
struct Place {
    run: u64,
    /// Position of its bytes in the run's file.
    at: u64,
}

/// The kept pieces of one blob.
pub(super) struct Spool<'a> {
    disk: &'a dyn Disk,
    folder: String,
    places: HashMap<Truncated, Place>,
    reading: Option<(Place, Box<dyn Read + Send>)>,
    /// The file that this run adds to.
    run: u64,
    /// It, where it was written to, and its end.
    writing: Option<(Box<dyn NewFile>, u64)>,
    /// Bytes of all pieces.
    bytes: u64,
    /// The first bytes of a piece that an earlier run received, unverified.
    beginning: Option<(Truncated, Vec<u8>)>,
}

/// The folder of what came of a blob.
pub(super) fn folder(blob: &Digest) -> String {
    format!("{FOLDER}/{blob}")
}

/// Forgets every download but those of `blobs`.
///
/// # Errors
/// Storage errors.
pub(super) fn keep<'b>(disk: &dyn Disk, blobs: impl Iterator<Item = &'b Blob>) -> Result<()> {
    let removing = |error| Error::storage("removing downloads", error);
    let kept: HashSet<String> = blobs.map(|blob| blob.sha256.to_string()).collect();
    if disk.length(FOLDER).map_err(removing)?.is_some() {
        // Damage: a file where the folder was.
        disk.remove_file(FOLDER).map_err(removing)?;
    }
    for entry in disk.list(FOLDER).map_err(removing)? {
        if !kept.contains(&entry.name) {
            drop_folder(disk, &format!("{FOLDER}/{}", entry.name)).map_err(removing)?;
        }
    }
    Ok(())
}

/// Bytes that earlier runs keep of a blob, as far as lengths tell. Reads none of them.
///
/// # Errors
/// Storage errors.
pub(super) fn came(disk: &dyn Disk, blob: &Blob) -> Result<u64> {
    let folder = folder(&blob.sha256);
    let mut came = 0_u64;
    let reading = |error| Error::storage("reading the downloads", error);
    for entry in disk.list(&folder).map_err(reading)? {
        let length = disk.length(&format!("{folder}/{}", entry.name)).map_err(reading)?;
        came = came.saturating_add(length.unwrap_or(0));
    }
    Ok(came.min(blob.length))
}

/// Whether an earlier run found that `blob` does not do what it should.
pub(super) fn is_refused(disk: &dyn Disk, blob: &Digest) -> bool {
    disk.length(&format!("{}/{REFUSED}", folder(blob))).is_ok_and(|length| length.is_some())
}

/// Leaves `blob` alone from now on, for as long as its release is being fetched. What came of it
/// goes. Where that cannot be noted, the next run tries it again.
pub(super) fn refuse(disk: &dyn Disk, blob: &Digest) {
    let folder = folder(blob);
    let noted = disk
        .remove_folder(&folder)
        .and_then(|()| disk.create_folder(&folder))
        .and_then(|()| disk.create(&format!("{folder}/{REFUSED}")).map(drop));
    if let Err(error) = noted {
        log::warn!("noting a refused blob: {error}");
    }
}

impl<'a> Spool<'a> {
    /// What earlier runs received of `blob`. Reads and hashes all of it.
    ///
    /// # Errors
    /// Storage errors.
    pub(super) fn open(disk: &'a dyn Disk, blob: &Digest) -> Result<Self> {
        let folder = folder(blob);
        let mut spool = Self {
            disk,
            folder,
            places: HashMap::new(),
            reading: None,
            run: 0,
            writing: None,
            bytes: 0,
            beginning: None,
        };
        let listing = |error| Error::storage("listing downloads", error);
        let mut runs: Vec<u64> = disk
            .list(&spool.folder)
            .map_err(listing)?
            .iter()
            .filter_map(|entry| entry.name.parse().ok())
            .collect();
        if runs.len() > RUNS {
            disk.remove_folder(&spool.folder).map_err(listing)?;
            runs.clear();
        }
        runs.sort_unstable();
        for run in runs {
            let torn = !spool.scan(run);
            spool.run = run.saturating_add(u64::from(torn));
        }
        spool.beginning = spool.load_beginning();
        Ok(spool)
    }

    /// Forgets all that is kept.
    ///
    /// # Errors
    /// Storage errors.
    pub(super) fn forget(disk: &dyn Disk) -> Result<()> {
        drop_folder(disk, FOLDER).map_err(|error| Error::storage("removing downloads", error))
    }

    /// Finds the sound records of one file; false if something else follows them.
    fn scan(&mut self, run: u64) -> bool {
        let path = format!("{}/{run}", self.folder);
        let Ok(mut file) = self.disk.open(&path) else { return false };
        let (mut at, mut end) = (0, 0);
        while let Some((digest, length)) = read_header(&mut file) {
            at += HEADER as u64;
            let mut bytes = Vec::new();
            let read = file.by_ref().take(length).read_to_end(&mut bytes);
            if read.is_err() || bytes.len() as u64 != length || Truncated::of(&bytes) != digest {
                break;
            }
            if self.places.insert(digest, Place { run, at }).is_none() {
                self.bytes += length;
            }
            at += length;
            end = at;
        }
        self.disk.length(&path).is_ok_and(|length| length == Some(end))
    }

    fn load_beginning(&self) -> Option<(Truncated, Vec<u8>)> {
        let limit = LONGEST + Truncated::LEN as u64;
        let kept = self.disk.read(&format!("{}/{BEGINNING}", self.folder), limit).ok()??;
        let (digest, bytes) = kept.split_first_chunk()?;
        Some((Truncated::from_bytes(*digest), bytes.to_vec()))
    }

    /// Bytes that earlier runs received.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether this piece came already.
    pub(super) fn has(&self, piece: &Piece) -> bool {
        self.places.contains_key(&piece.digest)
    }

    /// The bytes of a piece that came; nothing if it cannot be read any more.
    pub(super) fn load(&mut self, piece: &Piece) -> Option<Vec<u8>> {
        let wanted = *self.places.get(&piece.digest)?;
        // Pieces are mostly asked for in the order in which they came.
        let (place, mut file) = match self.reading.take() {
            Some((place, file)) if place.run == wanted.run && place.at <= wanted.at => {
                (place, file)
            }
            _ => {
                let file = self.disk.open(&format!("{}/{}", self.folder, wanted.run)).ok()?;
                (Place { run: wanted.run, at: 0 }, file)
            }
        };
        let skipped =
            std::io::copy(&mut file.by_ref().take(wanted.at - place.at), &mut std::io::sink());
        skipped.ok().filter(|skipped| *skipped == wanted.at - place.at)?;
        let mut bytes = Vec::new();
        file.by_ref().take(piece.length).read_to_end(&mut bytes).ok()?;
        let at = wanted.at.saturating_add(bytes.len() as u64);
        self.reading = Some((Place { run: wanted.run, at }, file));
        Some(bytes)
    }

    /// Keeps a piece of this run.
    ///
    /// # Errors
    /// Storage errors.
    pub(super) fn save(&mut self, piece: &Piece, bytes: &[u8]) -> Result<()> {
        let storing = |error| Error::storage("keeping what was downloaded", error);
        let (mut file, end) = match self.writing.take() {
            Some(writing) => writing,
            None => {
                self.disk.create_folder(&self.folder).map_err(storing)?;
                let path = format!("{}/{}", self.folder, self.run);
                let end = self.disk.length(&path).map_err(storing)?.unwrap_or(0);
                (self.disk.append(&path).map_err(storing)?, end)
            }
        };
        let length = u32::try_from(piece.length).unwrap_or(u32::MAX);
        let record = [&piece.digest.as_bytes()[..], &length.to_be_bytes(), bytes].concat();
        file.write_all(&record).map_err(storing)?;
        self.places.insert(piece.digest, Place { run: self.run, at: end + HEADER as u64 });
        self.writing = Some((file, end + record.len() as u64));
        Ok(())
    }

    /// The first bytes of `piece` that an earlier run received, unverified; none if there are none.
    /// Hands them out once.
    pub(super) fn take_beginning(&mut self, piece: &Piece) -> Vec<u8> {
        let kept = self.beginning.take_if(|(digest, _)| *digest == piece.digest);
        kept.map(|(_, bytes)| bytes)
            .filter(|bytes| (bytes.len() as u64) < piece.length)
            .unwrap_or_default()
    }

    /// Keeps the first bytes of `piece` for the next run. Where that fails they are fetched again.
    pub(super) fn keep_beginning(&self, piece: &Piece, bytes: &[u8]) {
        let kept = self.disk.create_folder(&self.folder).and_then(|()| {
            let mut file = self.disk.create(&format!("{}/{BEGINNING}", self.folder))?;
            file.write_all(&[&piece.digest.as_bytes()[..], bytes].concat())
        });
        if let Err(error) = kept {
            log::info!("the beginning of a piece is lost: {error}");
        }
    }
}

fn read_header(file: &mut impl Read) -> Option<(Truncated, u64)> {
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    let (digest, length) = header.split_first_chunk()?;
    let length = u64::from(u32::from_be_bytes(length.try_into().ok()?));
    (length <= LONGEST).then(|| (Truncated::from_bytes(*digest), length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryDisk;

    fn piece(n: u8, length: usize) -> (Piece, Vec<u8>) {
        let bytes = vec![n; length];
        (
            Piece {
                offset: 0,
                length: length as u64,
                digest: Truncated::of(&bytes),
                number: 0,
                last: false,
            },
            bytes,
        )
    }

    #[test]
    fn what_one_run_received_the_next_one_has() {
        let (disk, blob) = (MemoryDisk::new(), Digest::of(b"blob"));
        let pieces: Vec<_> = (0..6).map(|n| piece(n, 1000 + usize::from(n))).collect();
        for run in pieces.chunks(2) {
            let mut spool = Spool::open(&disk, &blob).unwrap();
            for (piece, bytes) in run {
                assert!(!spool.has(piece));
                spool.save(piece, bytes).unwrap();
            }
        }
        let mut spool = Spool::open(&disk, &blob).unwrap();
        // In any order, and any of them again.
        for at in [0, 1, 5, 3, 2, 2, 4, 0] {
            let (piece, bytes) = &pieces[at];
            assert_eq!(spool.load(piece).as_ref(), Some(bytes));
        }
        assert!(spool.load(&piece(9, 5).0).is_none());
        // Another blob has none of it; a release that does not name it leaves nothing of it behind.
        assert!(Spool::open(&disk, &Digest::of(b"other")).unwrap().places.is_empty());
        assert!(!Spool::open(&disk, &blob).unwrap().places.is_empty());
        keep(&disk, [].iter()).unwrap();
        assert!(Spool::open(&disk, &blob).unwrap().places.is_empty());
    }

    #[test]
    fn a_whole_sealed_piece_is_kept_too() {
        let (disk, blob) = (MemoryDisk::new(), Digest::of(b"blob"));
        let (piece, bytes) = piece(1, (64 << 10) + 16);
        Spool::open(&disk, &blob).unwrap().save(&piece, &bytes).unwrap();
        assert_eq!(Spool::open(&disk, &blob).unwrap().load(&piece), Some(bytes));
    }

    #[test]
    fn a_refused_blob_is_left_alone() {
        let (disk, blob) = (MemoryDisk::new(), Digest::of(b"blob"));
        assert!(!is_refused(&disk, &blob));
        refuse(&disk, &blob);
        assert!(is_refused(&disk, &blob));
        assert!(Spool::open(&disk, &blob).unwrap().places.is_empty());
    }

    #[test]
    fn runs_that_end_well_share_a_file() {
        let (disk, blob) = (MemoryDisk::new(), Digest::of(b"blob"));
        for n in 0..RUNS * 2 {
            let (piece, bytes) = piece(u8::try_from(n % 256).unwrap(), 10 + n);
            Spool::open(&disk, &blob).unwrap().save(&piece, &bytes).unwrap();
        }
        assert_eq!(disk.list(&format!("{FOLDER}/{blob}")).unwrap().len(), 1);
        assert_eq!(Spool::open(&disk, &blob).unwrap().places.len(), RUNS * 2);
    }

    #[test]
    fn the_beginning_of_a_piece_is_handed_out_once_and_for_that_piece_alone() {
        let (disk, blob) = (MemoryDisk::new(), Digest::of(b"blob"));
        let (first, bytes) = piece(1, 100);
        Spool::open(&disk, &blob).unwrap().keep_beginning(&first, &bytes[..40]);
        let mut spool = Spool::open(&disk, &blob).unwrap();
        assert!(spool.take_beginning(&piece(2, 100).0).is_empty());
        assert_eq!(spool.take_beginning(&first), bytes[..40]);
        assert!(spool.take_beginning(&first).is_empty());
        // More than the piece has is not its beginning.
        spool.keep_beginning(&first, &bytes);
        assert!(Spool::open(&disk, &blob).unwrap().take_beginning(&first).is_empty());
        disk.create(&format!("{FOLDER}/{blob}/{BEGINNING}")).unwrap().write_all(b"torn").unwrap();
        assert!(Spool::open(&disk, &blob).unwrap().take_beginning(&first).is_empty());
    }

    #[test]
    fn a_record_cut_short_or_damaged_ends_its_run_and_no_other() {
        let blob = Digest::of(b"blob");
        let pieces: Vec<_> = (0..3).map(|n| piece(n, 100)).collect();
        for keep in 0..(HEADER + 100) * 2 {
            let disk = MemoryDisk::new();
            let mut spool = Spool::open(&disk, &blob).unwrap();
            spool.save(&pieces[0].0, &pieces[0].1).unwrap();
            spool.save(&pieces[1].0, &pieces[1].1).unwrap();
            drop(spool);
            let path = format!("{FOLDER}/{blob}/0");
            let whole = disk.read(&path, u64::MAX).unwrap().unwrap();
            disk.create(&path).unwrap().write_all(&whole[..keep]).unwrap();
            let mut spool = Spool::open(&disk, &blob).unwrap();
            assert_eq!(spool.places.len(), keep / (HEADER + 100), "{keep}");
            spool.save(&pieces[2].0, &pieces[2].1).unwrap();
            drop(spool);
            assert!(Spool::open(&disk, &blob).unwrap().has(&pieces[2].0));
            // A byte that flips makes the record a stranger's.
            if keep > 0 {
                disk.damage(&path, keep - 1);
                let spool = Spool::open(&disk, &blob).unwrap();
                assert!(!spool.has(&pieces[usize::from(keep > HEADER + 100)].0));
            }
        }
    }
}
