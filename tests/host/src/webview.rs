//! The web view: a page of Chromium, by the DevTools protocol.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::devtools::Devtools;
use crate::routes::Platform;
use crate::scripts::BINDING;

/// A web view.
pub struct WebView {
    devtools: Arc<Devtools>,
    session: String,
    platform: Platform,
    start: String,
    /// The main frame, and the address of the document that stands in it.
    frame: String,
    at: String,
    /// What stands, and what began to load last, which may come up yet.
    loader: String,
    begun: String,
    /// The document that called last: where Android's channel answers.
    caller: Option<u64>,
}

/// Empty documents, each with an address of its own: whichever one stands, it is known which.
const BLANK: &str = "about:blank?farad-";

impl WebView {
    /// Takes over the page of a DevTools session. `script` runs in every document first; `start` is
    /// the address of the start page.
    pub fn open(
        devtools: Arc<Devtools>,
        session: String,
        platform: Platform,
        script: &str,
        start: String,
    ) -> Self {
        for (method, params) in [
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Runtime.addBinding", json!({ "name": BINDING })),
            ("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })),
        ] {
            devtools.call(&session, method, &params).unwrap();
        }
        let (frame, at, loader, begun) = Default::default();
        Self { devtools, session, platform, start, frame, at, loader, begun, caller: None }
    }

    /// Whether an event is this web view's.
    #[must_use]
    pub fn sees(&self, event: &Value) -> bool {
        event["sessionId"] == self.session
    }

    /// Where the app's page is loaded: at its start, or at the route that it is on.
    #[must_use]
    pub fn address(&self, keep_route: bool) -> String {
        let start = format!("{}/", self.start);
        if keep_route && self.at.starts_with(&start) { self.at.clone() } else { start }
    }

    /// Loads a page.
    pub fn load(&self, address: &str) {
        self.begin("Page.navigate", &json!({ "url": address }));
    }

    /// The address of the empty document that makes room for a launch.
    #[must_use]
    pub fn blank(launch: u64) -> String {
        format!("{BLANK}{launch}")
    }

    /// Another document stands in the main frame.
    pub fn navigated(&mut self, frame: &Value) {
        let part = |name: &str| frame[name].as_str().unwrap_or_default();
        self.frame = part("id").to_owned();
        self.loader = part("loaderId").to_owned();
        self.at = format!("{}{}", part("url"), part("urlFragment"));
    }

    /// A document began to load.
    pub fn begins(&mut self, params: &Value) {
        let other = params["navigationType"] != "sameDocument";
        if other && (self.frame.is_empty() || self.is_main(params)) {
            self.begun = params["loaderId"].as_str().unwrap_or_default().to_owned();
        }
    }

    /// Whether nothing else may come up in place of the document that stands.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.begun == self.loader
    }

    /// The document that stands changed its address, by a fragment or by `history.pushState`.
    pub fn moved(&mut self, params: &Value) {
        if self.is_main(params) {
            self.at = params["url"].as_str().unwrap_or_default().to_owned();
        }
    }

    /// Whether an event is about the main frame.
    #[must_use]
    pub fn is_main(&self, params: &Value) -> bool {
        params["frameId"] == self.frame
    }

    /// The address of the document that stands.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Whether an empty document stands.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.at.starts_with(BLANK)
    }

    /// A document called.
    pub fn called_by(&mut self, event: &Value) {
        self.caller = event["params"]["executionContextId"].as_u64();
    }

    /// Hands a message of Capacitor's to the page; one that is gone hears nothing.
    pub fn post(&self, message: &Value) {
        let params = match self.platform {
            Platform::Android => json!({
                "expression": format!(
                    "window.androidBridge.onmessage({{ data: {} }})", json!(message.to_string())),
                "contextId": self.caller,
            }),
            Platform::Ios => {
                json!({ "expression": format!("window.Capacitor.fromNative({message})") })
            }
        };
        self.begin("Runtime.evaluate", &params);
    }

    fn begin(&self, method: &str, params: &Value) {
        self.devtools.begin(&self.session, method, params, |_| ());
    }
}
