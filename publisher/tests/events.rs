//! Events of a device over HTTP, from the real command to the real server: what comes, once, and
//! what waits while nobody takes it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use farad_publisher::serve::{Faults, Server};
use serde_json::Value;
use support::Shop;

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn what_becomes_of_a_release_comes_to_the_server_once() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve_with_events(Faults::default());
    let phone = shop.device(&server, "phone").telling(&server);
    phone.update();
    let waiting = phone.does("events");
    let events = waiting["events"].as_array().unwrap();
    assert_eq!(names(events), ["checked", "downloaded", "staged", "trial", "confirmed"]);
    assert_eq!(events[1]["via"], "pack");
    assert_eq!(phone.does("events --send")["acknowledged"], 5);
    assert_eq!(phone.does("events")["events"].as_array().unwrap().len(), 0);

    shop.release("1.1.0", 2);
    phone.does("sync");
    for _ in 0..3 {
        phone.does("boot");
    }
    phone.does("events --send");
    let events = shop.events();
    assert_eq!(
        names(&events[5..]),
        ["checked", "downloaded", "staged", "trial", "trial", "rolled-back"]
    );
    let undone = &events[10];
    assert_eq!(
        (&undone["reason"], &undone["release"]["version"]),
        (&"not-ready".into(), &"1.1.0".into())
    );
    let install = phone.does("state")["installId"].as_str().unwrap().to_owned();
    for event in &events {
        assert_eq!(event["app"], support::APP);
        assert!(!event.to_string().contains(&install), "{event}");
    }
}

#[test]
fn events_wait_for_a_server_that_cannot_take_them_and_stop_no_update() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let repository = shop.serve();
    let busy = shop.serve_with_events(Faults { unavailable: 1.0, ..Faults::default() });
    let phone = shop.device(&repository, "phone").telling(&busy);
    assert_eq!(phone.update()["version"], "1.0.0");
    assert_eq!(phone.fails("events --send").0, "http-status");
    // It asked for a second's patience; longer than this, or not, nothing is lost.
    drop(busy);
    let gone = phone.fails("events --send").0;
    assert!(["network", "too-early"].contains(&gone.as_str()), "{gone}");
    assert_eq!(phone.does("events")["events"].as_array().unwrap().len(), 5);
    // A server without a place for events.
    let other = shop.device(&repository, "phone").telling(&repository);
    std::fs::remove_file(shop.path("phone/outbox/quiet")).unwrap();
    assert_eq!(other.fails("events --send").0, "http-status");
    let well = shop.serve_with_events(Faults::default());
    let phone = shop.device(&repository, "phone").telling(&well);
    assert_eq!(phone.does("events --send")["acknowledged"], 5);
    assert_eq!(shop.events().len(), 5);
}

#[test]
fn nothing_is_recorded_or_sent_unless_it_is_asked_for() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve_with_events(Faults::default());
    let phone = shop.device(&server, "phone");
    phone.update();
    assert!(!shop.path("phone/outbox").exists());
    assert_eq!(phone.fails("events --send").0, "config-invalid");
    assert!(posts(&server).is_empty());

    let telling = shop.device(&server, "phone").telling(&server);
    telling.does("sync");
    assert!(shop.path("phone/outbox").exists());
    phone.does("sync");
    assert!(!shop.path("phone/outbox").exists(), "turned off, it is gone");
    assert!(posts(&server).is_empty(), "nothing was sent by itself");
}

fn posts(server: &Server) -> Vec<String> {
    server.requests().into_iter().filter(|line| line.starts_with("POST")).collect()
}
