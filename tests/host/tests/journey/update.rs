//! The main job: the sample app updates itself.

use farad_host::routes::Platform;
use serde_json::json;

use crate::phone::{Phone, Running};
use crate::publisher::Publisher;
use crate::web;

const VERSION: &str = "document.querySelector('#version')?.textContent";

/// A publisher of the sample app whose native build has 1.0.0 inside.
fn shop() -> Publisher {
    let publisher = Publisher::new();
    let web = publisher.at("web/1.0.0");
    web::shop(&web, "1.0.0", "");
    publisher.release_with("1.0.0", &web, &["--channel", "production", "--rollout", "0"]);
    publisher.farad(&["embed", &web.display().to_string()]);
    publisher
}

fn release(publisher: &Publisher, version: &str, broken: &str) {
    let web = publisher.at(&format!("web/{version}"));
    web::shop(&web, version, broken);
    publisher.release(version, &web);
}

fn update_now(app: &Running) {
    app.tap("a[href=\"#/updates\"]");
    app.tap("#update-now");
}

/// Waits for the home page of a version, which drew itself and said that it is ready.
fn comes_up(app: &Running, version: &str) {
    app.until(&format!("{VERSION} === '{version}'"));
}

/// What the page about updates says is running.
fn running(app: &Running) -> String {
    app.tap("a[href=\"#/updates\"]");
    app.until("document.querySelector('#bundle')?.textContent").as_str().unwrap().to_owned()
}

fn the_shop_updates_itself(platform: Platform) {
    let mut publisher = shop();
    let package = publisher.package(platform, &publisher.at("web/1.0.0"));
    let mut phone = Phone::new(platform, package, publisher.settings(&json!({})));
    let picture = |app: &Running, name: &str| app.picture(&format!("{platform:?}-{name}"));

    let app = phone.start();
    comes_up(&app, "1.0.0");
    assert_eq!(running(&app), "1.0.0 (release 1 of production, built in)");
    picture(&app, "1-built-in");
    app.tap("a[href=\"#/products\"]");
    app.tap("[data-add=honey]");

    release(&publisher, "1.1.0", "");
    app.tap("a[href=\"#/updates\"]");
    app.until("document.querySelector('#progress') !== null");
    app.eval(
        "new MutationObserver(([change]) => {
            if (!change.target.hidden) localStorage.setItem('progress', change.target.value);
        }).observe(document.querySelector('#progress'), { attributes: true })",
    );
    // The page stays until the app is out of sight: the bar has the time to come to its end.
    app.eval("Capacitor.Plugins.Farad.setHold({ until: 'background' })");
    update_now(&app);
    app.until("localStorage.getItem('progress') === '1'");
    app.to_background();
    comes_up(&app, "1.1.0");
    app.to_front();
    assert_eq!(app.eval("document.querySelector('#count').textContent"), "1", "what was put in");
    assert_eq!(running(&app), "1.1.0 (release 2 of production)");
    picture(&app, "2-updated");

    // The next starts serve it, confirmed: nobody need say that it is ready.
    for _ in 0..3 {
        app.kill();
        let again = phone.start();
        comes_up(&again, "1.1.0");
    }

    // A release that breaks: twice tried, given up, and the page before it says so.
    release(&publisher, "1.2.0", "throws");
    phone.app.settings["readyTimeout"] = json!(1000);
    let app = phone.start();
    comes_up(&app, "1.1.0");
    update_now(&app);
    for _ in ["tried", "tried again", "given up"] {
        app.wait_for("shown");
        app.wait_for("page");
    }
    comes_up(&app, "1.1.0");
    app.tap("a[href=\"#/updates\"]");
    let told = app.until("document.querySelector('#given-up:not([hidden])')?.textContent");
    assert_eq!(told, "Version 1.2.0 was given up: not-ready");
    update_now(&app);
    app.until("document.querySelector('#status')?.textContent === 'blocked'");
    picture(&app, "3-given-up");

    app.kill();
    publisher.stop_serving();
    let app = phone.start();
    comes_up(&app, "1.1.0");
    app.tap("a[href=\"#/updates\"]");
    app.tap("#check");
    app.until("document.querySelector('#status')?.textContent === 'failed: network'");
    picture(&app, "4-no-network");
}

#[test]
fn the_shop_updates_itself_on_android() {
    the_shop_updates_itself(Platform::Android);
}

#[test]
fn the_shop_updates_itself_on_ios() {
    the_shop_updates_itself(Platform::Ios);
}
