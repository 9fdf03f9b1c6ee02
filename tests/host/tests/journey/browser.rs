//! Chromium, one for all tests: each phone has a profile of its own in it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use farad_host::devtools::Devtools;
use serde_json::{Value, json};

use crate::web::root;

/// Takes what the browser tells of one session.
pub(crate) type Sink = Arc<dyn Fn(Value) + Send + Sync>;

pub(crate) struct Browser {
    pub(crate) devtools: Arc<Devtools>,
    sinks: Arc<Mutex<BTreeMap<String, Sink>>>,
    /// Ends when its input does, which is when this process does.
    _child: Mutex<Child>,
}

/// Headless, alone, without a sandbox (tests run as root in containers), silent towards the network.
/// Pages may use little memory, so that one that takes too much dies soon.
const FLAGS: [&str; 17] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--js-flags=--max-old-space-size=64",
];

impl Browser {
    /// The browser of this process.
    pub(crate) fn get() -> &'static Self {
        static BROWSER: OnceLock<Browser> = OnceLock::new();
        BROWSER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let profile = root().join("target/journey/profile");
        // Left by the run before, whose browser ended with it.
        let _ = std::fs::remove_dir_all(&profile);
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        // Chromium speaks on descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh", &program])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let sinks: Arc<Mutex<BTreeMap<String, Sink>>> = Arc::default();
        let told = Arc::clone(&sinks);
        let (input, out) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let devtools = Devtools::connect(input, out, 0, move |event| route(&told, event));
        devtools
            .call("", "Browser.getVersion", &json!({}))
            .unwrap_or_else(|error| panic!("{program} cannot be run ({error}): install Chromium"));
        Self { devtools, sinks, _child: Mutex::new(child) }
    }

    /// Tells `sink` of a session.
    pub(crate) fn listen(&self, session: &str, sink: Sink) {
        self.sinks.lock().unwrap().insert(session.to_owned(), sink);
    }
}

fn route(sinks: &Mutex<BTreeMap<String, Sink>>, event: Value) {
    let session = event["sessionId"].as_str().unwrap_or_default();
    let sink = sinks.lock().unwrap().get(session).cloned();
    if let Some(sink) = sink {
        sink(event);
    }
}
