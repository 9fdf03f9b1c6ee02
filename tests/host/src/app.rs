//! The app that a process of the host is: what its native build fixed.

use std::path::PathBuf;

use farad::native::Native;
use farad::pilot::{Setup, Source};
use farad::time::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::Files;
use crate::routes::Platform;

/// One installed app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// Where it runs.
    pub platform: Platform,
    /// `plugins.Farad` of its configuration.
    pub settings: Value,
    /// `server.url` is set.
    pub live_reload: bool,
    /// Its id.
    pub id: String,
    /// `versionCode`, `CFBundleVersion`.
    pub build: u64,
    /// What the system keeps for it, and gives to nobody else.
    pub home: PathBuf,
    /// The APK, or the folder `App.app`.
    pub package: PathBuf,
    /// Capacitor's bridge script.
    pub bridge: PathBuf,
    /// Where its pages are, on this machine.
    pub port: u16,
    /// Waits for the user's nod at every step.
    pub lockstep: bool,
}

impl App {
    /// Where its pages are. Android says `https://localhost` and iOS `capacitor://localhost`; to a
    /// browser all of them are secure, and the plugin does not look at it.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The built-in web files.
    #[must_use]
    pub fn builtin(&self) -> Files {
        match self.platform {
            Platform::Android => Files::Apk(self.package.clone()),
            Platform::Ios => Files::Folder(self.package.join("public")),
        }
    }

    /// What the plugin tells the core.
    #[must_use]
    pub fn setup(&self) -> Setup {
        let (native, source) = match self.platform {
            Platform::Android => {
                (Native::Android { build: self.build }, Source::Apk(self.package.clone()))
            }
            Platform::Ios => (
                Native::Ios { build: self.build.to_string() },
                Source::Folders {
                    web: self.package.join("public"),
                    resources: self.package.clone(),
                },
            ),
        };
        Setup {
            settings: self.settings.to_string(),
            app_id: self.id.clone(),
            live_reload: self.live_reload,
            debug: true,
            native,
            native_version: format!("1.{}", self.build),
            built: UnixTime::from_seconds(0),
            home: self.home.join("farad"),
            source,
        }
    }
}
