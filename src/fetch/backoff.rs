//! How long to wait before asking again.
//!
//! Enters: how often it failed in a row, what the server said, a random number. Leaves: a time to
//! wait, or that it is not worth waiting now. Pure. The waits grow, and no two phones wait alike:
//! a server that comes back must not meet all of them at once.

use std::time::Duration;

/// The first wait, at most.
const FIRST: Duration = Duration::from_secs(2);
/// No wait is longer, and a server that asks for more is asked again by another run.
const LONGEST: Duration = Duration::from_secs(60);

/// Counts failures in a row.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    failures: u32,
    allowed: u32,
}

impl Backoff {
    /// Gives up after `allowed` waits without progress.
    pub(crate) fn new(allowed: u32) -> Self {
        Self { failures: 0, allowed }
    }

    /// Something came: the next failure is the first again.
    pub(crate) fn progress(&mut self) {
        self.failures = 0;
    }

    /// Another failure, with the server's wish in seconds (`Retry-After`), if it said one. Returns
    /// how long to wait, or nothing to give up.
    pub(crate) fn after_failure(&mut self, wish: Option<u64>, random: u64) -> Option<Duration> {
        if self.failures >= self.allowed {
            return None;
        }
        let grown = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures += 1;
        let upper = grown.min(LONGEST);
        // Between half of it and all of it.
        let half = upper / 2;
        let parts = u32::try_from(random % 1024).unwrap_or_default();
        let wait = half + half * parts / 1024;
        match wish.map(Duration::from_secs) {
            Some(wish) if wish > LONGEST => None,
            Some(wish) => Some(wait.max(wish)),
            None => Some(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_differ_and_end() {
        let mut backoff = Backoff::new(8);
        let mut previous = Duration::ZERO;
        for failure in 0..8 {
            let (low, high) = (backoff.clone(), backoff.clone());
            let short = low.clone().after_failure(None, 0).unwrap();
            let long = high.clone().after_failure(None, 1023).unwrap();
            assert!(short >= previous / 2 && short < long && long <= LONGEST, "{failure}");
            previous = backoff.after_failure(None, 1023).unwrap();
        }
        assert_eq!(backoff.after_failure(None, 0), None);
        backoff.progress();
        assert!(backoff.after_failure(None, 0).is_some());
    }

    #[test]
    fn the_servers_wish_is_heard_unless_it_is_for_another_run() {
        let after = |wish| Backoff::new(3).after_failure(Some(wish), 0);
        assert_eq!(after(30), Some(Duration::from_secs(30)));
        assert_eq!(after(0), Some(Duration::from_secs(1)));
        assert_eq!(after(61), None);
        assert_eq!(after(u64::MAX), None);
    }
}
