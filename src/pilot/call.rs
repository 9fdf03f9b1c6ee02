//! What a page may ask: methods and their options, as JSON.
//!
//! Enters: a method's name and its options as the page sent them. Leaves: a [`Call`]. Refuses: unknown
//! methods, unknown or ill-typed options, more than 16 KiB of them. No option names a release, a URL or
//! a folder: a page may ask, not choose.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::Channel;
use crate::json;

/// Every method that a page may call. `attach` is the plugin script's own.
pub const METHODS: [&str; 14] = [
    "attach",
    "ready",
    "check",
    "sync",
    "apply",
    "reload",
    "reset",
    "getState",
    "reportFailure",
    "getChannel",
    "setChannel",
    "setHold",
    "getDeviceInfo",
    "cancel",
];

/// Longest options of a call, bytes.
const OPTIONS: usize = 16 << 10;
/// Longest nonce; the plugin's script sends 32.
const NONCE: usize = 64;
/// Most of a failure's message that is kept, characters.
const MESSAGE: usize = 256;

/// When a new bundle takes over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// When the app calls `apply()`.
    Manual,
    /// At the next start of the app.
    #[default]
    NextStart,
    /// When the app is next in the background.
    Background,
    /// At once.
    Now,
}

impl Apply {
    /// How soon a bundle takes over; of two wishes the sooner holds.
    #[must_use]
    pub(super) fn sooner(self, other: Self) -> Self {
        let rank = |apply| match apply {
            Self::Manual => 0,
            Self::NextStart => 1,
            Self::Background => 2,
            Self::Now => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// What ends a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// The app goes to the background.
    Background,
    /// The app is started anew.
    Restart,
}

/// A page's own name for itself, made up when the plugin's script loads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.len() > NONCE {
            return Err(serde::de::Error::custom("a nonce has 1 to 64 bytes"));
        }
        Ok(Self(text))
    }
}

/// One call of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// The plugin's script loaded in the page with this nonce.
    Attach(Nonce),
    /// The page came up.
    Ready(Option<Nonce>),
    /// Ask what is new.
    Check,
    /// Fetch what is new, and let it take over as told, else as configured.
    Sync(Option<Apply>),
    /// Start what waits.
    Apply,
    /// Load the running bundle's page anew.
    Reload,
    /// Back to the built-in bundle.
    Reset,
    /// What is on the device.
    State,
    /// The page's own bundle is bad.
    ReportFailure {
        /// The page.
        nonce: Option<Nonce>,
        /// For the log.
        message: Option<String>,
    },
    /// Which channel is followed.
    Channel,
    /// Follow this channel, or the configured one.
    SetChannel(Option<Channel>),
    /// Put off what would replace the page.
    SetHold(Option<Hold>),
    /// Versions and ids.
    DeviceInfo,
    /// End the run that is under way.
    Cancel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageOptions {
    nonce: Option<Nonce>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SyncOptions {
    apply: Option<Apply>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailureOptions {
    nonce: Option<Nonce>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelOptions {
    // Present even where it is null: a misspelt option must not mean "the configured one".
    #[serde(deserialize_with = "Option::deserialize")]
    channel: Option<Channel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldOptions {
    #[serde(deserialize_with = "Option::deserialize")]
    until: Option<Hold>,
}

impl Call {
    /// Reads a call. Empty `options` stand for none.
    ///
    /// # Errors
    /// [`Error::Argument`] for an unknown method or options that it does not take.
    pub fn parse(method: &str, options: &str) -> Result<Self> {
        let given = if options.trim().is_empty() { "{}" } else { options };
        Ok(match method {
            "attach" => {
                let PageOptions { nonce } = read(method, given)?;
                let none = || Error::Argument("attach: there is no nonce".to_owned());
                Self::Attach(nonce.ok_or_else(none)?)
            }
            "ready" => Self::Ready(read::<PageOptions>(method, given)?.nonce),
            "check" => none(method, given, Self::Check)?,
            "sync" => Self::Sync(read::<SyncOptions>(method, given)?.apply),
            "apply" => none(method, given, Self::Apply)?,
            "reload" => none(method, given, Self::Reload)?,
            "reset" => none(method, given, Self::Reset)?,
            "getState" => none(method, given, Self::State)?,
            "reportFailure" => {
                let FailureOptions { nonce, message } = read(method, given)?;
                let message = message.map(|text| text.chars().take(MESSAGE).collect());
                Self::ReportFailure { nonce, message }
            }
            "getChannel" => none(method, given, Self::Channel)?,
            "setChannel" => Self::SetChannel(read::<ChannelOptions>(method, given)?.channel),
            "setHold" => Self::SetHold(read::<HoldOptions>(method, given)?.until),
            "getDeviceInfo" => none(method, given, Self::DeviceInfo)?,
            "cancel" => none(method, given, Self::Cancel)?,
            other => return Err(Error::Argument(format!("there is no method {other:?}"))),
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(method: &str, options: &str) -> Result<T> {
    if options.len() > OPTIONS {
        return Err(Error::Argument(format!("{method}: options longer than {OPTIONS} bytes")));
    }
    json::parse_as(options.as_bytes())
        .map_err(|error| Error::Argument(format!("{method}: {error}")))
}

fn none(method: &str, options: &str, call: Call) -> Result<Call> {
    read::<NoOptions>(method, options).map(|NoOptions {}| call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_read_and_no_other() {
        for method in METHODS {
            let options = match method {
                "attach" => r#"{"nonce":"1"}"#,
                "setChannel" => r#"{"channel":null}"#,
                "setHold" => r#"{"until":null}"#,
                _ => "",
            };
            assert!(Call::parse(method, options).is_ok(), "{method}");
            let strange = r#"{"nonce":"1","url":"https://evil.example.com"}"#;
            assert_eq!(Call::parse(method, strange).unwrap_err().code(), "argument-invalid");
        }
        assert!(Call::parse("setNext", "{}").is_err());
    }

    #[test]
    fn options_are_read_strictly() {
        let sync = |options| Call::parse("sync", options).ok();
        assert_eq!(sync(r#"{"apply":"now"}"#), Some(Call::Sync(Some(Apply::Now))));
        assert_eq!(sync(r#"{"apply":null}"#), Some(Call::Sync(None)));
        assert_eq!(sync(r#"{"apply":"soon"}"#), None);
        assert_eq!(sync(r#"{"apply":"now","apply":"manual"}"#), None);
        assert_eq!(Call::parse("setChannel", "{}").ok(), None, "forgotten is not null");
        assert_eq!(Call::parse("setHold", r#"{"until":"noon"}"#).ok(), None);
        assert_eq!(Call::parse("attach", r#"{"nonce":""}"#).ok(), None);
        let long = format!(r#"{{"message":"{}"}}"#, "m".repeat(1000));
        let Ok(Call::ReportFailure { message: Some(kept), .. }) =
            Call::parse("reportFailure", &long)
        else {
            panic!()
        };
        assert_eq!(kept.len(), MESSAGE);
        let endless = format!(r#"{{"message":"{}"}}"#, "m".repeat(OPTIONS));
        assert!(Call::parse("reportFailure", &endless).is_err());
    }
}
