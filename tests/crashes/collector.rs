//! The other end of the outbox: a server that takes events, and a disk that has no room for them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Mutex;

use farad::fetch::Sink;
use farad::progress::Cancel;
use farad::store::memory::MemoryDisk;
use farad::store::{Disk, Entry, Held, NewFile};
use serde_json::{Value, json};

/// What the server does with a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// Takes it.
    #[default]
    Takes,
    /// Takes every other event.
    Half,
    /// Takes it, and the answer is lost on the way.
    Silent,
    /// There is nobody.
    Down,
    /// Has no time for a minute.
    Busy,
    /// Is something else: a sign-in page.
    Strange,
}

/// A server that takes events.
#[derive(Default)]
pub struct Collector {
    pub manner: Mutex<Manner>,
    /// Events by id: an event that comes twice is the same twice.
    events: Mutex<BTreeMap<String, Value>>,
    /// Ids in the order in which they came first.
    order: Mutex<Vec<String>>,
    /// Bodies as they came.
    pub posts: Mutex<Vec<Vec<u8>>>,
}

impl Collector {
    /// Another server that has the same events.
    pub fn copy(&self) -> Self {
        Self {
            manner: Mutex::new(*self.manner.lock().unwrap()),
            events: Mutex::new(self.events.lock().unwrap().clone()),
            order: Mutex::new(self.order.lock().unwrap().clone()),
            posts: Mutex::default(),
        }
    }

    pub fn ids(&self) -> BTreeSet<String> {
        self.events.lock().unwrap().keys().cloned().collect()
    }

    /// Events in the order in which they came.
    pub fn events(&self) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        self.order.lock().unwrap().iter().map(|id| events[id].clone()).collect()
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

impl Sink for Collector {
    fn post(&self, batch: &[u8], limit: u64, cancel: &Cancel) -> farad::Result<Vec<u8>> {
        cancel.check()?;
        self.posts.lock().unwrap().push(batch.to_vec());
        let manner = *self.manner.lock().unwrap();
        match manner {
            Manner::Down => return Err(farad::Error::Network("no connection".to_owned())),
            Manner::Busy => {
                let file = "events".to_owned();
                return Err(farad::Error::Http { status: 503, retry_after: Some(60), file });
            }
            Manner::Strange => return Ok(b"<html>Sign in</html>".to_vec()),
            Manner::Takes | Manner::Half | Manner::Silent => {}
        }
        let batch: Value = serde_json::from_slice(batch).unwrap();
        let every = if manner == Manner::Half { 2 } else { 1 };
        let mut taken = Vec::new();
        for event in batch["events"].as_array().unwrap().iter().step_by(every) {
            let id = event["id"].as_str().unwrap().to_owned();
            taken.push(id.clone());
            match self.events.lock().unwrap().insert(id.clone(), event.clone()) {
                Some(before) => assert_eq!(&before, event, "one id, two events"),
                None => self.order.lock().unwrap().push(id),
            }
        }
        if manner == Manner::Silent {
            return Err(farad::Error::Network("the connection broke".to_owned()));
        }
        let answer = json!({ "acknowledged": taken }).to_string().into_bytes();
        assert!(answer.len() as u64 <= limit);
        Ok(answer)
    }
}

/// A disk with room for everything but the outbox.
pub struct Crowded(pub MemoryDisk);

impl Crowded {
    fn room(path: &str) -> io::Result<()> {
        if path == "outbox" || path.starts_with("outbox/") {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for Crowded {
    fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.0.read(path, limit)
    }

    fn open_at(&self, path: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        self.0.open_at(path, from)
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        self.0.length(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        self.0.list(folder)
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        Self::room(path)?;
        self.0.create_folder(path)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        Self::room(path)?;
        self.0.create(path)
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        Self::room(path)?;
        self.0.overwrite(path)
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        Self::room(path)?;
        self.0.append(path)
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.0.sync_folder(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Self::room(to)?;
        self.0.rename(from, to)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.0.remove_file(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.0.remove_folder(path)
    }

    fn lock(&self, path: &str, exclusive: bool) -> io::Result<Option<Box<dyn Held>>> {
        self.0.lock(path, exclusive)
    }

    fn free(&self) -> io::Result<u64> {
        self.0.free()
    }

    fn full_path(&self, path: &str) -> PathBuf {
        self.0.full_path(path)
    }
}
