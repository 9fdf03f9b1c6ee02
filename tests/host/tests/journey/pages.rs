//! Whose `ready()` it is: a page that is being replaced, or that came from elsewhere, confirms
//! nothing.

use std::path::Path;

use farad_host::routes::Platform;
use serde_json::json;

use crate::phone::{Phone, Running};
use crate::publisher::{Publisher, write};
use crate::web::{self, READY, SILENT};

/// Says `ready` for as long as it lives, by the plugin and past it, with its own nonce and with new
/// ones. Counts before it speaks: whether it still hears the answers is up to the machine.
const LATE: &str = r"
    const heard = (code) => {
      const all = JSON.parse(localStorage.getItem('heard') ?? '{}');
      all[code] = (all[code] ?? 0) + 1;
      localStorage.setItem('heard', JSON.stringify(all));
    };
    const say = (promise) => promise.then(() => heard('confirmed'), ({ code }) => heard(code));
    let count = 0;
    Farad.addListener('beforeReload', () => setInterval(() => {
      localStorage.setItem('tries', ++count);
      const nonce = `late ${count}`;
      say(Farad.ready());
      const attached = Capacitor.nativePromise('Farad', 'attach', { nonce });
      say(attached.then(() => Capacitor.nativePromise('Farad', 'ready', { nonce })));
      say(Capacitor.nativePromise('Farad', 'ready', { nonce }));
      say(Capacitor.nativePromise('Farad', 'ready', {}));
    }, 20));
";

/// Loads itself anew, again and again, while it is being replaced; every page of it says `ready`.
const RELOADS: &str = r"
    Farad.ready().catch(() => undefined);
    const tries = Number(localStorage.getItem('tries'));
    const again = () => {
      localStorage.setItem('tries', tries + 1);
      location.reload();
    };
    if (tries > 0 && tries < 50) setTimeout(again, 10);
    Farad.addListener('beforeReload', again);
";

/// Replaces an old page that behaves so by a silent release, which waits until the page has tried a
/// few times; sees that nobody confirmed the release. Says what the shell did from `beforeReload`
/// until that was shown.
fn confirms_nothing(
    platform: Platform,
    old: &str,
    tries: u32,
) -> (Publisher, Phone, Running, Vec<String>) {
    let publisher = Publisher::new();
    let web = publisher.plain("1.0.0", old);
    let package = publisher.package(platform, &web);
    let phone = Phone::new(platform, package, publisher.settings(&json!({ "readyTimeout": 1000 })));
    publisher.release_plain("1.1.0", SILENT);
    let app = phone.start_in_lockstep();
    app.go_until("call attach");
    app.shows("1.0.0");
    app.begin("Farad.sync({ apply: 'now' })");
    app.go();
    app.go_until("tell beforeReload");
    app.go();
    let mut steps = app.go_until("show a bundle");
    if tries > 0 {
        app.until(&format!("Number(localStorage.getItem('tries')) >= {tries}"));
    }
    app.go();
    steps.extend(app.go_until("shown"));
    // Twice tried, and given up.
    app.free();
    app.wait_for("show the built-in");
    app.wait_for("page");
    app.until("document.title === '1.0.0'");
    // It may still be loading itself anew.
    let state = app.until("Farad.getState()");
    assert_eq!(state["blocked"][0]["reason"], "not-ready", "{steps:?}");
    (publisher, phone, app, steps)
}

fn count(steps: &[String], step: &str) -> usize {
    steps.iter().filter(|taken| *taken == step).count()
}

fn the_old_pages_late_ready_confirms_nothing(platform: Platform) {
    let (_publisher, _phone, app, steps) = confirms_nothing(platform, LATE, 5);
    assert!(count(&steps, "reject stale-token") > 4, "{steps:?}");
    assert_eq!(count(&steps, "resolve"), 0, "nothing else came of it: {steps:?}");
    let heard = app.eval("Object.keys(JSON.parse(localStorage.getItem('heard') ?? '{}'))");
    assert!(heard == json!([]) || heard == json!(["stale-token"]), "{heard}");
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
fn an_old_page_that_loads_itself_anew_meanwhile_confirms_nothing_on_android() {
    let (_publisher, _phone, _app, steps) = confirms_nothing(Platform::Android, RELOADS, 5);
    assert!(count(&steps, "page") > 1, "it came up again: {steps:?}");
    assert!(count(&steps, "reject stale-token") > 1, "and spoke: {steps:?}");
    assert_eq!(count(&steps, "resolve"), 0, "nothing else came of it: {steps:?}");
}

#[test]
fn an_old_page_that_loads_itself_anew_meanwhile_confirms_nothing_on_ios() {
    // Pages wait for answers to the bridge's questions there: while the shell is held, none comes up.
    confirms_nothing(Platform::Ios, RELOADS, 0);
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
            app.begin(&format!("Capacitor.nativePromise('WebView', 'setServerBasePath', {path})"));
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
