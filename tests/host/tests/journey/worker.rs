//! A service worker that serves from its cache shows the old bundle after a switch. Android's web
//! views have them; iOS's custom schemes do not.

use farad_host::routes::Platform;
use serde_json::json;

use crate::phone::Phone;
use crate::publisher::{Publisher, write};
use crate::web::READY;

const WORKER: &str = r"
    addEventListener('install', (event) => event.waitUntil(caches.open('all').then((cache) =>
      cache.addAll(['/', '/capacitor.js', '/plugin.js'])).then(() => skipWaiting())));
    addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    addEventListener('fetch', (event) => event.respondWith(
      caches.match(event.request).then((found) => found ?? fetch(event.request))));
";

/// Keeps the titles of all pages that were there, and how their `ready` went.
const NOTES: &str = r"
    const seen = (what) => localStorage.setItem('seen',
      `${localStorage.getItem('seen') ?? ''} ${document.title}:${what}`);
    seen('loaded');
    let answer;
    Farad.ready().then((ready) => { answer = ready; seen('ready'); }, ({ code }) => seen(code));
";

#[test]
fn a_service_worker_does_not_confirm_a_release_that_it_hides() {
    let publisher = Publisher::new();
    // Once: a page that registers its worker anew at every load races with its removal.
    let registers = "if (!localStorage.getItem('registered')) {
        localStorage.setItem('registered', 'yes');
        navigator.serviceWorker.register('/sw.js');
    }";
    let web = publisher.plain("1.0.0", &format!("{NOTES} {registers}"));
    write(&web.join("sw.js"), WORKER.as_bytes());
    let package = publisher.package(Platform::Android, &web);
    let phone = Phone::new(Platform::Android, package, publisher.settings(&json!({})));
    publisher
        .release_plain("1.1.0", &format!("{NOTES} {READY}").replace("let answer; Farad", "Farad"));

    let app = phone.start();
    app.shows("1.0.0");
    app.until("navigator.serviceWorker.controller !== null && answer");
    app.begin("Farad.sync({ apply: 'now' })");
    app.until("document.title === '1.1.0' && answer");
    let seen = app.eval("localStorage.getItem('seen')");
    // The worker's page came up once more, and said nothing.
    let came = " 1.0.0:loaded 1.0.0:ready 1.0.0:loaded 1.1.0:loaded 1.1.0:ready";
    assert_eq!(seen, came);
    assert_eq!(app.eval("navigator.serviceWorker.getRegistrations().then((all) => all.length)"), 0);
    assert_eq!(app.eval("caches.keys()"), json!([]));
    app.kill();
    let app = phone.start();
    app.until("document.title === '1.1.0' && answer?.current.version === '1.1.0'");
}
