//! Which offers stand behind a new one.
//!
//! Enters: a release that is to be offered first, and the offers of now. Leaves: the offers to come.
//! Whoever is not in the new one's share, whose native app is outside its range, or who cannot open it,
//! is offered what it was offered before. Refused: more releases on their way to a part of the phones than
//! phones read offers of.

use std::cmp::Ordering;

use farad::limits;
use farad::native::{NativeRange, Range, compare_builds};
use farad::release::Manifest;
use farad::rollout::{Offer, Offered};

use crate::failure::{Failure, Result};
use crate::repository::ChannelDocuments;

/// The new offer, then those of now that it does not make moot: an offer to everyone leaves none to
/// those who can take it. Where the one before is staged as well as the new one, both share its salt: the
/// phones that went first go first again, and a fix reaches those that need it.
pub(super) fn ahead_of_the_rest(
    documents: &ChannelDocuments,
    manifest: &Manifest,
    mut offer: Offer,
) -> Result<Vec<Offer>> {
    let now = &documents.rollout.offers;
    if let Some(before) = now.first().filter(|before| !is_for_all(before) && !is_for_all(&offer)) {
        offer.salt.clone_from(&before.salt);
    }
    let mut for_all: Vec<Option<&Manifest>> = Vec::new();
    if is_for_all(&offer) {
        for_all.push(Some(manifest));
    }
    let mut offers = vec![offer];
    // No phone takes what is not listed.
    for behind in now.iter().filter(|behind| is_listed(documents, &behind.release)) {
        let named = manifest_of(documents, &behind.release);
        if for_all.iter().any(|ahead| is_moot(named, *ahead)) {
            continue;
        }
        let mut behind = behind.clone();
        if is_for_all(&behind) {
            // Everybody is admitted already.
            behind.allow.clear();
        }
        offers.push(behind);
        if offers.last().is_some_and(is_for_all) {
            for_all.push(named);
        }
    }
    while offers.len() > limits::OFFERS / 2 {
        // Apps that are so many steps behind keep what they have.
        if !matches!(offers.as_slice(), [.., a, b] if is_for_all(a) && is_for_all(b)) {
            let message = "many releases are offered to a part of the phones already; offer one to all first: farad rollout CHANNEL --percent 100, or farad rollback";
            return Err(Failure::new("too-large", message));
        }
        offers.pop();
    }
    Ok(offers)
}

/// Of what is listed and to be offered to everyone, what some phone may need.
pub(super) fn needed(documents: &ChannelDocuments, offered: Vec<Offered>) -> Vec<Offered> {
    let mut needed: Vec<Offered> = Vec::new();
    for behind in offered {
        let named = manifest_of(documents, &behind);
        if !needed.iter().any(|ahead| is_moot(named, manifest_of(documents, ahead))) {
            needed.push(behind);
        }
    }
    needed
}

/// Whether some phones that are offered something may be offered nothing where these offers alone are
/// left: one that was for everyone is gone, and none that is takes its place.
pub(super) fn leaves_some_out(documents: &ChannelDocuments, left: &[Offer]) -> bool {
    let for_all = |offers: &[Offer]| -> Vec<Offered> {
        let offers = offers.iter().filter(|offer| is_for_all(offer)).map(|offer| offer.release);
        offers.filter(|offered| is_listed(documents, offered)).collect()
    };
    let left = for_all(left);
    for_all(&documents.rollout.offers).iter().any(|was| {
        let was = manifest_of(documents, was);
        !left.iter().any(|ahead| is_moot(was, manifest_of(documents, ahead)))
    })
}

/// Whether an offer names what the channel lists, or the built-in bundle.
pub(super) fn is_listed(documents: &ChannelDocuments, offered: &Offered) -> bool {
    match offered {
        Offered::Builtin => true,
        Offered::Release { sequence, .. } => documents.releases.contains_key(sequence),
    }
}

/// What describes an offer that is listed; nothing does the built-in bundle.
fn manifest_of<'a>(documents: &'a ChannelDocuments, offered: &Offered) -> Option<&'a Manifest> {
    let Offered::Release { sequence, .. } = offered else { return None };
    documents.releases.get(sequence).map(|(_, manifest)| manifest)
}

/// Whether an offer is for every installation that can take it.
pub(super) fn is_for_all(offer: &Offer) -> bool {
    offer.share == 10_000
}

/// Whether every phone that can take `behind` can take what is offered `ahead` of it. The built-in
/// bundle, which has no manifest, can be taken by all.
fn is_moot(behind: Option<&Manifest>, ahead: Option<&Manifest>) -> bool {
    let Some(ahead) = ahead else { return true };
    let anything = NativeRange::default();
    let (native, requires, seal) = match behind {
        Some(behind) => (&behind.native, behind.requires.as_slice(), behind.seal.as_ref()),
        None => (&anything, &[][..], None),
    };
    let opens = match (&ahead.seal, seal) {
        (None, None) => true,
        (Some(ahead), Some(behind)) => {
            let opens = |kid| ahead.recipients.iter().any(|recipient| recipient.kid == kid);
            behind.recipients.iter().all(|recipient| opens(recipient.kid))
        }
        // Some apps have no key, and others take what is sealed alone.
        _ => false,
    };
    opens
        && ahead.requires.iter().all(|feature| requires.contains(feature))
        && encloses(ahead.native.android.as_ref(), native.android.as_ref(), |a, b| Some(a.cmp(b)))
        && encloses(ahead.native.ios.as_ref(), native.ios.as_ref(), |a, b| compare_builds(a, b))
}

/// Whether the builds of `inner` all lie in `outer`. No range, and no end, is no limit.
fn encloses<T>(
    outer: Option<&Range<T>>,
    inner: Option<&Range<T>>,
    compare: impl Fn(&T, &T) -> Option<Ordering>,
) -> bool {
    let end = |outer: Option<&T>, inner: Option<&T>, beyond: Ordering| match (outer, inner) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => compare(inner, outer).is_some_and(|order| order != beyond),
    };
    let Some(outer) = outer else { return true };
    let (min, max) = inner.map_or((None, None), |inner| (inner.min.as_ref(), inner.max.as_ref()));
    end(outer.min.as_ref(), min, Ordering::Less) && end(outer.max.as_ref(), max, Ordering::Greater)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_encloses_what_has_no_build_outside() {
        let range = |min, max| Some(Range { min, max });
        let encloses = |outer: &Option<Range<u64>>, inner: &Option<Range<u64>>| {
            encloses(outer.as_ref(), inner.as_ref(), |a, b| Some(a.cmp(b)))
        };
        let (all, from, to) = (range(None, None), range(Some(42), None), range(None, Some(50)));
        let within = range(Some(42), Some(50));
        for outer in [&None, &all] {
            assert!([&None, &all, &from, &to, &within].iter().all(|inner| encloses(outer, inner)));
        }
        for outer in [&from, &to] {
            assert!(encloses(outer, outer) && encloses(outer, &within));
            assert!([&None, &all].iter().all(|inner| !encloses(outer, inner)));
        }
        assert!(!encloses(&from, &to) && !encloses(&to, &from) && !encloses(&within, &from));
        assert!(
            !encloses(&range(Some(43), None), &from) && encloses(&range(Some(41), None), &from)
        );
        let builds = |min: &str| Some(Range { min: Some(min.to_owned()), max: None });
        let (nine, ten) = (builds("1.9"), builds("1.10"));
        let compare = |a: &String, b: &String| compare_builds(a, b);
        assert!(super::encloses(nine.as_ref(), ten.as_ref(), compare));
        assert!(!super::encloses(ten.as_ref(), nine.as_ref(), compare));
    }
}
