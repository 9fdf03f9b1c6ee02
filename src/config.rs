//! What the host app tells the library once.

use crate::id::{AppId, Channel};
use crate::native::Native;
use crate::time::UnixTime;

/// Configuration of an [`crate::updater::Updater`]. Comes from the app's build, never from a page.
#[derive(Debug, Clone)]
pub struct Config {
    /// The app. Documents made for another one are refused.
    pub app: AppId,
    /// The channel to follow unless another of the allowed ones was chosen.
    pub channel: Channel,
    /// Channels that [`crate::updater::Updater::set_channel`] may choose besides.
    pub allowed_channels: Vec<Channel>,
    /// Channels in which only sealed releases are taken.
    pub sealed: Vec<Channel>,
    /// The trust anchor: bytes of the `farad-root.json` that ships with the app.
    pub root: Vec<u8>,
    /// Platform and build of the native app.
    pub native: Native,
    /// Version of the native app as people read it.
    pub native_version: String,
    /// When the app was built: no clock is believed to be earlier. The epoch if unknown.
    pub built: UnixTime,
    /// The app is a debug build: [`crate::updater::Updater::clear_blocks`] works.
    pub debug: bool,
    /// Launches that a new bundle gets to say it is ready.
    pub attempts: u32,
    /// Staged bundles wait for [`crate::updater::Updater::apply`] instead of the next start.
    pub hold: bool,
    /// Waits for the network within one call before it gives up, without progress in between.
    pub retries: u32,
    /// Largest bundle that is taken, unpacked, bytes. At most [`crate::limits::BUNDLE`].
    pub max_bundle: u64,
}

impl Config {
    /// The defaults for an app, a channel, a trust anchor and a native build.
    #[must_use]
    pub fn new(app: AppId, channel: Channel, root: Vec<u8>, native: Native) -> Self {
        Self {
            app,
            channel,
            allowed_channels: Vec::new(),
            sealed: Vec::new(),
            root,
            native,
            native_version: String::new(),
            built: UnixTime::from_seconds(0),
            debug: false,
            attempts: 2,
            hold: false,
            retries: 2,
            max_bundle: crate::limits::BUNDLE,
        }
    }
}
