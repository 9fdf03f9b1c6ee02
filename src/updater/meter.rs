//! Bytes of a release on their way: what the app is told, and what a day's allowance leaves.

use crate::error::{Error, Result};
use crate::progress::Progress;

/// Counts the bytes of one release in one run.
pub(super) struct Meter<'a> {
    tell: &'a mut dyn FnMut(Progress),
    sum: Progress,
    /// Bytes that this run may move yet.
    allowance: u64,
}

impl<'a> Meter<'a> {
    /// At most `allowance` bytes may come; `tell` is called as they do.
    pub(super) fn new(allowance: u64, tell: &'a mut dyn FnMut(Progress)) -> Self {
        Self { tell, sum: Progress { bytes: 0, total: 0 }, allowance }
    }

    /// So many bytes more will travel.
    pub(super) fn expect(&mut self, bytes: u64) {
        self.sum.total = self.sum.total.saturating_add(bytes);
    }

    /// Asks for so many bytes.
    ///
    /// # Errors
    /// [`Error::TooEarly`] where a day's are used up.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<()> {
        let why = "the bytes of a day are used up";
        let left = self.allowance.checked_sub(bytes);
        self.allowance = left.ok_or(Error::TooEarly { seconds: 86_400, why })?;
        Ok(())
    }

    /// So many of the expected bytes came.
    pub(super) fn came(&mut self, bytes: u64) {
        self.sum.bytes = self.sum.bytes.saturating_add(bytes);
        // What came twice was expected once.
        self.sum.total = self.sum.total.max(self.sum.bytes);
        (self.tell)(self.sum);
    }
}
