//! From what a native shell knows to a pilot: reads the configuration and the app's resources.
//!
//! Enters: `plugins.Farad`, where the app's files are, versions. Leaves: a [`Pilot`]. Refuses
//! nothing: a configuration that cannot work, or a store that cannot be opened, makes a pilot that says
//! so to every call, and shows the built-in bundle.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::api::About;
use super::machine::{Idle, Setting};
use super::settings::Settings;
use super::{Hands, Pilot};
use crate::builtin::{APK_PREFIX, Apk, Builtin};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::fetch::{Http, HttpOptions, HttpSink, MinTls};
use crate::host::{Clock, Random, System};
use crate::limits;
use crate::native::Native;
use crate::seal::{KeyId, OpeningKey, OpeningKeys};
use crate::store::RealDisk;
use crate::time::UnixTime;
use crate::updater::Updater;

/// Where an APK keeps the app's own files.
const ASSETS: &str = "assets/";
/// Longest key file, bytes.
const KEY: u64 = 4096;

/// What a native shell knows.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `plugins.Farad` of the app's configuration, as JSON.
    pub settings: String,
    /// The app id that Capacitor knows.
    pub app_id: String,
    /// The page comes from a development server (`server.url`).
    pub live_reload: bool,
    /// The app is a debug build.
    pub debug: bool,
    /// Platform and build.
    pub native: Native,
    /// Version as people read it.
    pub native_version: String,
    /// When the app was built or installed; the epoch if unknown.
    pub built: UnixTime,
    /// Private storage that no backup takes along. Made if it is not there.
    pub home: PathBuf,
    /// Where the app's own files are.
    pub source: Source,
}

/// Where the app's own files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Android: inside the APK; web files below `assets/public/`, resources in `assets/`.
    Apk(PathBuf),
    /// iOS, and tests.
    Folders {
        /// The built-in bundle.
        web: PathBuf,
        /// Resources.
        resources: PathBuf,
    },
}

impl Pilot {
    /// A pilot for the app that `setup` describes; sealed releases are opened by the keys that ship
    /// with it, and by `keys`. Reads the app's resources and connects nowhere; never fails.
    #[must_use]
    pub fn open(setup: &Setup, keys: Option<&Arc<dyn OpeningKeys>>, hands: Arc<dyn Hands>) -> Self {
        let clock = Arc::new(System);
        let parsed = Settings::parse(&setup.settings, &setup.app_id);
        let idle = match &parsed {
            _ if setup.live_reload => Some(Idle::LiveReload),
            Ok(settings) if !settings.enabled => Some(Idle::Disabled),
            Ok(_) => None,
            Err(error) => Some(invalid(error)),
        };
        let settings = parsed.ok();
        let (idle, updater) = match (idle, &settings) {
            (None, Some(settings)) => match updater(setup, settings, keys) {
                Ok(updater) => (None, Some(Arc::new(updater))),
                Err(error) => (Some(unusable(error)), None),
            },
            (idle, _) => (idle, None),
        };
        match &idle {
            None => {}
            Some(Idle::LiveReload) => log::info!("Farad is idle: server.url is set"),
            Some(Idle::Disabled) => log::info!("Farad is idle: it is switched off"),
            Some(Idle::Invalid(why)) => log::error!("Farad is idle: configuration: {why}"),
            Some(Idle::NoStore { doing, kind }) => log::error!("Farad is idle: {doing}: {kind}"),
        }
        let (platform, native_build) = match &setup.native {
            Native::Android { build } => ("android", build.to_string()),
            Native::Ios { build } => ("ios", build.clone()),
        };
        let about = About {
            platform,
            app_id: settings.as_ref().map_or(&*setup.app_id, |s| s.app.as_str()).to_owned(),
            native_version: setup.native_version.clone(),
            native_build,
        };
        let random = System.bytes().unwrap_or_default();
        let seed = random.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let setting = Setting { settings, idle, about, seed };
        Self::new(setting, updater, hands, clock)
    }
}

fn invalid(error: &Error) -> Idle {
    Idle::Invalid(match error {
        Error::Config(why) => why.clone(),
        error => error.to_string(),
    })
}

/// What storage refuses now is no fault of the configuration.
fn unusable(error: Error) -> Idle {
    match error {
        Error::Storage { doing, source } => Idle::NoStore { doing, kind: source.kind() },
        Error::NoSpace { doing } => Idle::NoStore { doing, kind: io::ErrorKind::StorageFull },
        error => invalid(&error),
    }
}

/// Keys that ship with the app, and those that native code obtains at run time.
struct Keyring {
    shipped: Vec<OpeningKey>,
    obtained: Option<Arc<dyn OpeningKeys>>,
}

impl OpeningKeys for Keyring {
    fn opening_key(&self, id: &KeyId) -> Option<OpeningKey> {
        let obtained = || self.obtained.as_ref()?.opening_key(id);
        self.shipped.opening_key(id).or_else(obtained)
    }
}

impl Setup {
    /// The updater for this app alone, for native code that goes without a pilot. Reads the app's
    /// resources and connects nowhere.
    ///
    /// # Errors
    /// [`Error::Config`] where the configuration cannot work; storage errors.
    pub fn updater(&self, keys: Option<&Arc<dyn OpeningKeys>>) -> Result<Updater> {
        updater(self, &Settings::parse(&self.settings, &self.app_id)?, keys)
    }
}

fn updater(
    setup: &Setup,
    settings: &Settings,
    keys: Option<&Arc<dyn OpeningKeys>>,
) -> Result<Updater> {
    let apk = match &setup.source {
        Source::Apk(path) => Some(Apk::open(path, APK_PREFIX)?),
        Source::Folders { .. } => None,
    };
    let resource = |name: &str, limit: u64| {
        let bytes = match (&apk, &setup.source) {
            (Some(apk), _) => apk.read(&format!("{ASSETS}{name}"), limit),
            (None, Source::Folders { resources, .. }) => read(&resources.join(name), limit),
            (None, Source::Apk(_)) => None,
        };
        bytes.ok_or_else(|| Error::Config(format!("there is no {name} in the app")))
    };
    let root = resource(&settings.root, limits::ROOT)?;
    let mut shipped = Vec::new();
    for name in &settings.opening_keys {
        let bytes = Zeroizing::new(resource(name, KEY)?);
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let key = OpeningKey::from_pem(text);
        shipped.push(key.map_err(|error| Error::Config(format!("{name}: {error}")))?);
    }
    let builtin = match (apk, &setup.source) {
        (Some(apk), _) => Builtin::Apk(apk),
        (None, Source::Folders { web, .. } | Source::Apk(web)) => Builtin::Folder(web.clone()),
    };
    let (app, channel) = (settings.app.clone(), settings.channel.clone());
    let mut config = Config::new(app, channel, root, setup.native.clone());
    config.sealed = settings.allowed_channels.clone();
    config.sealed.push(settings.channel.clone());
    config.sealed.retain(|channel| settings.sealed.required(channel));
    config.allowed_channels.clone_from(&settings.allowed_channels);
    config.native_version.clone_from(&setup.native_version);
    config.built = setup.built;
    config.debug = setup.debug;
    config.max_bundle = settings.max_bundle_size;
    let options = |url: &str| HttpOptions {
        min_tls: if settings.old_tls { MinTls::V1_2 } else { MinTls::V1_3 },
        allow_plain: setup.debug && settings.allow_http && is_private(url),
        ..HttpOptions::default()
    };
    let mirrors = settings.urls.iter().map(|url| Http::new(url, &options(url)).map(Arc::new));
    let mirrors = mirrors.collect::<Result<Vec<_>>>()?;
    let mut mirrors = mirrors.into_iter();
    let none = || Error::Config("plugins.Farad.url is missing".to_owned());
    let first = mirrors.next().ok_or_else(none)?;
    let sink = settings.events_url.as_ref().map(|url| HttpSink::new(url, &options(url)));
    let sink = sink.transpose().map_err(|error| match error {
        Error::Config(why) => Error::Config(format!("plugins.Farad.eventsUrl: {why}")),
        error => error,
    })?;
    // Last: a configuration that cannot work leaves nothing on the device.
    let disk = RealDisk::new(&setup.home)
        .map_err(|error| Error::storage("making the store's folder", error))?;
    let system = Arc::new(System);
    let clock: Arc<dyn Clock> = system.clone();
    let updater = Updater::new(config, Arc::new(disk), first, clock, system, builtin)
        .with_opening_keys(Arc::new(Keyring { shipped, obtained: keys.cloned() }));
    let updater = match sink {
        Some(sink) => updater.with_events(Arc::new(sink)),
        None => updater,
    };
    Ok(mirrors.fold(updater, |updater, mirror| updater.with_mirror(mirror)))
}

/// Whether a plain address is one of this machine or of a private network (RFC 1918, RFC 3927,
/// RFC 4193): where a developer's own server may stand.
fn is_private(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(v4)) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        Ok(std::net::IpAddr::V6(v6)) => {
            v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
        Err(_) => host == "localhost",
    }
}

/// A small file, or nothing if there is none that can be read.
fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for private in [
            "http://10.0.2.2:8080/x",
            "http://192.168.1.5",
            "http://172.16.0.1/",
            "http://127.0.0.1:1",
            "http://localhost:3000",
            "http://[fd00::1]:80/a",
        ] {
            assert!(is_private(private), "{private}");
        }
        for public in [
            "http://example.com",
            "http://8.8.8.8",
            "http://172.32.0.1",
            "http://10.0.0.1.example.com",
            "http://user@10.0.0.1",
            "http://localhost.example.com",
            "https://10.0.0.1",
        ] {
            assert!(!is_private(public), "{public}");
        }
    }
}
