//! What time it is. The only place of the command that asks.
//!
//! A release build knows the system's clock and no other. A build with debug assertions, which is
//! what tests run, believes `FARAD_TEST_NOW` (seconds since the epoch) instead where that is set, so
//! that years pass in a test without anybody waiting.

use std::sync::Arc;

use farad::host::{Clock, System};
use farad::time::UnixTime;

/// The clock of this build.
pub(crate) fn clock() -> Arc<dyn Clock> {
    #[cfg(debug_assertions)]
    if let Some(fixed) = Fixed::from_environment() {
        return Arc::new(fixed);
    }
    Arc::new(System)
}

/// What it says now.
pub(crate) fn now() -> UnixTime {
    clock().now()
}

#[cfg(debug_assertions)]
struct Fixed(UnixTime);

#[cfg(debug_assertions)]
impl Fixed {
    fn from_environment() -> Option<Self> {
        let seconds = std::env::var("FARAD_TEST_NOW").ok()?.parse().ok()?;
        Some(Self(UnixTime::from_seconds(seconds)))
    }
}

#[cfg(debug_assertions)]
impl Clock for Fixed {
    fn now(&self) -> UnixTime {
        self.0
    }
}
