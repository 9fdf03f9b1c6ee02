//! Releases that do not come up end on the last good bundle, and the page is told why.

use farad_host::routes::Platform;
use serde_json::json;

use crate::phone::{Phone, Running};
use crate::publisher::Publisher;
use crate::web::{CRASHES, READY, REPORTS, SILENT, THROWS};

/// A phone that runs a confirmed 1.1.0.
pub(crate) fn on_a_confirmed_release(platform: Platform) -> (Publisher, Phone, Running) {
    let publisher = Publisher::new();
    let phone = Phone::plain(platform, &publisher, &json!({}));
    publisher.release_plain("1.1.0", READY);
    let app = phone.start();
    app.shows("1.0.0");
    app.begin("Farad.sync({ apply: 'now' })");
    app.shows("1.1.0");
    app.until("answer");
    app.kill();
    let app = phone.start();
    app.shows("1.1.0");
    app.until("answer");
    (publisher, phone, app)
}

/// Starts the app anew with little patience for releases on trial. What runs is confirmed.
pub(crate) fn in_a_hurry(phone: &mut Phone, app: &Running) -> Running {
    app.kill();
    phone.app.settings["readyTimeout"] = json!(1000);
    let app = phone.start();
    app.shows("1.1.0");
    app.until("answer");
    app
}

fn is_undone(platform: Platform, behaviour: &str, reason: &str) {
    let (publisher, mut phone, app) = on_a_confirmed_release(platform);
    // Where something else ends it, the time to get ready does not.
    let app = if reason == "not-ready" { in_a_hurry(&mut phone, &app) } else { app };
    publisher.release_plain("1.2.0", behaviour);
    app.begin("Farad.sync({ apply: 'now' })");
    app.wait_for("show a bundle");
    app.wait_for("page");

    // Back by itself, without a restart; only the last page says that it is ready.
    app.until("document.title === '1.1.0' && answer?.rolledBack");
    let ready = app.eval("answer");
    assert_eq!(ready["rolledBack"]["version"], "1.2.0");
    assert_eq!(ready["reason"], reason);
    assert_eq!(ready["current"]["version"], "1.1.0");
    let event = app.until("events.find(({ name }) => name === 'rolledBack')?.data");
    assert_eq!(event["from"], ready["rolledBack"]);
    assert_eq!((&event["to"], &event["reason"]), (&ready["current"], &ready["reason"]));

    // It is left alone: by a sync, by every later start.
    let sync = app.eval("settled(Farad.sync({ apply: 'now' }))");
    assert_eq!(
        (&sync["status"], &sync["release"]["version"]),
        (&json!("blocked"), &json!("1.2.0"))
    );
    app.kill();
    let app = phone.start();
    app.shows("1.1.0");
    let state = app.eval("settled(Farad.getState())");
    assert_eq!(state["blocked"][0]["id"], ready["rolledBack"]["id"]);
    assert_eq!(state["blocked"][0]["reason"], reason);
    assert_eq!((&state["next"], &state["held"]), (&json!(null), &json!(null)));
}

#[test]
fn a_release_that_throws_at_load_is_undone_on_android() {
    is_undone(Platform::Android, THROWS, "not-ready");
}

#[test]
fn a_release_that_throws_at_load_is_undone_on_ios() {
    is_undone(Platform::Ios, THROWS, "not-ready");
}

#[test]
fn a_release_that_never_says_ready_is_undone_on_android() {
    is_undone(Platform::Android, SILENT, "not-ready");
}

#[test]
fn a_release_whose_page_crashes_the_renderer_is_undone_on_android() {
    is_undone(Platform::Android, CRASHES, "renderer-gone");
}

#[test]
fn a_release_whose_page_crashes_the_renderer_is_undone_on_ios() {
    is_undone(Platform::Ios, CRASHES, "renderer-gone");
}

#[test]
fn a_release_that_reports_itself_is_undone_on_android() {
    is_undone(Platform::Android, REPORTS, "reported");
}

#[test]
fn a_silent_release_is_undone_by_starts_alone() {
    let (publisher, phone, app) = on_a_confirmed_release(Platform::Android);
    publisher.release_plain("1.2.0", SILENT);
    app.eval("settled(Farad.sync({ apply: 'next-start' }))");
    for _ in 0..2 {
        app.kill();
        let app = phone.start();
        app.shows("1.2.0");
    }
    let app = phone.start();
    app.until("document.title === '1.1.0' && answer?.reason === 'not-ready'");
}
