//! `farad key …`: one file a command. The public part of a key may go anywhere; the private one
//! leaves its folder only by `backup`, encrypted.

mod backup;
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
        KeyCommand::Backup(args) => backup::run(args, config, passphrases),
        KeyCommand::Recipient(args) => recipient::run(args, config, passphrases),
    }
}
