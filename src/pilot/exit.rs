//! How the last process ended, where the system tells (Android from API 30 on).
//!
//! Enters: the system's reason, and the note that the process left with the system while it ran.
//! Leaves: whether the bundle is excused for not getting ready, and whether a confirmed bundle
//! crashed early. Nothing of it is written by a start: the system keeps the note.

use crate::boot::Which;
use crate::id::BundleId;

/// A crash sooner than this after its launch is the bundle's, milliseconds.
const EARLY: u64 = 10_000;

/// The end of the process before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Why, as far as it matters.
    pub reason: ExitReason,
    /// When, by the wall clock, milliseconds since the epoch.
    pub at: u64,
    /// The last note of that process, as it was handed out; empty if there was none.
    pub note: String,
}

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// It crashed, in Java or natively, or did not answer.
    Crash,
    /// The user closed it, the system needed memory, an update was installed, and the like.
    Outside,
    /// It ended by itself, or nobody knows.
    Unknown,
}

/// What a process shows and since when, to be kept by the system until the process is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) shows: Which,
    pub(super) on_trial: bool,
    /// Wall clock, milliseconds since the epoch.
    pub(super) since: u64,
}

impl Note {
    pub(super) fn to_text(self) -> String {
        let shows = match self.shows {
            Which::Builtin => "builtin".to_owned(),
            Which::Bundle(id) => id.to_string(),
        };
        let standing = if self.on_trial { "trial" } else { "confirmed" };
        format!("1 {} {standing} {shows}", self.since)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (version, since) = (words.next()?, words.next()?.parse().ok()?);
        let (standing, shows) = (words.next()?, words.next()?);
        let shows = match shows {
            "builtin" => Which::Builtin,
            id => Which::Bundle(id.parse::<BundleId>().ok()?),
        };
        (version == "1").then_some(Self { shows, on_trial: standing == "trial", since })
    }
}

impl Exit {
    /// Whether it says nothing about the bundle that ran.
    pub(super) fn excuses(&self) -> bool {
        // What was confirmed needs no excuse, and a process without a page had nothing on trial.
        let on_trial = Note::parse(&self.note).is_some_and(|note| note.on_trial);
        self.reason == ExitReason::Outside && on_trial
    }

    /// Whether the process crashed.
    pub(super) fn is_crash(&self) -> bool {
        self.reason == ExitReason::Crash
    }

    /// The confirmed bundle that crashed within ten seconds of its launch.
    pub(super) fn crashed_early(&self) -> Option<BundleId> {
        let note = Note::parse(&self.note)?;
        let Which::Bundle(id) = note.shows else { return None };
        let lived = self.at.checked_sub(note.since)?;
        let early = self.reason == ExitReason::Crash && !note.on_trial && lived < EARLY;
        early.then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn exit(reason: ExitReason, after: u64, on_trial: bool) -> Exit {
        let shows = Which::Bundle(BundleId(Digest::of(b"1")));
        let note = Note { shows, on_trial, since: 1_000_000 }.to_text();
        assert!(note.len() <= 128, "what Android keeps");
        Exit { reason, at: 1_000_000 + after, note }
    }

    #[test]
    fn a_confirmed_bundle_crashes_early_within_ten_seconds() {
        let id = Some(BundleId(Digest::of(b"1")));
        assert_eq!(exit(ExitReason::Crash, 9_999, false).crashed_early(), id);
        assert_eq!(exit(ExitReason::Crash, 10_000, false).crashed_early(), None);
        assert_eq!(exit(ExitReason::Crash, 5, true).crashed_early(), None, "its mark counts it");
        assert_eq!(exit(ExitReason::Outside, 5, false).crashed_early(), None);
    }

    #[test]
    fn only_a_launch_on_trial_is_excused() {
        assert!(exit(ExitReason::Outside, 5, true).excuses());
        assert!(!exit(ExitReason::Outside, 5, false).excuses());
        assert!(!exit(ExitReason::Crash, 5, true).excuses());
        let nobody = Exit { reason: ExitReason::Outside, at: 6, note: String::new() };
        assert!(!nobody.excuses());
    }

    #[test]
    fn a_note_of_another_hand_says_nothing() {
        for note in ["", "1 x trial builtin", "2 5 confirmed builtin", "1 5 confirmed ../x", "1"] {
            let exit = Exit { reason: ExitReason::Crash, at: 6, note: note.to_owned() };
            assert_eq!(exit.crashed_early(), None, "{note}");
        }
    }
}
