//! What is offered, to whom, and what may never run: rollout and policy, as pure rules.
//!
//! Enters: verified bytes of `<channel>/rollout.json` and `<channel>/policy.json`, and facts about
//! this device. Leaves: the release to take, or why none. The choice is made on the device, so
//! every device asks for the same cacheable files and sends no identifier of its own.

mod bucket;
mod choose;
mod policy;

use serde::{Deserialize, Serialize};

pub use bucket::{allow_hash, bucket};
pub use choose::{Choice, Device, Running, Verdict, choose};
#[cfg(feature = "publish")]
pub use policy::BuiltIn;
pub use policy::Policy;

use crate::digest::Digest;
use crate::error::{Error, Result, wrong_repository};
use crate::id::{AppId, Channel};
use crate::release::SCHEMA;
use crate::{json, limits};

/// The offers of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The app it was made for.
    pub app: AppId,
    /// The channel it was made for.
    pub channel: Channel,
    /// Features a client must understand to act on it.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Walked in order; the first that is allowed and admits the device is taken.
    pub offers: Vec<Offer>,
    /// Nothing new is taken while this is set; revocations still act.
    #[serde(default)]
    pub paused: bool,
}

/// One offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What is offered.
    pub release: Offered,
    /// Share of installations, in basis points: 10,000 is everyone.
    pub share: u32,
    /// Hex. Drawn anew for each release, so that it is not always the same people who go first.
    pub salt: String,
    /// Hashed ids of installations that get it whatever the share ([`allow_hash`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The app should not go on without it.
    #[serde(default)]
    pub mandatory: bool,
}

/// What an offer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offered {
    /// The bundle that the native app brought along.
    Builtin,
    /// A release of this channel.
    #[serde(untagged)]
    Release {
        /// Its sequence.
        sequence: u64,
        /// SHA-256 of its manifest: rollout and releases role must agree on the bytes.
        manifest: Digest,
    },
}

impl Rollout {
    /// Reads the verified bytes of a rollout for `app` and `channel`.
    ///
    /// # Errors
    /// [`Error::Document`] where it breaks the format or was made for something else.
    pub fn parse(bytes: &[u8], app: &AppId, channel: &Channel) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::document("rollout", detail));
        let rollout: Self =
            json::parse_as(bytes).map_err(|error| Error::document("rollout", error))?;
        if rollout.schema != SCHEMA {
            return refuse("of another schema");
        }
        if rollout.app != *app || rollout.channel != *channel {
            return Err(wrong_repository("rollout"));
        }
        if rollout.offers.len() > limits::OFFERS {
            return refuse("too many offers");
        }
        if rollout.offers.iter().map(|offer| offer.allow.len()).sum::<usize>() > limits::ALLOWED {
            return refuse("too many allowed installations");
        }
        if rollout
            .offers
            .iter()
            .any(|offer| offer.share > 10_000 || offer.salt.len() > limits::TEXT)
        {
            return refuse("a share or salt is out of range");
        }
        Ok(rollout)
    }

    /// The bytes to sign and publish.
    ///
    /// # Errors
    /// Where a field cannot be written as JSON.
    #[cfg(feature = "publish")]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        json::compact(self).map_err(|error| Error::document("rollout", error))
    }
}
