//! `farad key …`: one file a command. The public part of a key may go anywhere; the private one
//! leaves its folder only by `backup`, encrypted.

mod backup;
mod change;
mod list;
mod new;
mod recipient;

use std::path::Path;

use super::Report;
use crate::failure::Result;
use crate::passphrase::Passphrases;

/// Arguments of `farad key`.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeyCommand {
    /// Tell which keys sign for which role, and which of them are here
    #[command(after_help = "Example: farad key list")]
    List,
    /// Make a key of your own
    #[command(
        after_help = "Example: farad key new alice --group release\nThen send keys/release/alice.pub to whoever may add it to a role."
    )]
    New(new::New),
    /// Let a key sign for a role
    #[command(
        after_help = "Example: farad key add production --public alice.pub --holder alice --threshold 2"
    )]
    Add(change::Add),
    /// Replace keys by new ones
    #[command(
        after_help = "Example: farad key rotate timestamp snapshot production-rollout\n         farad key rotate root --key root"
    )]
    Rotate(change::Rotate),
    /// Take a key out of its roles
    #[command(after_help = "Example: farad key revoke alice")]
    Revoke(change::Revoke),
    /// Set how many keys must sign for a role
    #[command(after_help = "Example: farad key threshold production 2")]
    Threshold(change::Threshold),
    /// Copy the keys that are here to another place, encrypted as they are
    #[command(after_help = "Example: farad key backup /media/stick --group root")]
    Backup(backup::Backup),
    /// Tell, make, add or retire the keys that open sealed releases
    #[command(after_help = "Example: farad key recipient new app")]
    Recipient(recipient::RecipientArgs),
}

pub(crate) fn run(args: &KeyArgs, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    match &args.command {
        KeyCommand::List => list::run(config),
        KeyCommand::New(args) => new::run(args, config, passphrases),
        KeyCommand::Add(args) => change::add(args, config, passphrases),
        KeyCommand::Rotate(args) => change::rotate(args, config, passphrases),
        KeyCommand::Revoke(args) => change::revoke(args, config, passphrases),
        KeyCommand::Threshold(args) => change::threshold(args, config, passphrases),
        KeyCommand::Backup(args) => backup::run(args, config, passphrases),
        KeyCommand::Recipient(args) => recipient::run(args, config, passphrases),
    }
}
