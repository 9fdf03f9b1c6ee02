//! Where an installation stands in a staged rollout.

use crate::digest::Hasher;
use crate::id::{AppId, Channel, InstallId};

/// The bucket of this installation, 0 to 9,999: it is in an offer's share if the bucket is below
/// it. Raising a share keeps those already in; another salt deals anew.
#[must_use]
pub fn bucket(app: &AppId, channel: &Channel, salt: &str, install: &InstallId) -> u32 {
    let mut hasher = Hasher::new();
    for text in ["farad/bucket/1", app.as_str(), channel.as_str(), salt, install.as_str()] {
        hasher.update_framed(text);
    }
    let digest = hasher.finish();
    let first = digest.as_bytes().first_chunk().copied().unwrap_or_default();
    // The remainder of a division by 10,000 fits.
    u32::try_from(u64::from_be_bytes(first) % 10_000).unwrap_or_default()
}

/// How an offer names an installation that it allows: 32 hex digits.
#[must_use]
pub fn allow_hash(app: &AppId, install: &InstallId) -> String {
    let mut hasher = Hasher::new();
    for text in ["farad/allow/1", app.as_str(), install.as_str()] {
        hasher.update_framed(text);
    }
    let digest = hasher.finish();
    crate::hex::encode(digest.as_bytes().first_chunk::<16>().map_or(&[], |half| half.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(n: u128) -> InstallId {
        InstallId::from_random(n.to_be_bytes())
    }

    #[test]
    fn agrees_with_an_independent_computation() {
        // Python: int.from_bytes(sha256(b''.join(len(t).to_bytes(4,'big')+t for t in texts))
        //         .digest()[:8],'big') % 10000, and .hexdigest()[:32] for the allow hash.
        let app = "com.example.shop".parse().unwrap();
        let channel = "production".parse().unwrap();
        assert_eq!(bucket(&app, &channel, "c0ffee", &install(1)), BUCKET_1);
        assert_eq!(allow_hash(&app, &install(1)), ALLOW_1);
    }

    #[test]
    fn shares_are_filled_evenly() {
        let app = "com.example.shop".parse().unwrap();
        let channel = "production".parse().unwrap();
        let inside = (0..4000).filter(|n| bucket(&app, &channel, "s", &install(*n)) < 2500).count();
        // Four standard deviations around 1,000.
        assert!((890..=1110).contains(&inside), "{inside}");
    }

    const BUCKET_1: u32 = 4402;
    const ALLOW_1: &str = "43076a0e4374a5584e1f4bad616ebb29";
}
