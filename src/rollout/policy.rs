//! Policy: the floor and the revocations of a channel. Signed by its releases role, so that who
//! holds the online keys alone cannot lower it.

use serde::{Deserialize, Serialize};

#[cfg(feature = "publish")]
use crate::digest::Digest;
use crate::error::{Error, Result, wrong_repository};
use crate::id::{AppId, Channel};
#[cfg(feature = "publish")]
use crate::release::Blob;
use crate::release::SCHEMA;
use crate::{json, limits};

/// What may run in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The app it was made for.
    pub app: AppId,
    /// The channel it was made for.
    pub channel: Channel,
    /// Features a client must understand to take anything new under it.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Lowest sequence that is ever moved to, fallbacks included.
    #[serde(default)]
    pub floor: u64,
    /// Sequences that are never launched.
    #[serde(default)]
    pub revoked: Vec<u64>,
    /// Releases that ship inside a native app: their blobs stay, and patches start from them.
    #[cfg(feature = "publish")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builtins: Vec<BuiltIn>,
}

/// A release that was built into a native app with `farad embed`.
#[cfg(feature = "publish")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltIn {
    /// Its sequence.
    pub sequence: u64,
    /// SHA-256 of its manifest.
    pub manifest: Digest,
    /// Its index.
    pub index: Blob,
    /// Its layout.
    pub layout: Blob,
    /// Its pack.
    pub pack: Blob,
}

impl Policy {
    /// The policy of a channel that never had one.
    #[must_use]
    pub fn open(app: AppId, channel: Channel) -> Self {
        Self {
            schema: SCHEMA,
            app,
            channel,
            requires: Vec::new(),
            floor: 0,
            revoked: Vec::new(),
            #[cfg(feature = "publish")]
            builtins: Vec::new(),
        }
    }

    /// Reads the verified bytes of a policy for `app` and `channel`, all of it, as writers must.
    ///
    /// # Errors
    /// [`Error::Document`] where it breaks the format or was made for something else.
    #[cfg(feature = "publish")]
    pub fn parse(bytes: &[u8], app: &AppId, channel: &Channel) -> Result<Self> {
        Self::read(
            json::parse(bytes).map_err(|error| Error::document("policy", error))?,
            app,
            channel,
        )
    }

    /// Reads what of it binds a device. Of a policy that requires what is not known that can be read too:
    /// what it forbids has one shape for ever, and the rest is none of a device's business.
    ///
    /// # Errors
    /// [`Error::Document`] where it breaks the format or was made for something else.
    pub fn heed(bytes: &[u8], app: &AppId, channel: &Channel) -> Result<Self> {
        let policy = json::parse(bytes).map_err(|error| Error::document("policy", error))?;
        // Without `publish` the field is unknown anyway.
        #[cfg(feature = "publish")]
        let policy = {
            let mut policy = policy;
            policy.as_object_mut().and_then(|fields| fields.remove("builtins"));
            policy
        };
        Self::read(policy, app, channel)
    }

    fn read(policy: serde_json::Value, app: &AppId, channel: &Channel) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::document("policy", detail));
        let policy: Self =
            serde_json::from_value(policy).map_err(|error| Error::document("policy", error))?;
        if policy.schema != SCHEMA {
            return refuse("of another schema");
        }
        if policy.app != *app || policy.channel != *channel {
            return Err(wrong_repository("policy"));
        }
        if policy.revoked.len() > limits::REVOKED {
            return refuse("too many revocations");
        }
        Ok(policy)
    }

    /// Whether release `sequence` may never be launched.
    #[must_use]
    pub fn revokes(&self, sequence: u64) -> bool {
        self.revoked.contains(&sequence)
    }

    /// This policy, and what `other` of the same channel forbids besides. That is the newer of the two,
    /// whichever it is: floors never fall, and no revocation is taken back.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.floor = self.floor.max(other.floor);
        self.revoked.extend(&other.revoked);
        self
    }

    /// The bytes to sign and publish.
    ///
    /// # Errors
    /// Where a field cannot be written as JSON.
    #[cfg(feature = "publish")]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        json::compact(self).map_err(|error| Error::document("policy", error))
    }
}
