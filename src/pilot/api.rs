//! What a page may ask, and what it is told: names, options and results, as JSON.
//!
//! Enters: a method's name and its options as the page sent them. Leaves: a [`Call`]; results,
//! events and failures in the shapes that the TypeScript definitions give. Refuses: unknown methods,
//! unknown or ill-typed options, more than 16 KiB of them. No option names a release, a URL or a
//! folder: a page may ask, not choose.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::boot::{Reason, Which};
use crate::error::{Error, Result};
use crate::id::{Channel, InstallId};
use crate::json;
use crate::progress::Progress;
use crate::updater::{Release, Status, Via};

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

/// Every event that a page may listen for.
pub const EVENTS: [&str; 8] = [
    "downloadProgress",
    "updateAvailable",
    "updateStaged",
    "updateFailed",
    "nativeUpdateRequired",
    "rolledBack",
    "beforeReload",
    "stateChanged",
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

/// A bundle as pages see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// 64 hex digits, or `builtin`.
    pub id: String,
    /// Nothing for a built-in bundle that is no release.
    pub version: Option<String>,
    /// Nothing where `version` is nothing.
    pub sequence: Option<u64>,
    /// Nothing where `version` is nothing.
    pub channel: Option<Channel>,
}

impl Bundle {
    /// `which`, with what is known of it.
    #[must_use]
    pub fn new(which: Which, release: Option<&Release>) -> Self {
        let id = match which {
            Which::Builtin => "builtin".to_owned(),
            Which::Bundle(id) => id.to_string(),
        };
        Self {
            id,
            version: release.map(|release| release.version.clone()),
            sequence: release.map(|release| release.sequence),
            channel: release.map(|release| release.channel.clone()),
        }
    }

    /// The built-in bundle, of which nothing is known.
    #[must_use]
    pub fn builtin() -> Self {
        Self::new(Which::Builtin, None)
    }
}

/// A bundle that was given up, until a page has been told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which.
    pub from: Bundle,
    /// Why.
    pub reason: Reason,
}

/// The answer to `ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadyResult {
    /// What runs.
    pub current: Bundle,
    /// What it would fall back to, if that is not the built-in bundle.
    pub previous: Option<Bundle>,
    /// What was given up before, told once.
    pub rolled_back: Option<Bundle>,
    /// Why.
    pub reason: Option<Reason>,
}

/// The answer to `getState`, and what `stateChanged` carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateResult {
    /// The bundle in the native app.
    pub builtin: Bundle,
    /// What the page came from.
    pub current: Bundle,
    /// What the next start tries.
    pub next: Option<Bundle>,
    /// What waits for `apply()`.
    pub held: Option<Bundle>,
    /// What `current` would fall back to, if that is not the built-in bundle.
    pub previous: Option<Bundle>,
    /// What was given up on this device.
    pub blocked: Vec<BlockedBundle>,
    /// The channel that is followed.
    pub channel: Option<Channel>,
    /// Whether a check or a sync is under way.
    pub syncing: bool,
    /// When one last ended well, since the process began.
    pub last_check: Option<String>,
    /// How the last one failed, if it did.
    pub last_error: Option<LastError>,
    /// Nothing that policy allows is left on the device.
    pub below_floor: bool,
}

/// One entry of `blocked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockedBundle {
    /// Which.
    pub id: String,
    /// Its version, where the bundle is still on the device.
    pub version: Option<String>,
    /// Why, where that can be read.
    pub reason: Option<Reason>,
}

/// Which part of the work failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Reading the app's configuration.
    Config,
    /// Finding out what is offered.
    Check,
    /// Fetching and unpacking it.
    Download,
    /// Changing what runs.
    Apply,
    /// The call itself.
    Call,
}

/// How a check or a sync failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// Code of `docs/errors.md`.
    pub code: &'static str,
    /// Where.
    pub stage: Stage,
}

/// What a call rejects with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Code of `docs/errors.md`.
    pub code: &'static str,
    /// One sentence, for a developer.
    pub message: String,
    /// `{stage, retryable, role?, httpStatus?}`.
    pub data: Value,
}

impl Failure {
    /// `error`, as it is told to a page.
    #[must_use]
    pub fn new(error: &Error, stage: Stage) -> Self {
        let mut data = json!({ "stage": stage, "retryable": error.retryable() });
        if let Some(fields) = data.as_object_mut() {
            match error {
                Error::Trust(error) => {
                    fields.insert("role".to_owned(), Value::from(error.role.clone()));
                }
                Error::Http { status, .. } => {
                    fields.insert("httpStatus".to_owned(), Value::from(*status));
                }
                _ => {}
            }
        }
        Self { code: error.code(), message: error.to_string(), data }
    }
}

/// The answer to `check` or `sync` by an idle plugin.
const UNAVAILABLE: &str = "unavailable";

/// How a check or a sync ended, as pages see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How.
    pub status: Status,
    /// What is offered, else what the device has.
    pub release: Option<Bundle>,
    /// A check: bytes that a sync would fetch. A sync: bytes that travelled.
    pub bytes: u64,
    /// Where a bundle came from, if one was staged.
    pub via: Option<Via>,
    /// The app should not go on without it.
    pub mandatory: bool,
    /// The publisher's notes.
    pub notes: Option<String>,
}

/// The answer to `check`; nothing was found by an idle plugin.
#[must_use]
pub(super) fn checked(found: Option<&Found>) -> Value {
    match found {
        None => json!({
            "status": UNAVAILABLE, "release": null, "bytes": 0, "mandatory": false, "notes": null,
        }),
        Some(found) => json!({
            "status": found.status,
            "release": found.release,
            "bytes": found.bytes,
            "mandatory": found.mandatory,
            "notes": found.notes,
        }),
    }
}

/// The answer to `sync`; nothing was done by an idle plugin.
#[must_use]
pub(super) fn synced(done: Option<&Found>) -> Value {
    match done {
        None => json!({ "status": UNAVAILABLE, "release": null, "via": null, "bytes": 0 }),
        Some(done) => json!({
            "status": done.status,
            "release": done.release,
            "via": done.via,
            "bytes": done.bytes,
        }),
    }
}

/// Something that pages are told without asking.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// One of [`EVENTS`].
    pub event: &'static str,
    /// An object.
    pub data: Value,
    /// To be kept until a page listens.
    pub retain: bool,
}

impl Told {
    fn new(event: &'static str, data: Value) -> Self {
        Self { event, data, retain: false }
    }

    pub(super) fn progress(Progress { bytes, total }: Progress) -> Self {
        // Exact enough for a bar: sizes stay far below 2^53.
        #[expect(clippy::cast_precision_loss, reason = "a ratio for a progress bar")]
        let ratio = if total == 0 { 1.0 } else { (bytes as f64 / total as f64).min(1.0) };
        let data = json!({ "bytes": bytes, "total": total, "ratio": ratio });
        Self::new("downloadProgress", data)
    }

    pub(super) fn available(Found { release, bytes, mandatory, .. }: &Found) -> Self {
        let data = json!({ "release": release, "bytes": bytes, "mandatory": mandatory });
        Self::new("updateAvailable", data)
    }

    pub(super) fn staged(Found { status, release, .. }: &Found) -> Self {
        Self::new("updateStaged", json!({ "status": status, "release": release }))
    }

    pub(super) fn failed(error: &LastError) -> Self {
        Self::new("updateFailed", json!({ "code": error.code, "stage": error.stage }))
    }

    pub(super) fn native_update(found: &Found) -> Self {
        Self::new("nativeUpdateRequired", json!({ "release": found.release }))
    }

    pub(super) fn rolled_back(notice: &Notice, to: &Bundle) -> Self {
        let data = json!({ "from": notice.from, "to": to, "reason": notice.reason });
        Self { event: "rolledBack", data, retain: true }
    }

    pub(super) fn before_reload(to: &Bundle) -> Self {
        Self::new("beforeReload", json!({ "to": to }))
    }

    pub(super) fn state_changed(state: &StateResult) -> Self {
        Self::new("stateChanged", json!(state))
    }
}

/// What `getDeviceInfo` tells.
#[must_use]
pub(super) fn device_info(about: &About, install: Option<&InstallId>) -> Value {
    json!({
        "platform": about.platform,
        "installId": install.map(InstallId::as_str),
        "appId": about.app_id,
        "nativeVersion": about.native_version,
        "nativeBuild": about.native_build,
        "coreVersion": env!("CARGO_PKG_VERSION"),
    })
}

/// What is known of the native app without asking the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// `android` or `ios`.
    pub platform: &'static str,
    /// The app's id in its repository.
    pub app_id: String,
    /// `versionName`, `CFBundleShortVersionString`.
    pub native_version: String,
    /// `versionCode`, `CFBundleVersion`.
    pub native_build: String,
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

    #[test]
    fn a_failure_names_role_and_status() {
        use crate::error::{TrustError, TrustKind};
        let trust = Error::from(TrustError::new("snapshot", TrustKind::Expired, ""));
        let failure = Failure::new(&trust, Stage::Check);
        assert_eq!(failure.code, "expired");
        let data = json!({ "stage": "check", "retryable": false, "role": "snapshot" });
        assert_eq!(failure.data, data);
        let http = Failure::new(&Error::http(503, "blobs/1"), Stage::Download);
        let data = json!({ "stage": "download", "retryable": true, "httpStatus": 503 });
        assert_eq!(http.data, data);
    }
}
