//! What the library needs of the machine and a test replaces: the clock and randomness.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::progress::Cancel;
use crate::time::UnixTime;

/// Says how much time has passed since it was started.
pub type Stopwatch = Box<dyn Fn() -> Duration + Send + Sync>;

/// Time. What the clock says decides when metadata expires and how often a server is asked, and
/// nothing else.
pub trait Clock: Send + Sync {
    /// What the wall clock says now.
    fn now(&self) -> UnixTime;

    /// Starts a stopwatch, which does not jump with the wall clock; time that the device slept may
    /// be missing.
    fn stopwatch(&self) -> Stopwatch {
        let begun = Instant::now();
        Box::new(move || begun.elapsed())
    }

    /// Waits for so long, or until somebody cancels.
    fn pause(&self, duration: Duration, cancel: &Cancel) {
        let begun = Instant::now();
        while begun.elapsed() < duration && cancel.check().is_ok() {
            std::thread::sleep(Duration::from_millis(50).min(duration));
        }
    }
}

/// A source of random bytes for ids and tokens.
pub trait Random: Send + Sync {
    /// 16 unpredictable bytes, or nothing if the system has none to give.
    fn bytes(&self) -> Option<[u8; 16]>;
}

/// The system's own clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> UnixTime {
        // A clock before 1970 is as good as no clock.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_seconds(since.as_secs())
    }
}

impl Random for System {
    fn bytes(&self) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        let random = ring::rand::SystemRandom::new();
        ring::rand::SecureRandom::fill(&random, &mut bytes).ok()?;
        Some(bytes)
    }
}
