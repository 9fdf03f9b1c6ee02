//! Documents in JSON, and names in them.

use farad::builtin::Embed;
use farad::id::{AppId, Channel, InstallId};
use farad::native::{Native, compare_builds};
use farad::pilot::{Call, METHODS, Settings};
use farad::release::{Manifest, unsupported};
use farad::rollout::{Device, Offered, Policy, Rollout, Running, Verdict, choose};
use farad::seal::{KeyId, OpeningKey, OpeningKeys, RecipientKey};
use farad::time::UnixTime;

use super::{APP, CHANNEL};

fn place() -> (AppId, Channel) {
    (APP.parse().unwrap(), CHANNEL.parse().unwrap())
}

/// JSON as metadata and documents have it.
pub fn json(data: &[u8]) -> bool {
    let Ok(value) = farad::json::parse(data) else { return false };
    let compact = farad::json::compact(&value).unwrap();
    assert_eq!(farad::json::parse(&compact).as_ref(), Ok(&value));
    let canonical = farad::json::canonical(&value).unwrap();
    assert!(canonical.len() <= compact.len());
    true
}

/// What is offered; somebody then chooses.
pub fn rollout(data: &[u8]) -> bool {
    let (app, channel) = place();
    let Ok(rollout) = Rollout::parse(data, &app, &channel) else { return false };
    let again = Rollout::parse(&rollout.to_bytes().unwrap(), &app, &channel).unwrap();
    assert_eq!(again, rollout);
    let install = InstallId::from_random([7; 16]);
    for heading in [Running::Other, Running::Named(Offered::Builtin)] {
        let device = Device { install: &install, heading };
        for verdict in [Verdict::Allowed, Verdict::NotAllowed, Verdict::Blocked] {
            choose(&rollout, &device, |_| Ok(verdict)).unwrap();
        }
    }
    true
}

/// What may not run.
pub fn policy(data: &[u8]) -> bool {
    let (app, channel) = place();
    let Ok(policy) = Policy::parse(data, &app, &channel) else { return false };
    let again = Policy::parse(&policy.to_bytes().unwrap(), &app, &channel).unwrap();
    assert_eq!(again, policy);
    assert!(policy.revoked.iter().all(|sequence| policy.revokes(*sequence)));
    true
}

/// A release.
pub fn manifest(data: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse_any(data) else { return false };
    assert_eq!(Manifest::parse_any(&manifest.to_bytes().unwrap()).unwrap(), manifest);
    let _ = unsupported(&manifest.requires);
    let _ = manifest.native.covers(&Native::Android { build: 30 });
    manifest.blobs().count() >= 3
}

/// No key at all.
struct Nobody;

impl OpeningKeys for Nobody {
    fn opening_key(&self, _: &KeyId) -> Option<OpeningKey> {
        Some(OpeningKey::from_bytes([7; 32]))
    }
}

/// A seal within a manifest, before a key that is none of its recipients'; keys in PEM.
pub fn seal(data: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(key) = OpeningKey::from_pem(text) {
            assert_eq!(key.id(), key.recipient().id());
            return true;
        }
        if RecipientKey::from_pem(text).is_ok() {
            return true;
        }
    }
    let Ok(manifest) = Manifest::parse_any(data) else { return false };
    let Some(seal) = manifest.seal else { return false };
    seal.open(&manifest.app, &Nobody).is_ok_and(|content| {
        assert!(content.is_none());
        true
    })
}

/// What the native app brings along.
pub fn embed(data: &[u8]) -> bool {
    let (app, _) = place();
    let Ok(embed) = Embed::parse(data, &app) else { return false };
    let _ = embed.parsed_policy();
    assert!(embed.seed().keys().all(|name| !name.contains('/')));
    embed.parsed_index().is_ok()
}

/// What a page calls: a method, a line feed, its options.
pub fn call(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let (method, options) = text.split_once('\n').unwrap_or((&text, ""));
    let read = Call::parse(method, options).is_ok();
    assert!(!read || METHODS.contains(&method), "{method}");
    read
}

/// The plugin's configuration.
pub fn settings(data: &[u8]) -> bool {
    std::str::from_utf8(data).is_ok_and(|text| Settings::parse(text, APP).is_ok())
}

/// Names, times, digests and build numbers, each on a line.
pub fn names(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut taken = false;
    let mut last = "";
    for line in text.lines() {
        let mut written = Vec::new();
        written.extend(line.parse::<AppId>().map(|name| name.to_string()));
        written.extend(line.parse::<Channel>().map(|name| name.to_string()));
        written.extend(line.parse::<InstallId>().map(|name| name.as_str().to_owned()));
        written.extend(line.parse::<UnixTime>().map(|time| time.to_string()));
        written.extend(line.parse::<farad::digest::Digest>().map(|digest| digest.to_string()));
        written.extend(farad::hex::decode(line).map(|bytes| farad::hex::encode(&bytes)));
        taken |= !written.is_empty();
        for again in written {
            assert_eq!(again, if again == line { line.to_owned() } else { line.to_lowercase() });
        }
        assert_eq!(
            compare_builds(line, last).map(std::cmp::Ordering::reverse),
            compare_builds(last, line)
        );
        last = line;
    }
    taken
}
