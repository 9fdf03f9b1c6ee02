//! Names that travel: apps, channels, bundles, installations.
//!
//! Each is a newtype that can only hold what the format allows, so that it may become a file name
//! or part of a hash without further thought.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// What a name refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not allowed: {rule}")]
pub struct BadName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let allowed: fn(&str) -> bool = $allowed;
                if allowed(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    let text = text.chars().take(64).collect();
                    Err(BadName { what: $what, text, rule: $rule })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

text_name!(
    /// The app's id as the stores know it, such as `com.example.shop`. Binds every document to one
    /// app, so that two apps signed with the same keys cannot be given each other's releases.
    AppId,
    "app id",
    "1 to 128 of A-Z a-z 0-9 . _ -",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
);

text_name!(
    /// A channel such as `production` or `beta`. TUF role names and paths derive from it.
    Channel,
    "channel",
    "1 to 32 of a-z 0-9 -, not starting with -",
    |text| (1..=32).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

text_name!(
    /// 128 random bits in lower-case hex, drawn at the first start. It decides this installation's
    /// place in rollouts and never leaves the device unless the user copies it.
    InstallId,
    "install id",
    "32 lower-case hex digits",
    |text| text.len() == 32
        && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

text_name!(
    /// 128 random bits in lower-case hex, drawn for one event alone.
    EventId,
    "event id",
    "32 lower-case hex digits",
    |text| text.len() == 32
        && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

impl Channel {
    /// The TUF role that says what may run in this channel.
    #[must_use]
    pub fn releases_role(&self) -> String {
        format!("{self}-releases")
    }

    /// The TUF role that says what is offered in this channel now.
    #[must_use]
    pub fn rollout_role(&self) -> String {
        format!("{self}-rollout")
    }

    /// TUF target path of the offers.
    #[must_use]
    pub fn rollout_path(&self) -> String {
        format!("{self}/rollout.json")
    }

    /// TUF target path of the policy.
    #[must_use]
    pub fn policy_path(&self) -> String {
        format!("{self}/policy.json")
    }

    /// TUF target path of the manifest of release `sequence`.
    #[must_use]
    pub fn release_path(&self, sequence: u64) -> String {
        format!("{self}/releases/{sequence}.json")
    }
}

impl InstallId {
    /// The id that spells `random`.
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(crate::hex::encode(&random))
    }
}

impl EventId {
    /// The id that spells `random`.
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(crate::hex::encode(&random))
    }
}

/// The id of a bundle on the device: SHA-256 of its signed manifest. A folder, a mark or a
/// tombstone can therefore never come to mean another release.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct BundleId(pub Digest);

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BundleId {
    type Err = crate::digest::NotADigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_names_are_narrow() {
        for good in ["production", "beta-2", "0"] {
            assert!(good.parse::<Channel>().is_ok(), "{good}");
        }
        for bad in ["", "-x", "Beta", "a/b", "..", "a.b", "ä", &"x".repeat(33)] {
            assert!(bad.parse::<Channel>().is_err(), "{bad}");
        }
    }

    #[test]
    fn app_ids_are_what_stores_allow() {
        assert!("com.example.shop_2".parse::<AppId>().is_ok());
        assert!("com example".parse::<AppId>().is_err());
        assert!("".parse::<AppId>().is_err());
    }
}
