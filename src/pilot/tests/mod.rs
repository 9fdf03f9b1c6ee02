//! The machine, driven by hand and at random over a shell and a device that are made up.

mod decisions;
mod device;
mod launches;
mod random;
mod shell;
mod sight;
mod syncs;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use self::shell::Shell;
use super::*;
use crate::boot::{Circumstances, Reason, Which};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::BundleId;
use crate::time::UnixTime;
use crate::updater::{Status, Via};

const BUILTIN: u8 = 0;

fn bundle(number: u8) -> Bundle {
    let which = which(number);
    let mut bundle = Bundle::new(which, None);
    bundle.version = Some(format!("1.{number}.0"));
    bundle
}

fn which(number: u8) -> Which {
    if number == BUILTIN { Which::Builtin } else { Which::Bundle(BundleId(Digest::of(&[number]))) }
}

fn folder(number: u8) -> Option<PathBuf> {
    Some(PathBuf::from(format!("/{number}")))
}

fn off() -> Value {
    json!({ "autoSync": "off" })
}

/// A shell that runs the built-in bundle, with release 1 offered.
fn offered(settings: Value) -> Shell {
    let mut shell = Shell::new(settings);
    shell.device.offered = Some(1);
    shell.start("builtin");
    shell
}

/// A shell on whose trial of release 1 a page attached as `new`.
fn on_trial(settings: Value) -> Shell {
    let mut shell = offered(settings);
    shell.answer("sync", json!({ "apply": "now" })).unwrap();
    shell.pass(200);
    assert_eq!(shell.shows(), folder(1));
    shell.answer("attach", json!({ "nonce": "new" })).unwrap();
    shell
}

#[test]
fn an_idle_plugin_answers_as_in_a_browser() {
    for idle in [Idle::LiveReload, Idle::Disabled] {
        let mut shell = Shell::with(None, Some(idle));
        shell.on(Event::Start { exit: None, seen: true });
        shell.on(Event::Active);
        shell.on(Event::Background);
        for method in METHODS {
            let options = match method {
                "attach" => json!({ "nonce": "1" }),
                "setChannel" => json!({ "channel": null }),
                "setHold" => json!({ "until": null }),
                _ => json!({}),
            };
            shell.answer(method, options).unwrap();
        }
        assert_eq!(shell.answer("sync", json!({})).unwrap()["status"], "unavailable");
        assert_eq!(shell.shown, [None]);
    }
}

#[test]
fn a_configuration_that_cannot_work_is_told_to_every_call() {
    let mut shell = Shell::with(None, Some(Idle::Invalid("no url".to_owned())));
    shell.on(Event::Start { exit: None, seen: true });
    assert_eq!(shell.shown, [None]);
    for method in ["ready", "sync", "getState", "attach", "noSuchMethod"] {
        assert_eq!(shell.answer(method, json!({})), Err("config-invalid"));
    }
}
