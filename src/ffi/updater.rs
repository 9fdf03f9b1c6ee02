//! The updater, for native code: what stands below a pilot, and serves an app without one.

use std::sync::Arc;

use super::records::{Setup, signed, text};
use super::{Listener, OpeningKeys, Result, run_time_keys, swallow};
use crate::boot::{Reason, Which};
use crate::error::Error;
use crate::pilot;
use crate::progress::{Cancel, Progress};
use crate::updater::{self, Step, Synced};

/// Stops a running call from another thread.
#[derive(uniffi::Object, Default)]
pub struct CancelToken {
    inner: Cancel,
}

#[uniffi::export]
impl CancelToken {
    /// A token that stops nothing yet. One serves any number of calls until it is used.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Stops every call that holds this, at its next piece of work.
    pub fn cancel(&self) -> Result<()> {
        self.inner.cancel();
        Ok(())
    }
}

/// Keeps one app's bundle up to date: what stands below a pilot, and serves an app without one.
#[derive(uniffi::Object)]
pub struct Updater {
    inner: Arc<updater::Updater>,
}

/// A bundle.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Bundle {
    /// 64 hex digits, or `builtin`.
    pub id: String,
    /// Version, for people; null where it is not known.
    pub version: Option<String>,
}

/// What a start shows.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Launch {
    /// Which bundle.
    pub bundle: Bundle,
    /// The folder to serve; null for the built-in bundle.
    pub folder: Option<String>,
    /// To be handed back with `ready`, if the bundle is on trial.
    pub token: Option<String>,
}

/// How a check or a sync ended.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Outcome {
    /// One of the statuses of `docs/errors.md`.
    pub status: String,
    /// What is offered, else what the device has; null for a built-in bundle that is no release.
    pub release: Option<Bundle>,
    /// A check: bytes that a sync would fetch. A sync: bytes that travelled.
    pub bytes: i64,
    /// Where the bytes of a bundle came from: `local`, `patch`, `ranges`, `pack`; null where none was
    /// staged.
    pub via: Option<String>,
    /// The app should not go on without it.
    pub mandatory: bool,
}

/// What is on the device.
#[derive(Debug, Clone, uniffi::Record)]
pub struct State {
    /// What was confirmed last.
    pub confirmed: Bundle,
    /// What has yet to say that it is ready.
    pub trial: Option<Bundle>,
    /// What the next start tries.
    pub next: Option<Bundle>,
    /// What waits for `apply`.
    pub held: Option<Bundle>,
    /// What was confirmed before.
    pub previous: Option<Bundle>,
    /// Ids of bundles that were given up on this device.
    pub blocked: Vec<String>,
    /// The channel that is followed.
    pub channel: String,
    /// This installation, for allow-lists.
    pub install_id: String,
    /// Nothing that policy allows is left on the device.
    pub below_floor: bool,
}

/// Why a launch failed.
#[derive(Debug, Clone, Copy, uniffi::Enum)]
pub enum FailReason {
    NotReady,
    RendererGone,
    Reported,
}

#[uniffi::export]
impl Updater {
    /// For the app that `setup` describes. Reads the app's own files, opens the store's folder,
    /// connects nowhere.
    #[uniffi::constructor]
    pub fn open(setup: Setup, keys: Option<Arc<dyn OpeningKeys>>) -> Result<Arc<Self>> {
        let keys = keys.map(run_time_keys);
        let inner = pilot::Setup::from(setup).updater(keys.as_ref())?;
        Ok(Arc::new(Self { inner: Arc::new(inner) }))
    }

    /// Decides what this start shows; once for each page load of the app's making. `excused` if the
    /// system says that it ended the last process. Blocks about a millisecond.
    pub fn boot(&self, excused: bool) -> Result<Launch> {
        let launched = self.inner.boot(excused);
        Ok(Launch {
            bundle: self.bundle(launched.which),
            folder: launched.path.map(text),
            token: launched.token,
        })
    }

    /// The launch with this token came up. Blocks for milliseconds; writes.
    pub fn ready(&self, token: String) -> Result<()> {
        Ok(self.inner.ready(&token)?)
    }

    /// The launch with this token did not come up; whether its bundle was given up. Boot again after
    /// this. Blocks for milliseconds; writes.
    pub fn fail(&self, token: String, reason: FailReason) -> Result<bool> {
        let reason = match reason {
            FailReason::NotReady => Reason::NotReady,
            FailReason::RendererGone => Reason::RendererGone,
            FailReason::Reported => Reason::Reported,
        };
        Ok(self.inner.fail(&token, reason)?.is_some())
    }

    /// Asks what is new; changes no bundle. Blocks for seconds.
    pub fn check(&self, cancel: Arc<CancelToken>) -> Result<Outcome> {
        let found = self.inner.check(&cancel.inner)?;
        Ok(self.outcome(&found))
    }

    /// Fetches, verifies and stages what is offered; with `hold` it waits for `apply`. Blocks for
    /// seconds to minutes; `listener` is called on this thread, at most ten times a second.
    pub fn sync(
        &self,
        hold: bool,
        cancel: Arc<CancelToken>,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Outcome> {
        let mut pace = pilot::Pace::default();
        let done = self.inner.sync_watched(hold, &cancel.inner, &mut |step| {
            if let (Step::Progress(progress), Some(listener)) = (step, &listener)
                && pace.is_due(progress)
            {
                let Progress { bytes, total } = progress;
                swallow(listener.progress(signed(bytes), signed(total)));
            }
        })?;
        Ok(self.outcome(&done))
    }

    /// Posts the events that wait, if the configuration has an `eventsUrl`; how many the server has
    /// taken. A pilot does this by itself. Blocks for seconds.
    pub fn send_events(&self, cancel: Arc<CancelToken>) -> Result<i64> {
        Ok(signed(self.inner.send_events(&cancel.inner)?.acknowledged))
    }

    /// What is held may run from the next start on. Blocks for milliseconds; writes.
    pub fn apply(&self) -> Result<()> {
        Ok(self.inner.apply()?)
    }

    /// Back to the built-in bundle from the next start on, until a sync finds something else offered.
    /// Blocks for milliseconds; writes.
    pub fn reset(&self) -> Result<()> {
        Ok(self.inner.reset()?)
    }

    /// Removes a bundle that waits (`next`, `held`) or was confirmed before (`previous`); whether it is
    /// gone. One that is still shown goes with a later sync. The next sync fetches it again if it is
    /// offered. `Misuse` for what is confirmed or on trial. Blocks for milliseconds; writes. No page can
    /// ask for it.
    pub fn delete_bundle(&self, id: String) -> Result<bool> {
        let id = id.parse().map_err(|_| Error::Argument("this is no bundle's id".to_owned()))?;
        Ok(self.inner.delete_bundle(&id)?)
    }

    /// Forgets which bundles were given up on this device, in a debug build; `Misuse` in any other. What
    /// the publisher revoked stays so. Blocks for milliseconds; writes. No page can ask for it.
    pub fn clear_blocks(&self) -> Result<()> {
        Ok(self.inner.clear_blocks()?)
    }

    /// Follows another of the channels that the configuration allows, or the configured one. Blocks
    /// for milliseconds; writes.
    pub fn set_channel(&self, channel: Option<String>) -> Result<()> {
        let parse =
            |name: String| name.parse().map_err(|error| Error::Argument(format!("{error}")));
        let channel = channel.map(parse).transpose()?;
        Ok(self.inner.set_channel(channel.as_ref())?)
    }

    /// What is on the device. Blocks for milliseconds; reads.
    pub fn state(&self) -> Result<State> {
        let state = self.inner.state()?;
        let bundle = |id| self.bundle(Which::Bundle(id));
        Ok(State {
            confirmed: self.bundle(state.record.confirmed),
            trial: state.record.trial.as_ref().map(|trial| bundle(trial.id)),
            next: state.record.next.map(|which| self.bundle(which)),
            held: state.record.held.map(bundle),
            previous: state.record.previous.map(bundle),
            blocked: state.blocked.iter().map(|(id, _)| id.to_string()).collect(),
            channel: self.inner.channel()?.to_string(),
            install_id: state.install_id.as_str().to_owned(),
            below_floor: state.below_floor,
        })
    }
}

impl Updater {
    pub(super) fn over(inner: Arc<updater::Updater>) -> Self {
        Self { inner }
    }

    fn bundle(&self, which: Which) -> Bundle {
        let release = self.inner.release(which);
        let id = match which {
            Which::Builtin => "builtin".to_owned(),
            Which::Bundle(id) => id.to_string(),
        };
        Bundle { id, version: release.map(|release| release.version) }
    }

    fn outcome(&self, synced: &Synced) -> Outcome {
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|value| value.as_str().map(str::to_owned))
        };
        let builtin = self.inner.release(Which::Builtin).map(|release| release.id);
        Outcome {
            status: word(serde_json::to_value(synced.status)).unwrap_or_default(),
            release: synced.release.as_ref().map(|release| Bundle {
                id: if builtin == Some(release.id) {
                    "builtin".to_owned()
                } else {
                    release.id.to_string()
                },
                version: Some(release.version.clone()),
            }),
            bytes: signed(synced.bytes),
            via: synced.via.and_then(|via| word(serde_json::to_value(via))),
            mandatory: synced.mandatory,
        }
    }
}
