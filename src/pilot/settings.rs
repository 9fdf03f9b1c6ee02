//! `plugins.Farad` of an app's `capacitor.config`, read the same way on both platforms.
//!
//! Enters: the object as JSON, and the app id that Capacitor knows. Leaves: [`Settings`]. Refuses,
//! with [`Error::Config`] that names the key: what is missing, misspelt, of another type or out of
//! range. Files are named here and read by [`super::open`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::call::Apply;
use super::schedule::AutoSync;
use crate::error::{Error, Result};
use crate::id::{AppId, Channel};
use crate::{json, limits};

/// Longest configuration, bytes.
const LONGEST: usize = 64 << 10;
const URLS: usize = 8;
const FILES: usize = 16;
/// Longest time to get ready, milliseconds.
const READY: u64 = 10 * 60 * 1000;
/// Longest interval, minutes: a week.
const MINUTES: u64 = 7 * 24 * 60;

/// What an app's build says of its updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Base URLs that serve one repository, asked in turn.
    pub urls: Vec<String>,
    /// Resource file of the trust anchor.
    pub root: String,
    /// The app's id in its repository.
    pub app: AppId,
    /// The channel to follow.
    pub channel: Channel,
    /// Channels that a page may choose.
    pub allowed_channels: Vec<Channel>,
    /// Whether bundles must be sealed.
    pub sealed: Sealed,
    /// Resource files of keys that open sealed bundles.
    pub opening_keys: Vec<String>,
    /// When to sync without being asked.
    pub auto_sync: AutoSync,
    /// When a new bundle takes over, unless a page says otherwise.
    pub apply: Apply,
    /// How long a bundle on trial has to get ready; nothing means for ever.
    pub ready_timeout: Option<Duration>,
    /// Largest bundle that is taken, unpacked, bytes.
    pub max_bundle_size: u64,
    /// Whether syncs of its own accord download over metered networks.
    pub allow_metered: bool,
    /// Load the new bundle at the route that the old page was on.
    pub keep_route: bool,
    /// Speak TLS 1.2 too.
    pub old_tls: bool,
    /// Where events are posted; nothing means that there are none.
    pub events_url: Option<String>,
    /// Debug builds only: plain http to private addresses.
    pub allow_http: bool,
    /// Whether the plugin does anything at all.
    pub enabled: bool,
}

/// Whether bundles must be sealed, by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Where no channel is named.
    pub otherwise: bool,
    /// By channel.
    pub channels: BTreeMap<Channel, bool>,
}

impl Sealed {
    /// Whether bundles of `channel` must be sealed.
    #[must_use]
    pub fn required(&self, channel: &Channel) -> bool {
        self.channels.get(channel).copied().unwrap_or(self.otherwise)
    }
}

impl Settings {
    /// Reads the configuration of the app that Capacitor knows as `app_id`.
    ///
    /// # Errors
    /// [`Error::Config`], naming the key.
    pub fn parse(text: &str, app_id: &str) -> Result<Self> {
        if text.len() > LONGEST {
            return Err(bad("", "is longer than 64 KiB"));
        }
        let given = json::parse(text.as_bytes()).map_err(|error| bad("", error))?;
        let Value::Object(fields) = given else {
            return Err(bad("", "is missing"));
        };
        let mut read = Reader { fields };
        let url = |url: String| address_of("url", url);
        let enabled = read.flag("enabled", true)?;
        let urls = match read.take("url") {
            Some(Value::String(one)) => vec![url(one)?],
            Some(Value::Array(several)) if (1..=URLS).contains(&several.len()) => several
                .into_iter()
                .map(|each| text_of("url", each).and_then(url))
                .collect::<Result<_>>()?,
            // Who switched the plugin off need not say where updates would come from.
            None if !enabled => Vec::new(),
            None => return Err(bad("url", "is missing")),
            Some(_) => return Err(bad("url", "is neither a text nor a list of 1 to 8 texts")),
        };
        let channel = match read.text("channel")? {
            Some(name) => name_of("channel", &name)?,
            None if !enabled => name_of("channel", "production")?,
            None => return Err(bad("channel", "is missing")),
        };
        let allowed_channels: Vec<Channel> = match read.texts("allowedChannels")? {
            Some(names) => {
                names.iter().map(|name| name_of("allowedChannels", name)).collect::<Result<_>>()?
            }
            None => vec![channel.clone()],
        };
        let app = read.text("appId")?.unwrap_or_else(|| app_id.to_owned());
        let settings = Self {
            urls,
            root: read.file("root")?.unwrap_or_else(|| "farad-root.json".to_owned()),
            app: app.parse().map_err(|error| bad("appId", error))?,
            channel,
            allowed_channels,
            sealed: sealed(read.take("sealed"))?,
            opening_keys: match read.texts("openingKeys")? {
                Some(names) => {
                    names.into_iter().map(|n| file_of("openingKeys", n)).collect::<Result<_>>()?
                }
                None => Vec::new(),
            },
            auto_sync: auto_sync(read.take("autoSync"))?,
            apply: match read.take("apply") {
                None => Apply::default(),
                Some(value) => serde_json::from_value(value)
                    .map_err(|_| bad("apply", "is none of next-start, background, now, manual"))?,
            },
            ready_timeout: match read.number("readyTimeout", READY)?.unwrap_or(10_000) {
                0 => None,
                1..1000 => return Err(bad("readyTimeout", "is less than a second")),
                milliseconds => Some(Duration::from_millis(milliseconds)),
            },
            max_bundle_size: match read.number("maxBundleSize", limits::BUNDLE)? {
                Some(0) => return Err(bad("maxBundleSize", "is 0")),
                given => given.unwrap_or(limits::BUNDLE),
            },
            allow_metered: read.flag("allowMetered", true)?,
            keep_route: read.flag("keepRoute", false)?,
            old_tls: match read.text("minTls")?.as_deref() {
                None | Some("1.3") => false,
                Some("1.2") => true,
                Some(_) => return Err(bad("minTls", "is neither \"1.3\" nor \"1.2\"")),
            },
            events_url: match read.text("eventsUrl")? {
                Some(url) => Some(address_of("eventsUrl", url)?),
                None => None,
            },
            allow_http: read.flag("allowHttp", false)?,
            enabled,
        };
        match read.fields.keys().next() {
            // A misspelt key would otherwise be a setting that silently is not made.
            Some(strange) => Err(bad(strange, "is no key of Farad's")),
            None => Ok(settings),
        }
    }
}

fn auto_sync(value: Option<Value>) -> Result<AutoSync> {
    let choices = "is none of off, on-start, on-resume, or 1 to 10080 minutes";
    Ok(match value {
        None => AutoSync::default(),
        Some(Value::String(word)) => match word.as_str() {
            "off" => AutoSync::Off,
            "on-start" => AutoSync::OnStart,
            "on-resume" => AutoSync::OnResume,
            _ => return Err(bad("autoSync", choices)),
        },
        Some(value) => {
            let minutes = value.as_u64().filter(|minutes| (1..=MINUTES).contains(minutes));
            let minutes = minutes.and_then(|minutes| u32::try_from(minutes).ok());
            AutoSync::Every(minutes.ok_or_else(|| bad("autoSync", choices))?)
        }
    })
}

fn sealed(value: Option<Value>) -> Result<Sealed> {
    let required = |word: &Value| match word.as_str() {
        Some("required") => Ok(true),
        Some("optional") => Ok(false),
        _ => Err(bad("sealed", "is neither required nor optional")),
    };
    match value {
        None => Ok(Sealed::default()),
        Some(Value::Object(channels)) => {
            let each =
                |(name, word): (String, Value)| Ok((name_of("sealed", &name)?, required(&word)?));
            let channels = channels.into_iter().map(each).collect::<Result<_>>()?;
            Ok(Sealed { otherwise: false, channels })
        }
        Some(word) => Ok(Sealed { otherwise: required(&word)?, channels: BTreeMap::new() }),
    }
}

/// Hands out the fields one by one; what is left in the end is strange.
struct Reader {
    fields: Map<String, Value>,
}

impl Reader {
    /// A field; null counts as not there.
    fn take(&mut self, key: &str) -> Option<Value> {
        self.fields.remove(key).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &str) -> Result<Option<String>> {
        self.take(key).map(|value| text_of(key, value)).transpose()
    }

    fn file(&mut self, key: &str) -> Result<Option<String>> {
        self.text(key)?.map(|name| file_of(key, name)).transpose()
    }

    fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(values)) if values.len() <= FILES => {
                values.into_iter().map(|value| text_of(key, value)).collect::<Result<_>>().map(Some)
            }
            Some(_) => Err(bad(key, "is no list of at most 16 texts")),
        }
    }

    fn flag(&mut self, key: &str, otherwise: bool) -> Result<bool> {
        match self.take(key) {
            None => Ok(otherwise),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(bad(key, "is neither true nor false")),
        }
    }

    fn number(&mut self, key: &str, most: u64) -> Result<Option<u64>> {
        let number = |value: Value| value.as_u64().filter(|number| *number <= most);
        match self.take(key) {
            None => Ok(None),
            Some(value) => match number(value) {
                Some(number) => Ok(Some(number)),
                None => Err(bad(key, format_args!("is no whole number from 0 to {most}"))),
            },
        }
    }
}

fn text_of(key: &str, value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(bad(key, "is no text")),
    }
}

fn address_of(key: &str, url: String) -> Result<String> {
    let known = url.starts_with("https://") || url.starts_with("http://");
    if known { Ok(url) } else { Err(bad(key, "is no https address")) }
}

fn name_of(key: &str, name: &str) -> Result<Channel> {
    name.parse().map_err(|error| bad(key, error))
}

/// A file among the app's resources: one plain name.
fn file_of(key: &str, name: String) -> Result<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let good = (1..=limits::TEXT).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(plain);
    if good { Ok(name) } else { Err(bad(key, "is no plain file name")) }
}

fn bad(key: &str, why: impl std::fmt::Display) -> Error {
    let dot = if key.is_empty() { "" } else { "." };
    Error::Config(format!("plugins.Farad{dot}{key} {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const APP: &str = "com.example.shop";

    fn with(extra: Value) -> Result<Settings> {
        let mut all = json!({ "url": "https://updates.example.com", "channel": "production" });
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Settings::parse(&all.to_string(), APP)
    }

    #[test]
    fn an_address_and_a_channel_are_enough() {
        let settings = with(json!({})).unwrap();
        assert_eq!(settings.urls, ["https://updates.example.com"]);
        assert_eq!(settings.app.as_str(), APP);
        assert_eq!(settings.root, "farad-root.json");
        assert_eq!(settings.allowed_channels, std::slice::from_ref(&settings.channel));
        assert_eq!(settings.auto_sync, AutoSync::OnResume);
        assert_eq!(settings.apply, Apply::NextStart);
        assert_eq!(settings.ready_timeout, Some(Duration::from_secs(10)));
        assert_eq!(settings.max_bundle_size, limits::BUNDLE);
        assert!(settings.allow_metered && settings.enabled);
        assert!(!settings.keep_route && !settings.old_tls && !settings.allow_http);
        assert_eq!(settings.events_url, None, "nothing is sent unless the app says where to");
        assert!(!settings.sealed.required(&settings.channel));
    }

    #[test]
    fn every_key_is_read() {
        let settings = with(json!({
            "url": ["https://a.example.com", "https://b.example.com"], "root": "root.json",
            "appId": "com.example.other", "allowedChannels": ["production", "beta"],
            "sealed": { "production": "required", "beta": "optional" },
            "openingKeys": ["2026.key"], "autoSync": 30, "apply": "now", "readyTimeout": 0,
            "maxBundleSize": 1000, "allowMetered": false, "keepRoute": true, "minTls": "1.2",
            "eventsUrl": "https://e.example.com/events", "allowHttp": true, "enabled": true,
        }))
        .unwrap();
        assert_eq!(settings.urls.len(), 2);
        assert_eq!(settings.auto_sync, AutoSync::Every(30));
        assert_eq!((settings.apply, settings.ready_timeout), (Apply::Now, None));
        assert!(settings.sealed.required(&"production".parse().unwrap()));
        assert!(!settings.sealed.required(&"beta".parse().unwrap()));
        assert_eq!(settings.events_url.as_deref(), Some("https://e.example.com/events"));
        assert!(!settings.allow_metered && settings.keep_route && settings.old_tls);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (extra, key) in [
            (json!({ "url": null }), "url"),
            (json!({ "url": "ftp://example.com" }), "url"),
            (json!({ "url": [] }), "url"),
            (json!({ "channel": "Production" }), "channel"),
            (json!({ "channel": null }), "channel"),
            (json!({ "root": "../root.json" }), "root"),
            (json!({ "root": ".hidden" }), "root"),
            (json!({ "appId": "a b" }), "appId"),
            (json!({ "allowedChannels": "beta" }), "allowedChannels"),
            (json!({ "sealed": true }), "sealed"),
            (json!({ "autoSync": "sometimes" }), "autoSync"),
            (json!({ "autoSync": 0 }), "autoSync"),
            (json!({ "apply": "soon" }), "apply"),
            (json!({ "readyTimeout": 999 }), "readyTimeout"),
            (json!({ "readyTimeout": "10 s" }), "readyTimeout"),
            (json!({ "maxBundleSize": limits::BUNDLE + 1 }), "maxBundleSize"),
            (json!({ "allowMetered": "no" }), "allowMetered"),
            (json!({ "minTls": "1.1" }), "minTls"),
            (json!({ "eventsUrl": "events" }), "eventsUrl"),
            (json!({ "eventsUrl": false }), "eventsUrl"),
            (json!({ "extraCa": "ca.pem" }), "extraCa"),
            (json!({ "allowMetred": false }), "allowMetred"),
        ] {
            let error = with(extra.clone()).unwrap_err();
            assert_eq!(error.code(), "config-invalid");
            let named = format!("plugins.Farad.{key} ");
            assert!(error.to_string().contains(&named), "{extra}: {error}");
        }
        for text in ["", "null", "[]", "{\"url\":1.5}", &"x".repeat(LONGEST + 1)] {
            assert!(Settings::parse(text, APP).is_err());
        }
    }

    #[test]
    fn a_plugin_that_is_off_needs_no_address() {
        let settings = Settings::parse(r#"{"enabled":false}"#, APP).unwrap();
        assert!(!settings.enabled);
    }
}
