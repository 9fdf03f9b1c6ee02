//! Which file answers a request: Android's rules (`WebViewLocalServer` of `@capacitor/android` 8.5)
//! and iOS's (`Router` and `WebViewAssetHandler` of `@capacitor/ios` 8.5). They differ.

use serde::{Deserialize, Serialize};

/// Where the app runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// `https://localhost`, intercepted requests.
    Android,
    /// A custom scheme.
    Ios,
}

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// This file of the folder that is served.
    File(String),
    /// An empty script, which Capacitor answers itself.
    Cordova,
}

/// What a file that is not there looks like to the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// An answer without content.
    NotFound,
    /// A request that fails.
    Failed,
}

impl Platform {
    /// Where a request for `path` (decoded, with its leading slash) leads.
    #[must_use]
    pub fn route(self, path: &str) -> Route {
        let last = path.rsplit('/').next().unwrap_or_default();
        match self {
            Self::Android if path == "/cordova.js" => Route::Cordova,
            Self::Android if path == "/" || !last.contains('.') => index(),
            // The path's extension is what follows the last dot of its last part.
            Self::Ios if !last.trim_start_matches('.').contains('.') => index(),
            _ => Route::File(path.trim_start_matches('/').to_owned()),
        }
    }

    /// What a page sees where a route leads to no file. Without its index page, Android lets the
    /// request through to a network where nobody answers.
    #[must_use]
    pub fn absent(self, route: &Route) -> Absent {
        match self {
            Self::Android if *route != index() => Absent::NotFound,
            _ => Absent::Failed,
        }
    }
}

fn index() -> Route {
    Route::File("index.html".to_owned())
}

/// The type that goes with a file's name.
#[must_use]
pub fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html",
        "js" | "mjs" => "application/javascript",
        "css" => "text/css",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        "txt" => "text/plain",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Route {
        Route::File(path.to_owned())
    }

    #[test]
    fn routes_of_the_app_lead_to_its_index_page() {
        for platform in [Platform::Android, Platform::Ios] {
            for path in ["/", "/products", "/products/4711", "/a/b/"] {
                assert_eq!(platform.route(path), index(), "{platform:?} {path}");
            }
            assert_eq!(platform.route("/assets/index-1.js"), file("assets/index-1.js"));
            assert_eq!(platform.route("/index.html"), index());
        }
    }

    #[test]
    fn a_dot_in_the_last_part_is_a_file_and_one_before_it_is_not() {
        for platform in [Platform::Android, Platform::Ios] {
            assert_eq!(platform.route("/user/john.doe"), file("user/john.doe"));
            assert_eq!(platform.route("/john.doe/x"), index());
        }
    }

    #[test]
    fn a_hidden_file_has_no_extension_on_ios() {
        assert_eq!(Platform::Android.route("/.well-known"), file(".well-known"));
        assert_eq!(Platform::Ios.route("/.well-known"), index());
    }

    #[test]
    fn a_file_that_is_not_there_is_404_on_android_and_fails_on_ios() {
        assert_eq!(Platform::Android.absent(&file("a.png")), Absent::NotFound);
        assert_eq!(Platform::Android.absent(&index()), Absent::Failed);
        assert_eq!(Platform::Ios.absent(&file("a.png")), Absent::Failed);
    }

    #[test]
    fn cordova_js_is_android_s_own() {
        assert_eq!(Platform::Android.route("/cordova.js"), Route::Cordova);
        assert_eq!(Platform::Ios.route("/cordova.js"), file("cordova.js"));
    }
}
