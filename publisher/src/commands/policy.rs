//! `farad revoke` and `farad floor`: what may never run again.

use std::path::Path;

use farad::rollout::{Offered, Rollout};
use serde_json::json;

use super::offers::leaves_some_out;
use super::release::{find_version, newest_sequence};
use super::rollout::describe;
use super::{Report, Workspace, dry_note};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::repository::ChannelDocuments;

/// Arguments of `farad revoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    /// Version
    #[arg(required_unless_present = "sequence")]
    version: Option<String>,
    /// A sequence that is not in the list, such as a thief's
    #[arg(long, conflicts_with = "version", value_parser = clap::value_parser!(u64).range(1..=i64::MAX.unsigned_abs()))]
    sequence: Option<u64>,
    /// Revoke a sequence far above the newest one, which no release of yours will have soon
    #[arg(long, requires = "sequence")]
    far: bool,
    /// Channel
    #[arg(long)]
    channel: String,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Sequences this far above the newest one are more likely mistyped than a thief's.
const FAR: u64 = 1000;

/// Arguments of `farad floor`.
#[derive(Debug, clap::Args)]
pub(crate) struct FloorArgs {
    /// Version
    version: String,
    /// Channel
    #[arg(long)]
    channel: String,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn revoke(
    args: &RevokeArgs,
    config: &Path,
    passphrases: &Passphrases,
) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, _, documents) = workspace.channel(&args.channel)?;
    let newest = newest_sequence(&documents);
    if let Some(sequence) = args.sequence.filter(|s| !args.far && *s > newest.saturating_add(FAR)) {
        let message = format!(
            "the newest sequence of {channel} is {newest}, and a revocation stays; if somebody else released {sequence}, pass --far"
        );
        return Err(Failure::new("not-released", message));
    }
    let (sequence, name) = match (args.sequence, &args.version) {
        (Some(sequence), _) => (sequence, format!("sequence {sequence}")),
        (None, version) => {
            let version = version.as_deref().unwrap_or_default();
            let (_, manifest) = find_version(&documents, version, &args.channel)?;
            (manifest.sequence, manifest.version.clone())
        }
    };
    let mut policy = documents.policy.clone();
    if !policy.revokes(sequence) {
        policy.revoked.push(sequence);
        policy.revoked.sort_unstable();
    }
    if policy.revoked.len() > farad::limits::REVOKED / 2 {
        let message = "a policy revokes at most 500 releases; raise the floor instead";
        return Err(Failure::new("too-large", message));
    }
    let left = documents.releases.keys().any(|s| !policy.revokes(*s) && *s >= policy.floor);
    let mut edit = Edit::default();
    let mut rollout = documents.rollout.clone();
    rollout.offers.retain(
        |offer| !matches!(offer.release, Offered::Release { sequence: s, .. } if s == sequence),
    );
    if rollout != documents.rollout {
        workspace.put_rollout(&mut edit, &channel, &rollout)?;
    }
    workspace.put_policy(&mut edit, &channel, &policy)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let partly = only_some(&documents, &rollout);
    let warning = if !left {
        "\nNothing else in the list may run: phones go back to their built-in bundle. Release a fix."
    } else if rollout.offers.is_empty() && !documents.rollout.offers.is_empty() {
        "\nNothing is offered any more: phones that had it go back by themselves, the others get nothing new. Release a fix, or roll back with --to."
    } else {
        &partly
    };
    let text = format!("Revoked {name} in {channel}{}.{warning}", dry_note(args.dry_run));
    Ok(outcome.report(text, json!({ "channel": channel, "revoked": policy.revoked })))
}

pub(crate) fn floor(args: &FloorArgs, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, _, documents) = workspace.channel(&args.channel)?;
    let (_, manifest) = find_version(&documents, &args.version, &args.channel)?;
    let mut policy = documents.policy.clone();
    if manifest.sequence < policy.floor {
        let message =
            format!("the floor of {channel} is sequence {} already; it only rises", policy.floor);
        return Err(Failure::new("below-floor", message));
    }
    policy.floor = manifest.sequence;
    let mut edit = Edit::default();
    let mut rollout = documents.rollout.clone();
    rollout.offers.retain(|offer| match offer.release {
        Offered::Release { sequence, .. } => sequence >= policy.floor,
        // Judged on each phone, by what its app brought along.
        Offered::Builtin => true,
    });
    if rollout != documents.rollout {
        workspace.put_rollout(&mut edit, &channel, &rollout)?;
    }
    workspace.put_policy(&mut edit, &channel, &policy)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let partly = only_some(&documents, &rollout);
    let warning = if rollout.offers.is_empty() && !documents.rollout.offers.is_empty() {
        "\nNothing is offered any more: what was, lies below the floor. Release, or roll back to a newer one."
    } else {
        &partly
    };
    let text = format!(
        "Nothing older than {} (sequence {}) runs in {channel} any more{}.{warning}",
        args.version,
        policy.floor,
        dry_note(args.dry_run)
    );
    Ok(outcome.report(text, json!({ "channel": channel, "floor": policy.floor })))
}

/// A warning where what is left is not offered to everyone who was offered something.
fn only_some(documents: &ChannelDocuments, rollout: &Rollout) -> String {
    if !leaves_some_out(documents, &rollout.offers) {
        return String::new();
    }
    let (channel, left) = (&rollout.channel, describe(&rollout.offers, documents));
    format!(
        "\nOf {channel}'s offers {left} is left, and not everybody is offered something any more. Release for all, or farad rollback {channel} --to VERSION."
    )
}
