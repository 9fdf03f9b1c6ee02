//! What a page is told: results, events and failures, as JSON in the shapes that the TypeScript
//! definitions give. What a page may ask is in [`super::call`].

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::boot::{Reason, Which};
use crate::error::Error;
use crate::id::{Channel, InstallId};
use crate::progress::Progress;
use crate::updater::{Release, Status, Via};

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
