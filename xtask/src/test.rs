//! `cargo xtask test`: everything that must hold before a change lands.

use std::time::Instant;

use crate::shell::{self, Result, command, run_lines};
use crate::{bindings, cross, demo, journey, kotlin, npm};

/// Tests counted over all runs of the harnesses.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    /// Reads a closing line of Rust's test harness or of Vitest.
    fn read(&mut self, line: &str) {
        let line = line.trim();
        let closing = line.strip_prefix("test result: ").or_else(|| line.strip_prefix("Tests "));
        let Some(rest) = closing else { return };
        let number = |name: &str| -> u64 {
            let parts = rest.split([';', '.', '|', '(']).map(str::trim);
            let number = parts.filter_map(|part| part.strip_suffix(name)).next_back();
            number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.passed += number(" passed");
        self.failed += number(" failed");
        self.skipped += number(" ignored") + number(" skipped");
    }
}

/// What Maven's test runner said last: it tells each class, and all of them in the end.
#[derive(Default)]
struct Surefire {
    run: u64,
    failed: u64,
    skipped: u64,
}

impl Surefire {
    fn read(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once("Tests run: ") else { return };
        let mut numbers = rest.split(", ").filter_map(|part| {
            part.rsplit(": ").next().and_then(|number| number.trim().parse::<u64>().ok())
        });
        let mut next = || numbers.next().unwrap_or(0);
        let (run, failures, errors, skipped) = (next(), next(), next(), next());
        (self.run, self.failed, self.skipped) = (run, failures + errors, skipped);
    }
}

impl Count {
    fn add(&mut self, maven: &Surefire) {
        let Surefire { run, failed, skipped } = *maven;
        self.passed += run.saturating_sub(failed + skipped);
        self.failed += failed;
        self.skipped += skipped;
    }
}

pub(crate) fn run(quick: bool) -> Result<()> {
    let mut count = Count::default();
    step("format", || shell::run(&mut command("cargo", &["fmt", "--all", "--check"])))?;
    step("lints", || {
        let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--quiet", "--"];
        shell::run(command("cargo", &args).args(["-D", "warnings"]))?;
        let args = ["clippy", "--workspace", "--all-features", "--quiet"];
        shell::run(command("cargo", &args).args(cross::TESTS).args(["--", "-D", "warnings"]))
    })?;
    if !quick {
        step("the phone's features alone", || {
            for features in [&[][..], &["--features", "net"]] {
                let args = ["clippy", "--quiet", "--package", "farad", "--no-default-features"];
                shell::run(command("cargo", &args).args(features).args(["--", "-D", "warnings"]))?;
            }
            Ok(())
        })?;
    }
    step("tests", || {
        let args =
            ["test", "--workspace", "--all-features", "--no-fail-fast", "--exclude", "farad-host"];
        run_lines(&mut command("cargo", &args), |line| count.read(line))
    })?;
    if !quick {
        step("the plugin", || {
            npm::install()?;
            npm::lint()?;
            run_lines(&mut npm::test(), |line| count.read(line))
        })?;
        step("other implementations", || cross::run(|line| count.read(line)))?;
        step("journeys", || {
            let host = ["test", "--package", "farad-host", "--lib"];
            run_lines(&mut command("cargo", &host), |line| count.read(line))?;
            journey::run_with(|line| count.read(line))
        })?;
        step("the bindings", || bindings::run(true))?;
        step("Kotlin", || {
            let mut maven = Surefire::default();
            let done = kotlin::run(|line| maven.read(line));
            count.add(&maven);
            done
        })?;
        step("docs", || {
            let args = ["doc", "--quiet", "--workspace", "--no-deps", "--all-features"];
            shell::run(command("cargo", &args).env("RUSTDOCFLAGS", "-D warnings"))
        })?;
        step("demo", demo::run)?;
    }
    println!("\n{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let begun = Instant::now();
    work()?;
    println!("== {name}: {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
