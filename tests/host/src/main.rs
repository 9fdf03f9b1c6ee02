//! One process of an app: `farad-host APP`, with the app as JSON. Standard input and output carry
//! the DevTools protocol and what `link.rs` says; whoever holds the phone is on the other side.

#![allow(clippy::unwrap_used, reason = "a program of tests stops at a surprise")]

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use farad_host::app::App;
use farad_host::devtools::Devtools;
use farad_host::link::Tell;
use farad_host::shell::{Main, Shell, Steps};

fn main() {
    let text = std::env::args().nth(1).unwrap();
    let app: App = serde_json::from_str(&text).unwrap();
    let (main, todo) = channel();
    let (nod, nods) = channel();
    let (sender, nod) = (main.clone(), Mutex::new(Some(nod)));
    let other = move |message: serde_json::Value| {
        if message.is_null() {
            // Nobody holds the phone any more.
            std::process::exit(0);
        }
        let _ = match serde_json::from_value::<Tell>(message.clone()) {
            Ok(Tell::Go) => nod.lock().unwrap().as_ref().and_then(|nod| nod.send(()).ok()),
            Ok(Tell::Free) => nod.lock().unwrap().take().map(drop),
            Ok(told) => sender.send(Main::Told(told)).ok(),
            Err(_) => sender.send(Main::Event(message)).ok(),
        };
    };
    let devtools = Devtools::connect(std::io::stdin(), std::io::stdout(), b'\n', other);
    let steps = Steps::new(Arc::clone(&devtools), app.lockstep.then_some(nods));
    Shell::new(app, devtools, Arc::new(steps), main).run(&todo);
}
