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
    /// The document that called last: where Android's channel answers.
    caller: Option<u64>,
}

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
        Self { devtools, session, platform, start, caller: None }
    }

    /// Whether an event is this web view's.
    #[must_use]
    pub fn sees(&self, event: &Value) -> bool {
        event["sessionId"] == self.session
    }

    /// Loads the app's start page.
    pub fn load(&self) {
        self.begin("Page.navigate", &json!({ "url": self.start }));
    }

    /// Loads the route that the page is on.
    pub fn reload(&self) {
        self.begin("Page.reload", &json!({}));
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

    /// The bridge asks by a prompt, on iOS, whether plugins stand in for cookies and requests.
    pub fn answer_prompt(&self) {
        let no = json!({ "accept": true, "promptText": "false" });
        self.begin("Page.handleJavaScriptDialog", &no);
    }

    fn begin(&self, method: &str, params: &Value) {
        self.devtools.begin(&self.session, method, params, |_| ());
    }
}
