//! Files that lie on the device.

use std::sync::Arc;

use farad::boot::{Circumstances, NativeIdentity, Token, Which};
use farad::builtin::{APK_PREFIX, Apk};
use farad::digest::Digest;
use farad::id::BundleId;
use farad::native::Native;
use farad::store::memory::MemoryDisk;
use farad::store::{Context, Disk, Store};

use super::CHANNEL;

/// What the store is told of the world.
#[must_use]
pub fn context() -> Context<'static> {
    let native = NativeIdentity {
        native: Native::Android { build: 30 },
        version: "1.0".to_owned(),
        embed: None,
    };
    Context {
        native,
        channel: CHANNEL.parse().unwrap(),
        builtin: None,
        policy: &|_| Ok(None),
        max_attempts: 3,
        token: Token::from_random([7; 16]),
        circumstances: Circumstances::default(),
    }
}

fn write(disk: &MemoryDisk, folder: &str, name: &str, bytes: &[u8]) {
    let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    disk.create_folder(folder).unwrap();
    let mut file = disk.create(&path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync().unwrap();
    disk.sync_folder(folder).unwrap();
}

/// A start on this store; nothing of it can be launched, so the built-in bundle is.
fn start(disk: MemoryDisk) -> Store {
    let store = Store::new(Arc::new(disk));
    assert_eq!(store.boot(&context()).0.which, Which::Builtin);
    store
}

/// The boot record under a right checksum; true if the next start still knows of it.
pub fn record(data: &[u8]) -> bool {
    let disk = MemoryDisk::new();
    write(&disk, "", "record.1", &[Digest::of(data).to_string().as_bytes(), b"\n", data].concat());
    let before = Store::new(Arc::new(disk.clone())).holdings(&context()).unwrap().record;
    start(disk);
    before.generation > 0
}

/// The marks and the tombstone of a bundle, and a file that is named like none.
pub fn marks(data: &[u8]) -> bool {
    let (disk, id) = (MemoryDisk::new(), BundleId(Digest::of(b"bundle")).to_string());
    write(&disk, "marks", &id, data);
    write(&disk, "blocked", &id, data);
    write(&disk, "blocked", "stranger", data);
    let holdings = start(disk).holdings(&context()).unwrap();
    // One that cannot be read is of another native app for all that is known.
    assert!(holdings.blocked.len() <= 1);
    holdings.blocked.iter().any(|(_, tombstone)| tombstone.is_some())
}

/// An APK.
pub fn apk(data: &[u8]) -> bool {
    let place = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(place.path(), data).unwrap();
    let Ok(apk) = Apk::open(place.path(), APK_PREFIX) else { return false };
    // Stored and deflated, in the seeds.
    let [page, _script] =
        ["index.html", "app.js"].map(|name| apk.read(&format!("{APK_PREFIX}{name}"), 1 << 20));
    page.is_some()
}
