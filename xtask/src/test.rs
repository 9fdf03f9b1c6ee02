//! `cargo xtask test`: everything that must hold before a change lands.

use std::time::Instant;

use crate::count::{Count, Surefire};
use crate::shell::{self, Result, command, run_lines};
use crate::{bindings, cross, demo, journey, kotlin, npm, swift};

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
            count.add(maven.count());
            done
        })?;
        step("Swift", || swift::test(false).map(|swift| count.add(swift)))?;
        step("docs", || {
            let args = ["doc", "--quiet", "--workspace", "--no-deps", "--all-features"];
            shell::run(command("cargo", &args).env("RUSTDOCFLAGS", "-D warnings"))
        })?;
        step("demo", demo::run)?;
    }
    count.close()
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let begun = Instant::now();
    work()?;
    println!("== {name}: {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
