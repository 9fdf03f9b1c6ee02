//! Tasks of the project: `cargo xtask --help` lists them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks speak on the terminal")]

mod bench;
mod bindings;
mod corpus;
mod cross;
mod demo;
mod device;
mod docs;
mod journey;
mod kotlin;
mod npm;
mod shell;
mod test;

use std::process::ExitCode;

use clap::Parser;

/// Tasks of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// The main job, end to end, on a real web app: releases, devices, a bad release, attacks
    Demo,
    /// The whole client in Chromium, where something stands in for the phone
    Journey,
    /// Everything: format, lints, tests, the plugin, journeys, docs, demo
    Test {
        /// For daily work on the Rust side: format, lints and tests only
        #[arg(long)]
        quick: bool,
    },
    /// Numbers: starts and checks (boot), what sealing costs (seal)
    Bench {
        /// Which; all of them if none is named
        names: Vec<String>,
    },
    /// The tests against other implementations alone; makes the Python environment that they need
    Cross,
    /// Writes bindings/kotlin and bindings/swift from the library
    Bindings {
        /// Only compare them with the committed ones
        #[arg(long)]
        check: bool,
    },
    /// The Kotlin bindings and the Android plugin, compiled and run on a JVM
    Kotlin,
    /// The documentation as a site, in target/book, with every link followed
    Docs,
    /// Fetches consecutive versions of real web apps to measure on, into target/corpus
    Corpus {
        /// Sets to fetch; all of them if none is named
        sets: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Demo => demo::run(),
        Task::Journey => journey::run_with(|_| ()),
        Task::Test { quick } => test::run(quick),
        Task::Bench { names } => bench::run(&names),
        Task::Cross => cross::run(|_| {}),
        Task::Bindings { check } => bindings::run(check),
        Task::Kotlin => kotlin::run(|_| ()),
        Task::Docs => docs::build(),
        Task::Corpus { sets } => corpus::run(&sets),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
