//! `farad revoke` and `farad floor`: what may never run again.

use std::path::Path;

use farad::rollout::Offered;
use serde_json::json;

use super::release::find_version;
use super::{Report, Workspace, dry_note};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;

/// Arguments of `farad revoke` and `farad floor`.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
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
    args: &PolicyArgs,
    config: &Path,
    passphrases: &Passphrases,
) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, _, documents) = workspace.channel(&args.channel)?;
    let (_, manifest) = find_version(&documents, &args.version, &args.channel)?;
    let (sequence, version) = (manifest.sequence, manifest.version.clone());
    let mut policy = documents.policy.clone();
    if !policy.revokes(sequence) {
        policy.revoked.push(sequence);
        policy.revoked.sort_unstable();
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
    let warning = if left {
        ""
    } else {
        "\nNothing else in the list may run: phones go back to their built-in bundle. Release a fix."
    };
    let text = format!("Revoked {version} in {channel}{}.{warning}", dry_note(args.dry_run));
    Ok(outcome.report(text, json!({ "channel": channel, "revoked": policy.revoked })))
}

pub(crate) fn floor(args: &PolicyArgs, config: &Path, passphrases: &Passphrases) -> Result<Report> {
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
    let text = format!(
        "Nothing older than {} (sequence {}) runs in {channel} any more{}.",
        args.version,
        policy.floor,
        dry_note(args.dry_run)
    );
    Ok(outcome.report(text, json!({ "channel": channel, "floor": policy.floor })))
}
