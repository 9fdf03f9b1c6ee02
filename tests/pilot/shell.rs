//! A shell that only does what it is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use farad::pilot::{Hands, News, Order, Pilot, Setup};
use farad::seal::OpeningKeys;
use serde_json::{Value, json};

/// A shell: works at once, loads what it is told to show, lets timers of a switch run out.
pub struct Shell {
    pilot: Mutex<Option<Arc<Pilot>>>,
    pub answers: Mutex<BTreeMap<String, Result<Value, String>>>,
    pub told: Mutex<Vec<(&'static str, Value)>>,
    pub shown: Mutex<Vec<Option<PathBuf>>>,
    pub timers: Mutex<Vec<u64>>,
    /// Whether the shell panics where it is asked for the network.
    pub panics: AtomicBool,
}

/// Hands of a shell that may be gone.
struct Arms(Weak<Shell>);

impl Hands for Arms {
    fn order(&self, order: Order) {
        if let Some(shell) = self.0.upgrade() {
            shell.order(order);
        }
    }

    fn metered(&self) -> bool {
        assert!(!self.0.upgrade().unwrap().panics.load(Relaxed), "the shell fails");
        false
    }
}

impl Shell {
    pub fn open(setup: &Setup, keys: Option<&Arc<dyn OpeningKeys>>) -> Arc<Self> {
        let shell = Arc::new(Self {
            pilot: Mutex::default(),
            answers: Mutex::default(),
            told: Mutex::default(),
            shown: Mutex::default(),
            timers: Mutex::default(),
            panics: AtomicBool::default(),
        });
        let hands = Arc::new(Arms(Arc::downgrade(&shell)));
        let pilot = Arc::new(Pilot::open(setup, keys, hands));
        *shell.pilot.lock().unwrap() = Some(pilot);
        shell
    }

    pub fn pilot(&self) -> Arc<Pilot> {
        self.pilot.lock().unwrap().clone().unwrap()
    }

    /// Called from within the pilot, and calls it again: that is what is tried here.
    pub fn order(&self, order: Order) {
        match order {
            Order::Show { folder, launch, .. } => {
                self.shown.lock().unwrap().push(folder);
                self.pilot().tell(&News::Shown { launch, alone: false });
                self.pilot().tell(&News::Navigated);
            }
            Order::Work { job, .. } => self.pilot().work(job),
            Order::SetTimer { timer, .. } => self.timers.lock().unwrap().push(timer),
            Order::StopTimer { timer } => self.timers.lock().unwrap().retain(|t| *t != timer),
            Order::Tell { event, data, .. } => {
                self.told.lock().unwrap().push((event, serde_json::from_str(&data).unwrap()));
            }
            Order::Resolve { call, data } => {
                let answer = serde_json::from_str(&data).unwrap();
                self.answers.lock().unwrap().insert(call, Ok(answer));
            }
            Order::Reject { call, code, .. } => {
                self.answers.lock().unwrap().insert(call, Err(code.to_owned()));
            }
            Order::Note(_) | Order::Log(_) | Order::Reload { .. } | Order::Recreate => {}
        }
    }

    pub fn start(&self, nonce: &str) -> Option<PathBuf> {
        let folder = self.pilot().start(None, true);
        self.shown.lock().unwrap().push(folder.clone());
        self.pilot().tell(&News::Active);
        self.ask("attach", &json!({ "nonce": nonce })).unwrap();
        folder
    }

    pub fn ask(&self, method: &str, options: &Value) -> Result<Value, String> {
        self.pilot().call(method.to_owned(), method, &options.to_string());
        self.answers.lock().unwrap().remove(method).unwrap()
    }

    /// Syncs, shows what came, and has that page confirm it.
    pub fn takes_over(&self, nonce: &str) {
        self.ask("sync", &json!({})).unwrap();
        self.ring();
        self.ask("attach", &json!({ "nonce": nonce })).unwrap();
        self.ask("ready", &json!({ "nonce": nonce })).unwrap();
    }

    /// Lets every timer that runs now run out.
    pub fn ring(&self) {
        let timers = std::mem::take(&mut *self.timers.lock().unwrap());
        for timer in timers {
            self.pilot().tell(&News::Timer(timer));
        }
    }

    pub fn page(&self) -> String {
        let shown = self.shown.lock().unwrap().last().unwrap().clone();
        fs::read_to_string(shown.unwrap().join("index.html")).unwrap()
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().iter().map(|(event, _)| *event).collect()
    }
}
