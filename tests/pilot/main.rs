//! The pilot over the real updater, a real repository and a real disk, with a shell that only does
//! what it is told.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise"
)]

mod home;
mod shell;

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use farad::boot::Which;
use farad::pilot::{News, Setup};
use farad::seal::{KeyId, OpeningKey, OpeningKeys};
use serde_json::{Value, json};

use home::Home;
use shell::Shell;

const APP: &str = "com.example.shop";

fn settings(url: &str) -> Value {
    json!({ "url": url, "channel": "production", "autoSync": "off", "apply": "now" })
}

#[test]
fn a_release_is_fetched_shown_and_confirmed_and_a_bad_one_undone() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let settings = settings(&home.serve());
    let phone = home.phone(&settings);
    assert_eq!(phone.start("builtin"), None);

    let found = phone.ask("check", &json!({})).unwrap();
    assert_eq!(
        (&found["status"], &found["release"]["version"]),
        (&json!("available"), &json!("1.0.0"))
    );
    let done = phone.ask("sync", &json!({})).unwrap();
    assert_eq!((&done["status"], &done["via"]), (&json!("staged"), &json!("pack")));
    phone.ring();
    assert_eq!(phone.page(), "1.0.0");
    assert_eq!(phone.ask("ready", &json!({ "nonce": "builtin" })), Err("stale-token".to_owned()));
    phone.ask("attach", &json!({ "nonce": "one" })).unwrap();
    let ready = phone.ask("ready", &json!({ "nonce": "one" })).unwrap();
    assert_eq!(
        (&ready["current"]["version"], &ready["rolledBack"]),
        (&json!("1.0.0"), &json!(null))
    );
    let names = phone.names();
    for event in ["updateAvailable", "updateStaged", "beforeReload", "stateChanged"] {
        assert!(names.contains(&event), "{event}: {names:?}");
    }

    home.release("1.1.0", &[]);
    phone.ask("sync", &json!({})).unwrap();
    phone.ring();
    assert_eq!(phone.page(), "1.1.0");
    phone.ask("attach", &json!({ "nonce": "two" })).unwrap();
    phone.ask("reportFailure", &json!({ "nonce": "two" })).unwrap();
    phone.ring();
    assert_eq!(phone.page(), "1.1.0", "its second launch");
    drop(phone);

    // Another process, which the page of the bad release never lets come up.
    let phone = home.phone(&settings);
    phone.start("three");
    assert_eq!(phone.page(), "1.0.0");
    let state = phone.ask("getState", &json!({})).unwrap();
    assert_eq!(state["blocked"][0]["reason"], "not-ready");
    assert_eq!(state["current"]["version"], "1.0.0");
    drop(phone);
    let phone = home.phone(&settings);
    phone.start("four");
    let ready = phone.ask("ready", &json!({ "nonce": "four" })).unwrap();
    assert_eq!(ready["rolledBack"]["version"], "1.1.0", "told by the first page that is ready");
    assert_eq!(ready["reason"], "not-ready");
    let again = phone.ask("ready", &json!({ "nonce": "four" })).unwrap();
    assert_eq!(again["rolledBack"], json!(null));
    assert_eq!(phone.ask("sync", &json!({})).unwrap()["status"], "blocked");
}

#[test]
fn the_fallback_of_a_bundle_that_crashes_is_not_charged_to_it() {
    let mut home = Home::new();
    let settings = settings(&home.serve());
    let phone = home.phone(&settings);
    phone.start("builtin");
    for version in ["1.0.0", "1.1.0"] {
        home.release(version, &[]);
        phone.takes_over(version);
    }
    let crashes = || phone.pilot().updater().unwrap().state().unwrap().record.early_crashes;
    for nonce in ["one", "two", "three"] {
        phone.start(nonce);
        assert_eq!(phone.page(), "1.1.0");
        phone.ask("sync", &json!({})).unwrap();
        phone.pilot().renderer_gone();
    }
    phone.start("four");
    assert_eq!((phone.page(), crashes()), ("1.0.0".to_owned(), 3), "the confirmed one rests");
    phone.pilot().renderer_gone();
    assert_eq!(crashes(), 3);
    phone.start("five");
    phone.ask("sync", &json!({})).unwrap();
    phone.start("six");
    assert_eq!((phone.page(), crashes()), ("1.1.0".to_owned(), 0));
}

#[test]
fn with_an_address_for_events_what_happens_comes_there() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let url = home.serve_with_events();
    let mut settings = settings(&url);
    let phone = home.phone(&settings);
    phone.start("silent");
    phone.ask("sync", &json!({})).unwrap();
    assert_eq!(home.events(), Vec::<String>::new(), "nobody asked for them");
    drop(phone);

    settings["eventsUrl"] = json!(format!("{url}/events"));
    home.release("1.1.0", &[]);
    let phone = home.phone(&settings);
    phone.start("one");
    phone.ask("sync", &json!({})).unwrap();
    // The shell has begun to switch before it comes to the events.
    let so_far = ["trial", "checked", "downloaded", "staged", "trial"];
    assert_eq!(home.events(), so_far, "sent after the sync");
    phone.ring();
    phone.ask("attach", &json!({ "nonce": "two" })).unwrap();
    phone.ask("ready", &json!({ "nonce": "two" })).unwrap();
    assert_eq!(home.events()[5..], ["confirmed"], "sent after the confirmation");

    settings["eventsUrl"] = json!("http://updates.example.com/events");
    let phone = home.phone(&settings);
    assert_eq!(phone.pilot().start(None, true), None);
    assert_eq!(phone.ask("sync", &json!({})), Err("config-invalid".to_owned()));
}

#[test]
fn a_check_tells_the_publishers_notes_and_does_without_where_they_are_lost() {
    let mut home = Home::new();
    let notes = "Faster search.\nNew: lists.";
    fs::write(home.at("notes.txt"), notes).unwrap();
    let file = home.at("notes.txt").display().to_string();
    home.release("1.0.0", &["--notes", &file]);
    let settings = settings(&home.serve());
    let phone = home.phone(&settings);
    phone.start("page");
    let asked = || home.server.as_ref().unwrap().requests().len();
    let found = phone.ask("check", &json!({})).unwrap();
    assert_eq!((&found["status"], &found["notes"]), (&json!("available"), &json!(notes)));
    let before = asked();
    assert_eq!(phone.ask("check", &json!({})).unwrap(), found);
    assert_eq!(asked(), before + 1, "they are kept: only the timestamp is asked for");
    phone.ask("sync", &json!({})).unwrap();
    assert_eq!(phone.ask("check", &json!({})).unwrap()["notes"], json!(null), "it is here");

    // A release without any, and one whose notes the server lost.
    home.release("1.1.0", &[]);
    assert_eq!(phone.ask("check", &json!({})).unwrap()["notes"], json!(null));
    home.release("1.2.0", &["--notes", &file]);
    let releases = home.at("updates/targets/production/releases");
    let manifests = fs::read_dir(releases).unwrap().map(|entry| entry.unwrap().path());
    let mut manifests = manifests.map(|path| fs::read_to_string(path).unwrap());
    let manifest = manifests.find(|text| text.contains(r#""version":"1.2.0""#)).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let info = manifest["info"]["sha256"].as_str().unwrap();
    fs::remove_file(home.at("updates/blobs").join(info)).unwrap();
    let found = phone.ask("check", &json!({})).unwrap();
    assert_eq!((&found["status"], &found["notes"]), (&json!("available"), &json!(null)));
}

#[test]
fn a_page_stays_within_what_the_build_allows() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let settings = settings(&home.serve());
    let phone = home.phone(&settings);
    phone.start("page");
    let beta = phone.ask("setChannel", &json!({ "channel": "beta" }));
    assert_eq!(beta, Err("config-invalid".to_owned()));
    let elsewhere = phone.ask("sync", &json!({ "url": "https://evil.example.com" }));
    assert_eq!(elsewhere, Err("argument-invalid".to_owned()));
    assert_eq!(phone.ask("getChannel", &json!({})).unwrap(), json!({ "channel": "production" }));
    let device = phone.ask("getDeviceInfo", &json!({})).unwrap();
    assert_eq!((&device["platform"], &device["appId"]), (&json!("android"), &json!(APP)));
    assert_eq!(device["installId"].as_str().unwrap().len(), 32);
}

#[test]
fn a_page_cannot_go_back_to_what_the_publishers_policy_forbids() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let settings = settings(&home.serve());
    let phone = home.phone(&settings);
    phone.start("builtin");
    phone.takes_over("page");
    home.farad(&["floor", "1.0.0", "--channel", "production"]);
    phone.ask("sync", &json!({})).unwrap();
    assert_eq!(phone.ask("reset", &json!({})), Err("not-allowed".to_owned()));
    phone.ring();
    assert_eq!(phone.page(), "1.0.0");
}

#[test]
fn a_configuration_that_cannot_work_shows_the_built_in_bundle_and_says_why() {
    let home = Home::new();
    let good = settings("https://updates.example.com");
    let with = |key: &str, value: Value| {
        let mut settings = good.clone();
        settings[key] = value;
        settings
    };
    for wrong in [
        json!(null),
        with("url", json!("http://updates.example.com")),
        with("url", json!("http://10.0.0.1")),
        with("root", json!("other-root.json")),
        with("openingKeys", json!(["missing.key"])),
        with("openingKeys", json!(["farad-root.json"])),
        with("autosync", json!("off")),
    ] {
        let phone = home.phone(&wrong);
        assert_eq!(phone.pilot().start(None, true), None);
        for method in ["ready", "sync", "getState"] {
            assert_eq!(phone.ask(method, &json!({})), Err("config-invalid".to_owned()), "{wrong}");
        }
    }
    assert!(!home.at("phone").exists(), "nothing was made");
    let mut live = home.setup(&good);
    live.live_reload = true;
    let phone = Shell::open(&live, None);
    assert_eq!(phone.pilot().start(None, true), None);
    assert_eq!(phone.ask("sync", &json!({})).unwrap()["status"], "unavailable");
}

#[test]
fn a_store_that_cannot_be_opened_is_no_fault_of_the_configuration_and_tried_again() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let settings = settings(&home.serve());
    fs::write(home.at("phone"), "in the way").unwrap();
    let phone = home.phone(&settings);
    assert_eq!(phone.pilot().start(None, true), None);
    for method in ["ready", "sync", "getState"] {
        assert_eq!(phone.ask(method, &json!({})), Err("storage".to_owned()));
    }
    fs::remove_file(home.at("phone")).unwrap();
    let phone = home.phone(&settings);
    phone.start("page");
    assert_eq!(phone.ask("sync", &json!({})).unwrap()["status"], "staged");
}

#[cfg(unix)]
#[test]
fn a_start_that_could_read_nothing_is_made_good_when_the_app_is_first_seen() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let settings = settings(&home.serve());
    let phone = home.phone(&settings);
    phone.start("builtin");
    phone.takes_over("one");
    let slots = [0, 1].map(|slot| home.at(&format!("phone/record.{slot}")));
    let kept = slots.clone().map(|slot| fs::read(slot).unwrap());
    for slot in &slots {
        fs::remove_file(slot).unwrap();
        // A link that leads to itself cannot be followed: that is no damage.
        std::os::unix::fs::symlink(slot, slot).unwrap();
    }
    let phone = home.phone(&settings);
    let began = phone.pilot().start(None, false);
    assert_eq!(began, None, "as on a phone that was never unlocked");
    for (slot, kept) in slots.iter().zip(kept) {
        fs::remove_file(slot).unwrap();
        fs::write(slot, kept).unwrap();
    }
    phone.pilot().tell(&News::Active);
    phone.ring();
    assert_eq!(phone.page(), "1.0.0");
    // What is confirmed and shown already is left alone.
    let phone = home.phone(&settings);
    assert!(phone.pilot().start(None, false).is_some());
    phone.pilot().tell(&News::Active);
    phone.ring();
    assert_eq!(*phone.shown.lock().unwrap(), []);
}

#[test]
fn a_job_that_panics_has_failed_and_holds_up_nothing() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let mut settings = settings(&home.serve());
    (settings["autoSync"], settings["allowMetered"]) = (json!("on-start"), json!(false));
    let phone = home.phone(&settings);
    phone.start("page");
    phone.panics.store(true, Relaxed);
    phone.ring();
    phone.panics.store(false, Relaxed);
    let state = phone.ask("getState", &json!({})).unwrap();
    let (syncing, error) = (&state["syncing"], &state["lastError"]["code"]);
    assert_eq!((syncing, error), (&json!(false), &json!("storage")));
    assert_eq!(phone.ask("sync", &json!({})).unwrap()["status"], "staged");
}

#[test]
fn native_code_deletes_bundles_a_debug_build_forgets_blocks_and_pages_reach_neither() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let settings = settings(&home.serve());
    let mut setup = home.setup(&settings);
    let phone = Shell::open(&setup, None);
    let updater = phone.pilot().updater().unwrap().clone();
    phone.start("builtin");
    phone.ask("sync", &json!({ "apply": "next-start" })).unwrap();
    for method in ["deleteBundle", "delete_bundle", "clearBlocks", "clear_blocks"] {
        assert_eq!(phone.ask(method, &json!({})), Err("argument-invalid".to_owned()));
    }
    let Some(Which::Bundle(id)) = updater.state().unwrap().record.next else { panic!("no next") };
    assert!(updater.delete_bundle(&id).unwrap());
    assert_eq!(folder_of(&home.at("phone/bundles")), 0);
    assert_eq!(phone.ask("getState", &json!({})).unwrap()["next"], json!(null));
    let again = phone.ask("sync", &json!({})).unwrap();
    assert_eq!(again["status"], "staged", "deleting forbids nothing");
    assert_eq!(updater.delete_bundle(&id).unwrap_err().code(), "not-allowed", "it is on trial");
    for nonce in ["first", "second"] {
        phone.ring();
        phone.ask("attach", &json!({ "nonce": nonce })).unwrap();
        phone.ask("reportFailure", &json!({ "nonce": nonce })).unwrap();
    }
    phone.ring();
    let status = |phone: &Shell| phone.ask("sync", &json!({})).unwrap()["status"].clone();
    assert_eq!(status(&phone), "blocked");
    assert_eq!(updater.clear_blocks().unwrap_err().code(), "not-allowed");
    assert_eq!(status(&phone), "blocked");
    drop((phone, updater));

    setup.debug = true;
    let phone = Shell::open(&setup, None);
    phone.start("builtin");
    phone.pilot().updater().unwrap().clear_blocks().unwrap();
    assert_eq!(status(&phone), "staged");
}

/// Keys that native code obtains while the app runs.
struct AtRunTime(Mutex<Option<OpeningKey>>);

impl OpeningKeys for AtRunTime {
    fn opening_key(&self, id: &KeyId) -> Option<OpeningKey> {
        self.0.lock().unwrap().clone().filter(|key| key.id() == *id)
    }
}

fn folder_of(path: &Path) -> usize {
    fs::read_dir(path).map_or(0, Iterator::count)
}

#[test]
fn plain_http_is_for_debug_builds_and_private_addresses() {
    let home = Home::new();
    let mut setup = home.setup(&json!({
        "url": "http://10.0.0.1:8080", "channel": "production", "allowHttp": true,
    }));
    let answer = |setup: &Setup| Shell::open(setup, None).ask("getChannel", &json!({}));
    assert_eq!(answer(&setup), Err("config-invalid".to_owned()));
    setup.debug = true;
    assert!(answer(&setup).is_ok());
    setup.settings = setup.settings.replace("10.0.0.1", "updates.example.com");
    assert_eq!(answer(&setup), Err("config-invalid".to_owned()));
}

#[test]
fn nobody_opens_a_sealed_channel_without_a_key() {
    let mut home = Home::new();
    home.release("1.0.0", &[]);
    let mut required = settings(&home.serve());
    required["sealed"] = json!("required");
    let keys: Arc<dyn OpeningKeys> = Arc::new(AtRunTime(Mutex::new(None)));
    let phone = home.phone_with(&required, Some(&keys));
    phone.start("page");
    let status = phone.ask("sync", &json!({})).map(|done| done["status"].clone());
    assert_ne!(status, Ok(json!("staged")), "an open release in a channel of sealed ones");
    assert_eq!(folder_of(&home.at("phone/bundles")), 0);
}
