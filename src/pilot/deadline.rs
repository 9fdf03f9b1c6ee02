//! How long a bundle on trial has to say that it is ready, counted in the foreground.
//!
//! Enters: monotonic time, and whether the app is active. Leaves: when to look again, and whether
//! the time is over. Time is counted in slices of at most a second, each as long as it was meant to
//! be and no longer: a process that the system froze, a phone that slept or a debugger that stood
//! still cost a bundle one slice and not its trial.

use std::time::Duration;

const SLICE: Duration = Duration::from_secs(1);

/// The count of one launch.
#[derive(Debug)]
pub(super) struct Deadline {
    left: Duration,
    /// When the running slice began, and how long it is meant to be.
    slice: Option<(Duration, Duration)>,
}

impl Deadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self { left: limit, slice: None }
    }

    /// The app is active: begins a slice, and says how long it is.
    pub(super) fn run(&mut self, now: Duration) -> Duration {
        self.pause(now);
        let length = self.left.min(SLICE);
        self.slice = Some((now, length));
        length
    }

    /// The app is not active, or the slice is over: counts it.
    pub(super) fn pause(&mut self, now: Duration) {
        if let Some((begun, length)) = self.slice.take() {
            self.left = self.left.saturating_sub(now.saturating_sub(begun).min(length));
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Runs slices back to back until the time is over, and says when that was.
    fn run_out(deadline: &mut Deadline, mut now: Duration) -> Duration {
        while !deadline.is_over() {
            now += deadline.run(now);
            deadline.pause(now);
        }
        now
    }

    #[test]
    fn counts_what_was_asked_for() {
        assert_eq!(run_out(&mut Deadline::new(ms(2500)), ms(100)), ms(2600));
    }

    #[test]
    fn the_background_does_not_count() {
        let mut deadline = Deadline::new(ms(2500));
        deadline.run(ms(0));
        deadline.pause(ms(700));
        deadline.pause(ms(500_000));
        assert_eq!(run_out(&mut deadline, ms(1_000_000)), ms(1_001_800));
    }

    #[test]
    fn a_frozen_process_loses_one_slice() {
        let mut deadline = Deadline::new(ms(10_000));
        deadline.run(ms(0));
        deadline.pause(ms(3_600_000));
        assert!(!deadline.is_over());
        assert_eq!(run_out(&mut deadline, ms(3_600_000)), ms(3_609_000));
    }
}
