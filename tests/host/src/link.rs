//! What the app's process and whoever holds the phone say to each other, on the lines between the
//! DevTools messages.

use serde::{Deserialize, Serialize};

/// To the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum Tell {
    /// Here is the web view that was asked for.
    WebView {
        /// Its DevTools session.
        session: String,
    },
    /// Take the next step.
    Go,
    /// Take every step from now on.
    Free,
    /// The app is in front again.
    Active,
    /// The app is out of sight.
    Background,
}

/// From the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "kebab-case")]
pub enum Said {
    /// A step; it waits for [`Tell::Go`] in lockstep.
    Step {
        /// Which.
        step: String,
    },
    /// It needs a web view, the first or a new one.
    NeedsWebView,
}
