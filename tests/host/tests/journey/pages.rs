//! Whose `ready()` it is: a page that is being replaced, or that came from elsewhere, confirms
//! nothing.

use std::path::Path;

use farad_host::routes::Platform;
use serde_json::json;

use crate::phone::Phone;
use crate::publisher::{Publisher, write};
use crate::web::{self, READY, SILENT};

/// Says `ready` for as long as it lives, by the plugin and past it, with its own nonce and with new
/// ones; keeps what it is told.
const LATE: &str = r"
    const told = (code) => {
      const all = JSON.parse(localStorage.getItem('told') ?? '{}');
      all[code] = (all[code] ?? 0) + 1;
      localStorage.setItem('told', JSON.stringify(all));
    };
    const say = (promise) => promise.then(() => told('confirmed'), ({ code }) => told(code));
    let count = 0;
    Farad.addListener('beforeReload', () => setInterval(() => {
      const nonce = `late ${count++}`;
      say(Farad.ready());
      const attached = Capacitor.nativePromise('Farad', 'attach', { nonce });
      say(attached.then(() => Capacitor.nativePromise('Farad', 'ready', { nonce })));
      say(Capacitor.nativePromise('Farad', 'ready', { nonce }));
      say(Capacitor.nativePromise('Farad', 'ready', {}));
    }, 20));
";

/// Loads itself anew, again and again, while it is being replaced; every page of it says `ready`.
const RELOADS: &str = r"
    Farad.ready().then(() => 'confirmed', ({ code }) => code).then((how) => {
      localStorage.setItem('reloads', `${localStorage.getItem('reloads') ?? ''} ${how}`);
    });
    const left = Number(sessionStorage.getItem('left') ?? 0);
    sessionStorage.setItem('left', left - 1);
    if (left > 0) setTimeout(() => location.reload(), 30);
    Farad.addListener('beforeReload', () => {
      sessionStorage.setItem('left', 5);
      location.reload();
    });
";

/// Replaces an old page that behaves so by a silent release, and sees that nobody confirmed it.
fn confirms_nothing(platform: Platform, old: &str) -> (Publisher, Phone, crate::phone::Running) {
    let publisher = Publisher::new();
    let web = publisher.plain("1.0.0", old);
    let package = publisher.package(platform, &web);
    let settings = publisher.settings(&json!({ "readyTimeout": 3000 }));
    let phone = Phone::new(platform, package, settings);
    publisher.release_plain("1.1.0", SILENT);
    let app = phone.start();
    app.shows("1.0.0");
    app.eval("void Farad.sync({ apply: 'now' })");
    app.shows("1.1.0");
    app.until("document.title === '1.0.0'");
    // It may still be loading itself anew.
    let state = app.until("Farad.getState()");
    assert_eq!(state["blocked"][0]["reason"], "not-ready");
    (publisher, phone, app)
}

fn the_old_pages_late_ready_confirms_nothing(platform: Platform) {
    let (_publisher, _phone, app) = confirms_nothing(platform, LATE);
    let told = app.eval("JSON.parse(localStorage.getItem('told'))");
    assert!(told["stale-token"].as_u64().unwrap() > 4, "{told}");
    assert_eq!(told.as_object().unwrap().len(), 1, "nothing else came of it: {told}");
}

#[test]
fn the_old_pages_late_ready_confirms_nothing_on_android() {
    the_old_pages_late_ready_confirms_nothing(Platform::Android);
}

#[test]
fn the_old_pages_late_ready_confirms_nothing_on_ios() {
    the_old_pages_late_ready_confirms_nothing(Platform::Ios);
}

#[test]
fn an_old_page_that_loads_itself_anew_meanwhile_confirms_nothing() {
    let (_publisher, _phone, app) = confirms_nothing(Platform::Android, RELOADS);
    let how = app.eval("localStorage.getItem('reloads')");
    assert!(how.as_str().unwrap().contains("stale-token"), "{how}");
}

#[test]
fn a_page_of_a_folder_of_its_own_does_not_survive_a_start() {
    for platform in [Platform::Android, Platform::Ios] {
        let publisher = Publisher::new();
        let phone = Phone::plain(platform, &publisher, &json!({}));
        // Where the app's own plugins may write.
        let folder = phone.app.home.join("Library/NoCloud/ionic_built_snapshots/own");
        web::plain(&folder, "own", READY);
        for persisted in [true, false] {
            let app = phone.start();
            app.shows("1.0.0");
            let path = json!({ "path": folder });
            app.eval(&format!(
                "void Capacitor.nativePromise('WebView', 'setServerBasePath', {path})"
            ));
            app.shows("own");
            if persisted {
                app.eval(
                    "settled(Capacitor.nativePromise('WebView', 'persistServerBasePath', {}))",
                );
                assert!(kept(&phone.app.home).contains("own"));
            }
            app.kill();
            let app = phone.start();
            app.shows("1.0.0");
        }
    }
}

/// What Capacitor itself remembers.
fn kept(home: &Path) -> String {
    std::fs::read_to_string(home.join("capacitor-settings.json")).unwrap()
}

#[test]
fn a_folder_that_is_gone_stops_no_start() {
    for platform in [Platform::Android, Platform::Ios] {
        let publisher = Publisher::new();
        let phone = Phone::plain(platform, &publisher, &json!({}));
        write(
            &phone.app.home.join("capacitor-settings.json"),
            br#"{"lastBinaryVersionCode":1,"serverBasePath":"/nowhere/gone"}"#,
        );
        phone.start().shows("1.0.0");
    }
}
