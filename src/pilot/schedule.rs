//! When the plugin syncs by itself.
//!
//! Enters: what the app's configuration says, the wall clock, whether the app is active, random
//! numbers. Leaves: how long to wait until the next sync. A start is spared the first second, and
//! waits are drawn apart, so that a million phones that wake at once do not ask at once.

use std::time::Duration;

use crate::time::UnixTime;

/// Syncs on returning to the app are at least this far apart, seconds.
const RESUME_GAP: u64 = 5 * 60;
const AFTER_START: Duration = Duration::from_secs(1);
const JITTER: u64 = 2_000;

/// When to sync without being asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AutoSync {
    /// Never.
    Off,
    /// When the app starts.
    OnStart,
    /// When the app starts and when it comes back to the foreground.
    #[default]
    OnResume,
    /// The same, and every so many minutes in the foreground.
    Every(u32),
}

/// What was synced when.
#[derive(Debug)]
pub(super) struct Schedule {
    auto: AutoSync,
    /// The last sync by itself, begun or planned.
    last: Option<UnixTime>,
    random: u64,
}

impl Schedule {
    pub(super) fn new(auto: AutoSync, seed: u64) -> Self {
        Self { auto, last: None, random: seed }
    }

    /// The app started: how long until the sync of the start.
    pub(super) fn started(&mut self) -> Option<Duration> {
        match self.auto {
            AutoSync::Off => None,
            _ => Some(AFTER_START + self.jitter()),
        }
    }

    /// The app is active again, or a sync by itself ended: how long until the next one.
    pub(super) fn next(&mut self, now: UnixTime, resumed: bool) -> Option<Duration> {
        // The app was left before the sync of its start came.
        let Some(last) = self.last else { return resumed.then(|| self.started()).flatten() };
        // A clock that went back makes everything due: one small request.
        let since = now.seconds().checked_sub(last.seconds());
        let due = |gap: u64| since.is_none_or(|since| since >= gap);
        match self.auto {
            AutoSync::Off | AutoSync::OnStart => None,
            AutoSync::OnResume => (resumed && due(RESUME_GAP)).then(|| self.jitter()),
            AutoSync::Every(minutes) => {
                let gap = u64::from(minutes) * 60;
                if due(gap) {
                    return Some(self.jitter());
                }
                let left = Duration::from_secs(gap.saturating_sub(since.unwrap_or(0)));
                // Up to a tenth later, and never sooner than was asked for.
                let tenth = gap.saturating_mul(100).max(1);
                Some(left + Duration::from_millis(self.draw() % tenth))
            }
        }
    }

    /// A sync by itself begins.
    pub(super) fn begun(&mut self, now: UnixTime) {
        self.last = Some(now);
    }

    fn jitter(&mut self) -> Duration {
        Duration::from_millis(self.draw() % JITTER)
    }

    /// SplitMix64: good enough to keep phones apart, and the same in every test.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn off_means_never() {
        let mut schedule = Schedule::new(AutoSync::Off, 1);
        assert_eq!(schedule.started(), None);
        schedule.begun(at(0));
        assert_eq!(schedule.next(at(1_000_000), true), None);
    }

    #[test]
    fn a_start_waits_one_to_three_seconds_and_phones_differ() {
        let waits: Vec<_> = (0..100)
            .map(|seed| Schedule::new(AutoSync::OnStart, seed).started().unwrap())
            .collect();
        assert!(waits.iter().all(|wait| (1_000..3_000).contains(&wait.as_millis())));
        let different: std::collections::BTreeSet<_> = waits.into_iter().collect();
        assert!(different.len() > 90);
    }

    #[test]
    fn coming_back_syncs_at_most_every_five_minutes() {
        let mut schedule = Schedule::new(AutoSync::OnResume, 1);
        schedule.begun(at(0));
        assert_eq!(schedule.next(at(299), true), None);
        assert!(schedule.next(at(300), true).is_some());
        assert_eq!(schedule.next(at(300), false), None, "not without coming back");
        assert!(schedule.next(UnixTime::from_seconds(5), true).is_some(), "the clock went back");
    }

    #[test]
    fn an_interval_is_kept_to_a_tenth() {
        for seed in 0..50 {
            let mut schedule = Schedule::new(AutoSync::Every(60), seed);
            schedule.begun(at(0));
            let wait = schedule.next(at(600), false).unwrap().as_secs();
            assert!((3000..=3360).contains(&wait), "{wait}");
            let late = schedule.next(at(4000), true).unwrap();
            assert!(late < Duration::from_secs(2));
        }
    }
}
