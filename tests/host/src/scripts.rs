//! What native code puts into every page before the page's own scripts: Capacitor's bridge, the
//! channel it speaks over, and the plugins that there are.

use serde_json::{Value, json};

use crate::routes::Platform;

/// The binding by which a page reaches native code.
pub const BINDING: &str = "faradHostPost";

/// The script for a page. `bridge` is Capacitor's own, as `@capacitor/android` ships it; it serves
/// both platforms.
#[must_use]
pub fn document_start(platform: Platform, origin: &str, bridge: &str) -> String {
    let channel = match platform {
        // Native code answers through the channel's `onmessage`.
        Platform::Android => format!("window.androidBridge = {{ postMessage: window.{BINDING} }};"),
        Platform::Ios => format!(
            // The bridge asks by prompts whether plugins stand in for cookies and requests; native
            // code says no, without a dialog.
            "window.webkit = {{ messageHandlers: {{ bridge: {{ postMessage: (data) =>
                window.{BINDING}(JSON.stringify(data)) }} }} }};
            window.prompt = () => 'false';"
        ),
    };
    // Only the main frame has a bridge.
    format!(
        "if (window === window.top && location.origin === {origin}) {{
            {channel}
            window.Capacitor = {{ DEBUG: false, isLoggingEnabled: false, Plugins: {{}} }};
            window.WEBVIEW_SERVER_URL = {origin};
            {bridge}
            window.Capacitor.PluginHeaders = {headers};
        }}",
        origin = json!(origin),
        headers = headers(),
    )
}

/// What `JSExport` writes of each plugin.
fn headers() -> Value {
    let promise = |name: &&str| json!({ "name": name, "rtype": "promise" });
    let plugin = |name: &str, methods: &[&str]| {
        let mut all: Vec<Value> = methods.iter().map(promise).collect();
        all.push(json!({ "name": "addListener" }));
        all.push(json!({ "name": "removeListener" }));
        all.push(promise(&"removeAllListeners"));
        json!({ "name": name, "methods": all })
    };
    json!([plugin("Farad", &farad::pilot::METHODS), plugin("WebView", &WEBVIEW)])
}

/// Methods of Capacitor's own plugin for the web view.
pub const WEBVIEW: [&str; 4] =
    ["setServerAssetPath", "setServerBasePath", "getServerBasePath", "persistServerBasePath"];
