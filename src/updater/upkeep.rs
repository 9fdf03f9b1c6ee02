//! Upkeep of what is on the device: room given back on a full one, damage looked for in the
//! background.

use super::Updater;
use super::spool::Spool;
use crate::boot::Which;
use crate::error::{Error, Result};
use crate::progress::Cancel;
use crate::store::Rechecked;
use crate::store::disk::is_damage;

impl Updater {
    /// Hashes the files of the confirmed bundle again; nothing to do where that is the built-in one.
    /// For a background thread of the host, once after `ready` and then now and then. What is found
    /// damaged is passed over by the next start and brought back by the next sync. Blocks; reads
    /// the whole bundle; a call that is cut short is taken up by the next.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Busy`] where damage could not be noted; storage errors.
    pub fn recheck(&self, cancel: &Cancel) -> Result<Option<Rechecked>> {
        let holdings = self.with_context(|context| self.store.holdings(context))?;
        match holdings.record.confirmed {
            Which::Builtin => Ok(None),
            Which::Bundle(id) => self.store.recheck(&id, cancel).map(Some),
        }
    }

    /// Runs `work` of a sync, and once more if the disk was full and something could be removed that
    /// nothing names. Where that does not help, and where something on the disk is damaged, what was
    /// downloaded goes too: a full disk is left no fuller than it was, and damage there ends with it.
    pub(super) fn with_room<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let is_full = |done: &Result<T>| matches!(done, Err(Error::NoSpace { .. }));
        let mut done = work();
        if is_full(&done) && self.collect_frees() {
            done = work();
        }
        // A damaged download is fetched again.
        let is_damaged = matches!(&done, Err(Error::Storage { source, .. }) if is_damage(source));
        if (is_full(&done) || is_damaged)
            && let Err(error) = Spool::forget(&**self.store.disk())
        {
            log::warn!("{error}");
        }
        done
    }

    /// Removes, at the end of a sync, what no later one needs.
    pub(super) fn tidy_up(&self) {
        for done in [self.store.collect(), Spool::forget(&**self.store.disk())] {
            if let Err(error) = done {
                log::warn!("not everything could be tidied up: {error}");
            }
        }
    }

    /// Collects; whether that freed anything.
    fn collect_frees(&self) -> bool {
        let free = || self.store.disk().free().unwrap_or(0);
        let before = free();
        if let Err(error) = self.store.collect() {
            log::warn!("not everything could be tidied up: {error}");
        }
        free() > before
    }
}
