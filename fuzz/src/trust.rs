//! Trust: metadata that nobody signed, that the right keys signed, that lies on the device.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use farad::digest::Digest;
use farad::json;
use farad::time::UnixTime;
use farad::trust::draft::Draft;
use farad::trust::key::Key;
use farad::trust::metadata::{Delegation, Root, Snapshot, Targets, Timestamp};
use farad::trust::sign::{Ed25519, Signer};
use farad::trust::{Keep, Order, Setting, Source, TimestampAnswer, with_session};
use serde_json::{Map, Value, json};

const NOW: u64 = 1_800_000_000;
const FILE: &str = "folder/file";

/// Files by name, of a server or of a device.
#[derive(Clone, Default)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn metadata(&mut self, file: &str, limit: u64) -> farad::Result<Option<Vec<u8>>> {
        let found = self.0.get(file).filter(|bytes| bytes.len() as u64 <= limit);
        Ok(found.cloned())
    }

    fn timestamp(&mut self, _: Option<&str>, limit: u64) -> farad::Result<TimestampAnswer> {
        Ok(match self.metadata("timestamp.json", limit)? {
            Some(bytes) => TimestampAnswer::Found { etag: None, date: None, bytes },
            None => TimestampAnswer::Missing,
        })
    }

    fn target(&mut self, path: &str, limit: u64) -> farad::Result<Option<Vec<u8>>> {
        self.metadata(path, limit)
    }
}

impl Keep for Files {
    fn load(&self, name: &str) -> farad::Result<Option<Vec<u8>>> {
        Ok(self.0.get(name).cloned())
    }

    fn save(&mut self, name: &str, bytes: &[u8]) -> farad::Result<()> {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        assert!(["", "root", "targets"].contains(&folder), "{name}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.%".contains(&byte);
        assert!(file.bytes().all(plain) && !file.starts_with('.') && file.len() < 250, "{name}");
        self.0.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&mut self, name: &str) -> farad::Result<()> {
        self.0.remove(name);
        Ok(())
    }

    fn names(&self) -> farad::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}

/// One key for everything.
fn signer() -> Ed25519 {
    let mut document = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    document.extend_from_slice(Digest::of(b"fuzz").as_bytes());
    Ed25519::from_pkcs8(&document).unwrap()
}

/// The signed parts of a small repository: every role's, by name.
pub fn honest() -> Map<String, Value> {
    let key = signer();
    let (id, public) = (key.public().id(), serde_json::to_value(key.public()).unwrap());
    let common = |role: &str| {
        json!({
            "_type": role, "spec_version": "1.0.34", "version": 1, "expires": "2099-01-01T00:00:00Z",
        })
    };
    let keys = json!({ "keyids": [id], "threshold": 1 });
    let mut root = common("root");
    root["consistent_snapshot"] = json!(true);
    root["keys"] = json!({ id.clone(): public });
    root["roles"] = json!({
        "root": keys, "targets": keys, "snapshot": keys, "timestamp": keys,
    });
    let mut targets = common("targets");
    let mut delegation = keys;
    delegation["name"] = json!("below");
    delegation["paths"] = json!(["folder/*"]);
    delegation["terminating"] = json!(true);
    targets["targets"] = json!({});
    targets["delegations"] = json!({ "keys": { id: public }, "roles": [delegation] });
    let mut below = common("targets");
    let digest = Digest::of(b"content").to_string();
    below["targets"] = json!({ FILE: { "length": 7, "hashes": { "sha256": digest } } });
    let mut snapshot = common("snapshot");
    snapshot["meta"] = json!({ "targets.json": { "version": 1 }, "below.json": { "version": 1 } });
    let mut timestamp = common("timestamp");
    timestamp["meta"] = json!({ "snapshot.json": { "version": 1 } });
    timestamp["signed_at"] = json!("2027-01-01T00:00:00Z");
    let roles = [
        ("root", root),
        ("targets", targets),
        ("below", below),
        ("snapshot", snapshot),
        ("timestamp", timestamp),
    ];
    roles.into_iter().map(|(name, role)| (name.to_owned(), role)).collect()
}

/// The file of a signed part; nothing where it cannot be signed.
pub fn file(signed: &Value) -> Option<Vec<u8>> {
    let (key, message) = (signer(), json::canonical(signed).ok()?);
    let signature = farad::hex::encode(&key.sign(&message).unwrap());
    let signatures = json!([{ "keyid": key.public().id(), "sig": signature }]);
    json::compact(&json!({ "signatures": signatures, "signed": signed })).ok()
}

/// What a server has of these signed parts.
fn serve(roles: &Map<String, Value>) -> Option<Files> {
    let mut files = BTreeMap::new();
    for (role, signed) in roles {
        let name = match role.as_str() {
            "timestamp" => "timestamp.json".to_owned(),
            // The first root is the one that ships.
            "root" => "2.root.json".to_owned(),
            role => format!("1.{role}.json"),
        };
        files.insert(name, file(signed)?);
    }
    let digest = Digest::of(b"content");
    files.insert(format!("folder/{digest}.file"), b"content".to_vec());
    Some(Files(files))
}

static SHIPPED: LazyLock<Vec<u8>> = LazyLock::new(|| file(&honest()["root"]).unwrap());

static SITE: LazyLock<Files> = LazyLock::new(|| {
    let mut site = serve(&honest()).unwrap();
    site.0.remove("2.root.json");
    site
});

/// One session that gets [`FILE`]; true if it did.
fn session(keep: &mut Files, source: &mut Files) -> bool {
    let setting = Setting {
        root: &SHIPPED,
        now: UnixTime::from_seconds(NOW),
        built: UnixTime::from_seconds(0),
        order: Order::Strict,
        seed: &BTreeMap::new(),
    };
    let got = with_session(&setting, keep, source, |session| session.target(FILE, 1 << 20));
    got.is_ok_and(|bytes| {
        assert_eq!(bytes, b"content");
        true
    })
}

/// Bytes in place of each metadata file, and as the root that ships.
pub fn envelope(data: &[u8]) -> bool {
    let mut taken = false;
    for name in ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"] {
        let mut site = SITE.clone();
        site.0.insert(name.to_owned(), data.to_vec());
        taken |= session(&mut Files::default(), &mut site);
    }
    taken
}

/// Signed parts, by role, in place of the honest ones: whatever the keys sign, nothing but the
/// content that they list comes out. `root` is the second one.
pub fn repository(data: &[u8]) -> bool {
    let Ok(Value::Object(given)) = json::parse(data) else { return false };
    let mut roles = honest();
    roles.remove("root");
    roles.extend(given);
    let Some(mut site) = serve(&roles) else { return false };
    session(&mut Files::default(), &mut site)
}

/// Damage to one of the files that a device keeps; the first byte says which. All but the bound of
/// time, which may rightly lie in the future, is survived.
pub fn kept(data: &[u8]) -> bool {
    let Some((which, damage)) = data.split_first() else { return false };
    let mut site = SITE.clone();
    let mut second = honest()["root"].clone();
    second["version"] = json!(2);
    site.0.insert("2.root.json".to_owned(), file(&second).unwrap());
    let mut keep = Files::default();
    assert!(session(&mut keep, &mut site));
    keep.0.insert("time".to_owned(), b"2027-01-01T00:00:00Z".to_vec());
    let names: Vec<_> = keep.0.keys().cloned().collect();
    let name = &names[usize::from(*which) % names.len()];
    keep.0.insert(name.clone(), damage.to_vec());
    let survived = session(&mut keep, &mut site);
    assert!(survived || name == "time", "{name}");
    survived
}

/// A draft that others began to sign.
pub fn draft(data: &[u8]) -> bool {
    let Ok(draft) = Draft::parse("targets", data, 1 << 18) else { return false };
    let read = draft.read::<Targets>().is_ok();
    let again = Draft::parse("targets", &draft.to_bytes().unwrap(), 1 << 18).unwrap();
    assert_eq!(again, draft);
    read
}

/// Metadata as types, once its signatures are verified.
pub fn metadata(data: &[u8]) -> bool {
    let targets = json::parse_as::<Targets>(data);
    for delegations in targets.iter().filter_map(|targets| targets.delegations.as_ref()) {
        for role in &delegations.roles {
            let _ = role.matches(FILE);
        }
        for key in delegations.keys.values() {
            assert!(!key.verifies(data, &[0; 64]));
        }
    }
    let others = json::parse_as::<Root>(data).is_ok()
        || json::parse_as::<Snapshot>(data).is_ok()
        || json::parse_as::<Timestamp>(data).is_ok();
    targets.is_ok() || others
}

/// The public part of a key, as PEM or hex, under every scheme.
pub fn key_of(text: &str) -> [Key; 3] {
    let types =
        [("ed25519", "ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "rsassa-pss-sha256")];
    types.map(|(keytype, scheme)| {
        let key = json!({ "keytype": keytype, "scheme": scheme, "keyval": { "public": text } });
        serde_json::from_value(key).unwrap()
    })
}

/// See [`key_of`]. No key vouches for a signature of zeros.
pub fn key(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    for key in key_of(text) {
        assert!(!key.verifies(b"a message", &[0; 64]) && !key.verifies(b"a message", data));
        assert_eq!(key.substance(), key.clone().substance());
    }
    let Some(key) = Key::from_pem(text) else { return false };
    let again = Key::from_pem(&key.to_pem().unwrap()).unwrap();
    assert_eq!((again.substance(), again.id()), (key.substance(), key.id()));
    true
}

/// A pattern, a line feed, a path.
pub fn pattern(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let Some((pattern, path)) = text.split_once('\n') else { return false };
    let delegation = |paths: &str| -> Delegation {
        let role = json!({ "name": "r", "keyids": [], "threshold": 1, "paths": [paths] });
        serde_json::from_value(role).unwrap()
    };
    let matches = delegation(pattern).matches(path);
    if matches {
        assert_eq!(pattern.matches('/').count(), path.matches('/').count());
    }
    if !pattern.contains(['*', '?']) {
        assert_eq!(matches, pattern == path);
    }
    let anything = vec!["*"; path.split('/').count()].join("/");
    assert!(delegation(&anything).matches(path));
    matches
}
