//! The full re-hash of a bundle, in the background of the app that shows it.
//!
//! Enters: a bundle. Leaves: nothing where all of it is as it was signed; else word beside its files
//! that it is damaged, so that the next start passes it over and the next sync brings it back. It is
//! never blocked: damage is no fault of the bundle. A re-hash that is cut short goes on where it
//! stopped.

use std::io::Write;

use super::{LOCK, Store, bundles};
use crate::error::{Error, Result};
use crate::id::BundleId;
use crate::progress::Cancel;

/// Where the re-hash stopped: the bundle and the number of its next file. A hint that no crash can
/// make worse than a re-hash from the start, so it is not synced.
const FILE: &str = "recheck";
/// How many bytes are hashed between two such hints.
const STRIDE: u64 = 16 << 20;

/// What a re-hash found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rechecked {
    /// The bundle.
    pub id: BundleId,
    /// Files that this call hashed.
    pub files: usize,
    /// The first file that is not as it was signed.
    pub damaged: Option<String>,
}

impl Store {
    /// Hashes the files of a bundle again, from where the last such call was cut short. Reads up to
    /// all of it; writes a few bytes at most. Stops at the first damage, which is durably noted when
    /// this returns.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Busy`] where damage could not be noted; storage errors.
    pub fn recheck(&self, id: &BundleId, cancel: &Cancel) -> Result<Rechecked> {
        let disk = &*self.disk;
        let reading = |error| Error::storage("re-hashing the bundle", error);
        let Some(index) = bundles::index(disk, id).map_err(reading)? else {
            return Ok(Rechecked { id: *id, files: 0, damaged: Some("index".to_owned()) });
        };
        let from = self.stopped_at(id).filter(|at| *at < index.files().len()).unwrap_or(0);
        let mut unnoted = 0;
        for (at, file) in index.files().iter().enumerate().skip(from) {
            if cancel.check().is_err() || unnoted >= STRIDE {
                unnoted = 0;
                self.note(id, at);
            }
            cancel.check()?;
            unnoted += file.length;
            if !bundles::is_whole(disk, id, file).map_err(reading)? {
                let damaged = self.mark_damaged(id, file).map(|()| Some(file.path.clone()))?;
                return Ok(Rechecked { id: *id, files: at + 1 - from, damaged });
            }
        }
        let done = disk.remove_file(FILE);
        done.map_err(|error| Error::storage("ending the re-hash", error))?;
        let files = index.files().len() - from;
        let damaged = (!bundles::sound(disk, id).map_err(reading)?).then(|| "index".to_owned());
        Ok(Rechecked { id: *id, files, damaged })
    }

    /// Paths of files of a bundle whose bytes changed; nothing where there is no such bundle.
    /// Reads all of it.
    ///
    /// # Errors
    /// Where storage cannot be read.
    pub fn damaged(&self, id: &BundleId) -> Result<Option<Vec<String>>> {
        let reading = |error| Error::storage("re-reading the bundle", error);
        let Some(index) = bundles::index(&*self.disk, id).map_err(reading)? else {
            return Ok(None);
        };
        let mut damaged = Vec::new();
        for file in index.files() {
            if !bundles::is_whole(&*self.disk, id, file).map_err(reading)? {
                damaged.push(file.path.clone());
            }
        }
        Ok(Some(damaged))
    }

    fn mark_damaged(&self, id: &BundleId, file: &crate::release::File) -> Result<()> {
        let noting = |error| Error::storage("noting the damage", error);
        let _lock = self.lock(LOCK)?.ok_or(Error::Busy("change of state"))?;
        // Perhaps it was collected or brought back meanwhile.
        let there = bundles::index(&*self.disk, id).map_err(noting)?.is_some();
        if !there || bundles::is_whole(&*self.disk, id, file).map_err(noting)? {
            return Ok(());
        }
        log::error!("{}: damaged; the next sync brings it back", file.path);
        bundles::mark_damaged(&*self.disk, id).map_err(noting)
    }

    fn stopped_at(&self, id: &BundleId) -> Option<usize> {
        let bytes = self.disk.read(FILE, 128).ok().flatten()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        text.strip_prefix(&format!("{id} "))?.strip_suffix('\n')?.parse().ok()
    }

    fn note(&self, id: &BundleId, at: usize) {
        let noted = self
            .disk
            .create(FILE)
            .and_then(|mut file| file.write_all(format!("{id} {at}\n").as_bytes()));
        if let Err(error) = noted {
            log::warn!("where the re-hash stopped: {error}");
        }
    }
}
