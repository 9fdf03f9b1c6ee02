//! A phone with one app, and a user who taps, looks, and pulls the battery.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use farad_host::app::App;
use farad_host::link::{Said, Tell};
use farad_host::routes::Platform;
use serde_json::{Value, json};

use crate::browser::{Browser, Sink};
use crate::publisher::{APP, Publisher};
use crate::web::root;

/// A test that waits longer than this hangs. It is no measure of speed: machines may be very busy.
const HANGS: Duration = Duration::from_secs(300);

/// How long one look at a page goes on, if nobody interrupts it.
const GLANCE: Duration = Duration::from_secs(1);
/// How long an answer of a page that may have died is waited for.
const PATIENCE: Duration = Duration::from_secs(8);
/// What Chromium says where a page went before it had answered.
const REPLACED: &str = "Inspected target navigated or closed";

/// A phone with the app installed.
pub(crate) struct Phone {
    pub(crate) app: App,
    profile: String,
    _folder: tempfile::TempDir,
}

impl Phone {
    /// Installs the native build `package`.
    pub(crate) fn new(platform: Platform, package: PathBuf, settings: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bridge = "node_modules/@capacitor/android/capacitor/src/main/assets/native-bridge.js";
        let app = App {
            platform,
            settings,
            live_reload: false,
            id: APP.to_owned(),
            build: 1,
            home: folder.path().to_owned(),
            package,
            bridge: root().join(bridge),
            port: free_port(),
            lockstep: false,
        };
        let params = json!({ "disposeOnDetach": true });
        let made = Browser::get().devtools.call("", "Target.createBrowserContext", &params);
        let profile = made.unwrap()["browserContextId"].as_str().unwrap().to_owned();
        Self { app, profile, _folder: folder }
    }

    /// A phone with the plain app 1.0.0 as the built-in bundle.
    pub(crate) fn plain(platform: Platform, publisher: &Publisher, settings: &Value) -> Self {
        let web = publisher.plain("1.0.0", crate::web::READY);
        let package = publisher.package(platform, &web);
        Self::new(platform, package, publisher.settings(settings))
    }

    /// Starts the app and waits for its first page.
    pub(crate) fn start(&self) -> Running {
        let running = self.process(false);
        running.wait_for("page");
        running
    }

    /// Starts the app so that it waits for [`Running::go`] at every step.
    pub(crate) fn start_in_lockstep(&self) -> Running {
        self.process(true)
    }

    fn process(&self, lockstep: bool) -> Running {
        let app = App { lockstep, ..self.app.clone() };
        let mut child = Command::new(env!("CARGO_BIN_EXE_farad-host"))
            .arg(json!(app).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (step, steps) = channel();
        let input = Arc::new(Mutex::new(child.stdin.take().unwrap()));
        let cable = Cable { input, page: Arc::default(), profile: self.profile.clone(), step };
        let running = Running {
            child: Mutex::new(child),
            input: Arc::clone(&cable.input),
            page: Arc::clone(&cable.page),
            steps: Mutex::new(steps),
        };
        let out = running.child.lock().unwrap().stdout.take().unwrap();
        thread::spawn(move || cable.carry(out));
        running
    }
}

/// A port that stays the app's, whichever of its processes listens: none of those that the system
/// hands out for a moment.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 50).unwrap() * 200;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The page that the app has: its target, and the user's own session with it.
#[derive(Clone, Default)]
struct Page {
    target: String,
    session: String,
}

/// Carries between the app's process and the browser.
struct Cable {
    input: Arc<Mutex<ChildStdin>>,
    page: Arc<Mutex<Page>>,
    profile: String,
    step: Sender<String>,
}

impl Cable {
    fn sink(&self) -> Sink {
        let input = Arc::clone(&self.input);
        Arc::new(move |event| send(&input, &event))
    }

    fn carry(self, out: impl std::io::Read) {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let message: Value = serde_json::from_str(&line).unwrap();
            match serde_json::from_value(message.clone()) {
                Ok(Said::Step { step }) => {
                    let _ = self.step.send(step);
                }
                Ok(Said::NeedsWebView) => self.new_page(),
                Err(_) => {
                    let (id, input) = (message["id"].clone(), Arc::clone(&self.input));
                    Browser::get().devtools.forward(message, move |mut answer| {
                        answer["id"] = id;
                        send(&input, &answer);
                    });
                }
            }
        }
    }

    fn new_page(&self) {
        self.close();
        let devtools = &Browser::get().devtools;
        let params = json!({ "url": "about:blank", "browserContextId": self.profile });
        let made = devtools.call("", "Target.createTarget", &params).unwrap();
        let target = made["targetId"].as_str().unwrap().to_owned();
        let attach = || {
            let params = json!({ "targetId": target, "flatten": true });
            let attached = devtools.call("", "Target.attachToTarget", &params).unwrap();
            attached["sessionId"].as_str().unwrap().to_owned()
        };
        let session = attach();
        Browser::get().listen(&session, self.sink());
        *self.page.lock().unwrap() = Page { session: attach(), target: target.clone() };
        send(&self.input, &json!(Tell::WebView { session }));
    }

    fn close(&self) {
        close(&std::mem::take(&mut *self.page.lock().unwrap()));
    }
}

fn close(page: &Page) {
    if !page.target.is_empty() {
        let params = json!({ "targetId": page.target });
        Browser::get().devtools.begin("", "Target.closeTarget", &params, |_| ());
    }
}

fn send(input: &Mutex<ChildStdin>, message: &Value) {
    // Who was killed reads nothing more.
    let _ = writeln!(input.lock().unwrap(), "{message}");
}

/// The app's process, with its page.
pub(crate) struct Running {
    child: Mutex<Child>,
    input: Arc<Mutex<ChildStdin>>,
    page: Arc<Mutex<Page>>,
    steps: Mutex<Receiver<String>>,
}

impl Running {
    /// Waits until the app takes a step.
    pub(crate) fn wait_for(&self, step: &str) {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| last != step) {
            match self.next_step() {
                Some(step) => seen.push(step),
                None => panic!("the app ended, or never came to {step:?}: {seen:?}"),
            }
        }
    }

    /// Steps that nobody looked at yet.
    fn taken(&self) -> Vec<String> {
        self.steps.lock().unwrap().try_iter().collect()
    }

    /// The next step of the app; none once it ended, or where it hangs.
    pub(crate) fn next_step(&self) -> Option<String> {
        self.steps.lock().unwrap().recv_timeout(HANGS).ok()
    }

    /// Lets the app go on, in lockstep, until it waits at this step; says which it took.
    pub(crate) fn go_until(&self, step: &str) -> Vec<String> {
        let mut taken: Vec<String> = Vec::new();
        loop {
            match self.next_step() {
                Some(step) => taken.push(step),
                None => panic!("the app ended, or never came to {step:?}: {taken:?}"),
            }
            if taken.last().is_some_and(|last| last == step) {
                return taken;
            }
            self.go();
        }
    }

    /// Lets the app go on without waiting for anybody from now on.
    pub(crate) fn free(&self) {
        self.tell(&Tell::Free);
    }

    /// Lets the app go on, in lockstep.
    pub(crate) fn go(&self) {
        self.tell(&Tell::Go);
    }

    pub(crate) fn to_background(&self) {
        self.tell(&Tell::Background);
    }

    pub(crate) fn to_front(&self) {
        self.tell(&Tell::Active);
    }

    fn tell(&self, tell: &Tell) {
        send(&self.input, &json!(tell));
    }

    /// Ends the process without a word to it, and its page with it.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
        close(&std::mem::take(&mut *self.page.lock().unwrap()));
    }

    /// What an expression comes to in the page, promises awaited.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let answer = self.try_eval(expression, HANGS);
        answer.unwrap_or_else(|error| panic!("{expression}: {error}; {:?}", self.taken()))
    }

    /// Lets the page begin something that may replace it, and then takes the answer with it.
    pub(crate) fn begin(&self, call: &str) {
        match self.try_eval(&format!("void {call}"), HANGS) {
            Err(error) if !error.contains(REPLACED) => {
                panic!("{call}: {error}; {:?}", self.taken())
            }
            _ => {}
        }
    }

    fn try_eval(&self, expression: &str, patience: Duration) -> Result<Value, String> {
        let session = self.page.lock().unwrap().session.clone();
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
            "userGesture": true,
        });
        let devtools = &Browser::get().devtools;
        let mut answer = devtools.call_within(patience, &session, "Runtime.evaluate", &params)?;
        match answer.get("exceptionDetails") {
            Some(exception) => Err(exception["exception"]["description"].to_string()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true in whatever page is there, and returns what it is.
    pub(crate) fn until(&self, expression: &str) -> Value {
        let look = format!(
            "new Promise((done) => {{
                const end = Date.now() + {};
                const look = () => {{
                    let found;
                    try {{ found = {expression}; }} catch {{ }}
                    if (found || Date.now() > end) done(found ?? null);
                    else setTimeout(look, 10);
                }};
                look();
            }})",
            GLANCE.as_millis()
        );
        let begun = Instant::now();
        while begun.elapsed() < HANGS {
            // A page that is being replaced takes the question with it.
            match self.try_eval(&look, PATIENCE) {
                Ok(Value::Null | Value::Bool(false)) | Err(_) => {}
                Ok(found) => return found,
            }
        }
        self.picture("hangs");
        let page = "`${location.href} ${document.title}: ${document.body?.innerText}`";
        panic!("never: {expression}; {:?}; {:?}", self.try_eval(page, PATIENCE), self.taken());
    }

    /// Waits for the page of this version, and for it to have told so.
    pub(crate) fn shows(&self, version: &str) {
        self.until(&format!(
            "document.title === '{version}' && document.readyState === 'complete'"
        ));
    }

    pub(crate) fn tap(&self, selector: &str) {
        let button = format!("document.querySelector('{selector}')");
        self.until(&format!("{button} && ({button}.click(), true)"));
    }

    /// A picture of the page, for people to look at, in `target/journey`.
    pub(crate) fn picture(&self, name: &str) {
        let session = self.page.lock().unwrap().session.clone();
        let devtools = &Browser::get().devtools;
        let size = json!({
            "width": 390, "height": 760, "deviceScaleFactor": 1, "mobile": true,
        });
        let shot = devtools
            .call_within(PATIENCE, &session, "Emulation.setDeviceMetricsOverride", &size)
            .and_then(|_| {
                devtools.call_within(PATIENCE, &session, "Page.captureScreenshot", &json!({}))
            });
        let Ok(shot) = shot else { return };
        let png = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap_or_default())
            .unwrap();
        let folder = root().join("target/journey");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
