//! The store alone: what is written when, who waits for whom. Journeys on disks that fail are in
//! `tests/crashes`.

use super::memory::MemoryDisk;
use super::*;
use crate::digest::Digest;
use crate::native::{Native, NativeRange};
use crate::release::{Blob, BundleName, Coding, File, Manifest, bundle_id};
use crate::time::UnixTime;

/// What a test device is, besides its disk.
#[derive(Clone)]
struct Phone {
    disk: MemoryDisk,
    build: u64,
    revoked: Vec<u64>,
    tokens: u64,
}

fn channel() -> Channel {
    "production".parse().unwrap()
}

/// The signed manifest, index and files of release `n`.
fn release(n: u8) -> (Vec<u8>, Index, Vec<(String, Vec<u8>)>) {
    let files = vec![
        ("index.html".to_owned(), vec![n; 10]),
        ("assets/app.js".to_owned(), vec![n; 20]),
        ("assets/deep/x.css".to_owned(), Vec::new()),
    ];
    let index = files
        .iter()
        .map(|(path, bytes)| File {
            path: path.clone(),
            length: bytes.len() as u64,
            sha256: Digest::of(bytes),
        })
        .collect();
    let index = Index::new(index).unwrap();
    let blob =
        Blob { sha256: Digest::of(b""), length: 0, coding: Coding::Zstd, decoded: 0, salt: None };
    let manifest = Manifest {
        schema: 1,
        app: "com.example.shop".parse().unwrap(),
        channel: channel(),
        requires: Vec::new(),
        version: format!("{n}.0.0"),
        sequence: u64::from(n),
        created: UnixTime::from_seconds(0),
        native: NativeRange::default(),
        bundle: BundleName::Identity(index.identity()),
        index: blob.clone(),
        layout: blob.clone(),
        pack: Blob { coding: Coding::Frames, ..blob },
        patches: Vec::new(),
        info: None,
        seal: None,
    };
    (manifest.to_bytes().unwrap(), index, files)
}

fn id(n: u8) -> BundleId {
    bundle_id(&release(n).0)
}

impl Phone {
    fn new() -> Self {
        Self { disk: MemoryDisk::new(), build: 1, revoked: Vec::new(), tokens: 0 }
    }

    /// One process of the app.
    fn run<T>(&mut self, work: impl FnOnce(&Store, &Context<'_>) -> T) -> T {
        self.tokens += 1;
        let revoked = self.revoked.clone();
        let policy = |of: &Channel| {
            let mut policy = Policy::open("com.example.shop".parse().unwrap(), of.clone());
            policy.revoked.clone_from(&revoked);
            Ok(Some(policy))
        };
        let context = Context {
            native: NativeIdentity {
                native: Native::Android { build: self.build },
                version: "1".to_owned(),
                embed: None,
            },
            channel: channel(),
            builtin: Some((channel(), 0)),
            policy: &policy,
            max_attempts: 2,
            token: Token::from_text(&format!("token {}", self.tokens)),
            circumstances: Circumstances::default(),
        };
        work(&Store::new(Arc::new(self.disk.clone())), &context)
    }

    fn install(&mut self, n: u8) -> Result<()> {
        self.run(|store, context| {
            let _sync = store.begin_sync()?;
            let (manifest, index, files) = release(n);
            if !store.has(&id(n)) {
                let staging = store.stage(id(n))?;
                write(store, &staging.folder(), &files)?;
                store.commit(&staging, &manifest, &index)?;
            }
            store.tell(context, &Event::Staged { id: id(n), hold: false })?;
            store.collect()
        })
    }

    fn boot(&mut self) -> Launch {
        self.run(|store, context| store.boot(context).0)
    }

    fn boot_ready(&mut self) -> Result<Launch> {
        let launch = self.boot();
        if let Some(token) = launch.token.clone() {
            self.run(|store, context| store.tell(context, &Event::Ready(token)))?;
        }
        Ok(launch)
    }

    fn settle(&mut self, n: u8) -> Result<()> {
        self.install(n)?;
        self.boot_ready().map(|_| ())
    }
}

fn write(store: &Store, folder: &str, files: &[(String, Vec<u8>)]) -> Result<()> {
    use std::io::Write as _;
    let failed = |error| Error::storage("writing", error);
    for (path, bytes) in files {
        let path = format!("{folder}/{path}");
        let (parent, _) = path.rsplit_once('/').unwrap();
        store.disk().create_folder(parent).map_err(failed)?;
        let mut file = store.disk().create(&path).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        file.sync().map_err(failed)?;
    }
    Ok(())
}

#[test]
fn a_start_on_a_confirmed_bundle_writes_nothing() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    phone.boot();
    let before = phone.disk.journal();
    for _ in 0..3 {
        let launch = phone.boot();
        assert_eq!((launch.which, launch.token), (Which::Bundle(id(1)), None));
    }
    assert_eq!(phone.disk.journal(), before);
}

#[test]
fn a_lost_record_runs_the_built_in_bundle_and_forgets_no_attempt() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    phone.install(2).unwrap();
    for _ in 0..2 {
        assert_eq!(phone.boot().which, Which::Bundle(id(2)));
    }
    for slot in ["record.0", "record.1"] {
        phone.disk.damage(slot, 80);
    }
    assert_eq!(phone.boot().which, Which::Builtin);
    phone.install(2).unwrap();
    let launch = phone.boot();
    assert_eq!(launch.which, Which::Builtin);
    assert_eq!(launch.undone.map(|undone| undone.id), Some(id(2)), "both launches were counted");
}

#[test]
fn a_second_process_tries_nothing_while_the_first_has_the_lock() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    phone.install(2).unwrap();
    let disk = phone.disk.clone();
    let lock = disk.lock(LOCK, true).unwrap().unwrap();
    let before = disk.journal();
    let launch = phone.boot();
    assert_eq!((launch.which, launch.token), (Which::Bundle(id(1)), None));
    assert_eq!(disk.journal(), before);
    drop(lock);
    assert_eq!(phone.boot().which, Which::Bundle(id(2)));
}

#[test]
fn a_bundle_that_a_process_shows_is_not_collected() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    let disk = phone.disk.clone();
    let showing = phone.run(|store, context| {
        store.boot(context);
        store.lease.lock().unwrap().take()
    });
    for n in [2, 3] {
        phone.settle(n).unwrap();
    }
    let folder = format!("bundles/{}", id(1));
    assert!(!disk.list(&folder).unwrap().is_empty());
    drop(showing);
    phone.run(|store, _| store.collect()).unwrap();
    assert!(disk.list(&folder).unwrap().is_empty());
}

#[test]
fn a_page_that_kept_its_token_over_a_restart_confirms_nothing() {
    let mut phone = Phone::new();
    phone.boot();
    phone.install(1).unwrap();
    let old = phone.boot().token.unwrap();
    phone.boot();
    let told = phone.run(|store, context| store.tell(context, &Event::Ready(old)));
    assert!(matches!(told, Err(Error::StaleToken)));
}

#[test]
fn a_bundle_that_is_being_removed_is_not_shown() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    let disk = phone.disk.clone();
    let _lock = disk.lock(LOCK, true).unwrap().unwrap();
    let _removing = disk.lock(&format!("bundles/{}/lease", id(1)), true).unwrap().unwrap();
    assert_eq!(phone.boot().which, Which::Builtin);
}

#[test]
fn a_bundle_that_is_deleted_goes_at_once_and_one_that_is_shown_with_its_page() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    phone.settle(2).unwrap();
    phone.install(3).unwrap();
    let disk = phone.disk.clone();
    let delete = |phone: &mut Phone, n: u8| {
        phone.run(|store, context| {
            store.tell(context, &Event::Delete(id(n)))?;
            store.holds(&id(n))
        })
    };
    assert!(matches!(delete(&mut phone, 2), Err(Error::NotAllowed(_))), "it is confirmed");
    assert!(!delete(&mut phone, 3).unwrap());
    assert!(!delete(&mut phone, 3).unwrap(), "once more, in vain");
    let shown = disk.lock(&format!("bundles/{}/lease", id(1)), false).unwrap().unwrap();
    assert!(delete(&mut phone, 1).unwrap(), "another process shows it");
    drop(shown);
    phone.run(|store, _| store.collect()).unwrap();
    phone.run(|store, _| assert!(!store.holds(&id(1)).unwrap()));
    assert_eq!(phone.boot().which, Which::Bundle(id(2)));
}

#[test]
fn what_a_sync_committed_is_there_when_it_is_written_down() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    phone.settle(2).unwrap();
    phone.install(3).unwrap();
    let trial = phone.boot().token.unwrap();
    phone.run(|store, context| {
        let syncing = store.begin_sync().unwrap();
        let (manifest, index, files) = release(4);
        let staging = store.stage(id(4)).unwrap();
        write(store, &staging.folder(), &files).unwrap();
        store.commit(&staging, &manifest, &index).unwrap();
        // Meanwhile the page of the third release says that it is ready.
        let page = Store::new(store.disk().clone());
        page.tell(context, &Event::Ready(trial)).unwrap();
        store.tell(context, &Event::Staged { id: id(4), hold: false }).unwrap();
        assert!(store.holds(&id(1)).unwrap(), "what the sync reads from stays too");
        store.collect().unwrap();
        assert!(!store.holds(&id(1)).unwrap(), "the sync tidies up itself");
        drop(syncing);
    });
    assert_eq!(phone.boot().which, Which::Bundle(id(4)));
}

#[test]
fn a_sync_waits_for_a_collection_and_not_for_another_sync() {
    let mut phone = Phone::new();
    phone.boot();
    phone.settle(1).unwrap();
    phone.disk.contend(SYNC_LOCK, 0, 3);
    phone.run(|store, _| {
        let _syncing = store.begin_sync().unwrap();
        assert!(matches!(store.begin_sync(), Err(Error::Busy("sync"))));
    });
}

#[test]
fn marks_that_cannot_be_forgotten_take_back_no_ready_and_the_next_start_forgets_them() {
    let mut phone = Phone::new();
    phone.boot();
    phone.install(1).unwrap();
    let token = phone.boot().token.unwrap();
    let marks = format!("marks/{}", id(1));
    phone.disk.pin(&marks);
    let outcome = phone.run(|store, context| store.tell(context, &Event::Ready(token))).unwrap();
    assert_eq!(outcome.record.confirmed, Which::Bundle(id(1)));
    assert!(phone.disk.length(&marks).unwrap().is_some());
    phone.disk.unpin();
    assert_eq!(phone.boot().which, Which::Bundle(id(1)));
    assert_eq!(phone.disk.length(&marks).unwrap(), None);
}
