//! One file a command. Each takes its arguments and returns what to say; nothing in here prints.

pub(crate) mod channel;
pub(crate) mod device;
mod elsewhere;
pub(crate) mod embed;
pub(crate) mod init;
pub(crate) mod key;
mod offers;
mod outcome;
pub(crate) mod policy;
pub(crate) mod promote;
pub(crate) mod prune;
pub(crate) mod refresh;
pub(crate) mod release;
pub(crate) mod rollout;
mod share;
pub(crate) mod sign;
pub(crate) mod status;
pub(crate) mod verify;
mod workspace;

use serde_json::Value;

use crate::failure::Result;
use crate::keys::random;
pub(crate) use outcome::Outcome;
pub(crate) use workspace::Workspace;

/// What a command has to say: for people, and for machines.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) json: Value,
    /// Something is wrong that the command was asked to look for.
    pub(crate) failed: bool,
}

impl Report {
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, failed: false }
    }
}

/// A fresh salt for an offer.
pub(crate) fn salt() -> Result<String> {
    Ok(farad::hex::encode(&random::<16>()?))
}

/// The suffix of a report about something that was only tried.
pub(crate) fn dry_note(dry: bool) -> &'static str {
    if dry { " (dry run: nothing was written)" } else { "" }
}

/// A number of things as people write it; all of ours take an s.
pub(crate) fn count(number: usize, thing: &str) -> String {
    let several = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{several}")
}

/// Basis points as people write them.
pub(crate) fn percent(share: u32) -> String {
    match share % 100 {
        0 => format!("{} %", share / 100),
        rest => format!("{}.{rest:02} %", share / 100),
    }
}
