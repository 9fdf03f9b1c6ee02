//! Journeys on a disk that fails: every changing operation of each is killed, cut off from power,
//! refused once, and refused for lack of room. After each the next start shows a good bundle.

use super::memory::{Fault, MemoryDisk};
use super::*;
use crate::boot::Reason;
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
            Some(policy)
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
            excused: false,
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
        self.run(|store, context| store.boot(context))
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

type Journey = fn(&mut Phone) -> Result<()>;

/// Journeys from a device that runs release 1.
const JOURNEYS: [(&str, Journey); 9] = [
    ("install", |phone| phone.install(2)),
    ("install, try, confirm", |phone| phone.settle(2)),
    ("a trial that never comes up", |phone| {
        phone.install(2)?;
        for _ in 0..3 {
            phone.boot();
        }
        Ok(())
    }),
    ("a trial that fails twice", |phone| {
        phone.install(2)?;
        for _ in 0..2 {
            if let Some(token) = phone.boot().token {
                let event = Event::Failed(token, Reason::RendererGone);
                phone.run(|store, context| store.tell(context, &event))?;
            }
        }
        phone.boot();
        Ok(())
    }),
    ("two updates", |phone| {
        phone.settle(2)?;
        phone.settle(3)
    }),
    ("an update and its rollback", |phone| {
        phone.settle(2)?;
        phone.settle(1)
    }),
    ("a revocation of what runs", |phone| {
        phone.settle(2)?;
        phone.revoked = vec![2];
        phone.run(|store, context| store.tell(context, &Event::Policy))?;
        phone.boot();
        Ok(())
    }),
    ("a store update and a downgrade", |phone| {
        phone.settle(2)?;
        for build in [2, 1] {
            phone.build = build;
            phone.boot();
            phone.boot_ready()?;
        }
        Ok(())
    }),
    ("back to the built-in bundle", |phone| {
        phone.run(|store, context| store.tell(context, &Event::Reset))?;
        phone.boot();
        phone.run(|store, _| store.collect())
    }),
];

/// The next starts show good bundles, an unconfirmed one at most N + 1 times, and a fault-free run
/// from there reaches release 4, which no start counted against.
fn assert_survives(mut phone: Phone, what: &str) {
    let mut unconfirmed = 0;
    for start in 0..4 {
        let launch = phone.boot();
        if let Which::Bundle(shown) = launch.which {
            let known = [1, 2, 3].iter().find(|n| id(**n) == shown);
            let n = *known.unwrap_or_else(|| panic!("{what}: unknown bundle"));
            assert!(!phone.revoked.contains(&u64::from(n)), "{what}: revoked, start {start}");
            let whole = phone.run(|store, _| store.damaged(&shown));
            assert_eq!(whole.unwrap(), Some(Vec::new()), "{what}: start {start}");
        }
        unconfirmed += u32::from(launch.token.is_some());
    }
    assert!(unconfirmed <= 3, "{what}: {unconfirmed} launches of an unconfirmed bundle");
    phone.settle(4).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(phone.boot().which, Which::Bundle(id(4)), "{what}");
    assert_eq!(phone.boot().token, None, "{what}");
    let strays = ["staging", "trash"].map(|folder| phone.disk.list(folder).unwrap());
    assert!(strays.iter().all(Vec::is_empty), "{what}: {strays:?}");
}

#[test]
fn every_journey_survives_a_fault_at_every_operation() {
    let mut ready = Phone::new();
    ready.boot();
    ready.settle(1).unwrap();
    let mut points = 0;
    for (name, journey) in JOURNEYS {
        let begin = || Phone { disk: ready.disk.after_kill(), ..ready.clone() };
        let mut clean = begin();
        journey(&mut clean).unwrap();
        let operations = clean.disk.journal().len();
        assert!(operations > 3, "{name}: {operations}");
        for at in 0..operations {
            for fault in [Fault::Kill, Fault::Error, Fault::Full] {
                let mut phone = begin();
                phone.disk.fail_at(at, fault);
                let _ = journey(&mut phone);
                let what = format!("{name}, {fault:?} at {at} of {operations}");
                let killed = phone.disk.after_kill();
                assert_survives(Phone { disk: killed, ..phone.clone() }, &what);
                let cut = phone.disk.after_power_cut();
                assert_survives(Phone { disk: cut, ..phone }, &format!("{what}, power cut"));
                points += 1;
            }
        }
    }
    assert!(points > 500, "{points}");
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
