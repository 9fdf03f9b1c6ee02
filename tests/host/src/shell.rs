//! The native shell: one loop for what Android and iOS do on the main thread, two threads for the
//! plugin's work, timers.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use farad::pilot::{Hands, Lane, METHODS, News, Order, Pilot};
use serde_json::{Value, json};

use crate::app::App;
use crate::bridge::{Answer, Bridge, Call};
use crate::devtools::Devtools;
use crate::files::Files;
use crate::link::{Said, Tell};
use crate::routes::Platform;
use crate::scripts;
use crate::server::Server;
use crate::settings::Settings;
use crate::webview::WebView;

/// What the main thread is given to do.
#[derive(Debug)]
pub enum Main {
    /// An event of the browser's.
    Event(Value),
    /// A word of whoever holds the phone.
    Told(Tell),
    /// An order of the core's.
    Order(Order),
    /// A timer ran out.
    Timer(u64),
}

/// Tells every step, and waits for a nod in lockstep.
pub struct Steps {
    devtools: Arc<Devtools>,
    nods: Option<Mutex<Receiver<()>>>,
}

impl Steps {
    /// Steps over a connection; with `nods`, one at a time.
    #[must_use]
    pub fn new(devtools: Arc<Devtools>, nods: Option<Receiver<()>>) -> Self {
        Self { devtools, nods: nods.map(Mutex::new) }
    }

    fn step(&self, step: impl Into<String>) {
        let nods = self.nods.as_ref().map(|nods| nods.lock().unwrap());
        self.devtools.send(&json!(Said::Step { step: step.into() }));
        if let Some(nods) = nods {
            // No nod any more: nobody holds the phone, and the process ends.
            let _ = nods.recv();
        }
    }
}

/// The plugin's hands.
struct Arms {
    main: Sender<Main>,
    short: Sender<u64>,
    long: Sender<u64>,
    steps: Arc<Steps>,
}

impl Hands for Arms {
    fn order(&self, order: Order) {
        self.steps.step(name_of(&order));
        // Who is not there any more is about to end.
        let _ = match order {
            Order::Work { lane: Lane::Short, job } => self.short.send(job).ok(),
            Order::Work { lane: Lane::Long, job } => self.long.send(job).ok(),
            Order::SetTimer { timer, after } => {
                let main = self.main.clone();
                thread::spawn(move || {
                    thread::sleep(after);
                    main.send(Main::Timer(timer))
                });
                None
            }
            // The core knows a timer that it does not want any more.
            Order::StopTimer { .. } => None,
            order => self.main.send(Main::Order(order)).ok(),
        };
    }

    fn metered(&self) -> bool {
        false
    }
}

fn name_of(order: &Order) -> String {
    match order {
        Order::Show { folder: Some(_), .. } => "show a bundle".to_owned(),
        Order::Show { folder: None, .. } => "show the built-in".to_owned(),
        Order::Reload { .. } => "reload".to_owned(),
        Order::Recreate => "recreate".to_owned(),
        Order::SetTimer { .. } => "timer".to_owned(),
        Order::StopTimer { .. } => "no timer".to_owned(),
        Order::Work { lane, .. } => format!("{lane:?} work").to_lowercase(),
        Order::Tell { event, .. } => format!("tell {event}"),
        Order::Resolve { .. } => "resolve".to_owned(),
        Order::Reject { code, .. } => format!("reject {code}"),
        Order::Note(_) => "note".to_owned(),
        Order::Log(_) => "log".to_owned(),
    }
}

/// The shell of one app's process.
pub struct Shell {
    app: App,
    settings: Settings,
    server: Server,
    script: String,
    devtools: Arc<Devtools>,
    steps: Arc<Steps>,
    pilot: Arc<Pilot>,
    bridge: Bridge,
    webview: Option<WebView>,
    showing: Option<Showing>,
}

/// A bundle that is to be shown once the old page is gone.
struct Showing {
    launch: u64,
    files: Files,
    address: String,
}

impl Shell {
    /// The app's process begins.
    pub fn new(app: App, devtools: Arc<Devtools>, steps: Arc<Steps>, main: Sender<Main>) -> Self {
        let (short, shorts) = std::sync::mpsc::channel();
        let (long, longs) = std::sync::mpsc::channel();
        let arms = Arms { main, short, long, steps: Arc::clone(&steps) };
        let pilot = Arc::new(Pilot::open(&app.setup(), None, Arc::new(arms)));
        for jobs in [shorts, longs] {
            let (pilot, steps) = (Arc::clone(&pilot), Arc::clone(&steps));
            thread::spawn(move || {
                for job in jobs {
                    pilot.work(job);
                    steps.step("worked");
                }
            });
        }
        let bridge = fs::read_to_string(&app.bridge).unwrap();
        let script = scripts::document_start(app.platform, &app.origin(), &bridge);
        let (settings, server) = (Settings::of(&app), Server::start(&app));
        let bridge = Bridge::default();
        let (webview, showing) = (None, None);
        Self { app, settings, server, script, devtools, steps, pilot, bridge, webview, showing }
    }

    /// Lives until the process ends.
    pub fn run(mut self, main: &Receiver<Main>) {
        self.devtools.send(&json!(Said::NeedsWebView));
        while let Ok(next) = main.recv() {
            match next {
                Main::Event(event) => self.event(&event),
                Main::Told(told) => self.told(told),
                Main::Order(order) => self.order(order),
                Main::Timer(timer) => self.pilot.tell(&News::Timer(timer)),
            }
        }
    }

    fn told(&mut self, told: Tell) {
        match told {
            Tell::WebView { session } => self.begin(session),
            Tell::Active => self.pilot.tell(&News::Active),
            Tell::Background => self.pilot.tell(&News::Background),
            Tell::Go | Tell::Free => {}
        }
    }

    /// The screen is made: the plugin's `load()`, then the first load of the web view.
    fn begin(&mut self, session: String) {
        self.steps.step("load");
        // iOS reads what was persisted before any plugin loads; Android after all of them did.
        let before = match self.app.platform {
            Platform::Ios => self.settings.persisted(),
            Platform::Android => None,
        };
        let folder = self.pilot.start(None, true);
        self.steps.step(if folder.is_some() { "decided: a bundle" } else { "decided: built-in" });
        let (devtools, platform) = (Arc::clone(&self.devtools), self.app.platform);
        let webview = WebView::open(devtools, session, platform, &self.script, self.app.origin());
        self.showing = None;
        let webview = self.webview.insert(webview);
        let start = webview.address(false);
        self.server.serve(before.unwrap_or_else(|| self.app.builtin()));
        match platform {
            Platform::Android => {
                self.settings.persist(folder.as_deref());
                if let Some(files) = self.settings.persisted() {
                    self.server.serve(files);
                    // Capacitor loads twice then: once for the path, once for the start.
                    webview.load(&start);
                }
            }
            Platform::Ios => {
                let files = folder.map_or_else(|| self.app.builtin(), Files::Folder);
                assert!(files.folder().unwrap().exists(), "Capacitor would end the app");
                self.server.serve(files);
            }
        }
        webview.load(&start);
        self.steps.step("first load");
        self.pilot.tell(&News::Active);
    }

    fn event(&mut self, event: &Value) {
        let Some(webview) = &mut self.webview else { return };
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            _ if !webview.sees(event) => {}
            "Page.frameNavigated" if params["frame"]["parentId"].is_null() => {
                self.bridge.reset();
                webview.navigated(&params["frame"]);
                if webview.is_blank() {
                    self.steps.step("blank");
                } else {
                    self.steps.step("page");
                    self.pilot.tell(&News::Navigated);
                }
                self.go_on_showing();
            }
            // What was under way came up or was given up; the empty document may have been that.
            "Page.frameStoppedLoading" if webview.is_main(params) => self.go_on_showing(),
            "Page.frameStartedNavigating" => webview.begins(params),
            "Page.navigatedWithinDocument" => webview.moved(params),
            "Runtime.bindingCalled" if params["name"] == scripts::BINDING => {
                webview.called_by(event);
                let payload = params["payload"].as_str().unwrap_or_default();
                // Errors of scripts travel the same way, and are no calls.
                if let Ok(call) = serde_json::from_str::<Call>(payload) {
                    self.call(call);
                }
            }
            "Inspector.targetCrashed" => {
                (self.webview, self.showing) = (None, None);
                self.steps.step("the renderer is gone");
                self.pilot.renderer_gone();
            }
            _ => {}
        }
    }

    fn call(&mut self, call: Call) {
        match (call.plugin_id.as_str(), call.method_name.as_str()) {
            ("Farad", "addListener") => {
                let kept = self.bridge.listen(call);
                self.post(&kept);
            }
            ("Farad", "removeListener") => self.bridge.unlisten(&call),
            ("Farad", "removeAllListeners") => {
                self.bridge.unlisten_all();
                self.answer(call, Ok(Value::Null));
            }
            ("Farad", method) if METHODS.contains(&method) => {
                self.steps.step(format!("call {method}"));
                let (id, method) = (call.callback_id.clone(), call.method_name.clone());
                let options = call.options.to_string();
                self.bridge.begin(call);
                self.pilot.call(id, &method, &options);
            }
            ("WebView", _) => self.call_of_capacitor(call),
            // Capacitor logs a method that is not there, and never answers.
            _ => log::warn!("there is no {} of {}", call.method_name, call.plugin_id),
        }
    }

    /// Capacitor's own plugin, with which a page may serve and persist a folder of its choice.
    fn call_of_capacitor(&mut self, call: Call) {
        let Some(webview) = &self.webview else { return };
        let path = PathBuf::from(call.options["path"].as_str().unwrap_or_default());
        let mut answer = Value::Null;
        match call.method_name.as_str() {
            "setServerBasePath" => {
                self.server.serve(Files::Folder(path));
                webview.load(&webview.address(false));
            }
            "setServerAssetPath" => {
                self.server.serve(self.app.builtin());
                webview.load(&webview.address(false));
            }
            "getServerBasePath" => answer = json!({ "path": self.server.files().folder() }),
            "persistServerBasePath" => self.settings.persist(self.server.files().folder()),
            _ => return,
        }
        self.answer(call, Ok(answer));
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Show { folder, keep_route, launch } => self.show(folder, keep_route, launch),
            // What is to be shown loads a page anyway.
            Order::Reload { .. } if self.showing.is_some() => {}
            Order::Reload { keep_route } => {
                if let Some(webview) = &self.webview {
                    webview.load(&webview.address(keep_route));
                }
            }
            Order::Recreate => self.devtools.send(&json!(Said::NeedsWebView)),
            Order::Tell { event, data, retain } => {
                let data = serde_json::from_str(&data).unwrap();
                let messages = self.bridge.notify(event, data, retain);
                self.post(&messages);
            }
            Order::Resolve { call, data } => {
                let answer = self.bridge.answer(&call, Ok(serde_json::from_str(&data).unwrap()));
                self.post(answer.as_slice());
            }
            Order::Reject { call, code, message, data } => {
                let data: Value = serde_json::from_str(&data).unwrap();
                let error = json!({ "message": message, "code": code, "data": data });
                let answer = self.bridge.answer(&call, Err(error));
                self.post(answer.as_slice());
            }
            // Android alone keeps it, and only tells the next process; every start here is told
            // nothing of the one before.
            Order::Note(_) => {}
            Order::Log(line) => log::warn!("{line}"),
            Order::SetTimer { .. } | Order::StopTimer { .. } | Order::Work { .. } => {
                unreachable!("the hands do these themselves")
            }
        }
    }

    /// Ends the old page first: what it had begun to load could come up after the folder was
    /// switched, and be taken for the new one.
    fn show(&mut self, folder: Option<PathBuf>, keep_route: bool, launch: u64) {
        let Some(webview) = &self.webview else { return };
        let waits = self.showing.take().filter(|_| keep_route);
        let address = waits.map_or_else(|| webview.address(keep_route), |waits| waits.address);
        let files = folder.map_or_else(|| self.app.builtin(), Files::Folder);
        webview.load(&WebView::blank(launch));
        self.showing = Some(Showing { launch, files, address });
    }

    /// Another document stands: the one that was waited for, or a last one of the old page's, whose
    /// load may have ended the one that was asked for.
    fn go_on_showing(&mut self) {
        let (Some(webview), Some(showing)) = (&self.webview, self.showing.take()) else { return };
        let blank = WebView::blank(showing.launch);
        // A reload that the old page began last of all may come up after the empty document.
        if webview.at() != blank || !webview.is_settled() {
            webview.load(&blank);
            self.showing = Some(showing);
            return;
        }
        self.server.serve(showing.files);
        self.pilot.tell(&News::Shown { launch: showing.launch, alone: false });
        webview.load(&showing.address);
        self.steps.step("shown");
    }

    fn answer(&mut self, call: Call, answer: Answer) {
        let id = call.callback_id.clone();
        self.bridge.begin(call);
        let message = self.bridge.answer(&id, answer);
        self.post(message.as_slice());
    }

    fn post(&self, messages: &[Value]) {
        if let Some(webview) = &self.webview {
            messages.iter().for_each(|message| webview.post(message));
        }
    }
}
