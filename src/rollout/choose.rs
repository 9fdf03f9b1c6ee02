//! Which offer this device takes.

use super::{Offered, Rollout, allow_hash, bucket};
use crate::digest::Digest;
use crate::error::Result;
use crate::id::InstallId;

/// What the choice depends on, besides the rollout.
pub struct Device<'a> {
    /// Decides the device's place in every share.
    pub install: &'a InstallId,
    /// What the device is heading for: what it holds as next or trial, else what it runs.
    pub heading: Running,
}

/// What a device runs or is about to run, as far as it belongs to the rollout's channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// This release, or the built-in bundle.
    Named(Offered),
    /// The release with this manifest, whose files are damaged: it is to be brought back.
    Damaged(Digest),
    /// Something of another channel or unknown to the offers.
    Other,
}

/// Whether an offer may be taken on this device at all, its share aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// The releases role does not list it, its floor is above it, or it is revoked.
    NotAllowed,
    /// The native app is outside the release's range, and a newer one would be inside.
    Incompatible,
    /// The release is for older native apps.
    Outgrown,
    /// It did not come up on this device before.
    Blocked,
    /// It requires something that this client does not understand.
    Unsupported,
    /// It is sealed for keys that are not on this device.
    KeyMissing,
    /// It is open where sealing is required, or its seal does not open as it says.
    BadlySealed,
}

/// The outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Take this offer (its place in the list).
    Take(usize),
    /// What the device is heading for is what it should have.
    UpToDate,
    /// No offer is for this device, or the rollout is paused.
    NotOffered,
    /// The first offer for this device that it could not take, and why.
    Refused(usize, Verdict),
    /// What the device is heading for is what it can have. An offer before that is for it, too, and a
    /// newer native app would take it.
    Behind(usize, Verdict),
}

/// Walks the offers in order and takes the first that is allowed and admits the device. An allowed
/// offer that names what the device is heading for ends the walk, admitted or not: nobody is moved
/// off a release because its share was lowered. Where its files are damaged it is taken again, paused or
/// not: it is not new. `judge` is asked only for offers that matter, since
/// it may have to fetch a manifest.
///
/// # Errors
/// Those of `judge`.
pub fn choose(
    rollout: &Rollout,
    device: &Device<'_>,
    mut judge: impl FnMut(&Offered) -> Result<Verdict>,
) -> Result<Choice> {
    let allow = allow_hash(&rollout.app, device.install);
    let (mut refused, mut behind) = (None, None);
    for (at, offer) in rollout.offers.iter().enumerate() {
        let (heading, damaged) = match (device.heading, offer.release) {
            (Running::Named(named), offered) => (named == offered, false),
            (Running::Damaged(named), Offered::Release { manifest, .. }) => {
                (named == manifest, named == manifest)
            }
            _ => (false, false),
        };
        let admitted = offer.allow.contains(&allow)
            || bucket(&rollout.app, &rollout.channel, &offer.salt, device.install) < offer.share;
        if !heading && !admitted {
            continue;
        }
        match judge(&offer.release)? {
            Verdict::Allowed if damaged => return Ok(Choice::Take(at)),
            Verdict::Allowed if heading => return Ok(behind.unwrap_or(Choice::UpToDate)),
            Verdict::Allowed if rollout.paused => return Ok(Choice::NotOffered),
            Verdict::Allowed => return Ok(Choice::Take(at)),
            verdict if admitted => {
                refused.get_or_insert(Choice::Refused(at, verdict));
                if matches!(
                    verdict,
                    Verdict::Incompatible | Verdict::KeyMissing | Verdict::Unsupported
                ) {
                    behind.get_or_insert(Choice::Behind(at, verdict));
                }
            }
            _ => {}
        }
    }
    Ok(refused.unwrap_or(Choice::NotOffered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Offer;

    fn release(sequence: u64) -> Offered {
        Offered::Release { sequence, manifest: Digest::of(&sequence.to_be_bytes()) }
    }

    fn offer(release: Offered, share: u32) -> Offer {
        let salt = format!("{release:?}");
        Offer { release, share, salt, allow: Vec::new(), mandatory: false }
    }

    fn rollout(offers: Vec<Offer>) -> Rollout {
        Rollout {
            schema: 1,
            app: "com.example.shop".parse().unwrap(),
            channel: "production".parse().unwrap(),
            requires: Vec::new(),
            offers,
            paused: false,
        }
    }

    fn install(n: u128) -> InstallId {
        InstallId::from_random(n.to_be_bytes())
    }

    fn chosen(rollout: &Rollout, heading: Running, n: u128, not: &[(Offered, Verdict)]) -> Choice {
        let install = install(n);
        let device = Device { install: &install, heading };
        let judge = |offered: &Offered| {
            let found = not.iter().find(|(other, _)| other == offered);
            Ok(found.map_or(Verdict::Allowed, |(_, verdict)| *verdict))
        };
        choose(rollout, &device, judge).unwrap()
    }

    #[test]
    fn a_quarter_gets_the_new_release_and_the_rest_stays() {
        let rollout = rollout(vec![offer(release(2), 2500), offer(release(1), 10_000)]);
        let on_one = Running::Named(release(1));
        let taken = (0..1000).filter(|n| chosen(&rollout, on_one, *n, &[]) == Choice::Take(0));
        assert!((190..=310).contains(&taken.count()));
    }

    #[test]
    fn raising_a_share_keeps_those_already_in_and_lowering_moves_nobody() {
        let share = |share| rollout(vec![offer(release(2), share), offer(release(1), 10_000)]);
        for n in 0..200 {
            if chosen(&share(1000), Running::Named(release(1)), n, &[]) == Choice::Take(0) {
                let two = Running::Named(release(2));
                assert_eq!(
                    chosen(&share(5000), Running::Named(release(1)), n, &[]),
                    Choice::Take(0)
                );
                assert_eq!(chosen(&share(0), two, n, &[]), Choice::UpToDate);
            }
        }
    }

    #[test]
    fn a_withdrawn_release_is_left_for_the_one_offered() {
        let rollout = rollout(vec![offer(release(1), 10_000)]);
        assert_eq!(chosen(&rollout, Running::Named(release(2)), 1, &[]), Choice::Take(0));
    }

    #[test]
    fn what_is_refused_falls_to_the_next_offer_and_is_told_if_there_is_none() {
        let blocked = [(release(2), Verdict::Blocked)];
        let two = rollout(vec![offer(release(2), 10_000), offer(release(1), 10_000)]);
        assert_eq!(chosen(&two, Running::Other, 1, &blocked), Choice::Take(1));
        let one = rollout(vec![offer(release(2), 10_000)]);
        let told = Choice::Refused(0, Verdict::Blocked);
        assert_eq!(chosen(&one, Running::Other, 1, &blocked), told);
    }

    #[test]
    fn who_has_what_stands_behind_is_told_what_a_newer_app_would_take() {
        let two = rollout(vec![offer(release(2), 10_000), offer(release(1), 10_000)]);
        let on_one = Running::Named(release(1));
        for verdict in [Verdict::Incompatible, Verdict::KeyMissing, Verdict::Unsupported] {
            let not = [(release(2), verdict)];
            assert_eq!(chosen(&two, Running::Other, 1, &not), Choice::Take(1));
            assert_eq!(chosen(&two, on_one, 1, &not), Choice::Behind(0, verdict));
        }
        for verdict in
            [Verdict::NotAllowed, Verdict::Outgrown, Verdict::Blocked, Verdict::BadlySealed]
        {
            assert_eq!(chosen(&two, on_one, 1, &[(release(2), verdict)]), Choice::UpToDate);
        }
        // One that is not meant for this device is no reason for a newer app.
        let staged = rollout(vec![offer(release(2), 0), offer(release(1), 10_000)]);
        let not = [(release(2), Verdict::Incompatible)];
        assert_eq!(chosen(&staged, on_one, 1, &not), Choice::UpToDate);
    }

    #[test]
    fn paused_takes_nothing_new() {
        let mut rollout = rollout(vec![offer(release(2), 10_000)]);
        rollout.paused = true;
        assert_eq!(chosen(&rollout, Running::Named(release(1)), 1, &[]), Choice::NotOffered);
        assert_eq!(chosen(&rollout, Running::Named(release(2)), 1, &[]), Choice::UpToDate);
    }

    #[test]
    fn what_is_damaged_is_taken_again_whatever_its_share_and_paused_or_not() {
        let Offered::Release { manifest, .. } = release(2) else { panic!() };
        let damaged = Running::Damaged(manifest);
        let mut rollout = rollout(vec![offer(release(2), 0), offer(release(1), 10_000)]);
        for paused in [false, true] {
            rollout.paused = paused;
            assert_eq!(chosen(&rollout, damaged, 1, &[]), Choice::Take(0));
            // What may not run any more is not brought back.
            let revoked = [(release(2), Verdict::NotAllowed)];
            let other = if paused { Choice::NotOffered } else { Choice::Take(1) };
            assert_eq!(chosen(&rollout, damaged, 1, &revoked), other);
        }
    }

    #[test]
    fn an_allowed_installation_gets_it_at_share_nought() {
        let mut rollout = rollout(vec![offer(release(2), 0)]);
        rollout.offers[0].allow = vec![allow_hash(&rollout.app, &install(7))];
        assert_eq!(chosen(&rollout, Running::Other, 7, &[]), Choice::Take(0));
        assert_eq!(chosen(&rollout, Running::Other, 8, &[]), Choice::NotOffered);
    }

    #[test]
    fn without_offers_everything_stays() {
        assert_eq!(chosen(&rollout(vec![]), Running::Other, 1, &[]), Choice::NotOffered);
    }
}
