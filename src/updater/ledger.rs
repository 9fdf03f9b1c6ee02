//! How often and how much a release is fetched: what is paid for by the phone's owner.
//!
//! Enters: the clock, and how runs ended. Leaves: how many bytes the next one may move, or that it
//! is too early. A release that fails on this phone through its own fault (bytes that are not the
//! signed ones, a blob that is missing, a document that breaks its format) is tried again after a
//! quarter of an hour, then after twice as long each time, up to a day; a connection that breaks
//! costs no waiting. A day moves at most three times the largest pack that was fetched in it: a small
//! release may follow a large one at once, and offers that flap do not empty anybody's contract. What a check looks
//! into counts too. A server that asks for patience with metadata gets up to an hour: more would keep a revocation from the phone. The rules are pure;
//! the file they are kept in is a hint: without it everything is allowed.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::BundleId;
use crate::json;
use crate::store::Disk;
use crate::store::disk::replace;
use crate::time::UnixTime;

const FILE: &str = "ledger";
const FIRST_WAIT: u64 = 15 * 60;
const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
/// A day's bytes, in packs of the largest release that it fetches.
const PACKS: u64 = 3;
/// Small releases still get room for their metadata and for what is lost on the way.
const LEAST: u64 = 1 << 20;

/// What was spent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Days since the epoch that `bytes` is about.
    day: u64,
    bytes: u64,
    /// The largest pack of the releases that took them, bytes.
    #[serde(default)]
    pack: u64,
    release: Option<BundleId>,
    failures: u32,
    /// Seconds since the epoch.
    not_before: u64,
    /// The repository is left alone until then, seconds since the epoch.
    #[serde(default)]
    quiet_until: u64,
}

/// What a run may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Bytes.
    bytes: u64,
    /// Seconds until there are more.
    renewed_in: u64,
}

impl Allowance {
    /// For what asks nobody.
    pub(super) const NOTHING: Self = Self { bytes: 0, renewed_in: 0 };

    /// For tests of what goes on within it.
    #[cfg(test)]
    pub(super) const UNLIMITED: Self = Self { bytes: u64::MAX, renewed_in: 0 };

    /// Bytes.
    pub(super) fn bytes(self) -> u64 {
        self.bytes
    }

    /// The error of a run that needs more.
    pub(super) fn used_up(self) -> Error {
        Error::TooEarly { seconds: self.renewed_in, why: "the bytes of a day are used up" }
    }
}

impl Ledger {
    /// What is kept; an empty one if nothing is.
    pub(super) fn load(disk: &dyn Disk) -> Self {
        let bytes = disk.read(FILE, 4096).ok().flatten();
        bytes.and_then(|bytes| json::parse_as(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps it. Where that fails the next run may move more than it should, which is no reason to
    /// fail.
    pub(super) fn save(&self, disk: &dyn Disk) {
        let saved =
            json::compact(self).map_err(|error| Error::document(FILE, error)).and_then(|bytes| {
                replace(disk, "", FILE, &bytes).map_err(|e| Error::storage("the ledger", e))
            });
        if let Err(error) = saved {
            log::warn!("{error}");
        }
    }

    /// Whether the repository may be asked at all.
    ///
    /// # Errors
    /// [`Error::TooEarly`].
    pub(super) fn may_ask(&self, now: UnixTime) -> Result<()> {
        match self.quiet_until.saturating_sub(now.seconds()) {
            // More than an hour means that the clock went back.
            wait @ 1..=HOUR => {
                Err(Error::TooEarly { seconds: wait, why: "the server asks for patience" })
            }
            _ => Ok(()),
        }
    }

    /// Notes how asking for metadata ended; true if there is something new to keep.
    pub(super) fn note_answer<T>(&mut self, now: UnixTime, outcome: &Result<T>) -> bool {
        let Err(Error::Http { retry_after: Some(wish), .. }) = outcome else { return false };
        self.quiet_until = now.seconds().saturating_add((*wish).min(HOUR));
        true
    }

    /// What may be moved for `release` at `now`.
    ///
    /// # Errors
    /// [`Error::TooEarly`].
    pub(super) fn allowance(
        &self,
        now: UnixTime,
        release: BundleId,
        pack: u64,
    ) -> Result<Allowance> {
        let now = now.seconds();
        // No wait is longer than a day: more means that the clock went back.
        let wait = self.not_before.saturating_sub(now);
        if self.release == Some(release) && (1..=DAY).contains(&wait) {
            let why = "it failed here before, or the server asks for patience";
            return Err(Error::TooEarly { seconds: wait, why });
        }
        let (spent, largest) = if self.day == now / DAY { (self.bytes, self.pack) } else { (0, 0) };
        let daily = pack.max(largest).saturating_mul(PACKS).max(LEAST);
        let left = Allowance { bytes: daily.saturating_sub(spent), renewed_in: DAY - now % DAY };
        if left.bytes == 0 { Err(left.used_up()) } else { Ok(left) }
    }

    /// Notes how a run for `release`, of a pack so large, ended that moved `bytes`.
    pub(super) fn note<T>(
        &mut self,
        now: UnixTime,
        of: (BundleId, u64),
        bytes: u64,
        outcome: &Result<T>,
    ) {
        self.note_look(now, of, bytes, outcome);
        if outcome.is_ok() {
            (self.failures, self.not_before) = (0, 0);
        }
    }

    /// Notes how a look into `release` ended. That it went well proves nothing of the rest: what
    /// failed before stays counted.
    pub(super) fn note_look<T>(
        &mut self,
        now: UnixTime,
        (release, pack): (BundleId, u64),
        bytes: u64,
        outcome: &Result<T>,
    ) {
        let now = now.seconds();
        if self.day != now / DAY {
            (self.day, self.bytes, self.pack) = (now / DAY, 0, 0);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.pack = self.pack.max(pack);
        if self.release != Some(release) {
            (self.release, self.failures, self.not_before) = (Some(release), 0, 0);
        }
        match outcome {
            // The release or its server is to blame, and not the way or the phone.
            Err(error) if error.blames_file() => {
                let wait =
                    FIRST_WAIT.saturating_mul(1_u64.checked_shl(self.failures).unwrap_or(DAY));
                self.failures = self.failures.saturating_add(1);
                self.not_before = now.saturating_add(wait.min(DAY));
            }
            Err(Error::Http { retry_after: Some(wish), .. }) => {
                self.not_before = now.saturating_add((*wish).min(DAY));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    const PACK: u64 = 10 << 20;

    fn id(name: &str) -> BundleId {
        BundleId(Digest::of(name.as_bytes()))
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(1_800_000_000 / DAY * DAY + seconds)
    }

    fn fault() -> Result<()> {
        Err(Error::Digest { what: "pack".to_owned() })
    }

    fn wait(ledger: &Ledger, now: UnixTime) -> u64 {
        match ledger.allowance(now, id("a"), PACK) {
            Err(Error::TooEarly { seconds, .. }) => seconds,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_release_that_fails_waits_longer_each_time_and_no_longer_than_a_day() {
        let mut ledger = Ledger::default();
        let mut now = at(0);
        for minutes in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
            assert!(ledger.allowance(now, id("a"), PACK).is_ok());
            ledger.note(now, (id("a"), PACK), 1, &fault());
            assert_eq!(wait(&ledger, now), minutes * 60);
            assert!(ledger.allowance(now, id("b"), PACK).is_ok(), "another release waits for none");
            now = now.plus(minutes * 60);
        }
        ledger.note(now, (id("a"), PACK), 1, &Ok(()));
        assert!(ledger.allowance(now, id("a"), PACK).is_ok());
    }

    #[test]
    fn a_broken_connection_costs_no_waiting_and_a_busy_server_gets_its_wish() {
        let mut ledger = Ledger::default();
        ledger.note(at(0), (id("a"), PACK), 1, &Err::<(), _>(Error::Network("gone".to_owned())));
        assert!(ledger.allowance(at(0), id("a"), PACK).is_ok());
        let busy = Error::Http { status: 503, retry_after: Some(4000), file: String::new() };
        ledger.note(at(0), (id("a"), PACK), 1, &Err::<(), _>(busy));
        assert_eq!(wait(&ledger, at(0)), 4000);
    }

    #[test]
    fn a_release_whose_files_the_server_does_not_have_rests() {
        for status in [404, 410, 416] {
            let mut ledger = Ledger::default();
            let gone = Error::Http { status, retry_after: None, file: String::new() };
            ledger.note(at(0), (id("a"), PACK), 1, &Err::<(), _>(gone));
            assert_eq!(wait(&ledger, at(0)), 15 * 60, "{status}");
        }
    }

    #[test]
    fn a_look_that_went_well_forgives_nothing() {
        let mut ledger = Ledger::default();
        ledger.note(at(0), (id("a"), PACK), 1, &fault());
        let rested = at(15 * 60);
        ledger.note_look(rested, (id("a"), PACK), 3, &Ok(()));
        assert!(ledger.allowance(rested, id("a"), PACK).is_ok());
        ledger.note_look(rested, (id("a"), PACK), 2, &fault());
        assert_eq!(wait(&ledger, rested), 30 * 60, "the second failure in a row");
        assert_eq!(ledger.bytes, 6);
    }

    #[test]
    fn a_day_has_three_packs() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.allowance(at(0), id("a"), PACK).unwrap().bytes, 3 * PACK);
        ledger.note(at(0), (id("a"), PACK), PACK, &Err::<(), _>(Error::Cancelled));
        let left = ledger.allowance(at(50), id("a"), PACK).unwrap();
        assert_eq!(left, Allowance { bytes: 2 * PACK, renewed_in: DAY - 50 });
        ledger.note(at(60), (id("b"), PACK), 2 * PACK, &Ok(()));
        assert_eq!(wait(&ledger, at(60)), DAY - 60);
        assert!(ledger.allowance(at(DAY), id("a"), PACK).is_ok());
    }

    #[test]
    fn a_small_release_may_follow_a_large_one_on_the_same_day() {
        let mut ledger = Ledger::default();
        ledger.note(at(0), (id("large"), PACK), PACK, &Ok(()));
        let left = ledger.allowance(at(50), id("small"), 1000).unwrap();
        assert_eq!(left.bytes, 2 * PACK);
        // Small ones one after the other do not move more than that.
        ledger.note(at(60), (id("small"), 1000), 2 * PACK, &Ok(()));
        assert_eq!(wait(&ledger, at(60)), DAY - 60);
        assert_eq!(ledger.allowance(at(DAY), id("small"), 1000).unwrap().bytes, LEAST);
    }

    #[test]
    fn a_server_that_asks_for_patience_with_metadata_gets_an_hour_at_most() {
        let mut ledger = Ledger::default();
        let busy = |wish| {
            let (status, file) = (503, "timestamp.json".to_owned());
            Err::<(), _>(Error::Http { status, retry_after: wish, file })
        };
        assert!(!ledger.note_answer(at(0), &Ok(())) && !ledger.note_answer(at(0), &busy(None)));
        assert!(ledger.may_ask(at(0)).is_ok());
        assert!(ledger.note_answer(at(0), &busy(Some(90))));
        assert!(ledger.may_ask(at(89)).is_err() && ledger.may_ask(at(90)).is_ok());
        ledger.note_answer(at(0), &busy(Some(DAY)));
        assert!(ledger.may_ask(at(HOUR - 1)).is_err() && ledger.may_ask(at(HOUR)).is_ok());
    }

    #[test]
    fn a_clock_that_went_back_locks_nobody_out() {
        let mut ledger = Ledger::default();
        let busy = Error::Http { status: 503, retry_after: Some(HOUR), file: String::new() };
        ledger.note_answer(at(1000 * DAY), &Err::<(), _>(busy));
        assert!(ledger.may_ask(at(0)).is_ok());
        ledger.note(at(1000 * DAY), (id("a"), PACK), 5 * PACK, &fault());
        assert!(ledger.allowance(at(0), id("a"), PACK).is_ok());
    }
}
