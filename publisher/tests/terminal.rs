//! What somebody sees at a terminal: a question stays on the screen until it is answered. A terminal is made by
//! `script` of util-linux, where that is installed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at a surprise")]

mod support;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use support::{APP, Shop, secret};

/// Longer than whatever moves on the screen takes to be drawn again.
const QUIET: Duration = Duration::from_millis(500);

fn main() {
    let name = "a_passphrase_is_asked_for_where_nothing_else_is_drawn";
    let can = cfg!(target_os = "linux") && Command::new("script").arg("--version").output().is_ok();
    if !can {
        support::say(&format!("skipped: {name}: there is no script of util-linux"));
    }
    let run = || {
        asks_undisturbed();
        Ok(())
    };
    let trials = vec![Trial::test(name, run).with_ignored_flag(!can)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn asks_undisturbed() {
    let mut shop = Shop::empty();
    secret(&shop.path("pass"), "correct horse\n");
    shop.passphrases = Some(shop.path("pass"));
    shop.ok(&["init", "--app", APP]);
    shop.passphrases = None;
    shop.web("web", 1);
    let words = "release web --channel production --version 1.0.0";
    let mut terminal = Terminal::of(&shop, words);
    for key in ["production-releases", "production-rollout"] {
        terminal.until(&format!(" key {key}: "));
        assert_eq!(terminal.for_a_while(), "", "what was asked is drawn over");
        terminal.types("correct horse\n");
    }
    terminal.until("Released 1.0.0");
    assert!(terminal.child.wait().unwrap().success());
}

/// A command at a terminal of its own.
struct Terminal {
    child: Child,
    shown: Receiver<u8>,
}

impl Terminal {
    fn of(shop: &Shop, words: &str) -> Self {
        let line = format!("'{}' {words}", env!("CARGO_BIN_EXE_farad"));
        let mut command = Command::new("script");
        command.args(["-qefc", &line, "/dev/null"]).current_dir(shop.home.path());
        command.env_remove("FARAD_PASSPHRASE_FILE").env("TERM", "xterm");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let (send, shown) = channel();
        thread::spawn(move || {
            let mut byte = [0];
            while output.read_exact(&mut byte).is_ok() && send.send(byte[0]).is_ok() {}
        });
        Self { child, shown }
    }

    /// Waits until it shows a text.
    fn until(&self, text: &str) {
        let mut seen = Vec::new();
        while !seen.ends_with(text.as_bytes()) {
            match self.shown.recv() {
                Ok(byte) => seen.push(byte),
                Err(_) => panic!("no {text:?} in {:?}", String::from_utf8_lossy(&seen)),
            }
        }
    }

    /// What it shows although nobody types.
    fn for_a_while(&self) -> String {
        let mut seen = Vec::new();
        loop {
            match self.shown.recv_timeout(QUIET) {
                Ok(byte) if seen.len() < 200 => seen.push(byte),
                Ok(_) | Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("it ended"),
            }
        }
        String::from_utf8_lossy(&seen).into_owned()
    }

    fn types(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).unwrap();
    }
}
