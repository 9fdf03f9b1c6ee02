//! The slowest that an answer may come.
//!
//! Enters: how much came, and when. Leaves: whether to go on. Without it a server could hold a
//! phone for days with a byte now and then (TUF 1.0, section 1.5: slow retrieval). Pure: the time
//! is passed in, on any clock that does not jump.

use std::time::Duration;

/// In every `window` at least `bytes` must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes, at least, in a window.
    pub bytes: u64,
    /// Length of a window.
    pub window: Duration,
}

impl Default for Pace {
    /// 8 KiB in 30 s: a tenth of what the slowest networks still sold do.
    fn default() -> Self {
        Self { bytes: 8 << 10, window: Duration::from_secs(30) }
    }
}

/// Watches one answer.
#[derive(Debug)]
pub(super) struct Watch {
    pace: Pace,
    waited: Duration,
    came: u64,
}

impl Watch {
    /// Nothing came yet.
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, waited: Duration::ZERO, came: 0 }
    }

    /// `count` more bytes came after `waited`; false if a window ended with too few. Only waiting
    /// counts: the time that the reader takes between two reads is not the server's.
    pub(super) fn came(&mut self, count: u64, waited: Duration) -> bool {
        self.came = self.came.saturating_add(count);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < self.pace.window {
            return true;
        }
        let enough = self.came >= self.pace.bytes;
        (self.waited, self.came) = (Duration::ZERO, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether bytes that come evenly, so many a second, outlast a minute and a half.
    fn lasts(each_second: u64) -> bool {
        let mut watch = Watch::new(Pace::default());
        (0..90).all(|_| watch.came(each_second, Duration::from_secs(1)))
    }

    #[test]
    fn a_drip_is_too_slow_and_a_poor_network_is_not() {
        assert!(!lasts(1));
        assert!(!lasts(273));
        assert!(lasts(274));
        assert!(lasts(100_000));
    }

    #[test]
    fn a_burst_does_not_pay_for_the_window_after_it() {
        let mut watch = Watch::new(Pace::default());
        assert!(watch.came(1 << 20, Duration::from_secs(30)));
        assert!(!watch.came(10, Duration::from_secs(30)));
    }
}
