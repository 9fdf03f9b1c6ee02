//! What a page cannot do, whatever it calls.

use farad_host::routes::Platform;
use serde_json::{Value, json};

use crate::phone::{Phone, Running};
use crate::publisher::Publisher;
use crate::undo::{in_a_hurry, on_a_confirmed_release};
use crate::web::{READY, SILENT};

/// What native code says to a call past the plugin's script.
fn raw(app: &Running, method: &str, options: &Value) -> Value {
    app.eval(&format!("settled(Capacitor.nativePromise('Farad', '{method}', {options}))"))
}

/// Whether native code leaves a call unanswered: it does where one that was made later is answered.
fn is_not_heard(app: &Running, method: &str, options: &Value) -> bool {
    let silence = app.eval(&format!(
        "Promise.race([
            settled(Capacitor.nativePromise('Farad', '{method}', {options})),
            Farad.getState().then(() => 'silence'),
        ])"
    ));
    silence == "silence"
}

#[test]
fn no_call_takes_an_address_a_key_an_app_or_a_release() {
    let (publisher, phone, app) = on_a_confirmed_release(Platform::Android);
    publisher.release_plain("1.2.0", READY);
    let before = app.eval("settled(Farad.getState())");
    let asked = publisher.requests().len();
    for option in ["url", "root", "appId", "bundleId", "release", "channel", "path", "openingKeys"]
    {
        for method in farad::pilot::METHODS {
            // setChannel is there to name a channel; the next test is about which.
            if (method, option) != ("setChannel", "channel") {
                let answer = raw(&app, method, &json!({ option: "https://evil.example.com" }));
                assert_eq!(answer["code"], "argument-invalid", "{method} {option}: {answer}");
            }
        }
    }
    for method in ["setNext", "download", "setUrl", "unblock", "deleteBundle", "clearBlocked"] {
        assert!(is_not_heard(&app, method, &json!({ "bundleId": "builtin" })), "{method}");
        let through = format!("settled(capacitorExports.registerPlugin('Farad').{method}({{}}))");
        assert_eq!(app.eval(&through)["code"], "UNIMPLEMENTED", "{method}");
    }
    assert_eq!(publisher.requests().len(), asked, "nobody was asked anything");
    assert_eq!(app.eval("settled(Farad.getState())"), before);
    app.kill();
    let app = phone.start();
    app.shows("1.1.0");
}

#[test]
fn a_page_stays_in_the_channels_that_the_build_allows() {
    let publisher = Publisher::new();
    publisher.farad(&["channel", "add", "beta"]);
    let allowed = json!({ "allowedChannels": ["production", "beta"] });
    let mut phone = Phone::plain(Platform::Android, &publisher, &allowed);
    let app = phone.start();
    app.shows("1.0.0");
    let nightly = app.eval("settled(Farad.setChannel({ channel: 'nightly' }))");
    assert_eq!(nightly["code"], "config-invalid");
    assert_eq!(app.eval("settled(Farad.getChannel())")["channel"], "production");
    assert_eq!(app.eval("settled(Farad.setChannel({ channel: 'beta' }))"), json!(null));
    assert_eq!(app.eval("settled(Farad.getChannel())")["channel"], "beta");
    app.kill();

    // A build that no longer allows it follows its own again.
    phone.app.settings["allowedChannels"] = json!(["production"]);
    let app = phone.start();
    app.shows("1.0.0");
    assert_eq!(app.eval("settled(Farad.getChannel())")["channel"], "production");
    let beta = app.eval("settled(Farad.setChannel({ channel: 'beta' }))");
    assert_eq!(beta["code"], "config-invalid");
}

#[test]
fn nothing_brings_back_a_release_that_was_given_up() {
    let (publisher, mut phone, app) = on_a_confirmed_release(Platform::Android);
    let app = in_a_hurry(&mut phone, &app);
    publisher.release_plain("1.2.0", SILENT);
    app.begin("Farad.sync({ apply: 'now' })");
    app.until("document.title === '1.1.0' && answer?.rolledBack");
    let blocked = app.eval("settled(Farad.getState())");
    for call in [
        "Farad.sync({ apply: 'now' })",
        "Farad.check()",
        "Farad.setChannel({ channel: null })",
        "Farad.setHold({ until: null })",
        "Farad.apply()",
        "Farad.reportFailure({ message: 'of the good one' })",
        "Farad.sync({ apply: 'manual' })",
        "Farad.apply()",
    ] {
        app.eval(&format!("settled({call})"));
    }
    // Back to the built-in, and from there to what is offered: which is still the blocked one.
    app.begin("Farad.reset()");
    app.shows("1.0.0");
    assert_eq!(app.eval("settled(Farad.sync({ apply: 'now' }))")["status"], "blocked");
    app.kill();
    let app = phone.start();
    app.until("document.title !== '1.2.0' && answer");
    let state = app.eval("settled(Farad.getState())");
    assert_eq!(state["blocked"][0]["id"], blocked["blocked"][0]["id"]);
    assert_eq!((&state["next"], &state["held"]), (&json!(null), &json!(null)));
}
