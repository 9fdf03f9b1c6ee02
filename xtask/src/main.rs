//! Tasks of the project: `cargo xtask --help` lists them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks speak on the terminal")]

mod android;
mod bench;
mod binary;
mod bindings;
mod cli;
mod corpus;
mod count;
mod cross;
mod debian;
mod demo;
mod device;
mod docs;
mod ios;
mod journey;
mod kotlin;
mod mobile;
mod npm;
mod pack;
mod phone;
mod record;
mod shell;
mod swift;
mod test;
mod trixie;

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
    /// Numbers: starts and checks (boot), what sealing costs (seal), starts on a JVM (start), small
    /// updates (delta, only where it is named)
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
    /// The Swift bindings and the iOS plugin, compiled and run on Linux
    Swift {
        /// Only see to it that a compiler is there
        #[arg(long)]
        prepare: bool,
    },
    /// The core for phones, built without the makers' kits: symbols, alignment, sizes, tests as arm64
    MobileCheck {
        /// Writes the lists of symbols instead of comparing them
        #[arg(long)]
        write: bool,
        /// Which, as Rust calls them; all of them if none is named
        targets: Vec<String>,
    },
    /// The libraries for Android, as they are published; needs an NDK
    Android,
    /// The library for iOS, as it is published; needs a Mac with Xcode
    Ios,
    /// The npm package, as fresh apps of Capacitor's get it
    Pack {
        /// Writes the list of the package's files instead of comparing it
        #[arg(long)]
        write: bool,
    },
    /// The publisher's command as npm packages
    Cli {
        /// A debug build, to try the packages
        #[arg(long)]
        debug: bool,
        /// Platforms, as npm calls them; this machine's if none is named
        platforms: Vec<String>,
    },
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
        Task::Swift { prepare: true } => swift::prepare(),
        Task::Swift { prepare: false } => swift::run(),
        Task::MobileCheck { targets, write } => mobile::run(&targets, write),
        Task::Android => android::run(),
        Task::Ios => ios::run(),
        Task::Pack { write } => pack::run_all(write),
        Task::Cli { debug, platforms } => cli::run(&platforms, debug),
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
