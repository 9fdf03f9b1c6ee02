//! What time it is, where the device's clock may be wrong and the source may lie about its own.
//!
//! Enters: the device's clock, times that were signed, what a source says of the time. Leaves: the
//! moment that expiries are held against. A clock that is behind is made up for by a lower bound from
//! signed times. One that runs ahead makes everything fresh look expired; the source's is believed
//! then (the session decides when), but only for how far the device's is ahead, and that once: from
//! there on time goes by at the pace of the device's clock, whatever any source says. The first belief
//! reaches back no further than what the device's clock said when it was last good enough.

use serde::{Deserialize, Serialize};

use super::{Keep, Setting};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::json;
use crate::time::UnixTime;

/// The name under which the lower bound of time is kept.
pub(super) const BOUND: &str = "time";
/// The name under which it is kept, to the day, what the device's clock said when a session last ended
/// well by it alone.
pub(super) const CLOCK: &str = "clock";
/// The name under which it is kept what a source's clock was believed for.
pub(super) const BELIEVED: &str = "believed";
pub(super) const DAY: u64 = 86_400;
/// How far a device's clock may have been ahead without anybody noticing, seconds: a timestamp's life.
const UNNOTICED: u64 = 14 * DAY;

/// That a source's clock was believed instead of this device's, which runs ahead. It stands until a
/// session ends well without it, which takes metadata that is fresh by the device's clock, or until that
/// clock went back.
#[derive(Serialize, Deserialize)]
pub(super) struct Believed {
    /// The newest timestamp that was progress by it,
    timestamp: Digest,
    /// and what the device's clock said when that came.
    since: UnixTime,
    /// What the source's clock said when it was believed first,
    date: UnixTime,
    /// and this device's at that moment: wrong, but it goes on at the right pace.
    clock: UnixTime,
}

impl Believed {
    /// Believes `date` when this timestamp comes and the device's clock says `clock`. What was believed
    /// `before` stays the measure of how far that clock is ahead.
    pub(super) fn of(
        timestamp: Digest,
        date: UnixTime,
        clock: UnixTime,
        before: Option<Self>,
    ) -> Self {
        let (date, first) = before.map_or((date, clock), |before| (before.date, before.clock));
        Self { timestamp, since: clock, date, clock: first }
    }

    /// What is kept, unless the device's clock, which says `clock`, went back since.
    pub(super) fn load(keep: &dyn Keep, clock: UnixTime) -> Result<Option<Self>> {
        let believed = keep.load(BELIEVED)?;
        let believed = believed.and_then(|bytes| json::parse_as::<Self>(&bytes).ok());
        Ok(believed.filter(|believed| believed.clock <= clock))
    }

    pub(super) fn save(&self, keep: &mut dyn Keep) -> Result<()> {
        let bytes = json::compact(self).map_err(|error| Error::document(BELIEVED, error))?;
        keep.save(BELIEVED, &bytes)
    }

    /// What time it is at the earliest when the device's clock says `clock`.
    pub(super) fn now(&self, clock: UnixTime) -> UnixTime {
        self.date.plus(clock.seconds().saturating_sub(self.clock.seconds()))
    }

    /// Whether it stands for this very timestamp: for a day after that was progress.
    pub(super) fn holds(&self, timestamp: Digest, clock: UnixTime) -> bool {
        let since = clock.seconds().checked_sub(self.since.seconds());
        self.timestamp == timestamp && since.is_some_and(|since| since < DAY)
    }
}

/// The clock, but never earlier than what the device knows to be past.
pub(super) fn now_at_least(setting: &Setting<'_>, keep: &dyn Keep) -> Result<UnixTime> {
    Ok(setting.now.max(setting.built).max(load(keep, BOUND)?))
}

/// The earliest that a source may say it is: no time that was signed is yet to come, nor one that lies
/// further back than the device's clock can have been ahead when it last was good enough.
pub(super) fn earliest(setting: &Setting<'_>, keep: &dyn Keep) -> Result<UnixTime> {
    let good = load(keep, CLOCK)?.seconds().saturating_sub(UNNOTICED);
    Ok(setting.built.max(load(keep, BOUND)?).max(UnixTime::from_seconds(good)))
}

/// The lower bound of time rises to the signed time, but never past this device's clock: a time signed
/// in 2099 must not lock the device out of everything signed before.
pub(super) fn raise_bound(keep: &mut dyn Keep, signed_at: UnixTime, clock: UnixTime) -> Result<()> {
    let bound = signed_at.min(clock);
    if bound > load(keep, BOUND)? { save(keep, BOUND, bound) } else { Ok(()) }
}

/// A session ended well by the device's clock alone. Written once a day, and where it went back.
pub(super) fn was_good(keep: &mut dyn Keep, now: UnixTime) -> Result<()> {
    let kept = load(keep, CLOCK)?;
    if (kept..kept.plus(DAY)).contains(&now) { Ok(()) } else { save(keep, CLOCK, now) }
}

fn load(keep: &dyn Keep, name: &str) -> Result<UnixTime> {
    let text = keep.load(name)?.and_then(|bytes| String::from_utf8(bytes).ok());
    let time = text.and_then(|text| text.parse().ok());
    Ok(time.unwrap_or(UnixTime::from_seconds(0)))
}

fn save(keep: &mut dyn Keep, name: &str, time: UnixTime) -> Result<()> {
    keep.save(name, time.to_string().as_bytes())
}
