//! The command line: arguments in, words and an exit code out. The only file that prints.
//!
//! Exit codes: 0 done, 1 failed (one sentence on standard error, or an `error` object with
//! `--json`), 2 wrong usage.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the command speaks")]

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use crate::commands::{
    Report, channel, device, embed, init, key, policy, promote, prune, refresh, release, rollout,
    sign, status, verify,
};
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::plain;
use crate::project;
use crate::screen::Screen;
use crate::serve::{Faults, Server};

/// Publish signed over-the-air updates for Capacitor apps.
#[derive(Debug, Parser)]
#[command(name = "farad", version)]
struct Cli {
    /// The project file
    #[arg(long, global = true, default_value = project::FILE)]
    config: PathBuf,
    /// One JSON object instead of words
    #[arg(long, global = true)]
    json: bool,
    /// Read passphrases from this file descriptor (or name a file in FARAD_PASSPHRASE_FILE)
    #[arg(long, global = true)]
    passphrase_fd: Option<u32>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make keys, a project file, an empty repository and the trust anchor
    #[command(
        after_help = "Example: farad init --app com.example.shop --channel production --channel beta"
    )]
    Init(init::Init),
    /// Release a web folder in a channel
    #[command(
        after_help = "Example: farad release dist --channel production --version 1.4.0 --rollout 10%"
    )]
    Release(release::Release),
    /// Mark a released web folder as the one being built into a native app
    #[command(after_help = "Example: farad embed dist --channel production && npx cap sync")]
    Embed(embed::EmbedArgs),
    /// Release the very same content in another channel
    #[command(after_help = "Example: farad promote 1.4.0 --from beta --to production --rollout 5%")]
    Promote(promote::Promote),
    /// Change who gets the current offer
    #[command(after_help = "Example: farad rollout production --percent 50")]
    Rollout(rollout::RolloutArgs),
    /// Go back to an earlier release
    #[command(after_help = "Example: farad rollback production")]
    Rollback(rollout::Rollback),
    /// Never run a release again
    #[command(
        after_help = "Example: farad revoke 1.4.0 --channel production\n         farad revoke --sequence 7 --channel production"
    )]
    Revoke(policy::RevokeArgs),
    /// Never run anything older than a release again
    #[command(after_help = "Example: farad floor 1.4.0 --channel production")]
    Floor(policy::FloorArgs),
    /// List every release and rollout step
    #[command(after_help = "Example: farad history production")]
    History(status::History),
    /// Tell what is offered and what expires when
    #[command(after_help = "Example: farad status --within 7d")]
    Status(status::Status),
    /// Sign anew what is past half its life
    #[command(after_help = "Example: farad refresh   (from a daily job)")]
    Refresh(refresh::Refresh),
    /// Make, list and put away keys, and say which of them sign for what
    #[command(after_help = "Example: farad key list")]
    Key(key::KeyArgs),
    /// Make, list and take away channels
    #[command(after_help = "Example: farad channel list")]
    Channel(channel::ChannelArgs),
    /// Add your signature to a change that waits for it
    #[command(
        after_help = "Example: farad sign pending/production-releases-v6.zip\nWith a key elsewhere: farad sign FILE --export out, sign out/ROLE.message, farad sign FILE --signature ROLE=out/sig --key alice"
    )]
    Sign(sign::Sign),
    /// Check a repository as a phone would, every file of it
    #[command(after_help = "Example: farad verify https://updates.example.com/shop")]
    Verify(verify::Verify),
    /// Serve a repository on this machine, for trying things
    #[command(
        after_help = "Example: farad serve --port 8080\nFaults: farad serve --fault stall=0.2,corrupt=0.1,unavailable=0.1"
    )]
    Serve(Serve),
    /// Be a phone: check, sync, boot, ready
    #[command(after_help = "Example: farad device --url http://127.0.0.1:8080 --dir phone sync")]
    Device(device::Device),
    /// Remove what nothing names any more
    #[command(after_help = "Example: farad prune --keep-days 30 --dry-run")]
    Prune(prune::Prune),
}

/// Arguments of `farad serve`.
#[derive(Debug, clap::Args)]
struct Serve {
    /// The repository; that of the project by default
    #[arg(long)]
    repo: Option<PathBuf>,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Faults to make, as shares of all answers
    #[arg(long)]
    fault: Option<Faults>,
    /// Take devices' events at /events, and write each to this file once, a line of JSON
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors.
            let code = if error.use_stderr() { 2 } else { 0 };
            if code == 2 && args.iter().any(|arg| arg == "--json") {
                complain(&Failure::new("bad-usage", sentence(&error)), true);
            } else {
                let _ = error.print();
            }
            return ExitCode::from(code);
        }
    };
    match dispatch(&cli) {
        Ok(report) => {
            let text = if cli.json {
                plain::shown_json(&report.json.to_string())
            } else {
                plain::shown(&report.text)
            };
            // A reader that went away (a pipe into head) is no failure.
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::from(u8::from(report.failed))
        }
        Err(failure) => {
            complain(&failure, cli.json || matches!(cli.command, Command::Device(_)));
            ExitCode::from(if failure.code == "bad-usage" { 2 } else { 1 })
        }
    }
}

/// What is wrong with the words, without the usage that follows.
fn sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.trim_start_matches("error: ");
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

fn dispatch(cli: &Cli) -> Result<Report> {
    let screen = Screen::default();
    let passphrases = Passphrases::new(cli.passphrase_fd, screen.clone());
    let config = &cli.config;
    match &cli.command {
        Command::Init(args) => init::run(args, config, &passphrases),
        Command::Release(args) => {
            screen.working("packing", |progress| release::run(args, config, &passphrases, progress))
        }
        Command::Embed(args) => embed::run(args, config, &passphrases),
        Command::Promote(args) => screen
            .working("promoting", |progress| promote::run(args, config, &passphrases, progress)),
        Command::Rollout(args) => rollout::run(args, config, &passphrases),
        Command::Rollback(args) => rollout::rollback(args, config, &passphrases),
        Command::Revoke(args) => policy::revoke(args, config, &passphrases),
        Command::Floor(args) => policy::floor(args, config, &passphrases),
        Command::History(args) => status::history(args, config),
        Command::Status(args) => status::status(args, config),
        Command::Refresh(args) => refresh::run(args, config, &passphrases),
        Command::Key(args) => key::run(args, config, &passphrases),
        Command::Channel(args) => channel::run(args, config, &passphrases),
        Command::Sign(args) => sign::run(args, config, &passphrases, &ask),
        Command::Verify(args) => {
            screen.working("verifying", |_| verify::run(args, config, &passphrases))
        }
        Command::Serve(args) => serve(args, cli),
        Command::Device(args) => {
            device::run(args, &passphrases, &mut |progress| screen.downloaded(progress))
        }
        Command::Prune(args) => prune::run(args, config, &passphrases),
    }
}

fn serve(args: &Serve, cli: &Cli) -> Result<Report> {
    let folder = match &args.repo {
        Some(folder) => folder.clone(),
        None => project::Project::load(&cli.config)?.repository(),
    };
    let faults = args.fault.unwrap_or_default();
    let server = match &args.events {
        Some(events) => Server::start_with_events(&folder, args.port, faults, events)?,
        None => Server::start(&folder, args.port, faults)?,
    };
    let line = if cli.json {
        json!({ "url": server.url() }).to_string()
    } else {
        format!("Serving {} at {}", folder.display(), server.url())
    };
    let _ = writeln!(std::io::stdout(), "{line}").and_then(|()| std::io::stdout().flush());
    server.wait();
    Ok(Report::default())
}

/// Shows a text and waits for a yes: from a terminal, or from whatever is typed into a pipe.
fn ask(text: &str) -> bool {
    let text = plain::shown(text);
    let _ = write!(std::io::stderr(), "{text}\n\nSign this? Type yes: ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}

fn complain(failure: &Failure, json: bool) {
    if json {
        let mut error = json!({ "code": failure.code, "message": failure.message });
        if let (Some(role), Some(fields)) = (&failure.role, error.as_object_mut()) {
            fields.insert("role".to_owned(), json!(role));
        }
        println!("{}", plain::shown_json(&json!({ "error": error }).to_string()));
    } else {
        eprintln!("farad: {} [{}]", plain::one_line(&failure.message), failure.code);
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let command = Cli::command();
        command.clone().debug_assert();
        let mut commands: Vec<_> = command.get_subcommands().collect();
        while let Some(sub) = commands.pop() {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example: farad"), "{}", sub.get_name());
            // The device's own words are one command line; its example shows them.
            if sub.get_name() != "device" {
                commands.extend(sub.get_subcommands());
            }
        }
    }
}
