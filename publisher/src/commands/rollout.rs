//! `farad rollout` and `farad rollback`: who gets what, from the releases that are listed.

use std::path::Path;

use farad::rollout::{Offer, Offered};
use serde_json::json;

use super::release::{find_version, share};
use super::{Report, Workspace, dry_note, percent, salt};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::repository::ChannelDocuments;

/// Arguments of `farad rollout`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct RolloutArgs {
    /// Channel
    channel: String,
    /// Share of installations that get the current offer
    #[arg(long, group = "what", value_parser = share)]
    percent: Option<u32>,
    /// Nothing new is taken until --resume
    #[arg(long, group = "what")]
    pause: bool,
    /// End a pause
    #[arg(long, group = "what")]
    resume: bool,
    /// Give the current offer to the installation with this id, whatever the share
    #[arg(long, group = "what")]
    allow: Option<String>,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `farad rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    /// Channel
    channel: String,
    /// Version to go back to; the one before by default
    #[arg(long, conflicts_with = "builtin")]
    to: Option<String>,
    /// Go back to what each native app brought along
    #[arg(long)]
    builtin: bool,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &RolloutArgs, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, _, documents) = workspace.channel(&args.channel)?;
    let mut rollout = documents.rollout.clone();
    let current = rollout.offers.first_mut().ok_or_else(|| {
        Failure::new("nothing-offered", format!("nothing is offered in {channel}; release first"))
    })?;
    let name = name_of(&current.release, &documents);
    let said = if let Some(share) = args.percent {
        current.share = share;
        format!("{name} is offered to {}", percent(share))
    } else if args.pause {
        rollout.paused = true;
        "nothing new is taken until --resume".to_owned()
    } else if args.resume {
        rollout.paused = false;
        format!("{name} is offered again")
    } else {
        let install = args.allow.as_deref().unwrap_or_default().parse().map_err(
            |error: farad::id::BadName| Failure::new("bad-install-id", error.to_string()),
        )?;
        let allow = farad::rollout::allow_hash(&workspace.project.app, &install);
        if !current.allow.contains(&allow) {
            current.allow.push(allow);
        }
        if current.allow.len() > farad::limits::ALLOWED / 2 {
            return Err(Failure::new("too-large", "an offer names at most 100 installations"));
        }
        format!("{name} is offered to that installation")
    };
    let mut edit = Edit::default();
    workspace.put_rollout(&mut edit, &channel, &rollout)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let json = json!({ "channel": channel, "offers": rollout.offers, "paused": rollout.paused });
    Ok(outcome.report(format!("In {channel}: {said}{}.", dry_note(args.dry_run)), json))
}

pub(crate) fn rollback(
    args: &Rollback,
    config: &Path,
    passphrases: &Passphrases,
) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, _, documents) = workspace.channel(&args.channel)?;
    let from = documents.rollout.offers.first().map(|offer| offer.release);
    let target = if args.builtin {
        Offered::Builtin
    } else if let Some(version) = &args.to {
        let (manifest, found) = find_version(&documents, version, &args.channel)?;
        allowed(&documents, found.sequence)?;
        Offered::Release { sequence: found.sequence, manifest }
    } else {
        before(&documents)?
    };
    if Some(target) == from && documents.rollout.offers.len() == 1 {
        let message = format!("{} is what {channel} offers already", name_of(&target, &documents));
        return Err(Failure::new("nothing-to-do", message));
    }
    let mut rollout = documents.rollout.clone();
    let salt = salt()?;
    let offer = Offer { release: target, share: 10_000, salt, allow: Vec::new(), mandatory: false };
    rollout.offers = vec![offer];
    rollout.paused = false;
    let mut edit = Edit::default();
    workspace.put_rollout(&mut edit, &channel, &rollout)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let (to, dry) = (name_of(&target, &documents), dry_note(args.dry_run));
    let text = match from {
        Some(from) => {
            format!("Rolled {channel} back from {} to {to}{dry}.", name_of(&from, &documents))
        }
        None => format!("{channel} offers {to}{dry}."),
    };
    Ok(outcome.report(text, json!({ "channel": channel, "offers": rollout.offers })))
}

/// What everyone would have without the current offer: the offer behind it, else the next lower
/// release that may run, else the built-in bundle.
fn before(documents: &ChannelDocuments) -> Result<Offered> {
    let offers = &documents.rollout.offers;
    let Some(current) = offers.first() else {
        return Err(Failure::new(
            "nothing-offered",
            "nothing is offered; there is nothing to undo",
        ));
    };
    if let Some(behind) = offers.iter().skip(1).find(|offer| offer.share == 10_000) {
        return Ok(behind.release);
    }
    let Offered::Release { sequence: current, .. } = current.release else {
        return Err(Failure::new("nothing-to-do", "the built-in bundle is offered already"));
    };
    let lower = documents.releases.range(..current).rev();
    let found = lower.into_iter().find(|(sequence, _)| allowed(documents, **sequence).is_ok());
    Ok(found.map_or(Offered::Builtin, |(sequence, (manifest, _))| Offered::Release {
        sequence: *sequence,
        manifest: *manifest,
    }))
}

fn allowed(documents: &ChannelDocuments, sequence: u64) -> Result<()> {
    if documents.policy.revokes(sequence) {
        let message = format!("sequence {sequence} is revoked; phones would not take it");
        return Err(Failure::new("revoked", message));
    }
    if sequence < documents.policy.floor {
        let floor = documents.policy.floor;
        let message =
            format!("sequence {sequence} lies below the floor {floor}; phones would not take it");
        return Err(Failure::new("below-floor", message));
    }
    Ok(())
}

/// An offer as people know it.
pub(crate) fn name_of(offered: &Offered, documents: &ChannelDocuments) -> String {
    match offered {
        Offered::Builtin => "the built-in bundle".to_owned(),
        Offered::Release { sequence, .. } => documents
            .releases
            .get(sequence)
            .map_or_else(|| format!("sequence {sequence}"), |(_, m)| m.version.clone()),
    }
}
