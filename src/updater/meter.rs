//! Bytes of a release on their way: what the app is told, and what a day's allowance leaves.

use super::ledger::Allowance;
use super::remote::Remote;
use crate::error::Result;
use crate::progress::Progress;

/// Counts the bytes of one release in one run.
pub(super) struct Meter<'a> {
    tell: &'a mut dyn FnMut(Progress),
    sum: Progress,
    allowance: Allowance,
    /// What all answers of the run may come to.
    most: u64,
}

impl<'a> Meter<'a> {
    /// From now on `remote` may bring what is allowed; `tell` is called as it comes.
    pub(super) fn new(
        allowance: Allowance,
        remote: &Remote<'_>,
        tell: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let most = remote.bytes().saturating_add(allowance.bytes());
        Self { tell, sum: Progress { bytes: 0, total: 0 }, allowance, most }
    }

    /// So many bytes more will travel.
    pub(super) fn expect(&mut self, bytes: u64) {
        self.sum.total = self.sum.total.saturating_add(bytes);
    }

    /// Whether `remote` may bring so many bytes more. What was wasted counts too.
    ///
    /// # Errors
    /// [`crate::Error::TooEarly`] where a day's are used up.
    pub(super) fn allow(&self, remote: &Remote<'_>, bytes: u64) -> Result<()> {
        if remote.bytes().saturating_add(bytes) > self.most {
            return Err(self.allowance.used_up());
        }
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
