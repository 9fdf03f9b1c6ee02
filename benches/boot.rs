//! Time of a start on a confirmed bundle, and requests of a check with nothing new.
//!
//! `cargo xtask bench`. Everything is real: a repository made by the publisher's code, served over
//! loopback, a store on a real disk; the page cache is warm.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program for the terminal"
)]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farad::boot::Which;
use farad::builtin::Builtin;
use farad::config::Config;
use farad::fetch::{Http, HttpOptions};
use farad::host::System;
use farad::native::Native;
use farad::progress::Cancel;
use farad::store::RealDisk;
use farad::updater::Updater;
use farad_publisher::serve::{Faults, Server};

const STARTS: usize = 2000;

fn main() {
    for files in [50, 1000] {
        measure(files);
    }
}

fn measure(files: usize) {
    let home = tempfile::tempdir().unwrap();
    let at = |path: &str| home.path().join(path);
    make_web(&at("web"), files);
    farad(home.path(), &["init", "--app", "com.example.bench", "--no-passphrase"]);
    let web = at("web").display().to_string();
    farad(home.path(), &["release", &web, "--channel", "production", "--version", "1.0.0"]);
    let server = Server::start(&at("updates"), 0, Faults::default()).unwrap();
    let open = || {
        let config = Config::new(
            "com.example.bench".parse().unwrap(),
            "production".parse().unwrap(),
            fs::read(at("farad-root.json")).unwrap(),
            Native::Android { build: 1 },
        );
        let disk = Arc::new(RealDisk::new(at("phone")).unwrap());
        let http = Arc::new(Http::new(&server.url(), &HttpOptions::default()).unwrap());
        let system = Arc::new(System);
        Updater::new(config, disk, http, system.clone(), system, Builtin::Folder(at("none")))
    };
    let updater = open();
    updater.boot(false);
    updater.sync(&Cancel::default(), &mut |_| {}).unwrap();
    let token = updater.boot(false).token.unwrap();
    updater.ready(&token).unwrap();
    drop(updater);

    let mut times: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let begun = Instant::now();
            // A new process opens everything anew.
            let launched = open().boot(false);
            assert_ne!(launched.which, Which::Builtin);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let part = |percent: usize| times[percent * (STARTS - 1) / 100].as_secs_f64() * 1000.0;
    let check = open().check(&Cancel::default()).unwrap();
    assert_eq!(check.requests, 1);
    println!(
        "{files} files: start on a confirmed bundle p50 {:.3} ms, p99 {:.3} ms ({STARTS} starts); \
         check with nothing new: {} request",
        part(50),
        part(99),
        check.requests,
    );
}

fn make_web(folder: &Path, files: usize) {
    fs::create_dir_all(folder.join("assets")).unwrap();
    fs::write(folder.join("index.html"), "<!doctype html>".repeat(100)).unwrap();
    for file in 1..files {
        let text = format!("export const chunk = {file};\n").repeat(100);
        fs::write(folder.join(format!("assets/chunk-{file}.js")), text).unwrap();
    }
}

/// The publisher's command, in this process, for a project in `home`.
fn farad(home: &Path, args: &[&str]) {
    let config = home.join("farad.toml");
    let all = ["farad", "--config"].map(OsString::from).into_iter().chain([config.into()]);
    farad_publisher::cli::run(all.chain(args.iter().map(OsString::from)));
}
