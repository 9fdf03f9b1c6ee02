//! What a check tells of a release that it does not fetch: the bytes that a sync would take, and the
//! publisher's notes.
//!
//! Enters: a candidate. Leaves: a number and a text. Index, layout and notes travel for it, and the ledger
//! stands over them as over a sync: they count among a day's bytes, and lists that turn out wrong let the
//! release rest. Where it rests, or a day's bytes are used up, the number is the most that it can be and
//! there are no notes: a check says what is available all the same. Notes that turn out wrong are left
//! alone; they are no reason to keep the release waiting.

use super::Updater;
use super::ledger::{Allowance, Ledger};
use super::look::Candidate;
use super::remote::Remote;
use super::spool::{is_refused, refuse};
use crate::error::{Error, Result};
use crate::release::bundle_id;

impl Updater {
    /// Bytes that fetching it takes at most. Asks nobody.
    pub(super) fn at_most(&self, candidate: &Candidate, remote: &mut Remote<'_>) -> Result<u64> {
        self.installing(candidate, remote, Allowance::NOTHING, &mut |_| (), |install| {
            install.estimate(&candidate.manifest, false)
        })
    }

    /// Bytes that fetching it takes, and the notes on it.
    ///
    /// # Errors
    /// Those of the network and of what came instead of the lists; storage errors;
    /// [`Error::Cancelled`].
    pub(super) fn preview(
        &self,
        candidate: &Candidate,
        remote: &mut Remote<'_>,
    ) -> Result<(u64, Option<String>)> {
        let lists = self.looking(candidate, remote, |updater, allowance, remote| {
            updater.installing(candidate, remote, allowance, &mut |_| (), |install| {
                install.estimate(&candidate.manifest, true)
            })
        });
        match lists {
            Ok(bytes) => Ok((bytes, self.notes(candidate, remote)?)),
            Err(error @ Error::TooEarly { .. }) => {
                log::info!("a release is not looked into: {error}");
                Ok((self.at_most(candidate, remote)?, None))
            }
            Err(error) => Err(error),
        }
    }

    /// The publisher's notes on a release. Without them a check is of use all the same.
    fn notes(&self, candidate: &Candidate, remote: &mut Remote<'_>) -> Result<Option<String>> {
        let disk = &**self.store.disk();
        let Some(info) = &candidate.manifest.info else { return Ok(None) };
        if is_refused(disk, &info.sha256) {
            return Ok(None);
        }
        let mut notes = Ok(None);
        let counted = self.looking(candidate, remote, |updater, allowance, remote| {
            notes = updater.installing(candidate, remote, allowance, &mut |_| (), |install| {
                install.notes(&candidate.manifest)
            });
            // Whatever became of them is no fault of the release.
            Ok(())
        });
        match counted.and(notes) {
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => {
                log::warn!("the notes of a release are not to be had: {error}");
                if error.blames_content() {
                    refuse(disk, &info.sha256);
                }
                Ok(None)
            }
            notes => notes,
        }
    }

    /// Does `work` as far as a day's bytes go, and notes what it took.
    fn looking<T>(
        &self,
        candidate: &Candidate,
        remote: &mut Remote<'_>,
        work: impl FnOnce(&Self, Allowance, &mut Remote<'_>) -> Result<T>,
    ) -> Result<T> {
        let disk = &**self.store.disk();
        let of = (bundle_id(&candidate.bytes), candidate.manifest.pack.length);
        let mut ledger = Ledger::load(disk);
        let allowance = ledger.allowance(self.clock.now(), of.0, of.1)?;
        let before = remote.bytes();
        let outcome = work(self, allowance, remote);
        let moved = remote.bytes().saturating_sub(before);
        if moved > 0 || outcome.is_err() {
            ledger.note_look(self.clock.now(), of, moved, &outcome);
            ledger.save(disk);
        }
        outcome
    }
}
