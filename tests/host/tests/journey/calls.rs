//! What pages are told: answers, errors with their codes, events; and when things happen.

use farad_host::routes::Platform;
use farad_publisher::serve::Faults;
use serde_json::json;

use crate::phone::Phone;
use crate::publisher::Publisher;
use crate::web::READY;

#[test]
fn errors_have_their_codes_and_their_data() {
    let mut publisher = Publisher::new();
    publisher.release_plain("1.1.0", READY);
    let mut phone = Phone::plain(Platform::Android, &publisher, &json!({}));
    publisher.serve(Faults { unavailable: 1.0, ..Faults::default() });
    phone.app.settings["url"] = json!(publisher.url());
    let app = phone.start();
    app.shows("1.0.0");
    let error = app.eval("settled(Farad.sync())");
    assert_eq!(error["code"], "http-status");
    let data = json!({ "stage": "check", "retryable": true, "httpStatus": 503 });
    assert_eq!(error["data"], data);
    let event = app.until("events.find(({ name }) => name === 'updateFailed')?.data");
    assert_eq!(event, json!({ "code": "http-status", "stage": "check" }));
    app.kill();

    // A phone of its own each time: what a server said of patience is kept, and would be the answer.
    let fresh = |publisher: &Publisher| {
        let mut phone = Phone::plain(Platform::Android, publisher, &json!({}));
        phone.app.settings["url"] = json!(publisher.url());
        phone
    };
    // While a server that said half a word says nothing more, the page may end it.
    publisher.serve(Faults { stall: 1.0, ..Faults::default() });
    let phone = fresh(&publisher);
    let app = phone.start();
    app.shows("1.0.0");
    let ended =
        app.eval("(() => { const run = settled(Farad.sync()); Farad.cancel(); return run; })()");
    assert_eq!((&ended["code"], &ended["data"]["retryable"]), (&json!("cancelled"), &json!(false)));

    app.kill();
    publisher.serve(Faults { corrupt: 1.0, ..Faults::default() });
    let phone = fresh(&publisher);
    let app = phone.start();
    app.shows("1.0.0");
    let error = app.eval("settled(Farad.check())");
    assert_eq!(
        (&error["data"]["role"], &error["data"]["stage"]),
        (&json!("timestamp"), &json!("check"))
    );
    assert_eq!(app.eval("settled(Farad.getState())")["lastError"]["code"], error["code"]);

    app.kill();
    let phone = fresh(&publisher);
    publisher.stop_serving();
    let app = phone.start();
    app.shows("1.0.0");
    let error = app.eval("settled(Farad.sync())");
    assert_eq!((&error["code"], &error["data"]["retryable"]), (&json!("network"), &json!(true)));
}

#[test]
fn syncs_that_pages_ask_for_together_are_one() {
    let publisher = Publisher::new();
    publisher.release_plain("1.1.0", READY);
    let phone = Phone::plain(Platform::Android, &publisher, &json!({}));
    let app = phone.start();
    app.shows("1.0.0");
    let both = app.eval("Promise.all([1, 2, 3].map(() => settled(Farad.sync())))");
    assert_eq!((&both[0], &both[1]), (&both[1], &both[2]));
    assert_eq!((&both[0]["status"], &both[0]["via"]), (&json!("staged"), &json!("pack")));
    let packs = publisher.requests().iter().filter(|asked| asked.contains("/blobs/")).count();
    assert_eq!(packs, 3, "index, layout, pack");
    for told in ["downloadProgress", "stateChanged", "updateAvailable", "updateStaged"] {
        app.until(&format!("events.some(({{ name }}) => name === '{told}')"));
    }
    let last = app.eval("events.filter(({ name }) => name === 'downloadProgress').pop().data");
    assert_eq!((&last["ratio"], &last["bytes"]), (&json!(1), &last["total"]));
}

#[test]
fn a_hold_keeps_the_page_until_the_app_is_out_of_sight() {
    for platform in [Platform::Android, Platform::Ios] {
        let publisher = Publisher::new();
        publisher.release_plain("1.1.0", READY);
        let phone = Phone::plain(platform, &publisher, &json!({}));
        let app = phone.start();
        app.shows("1.0.0");
        app.eval("settled(Farad.setHold({ until: 'background' }))");
        let sync = app.eval("settled(Farad.sync({ apply: 'now' }))");
        assert_eq!(sync["status"], "staged");
        assert_eq!(app.eval("settled(Farad.apply())"), json!({ "applying": false }));
        assert_eq!(app.eval("document.title"), "1.0.0");
        app.to_background();
        app.shows("1.1.0");
        app.to_front();
        app.until("answer");
    }
}

#[test]
fn by_hand_means_by_hand() {
    let publisher = Publisher::new();
    publisher.release_plain("1.1.0", READY);
    let settings = json!({ "apply": "manual" });
    let phone = Phone::plain(Platform::Android, &publisher, &settings);
    let app = phone.start();
    app.shows("1.0.0");
    assert_eq!(app.eval("settled(Farad.sync())")["status"], "held");
    app.kill();
    let app = phone.start();
    app.shows("1.0.0");
    app.begin("Farad.apply()");
    app.shows("1.1.0");
    app.until("answer");
}

#[test]
fn the_route_can_be_kept() {
    let publisher = Publisher::new();
    publisher.release_plain("1.1.0", READY);
    let settings = json!({ "keepRoute": true });
    let phone = Phone::plain(Platform::Android, &publisher, &settings);
    let app = phone.start();
    app.shows("1.0.0");
    app.eval("history.pushState(null, '', '/products/honey?sort=price#top')");
    app.begin("Farad.sync({ apply: 'now' })");
    app.shows("1.1.0");
    let route = app.eval("location.pathname + location.search + location.hash");
    assert_eq!(route, "/products/honey?sort=price#top");
}

#[test]
fn the_core_syncs_by_itself_and_the_page_need_not_ask() {
    let publisher = Publisher::new();
    publisher.release_plain("1.1.0", READY);
    let settings = json!({ "autoSync": "on-start", "apply": "now" });
    let phone = Phone::plain(Platform::Ios, &publisher, &settings);
    let app = phone.start();
    app.shows("1.1.0");
    app.until("answer");
}

#[test]
fn a_configuration_that_cannot_work_says_so_and_the_built_in_runs() {
    for platform in [Platform::Android, Platform::Ios] {
        let publisher = Publisher::new();
        let phone = Phone::plain(platform, &publisher, &json!({ "root": "another.json" }));
        let app = phone.start();
        app.shows("1.0.0");
        for call in ["Farad.ready()", "Farad.sync()", "Farad.getState()"] {
            assert_eq!(app.eval(&format!("settled({call})"))["code"], "config-invalid", "{call}");
        }
    }
}

#[test]
fn live_reload_leaves_the_plugin_idle() {
    let publisher = Publisher::new();
    let mut phone = Phone::plain(Platform::Android, &publisher, &json!({}));
    phone.app.live_reload = true;
    let app = phone.start();
    app.shows("1.0.0");
    app.until("answer");
    assert_eq!(app.eval("settled(Farad.sync())")["status"], "unavailable");
}
