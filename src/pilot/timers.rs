//! The timers of the machine: at most one of each kind is set.
//!
//! Enters: kinds to set or stop, numbers that the shell says ran out. Leaves: numbers, each given
//! once, so that one which fires after it was stopped or set anew is not known any more.

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    Ready,
    Show,
    Sync,
    Confirm,
    Switch,
    Recheck,
}

/// Those that are set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: Vec<(Timer, u64)>,
    last: u64,
}

impl Timers {
    /// Sets a timer, which must be stopped, and says its number.
    pub(super) fn set(&mut self, timer: Timer) -> u64 {
        self.last += 1;
        self.set.push((timer, self.last));
        self.last
    }

    /// Stops a timer; its number, if it was set.
    pub(super) fn stop(&mut self, timer: Timer) -> Option<u64> {
        self.take(|(which, _)| which == timer).map(|(_, number)| number)
    }

    /// A number ran out; what it stands for, if that is still wanted.
    pub(super) fn fired(&mut self, number: u64) -> Option<Timer> {
        self.take(|(_, known)| known == number).map(|(timer, _)| timer)
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.set.iter().any(|(which, _)| *which == timer)
    }

    fn take(&mut self, wanted: impl Fn((Timer, u64)) -> bool) -> Option<(Timer, u64)> {
        let at = self.set.iter().position(|entry| wanted(*entry))?;
        Some(self.set.swap_remove(at))
    }
}
