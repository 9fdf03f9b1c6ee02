//! Room: what a full phone asks for, and what a download that was cut short has taken of it already. And
//! damage to a release that hardly anybody is offered any more.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use farad::boot::Which;
use farad::builtin::Builtin;
use farad::config::Config;
use farad::fetch::{Request, Response, Transport};
use farad::host::System;
use farad::native::Native;
use farad::progress::Cancel;
use farad::release::pack::{index_folder, patch_blob};
use farad::store::Disk;
use farad::store::memory::{Fault, MemoryDisk};
use farad::updater::{Status, Synced, Updater};
use serde_json::json;

use crate::forge::{APP, Forge, offer};
use crate::phone::Still;
use crate::world::answer;

/// A server that keeps what it was asked for.
struct Shop {
    forge: Forge,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Transport for Shop {
    fn get(&self, request: &Request<'_>, cancel: &Cancel) -> farad::Result<Response> {
        cancel.check()?;
        self.asked.lock().unwrap().push(request.path.to_owned());
        Ok(answer(&self.forge.files, request))
    }
}

/// A phone that runs 1.0.0, a small release.
struct Phone {
    forge: Forge,
    disk: MemoryDisk,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Phone {
    fn running() -> Self {
        let phone = Self { forge: Forge::new(), disk: MemoryDisk::new(), asked: Arc::default() };
        phone.sync().unwrap();
        let updater = phone.updater();
        updater.ready(&updater.boot(false).token.unwrap()).unwrap();
        drop(updater);
        phone.asked();
        phone
    }

    fn updater(&self) -> Updater {
        let native = Native::Android { build: 1 };
        let channel = "production".parse().unwrap();
        let mut config = Config::new(APP.parse().unwrap(), channel, self.forge.anchor(), native);
        config.retries = 0;
        let shop = Shop { forge: self.forge.clone(), asked: self.asked.clone() };
        let builtin = Builtin::Folder(PathBuf::from("/nowhere"));
        let disk = Arc::new(self.disk.clone());
        Updater::new(config, disk, Arc::new(shop), Arc::new(Still), Arc::new(System), builtin)
    }

    fn sync(&self) -> farad::Result<Synced> {
        self.updater().sync(&Cancel::default(), &mut |_| {})
    }

    /// Blobs that were asked for since the last call.
    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.retain(|path| path.starts_with("blobs/"));
        asked
    }

    fn used(&self) -> u64 {
        MemoryDisk::new().free().unwrap() - self.disk.free().unwrap()
    }

    /// Offers 1.1.0, whose pack has some 300 kB; returns the lengths of all files and of the pack.
    fn offer(&mut self, with_patch: bool) -> (u64, u64) {
        let base = index_folder(self.forge.web("1.0.0").path()).unwrap().identity();
        self.forge.noise = 300_000;
        let (blob, bytes) = patch_blob(b"never read".to_vec(), None).unwrap();
        self.forge.files.insert(blob.path(), bytes);
        let mut lengths = (0, 0);
        let release = self.forge.release_with("production", 2, "1.1.0", |manifest| {
            if with_patch {
                manifest["patches"] = json!([{ "base": base, "blob": blob }]);
            }
            let pack = &manifest["pack"];
            lengths = (pack["decoded"].as_u64().unwrap(), pack["length"].as_u64().unwrap());
        });
        self.forge.rollout("production", &[release.offer()]);
        self.forge.publish();
        lengths
    }
}

#[test]
fn a_full_phone_asks_for_no_blob_however_often_it_looks() {
    for with_patch in [false, true] {
        let mut phone = Phone::running();
        let (files, _) = phone.offer(with_patch);
        // Enough for the metadata.
        phone.disk.set_capacity(phone.used() + files / 2);
        for _ in 0..3 {
            assert_eq!(phone.sync().unwrap_err().code(), "no-space");
            assert_eq!(phone.asked(), Vec::<String>::new());
        }
        phone.disk.set_capacity(1 << 30);
        assert_eq!(phone.sync().unwrap().status, Status::Staged);
    }
}

#[test]
fn what_came_in_earlier_runs_takes_no_room_again() {
    let mut phone = Phone::running();
    let (files, pack) = phone.offer(false);
    let clean =
        Phone { forge: phone.forge.clone(), disk: phone.disk.after_kill(), asked: Arc::default() };
    clean.sync().unwrap();
    let journal = clean.disk.journal();
    let last = journal.iter().rposition(|done| done.starts_with("write downloads/")).unwrap();
    // Room for all of it, and not much more.
    let capacity = phone.used() + (files + pack) / 100 * 115;
    phone.disk = phone.disk.after_kill();
    phone.disk.set_capacity(capacity);
    phone.disk.fail_at(last, Fault::Kill);
    phone.sync().unwrap_err();
    phone.disk = phone.disk.after_kill();
    let synced = phone.sync().unwrap();
    assert_eq!(synced.status, Status::Staged);
    assert!(synced.bytes < pack / 2, "{} came again", synced.bytes);
}

#[test]
fn damage_is_mended_where_the_release_is_offered_to_nobody_new() {
    let mut phone = Phone::running();
    let Which::Bundle(id) = phone.updater().state().unwrap().record.confirmed else { panic!() };
    let file = format!("bundles/{id}/files/app.js");
    let whole = phone.disk.read(&file, u64::MAX).unwrap();
    phone.disk.damage(&file, 100);
    phone.updater().recheck(&Cancel::default()).unwrap();
    let mut offer = offer(&json!({ "sequence": 1, "manifest": id.0 }));
    offer["share"] = json!(0);
    phone.forge.rollout("production", &[offer]);
    phone.forge.publish();
    assert_eq!(phone.sync().unwrap().status, Status::Staged);
    assert_eq!(phone.disk.read(&file, u64::MAX).unwrap(), whole);
    assert_eq!(phone.updater().boot(false).token, None);
    assert_eq!(phone.sync().unwrap().status, Status::UpToDate);
}
