//! `farad rollout` and `farad rollback`: who gets what, from the releases that are listed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use farad::id::Channel;
use farad::limits::ALLOWED;
use farad::release::Blob;
use farad::rollout::{Offer, Offered, Rollout};
use serde_json::json;

use super::offers::{ahead_of_the_rest, is_for_all, is_listed, needed};
use super::release::{find_version, paused_note, share};
use super::status::step;
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
    /// Share of installations that get the release
    #[arg(long, group = "what", value_parser = share)]
    percent: Option<u32>,
    /// Nothing new is taken until --resume
    #[arg(long, group = "what")]
    pause: bool,
    /// End a pause
    #[arg(long, group = "what")]
    resume: bool,
    /// Give the release to the installation with this id, whatever the share
    #[arg(long, group = "what")]
    allow: Option<String>,
    /// Version that --percent or --allow is for, listed or offered; the current offer by default
    #[arg(long, conflicts_with_all = ["pause", "resume"])]
    version: Option<String>,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `farad rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    /// Channel
    channel: String,
    /// Version to go back to; what was offered before by default
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
    let at = if args.pause || args.resume {
        0
    } else {
        meant(args, &channel, &documents, &mut rollout.offers)?
    };
    let current = rollout.offers.get_mut(at).ok_or_else(|| {
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
        check_allowed(&rollout.offers)?;
        format!("{name} is offered to that installation")
    };
    let mut edit = Edit::default();
    workspace.put_rollout(&mut edit, &channel, &rollout)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let json = json!({ "channel": channel, "offers": rollout.offers, "paused": rollout.paused });
    let paused = if args.pause || args.resume { String::new() } else { paused_note(&documents) };
    Ok(outcome.report(format!("In {channel}: {said}{}.{paused}", dry_note(args.dry_run)), json))
}

pub(crate) fn rollback(
    args: &Rollback,
    config: &Path,
    passphrases: &Passphrases,
) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, _, documents) = workspace.channel(&args.channel)?;
    let from = documents.rollout.offers.first().map(|offer| offer.release);
    let mut rollout = documents.rollout.clone();
    rollout.paused = false;
    rollout.offers = if args.builtin {
        vec![to_everyone(Offered::Builtin)?]
    } else if let Some(version) = &args.to {
        let (manifest, found) = find_version(&documents, version, &args.channel)?;
        documents.may_run(found.sequence)?;
        let release = Offered::Release { sequence: found.sequence, manifest };
        refuse_current(&documents, &release, &channel)?;
        vec![to_everyone(release)?]
    } else {
        before(&workspace, &channel, &documents)?
    };
    // A salt or an installation more makes no other offer; a pause that is to end does.
    let offers = |rollout: &Rollout| -> Vec<(Offered, u32)> {
        rollout.offers.iter().map(|offer| (offer.release, offer.share)).collect()
    };
    let target = describe(&rollout.offers, &documents);
    if offers(&rollout) == offers(&documents.rollout) && !documents.rollout.paused {
        let message = format!("{target} is what {channel} offers already");
        return Err(Failure::new("nothing-to-do", message));
    }
    refuse_missing(&workspace, &rollout.offers, &documents)?;
    let mut edit = Edit::default();
    workspace.put_rollout(&mut edit, &channel, &rollout)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let dry = dry_note(args.dry_run);
    let text = match from {
        Some(from) => {
            format!("Rolled {channel} back from {} to {target}{dry}.", name_of(&from, &documents))
        }
        None => format!("{channel} offers {target}{dry}."),
    };
    Ok(outcome.report(text, json!({ "channel": channel, "offers": rollout.offers })))
}

/// Where the offer stands that a share or an installation is for: the one with the version that was
/// named, put ahead if it is only listed; else the first. Refused, with no version named: where the newest
/// release is listed only. It may be the one that is meant, and the first would go to phones it was
/// never meant for.
fn meant(
    args: &RolloutArgs,
    channel: &Channel,
    documents: &ChannelDocuments,
    offers: &mut Vec<Offer>,
) -> Result<usize> {
    let first = offers.first().map(|offer| offer.release);
    let names = |offered: &Offered, of: u64| matches!(offered, Offered::Release { sequence, .. } if *sequence == of);
    let Some(version) = &args.version else {
        let newest = documents.releases.iter().next_back();
        let waits = newest.filter(|(sequence, _)| {
            documents.may_run(**sequence).is_ok()
                && !offers.iter().any(|offer| names(&offer.release, **sequence))
        });
        let (Some((_, (_, newest))), Some(first)) = (waits, first) else { return Ok(0) };
        let (newest, name) = (&newest.version, name_of(&first, documents));
        let or = match first {
            Offered::Release { .. } => format!("--version {name} or "),
            Offered::Builtin => String::new(),
        };
        let message = format!(
            "{channel} offers {name}, and lists {newest}, which is newer and not offered; say which is meant: {or}--version {newest}"
        );
        return Err(Failure::new("unknown-version", message));
    };
    let (manifest, found) = find_version(documents, version, &args.channel)?;
    documents.may_run(found.sequence)?;
    if let Some(at) = offers.iter().position(|offer| names(&offer.release, found.sequence)) {
        return Ok(at);
    }
    if let Some(first @ Offered::Release { sequence, .. }) = first
        && sequence > found.sequence
    {
        let newer = name_of(&first, documents);
        let message = format!(
            "{version} is older than {newer}, which {channel} offers; to go back: farad rollback {channel} --to {version}"
        );
        return Err(Failure::new("bad-version", message));
    }
    let release = Offered::Release { sequence: found.sequence, manifest };
    let share = args.percent.unwrap_or(0);
    let offer = Offer { share, ..to_everyone(release)? };
    *offers = ahead_of_the_rest(documents, found, offer)?;
    Ok(0)
}

/// Phones count the installations over all offers of a channel, those behind the current one included.
fn check_allowed(offers: &[Offer]) -> Result<()> {
    let most = ALLOWED / 2;
    if offers.iter().map(|offer| offer.allow.len()).sum::<usize>() <= most {
        return Ok(());
    }
    let message = format!(
        "the offers of a channel name at most {most} installations together; offer a release to all first: farad rollout CHANNEL --percent 100"
    );
    Err(Failure::new("too-large", message))
}

/// Going back to what is offered would offer it to everyone, and end a pause: whoever means that says so,
/// and whoever mistook a version in a hurry must not ship it.
fn refuse_current(
    documents: &ChannelDocuments,
    release: &Offered,
    channel: &Channel,
) -> Result<()> {
    let Some(current) = documents.rollout.offers.first().filter(|offer| offer.release == *release)
    else {
        return Ok(());
    };
    let (name, share) = (name_of(release, documents), percent(current.share));
    let mut message = format!("{name} is what {channel} offers now, to {share}");
    if current.share < 10_000 {
        let command = format!("farad rollout {channel} --percent 100 --version {name}");
        let _ = write!(message, "; for everyone: {command}");
    }
    if documents.rollout.paused {
        let _ = write!(message, "; to end the pause: farad rollout {channel} --resume");
    }
    Err(Failure::new("nothing-to-do", message))
}

/// A release whose files are gone would be offered, and no phone could leave the bad one for it.
fn refuse_missing(
    workspace: &Workspace,
    offers: &[Offer],
    documents: &ChannelDocuments,
) -> Result<()> {
    for offer in offers {
        let Offered::Release { sequence, .. } = offer.release else { continue };
        let Some((_, manifest)) = documents.releases.get(&sequence) else { continue };
        let mut needed = [&manifest.index, &manifest.layout, &manifest.pack].into_iter();
        if let Some(gone) = needed.find(|blob| !is_here(workspace, blob)) {
            let message = format!(
                "{} of {} is not in this repository, or damaged; restore it, or go back to another release",
                gone.path(),
                name_of(&offer.release, documents)
            );
            return Err(Failure::new("hash-mismatch", message));
        }
    }
    Ok(())
}

/// Whether the repository has a blob, by its length.
pub(super) fn is_here(workspace: &Workspace, blob: &Blob) -> bool {
    let found = fs::metadata(workspace.repository.folder.join(blob.path()));
    found.is_ok_and(|found| found.len() == blob.length)
}

fn to_everyone(release: Offered) -> Result<Offer> {
    Ok(Offer { release, share: 10_000, salt: salt()?, allow: Vec::new(), mandatory: false })
}

/// What was offered before the current offer. Where that one is staged, or was and is offered to everyone at
/// last, what lies behind it; else the newest release that everyone was offered before it, as earlier steps of
/// the rollout tell: a release that was rolled back from, or never got beyond a part of the phones, is none.
/// What lies behind an offer to everyone for phones that cannot take it is not what came before it.
fn before(
    workspace: &Workspace,
    channel: &Channel,
    documents: &ChannelDocuments,
) -> Result<Vec<Offer>> {
    let Some((current, behind)) = documents.rollout.offers.split_first() else {
        return Err(Failure::new(
            "nothing-offered",
            "nothing is offered; there is nothing to undo",
        ));
    };
    let lies_behind = behind.iter().find(|offer| is_for_all(offer));
    if !is_for_all(current) && lies_behind.is_some() {
        return Ok(behind.to_vec());
    }
    let Offered::Release { sequence, .. } = current.release else {
        return Err(Failure::new("nothing-to-do", "the built-in bundle is offered already"));
    };
    let earlier = offered_before(workspace, documents, sequence, last_step(workspace, channel))?;
    if lies_behind.is_some_and(|offer| earlier.first() == Some(&offer.release)) {
        return Ok(behind.to_vec());
    }
    earlier.into_iter().map(to_everyone).collect()
}

/// What a rollback from the current release goes to, as far as one can tell: it stays in the list.
pub(super) fn way_back(
    workspace: &Workspace,
    documents: &ChannelDocuments,
    rollout: &Rollout,
) -> Vec<Offered> {
    let Some(Offered::Release { sequence: current, .. }) =
        rollout.offers.first().map(|offer| offer.release)
    else {
        return Vec::new();
    };
    // The step of now lies behind one that is to come.
    let coming = u64::from(*rollout != documents.rollout);
    let end = last_step(workspace, &rollout.channel).saturating_add(coming);
    offered_before(workspace, documents, current, end).unwrap_or_default()
}

fn last_step(workspace: &Workspace, channel: &Channel) -> u64 {
    let role = channel.rollout_role();
    workspace.current.roles.get(&role).map_or(0, |role| role.common.version)
}

/// What everyone was offered before the release `current`, by the steps of the rollout below `end`: one
/// offer, and those behind it for whoever could not take it.
fn offered_before(
    workspace: &Workspace,
    documents: &ChannelDocuments,
    current: u64,
    end: u64,
) -> Result<Vec<Offered>> {
    let channel = &documents.rollout.channel;
    let gone = |what: String| {
        let message = format!("{what}; say where to go back to: --to VERSION or --builtin");
        Failure::new("unknown-version", message)
    };
    let may = |offered: &Offered| match offered {
        Offered::Builtin => true,
        Offered::Release { sequence, .. } => {
            *sequence < current && documents.may_run(*sequence).is_ok()
        }
    };
    let listed = |offered: &Offered| is_listed(documents, offered);
    for version in (1..end).rev() {
        let Some((_, earlier)) = step(workspace, channel, version)? else {
            let what = "is not in this repository any more";
            return Err(gone(format!("what {channel} offered before {what}")));
        };
        let mut for_all: Vec<_> =
            earlier.offers.iter().filter(|o| is_for_all(o)).map(|offer| offer.release).collect();
        if !for_all.first().is_some_and(may) {
            continue;
        }
        if let Some(left @ Offered::Release { .. }) = for_all.first().filter(|o| !listed(o)) {
            let name = name_of(left, documents);
            let what = format!("{name}, which {channel} offered before, has left the list");
            return Err(gone(what));
        }
        for_all.retain(|offered| may(offered) && listed(offered));
        return Ok(needed(documents, for_all));
    }
    // Nothing was offered to everyone before: each app goes back to what it brought along.
    Ok(vec![Offered::Builtin])
}

/// Offers as people know them.
pub(super) fn describe(offers: &[Offer], documents: &ChannelDocuments) -> String {
    let one = |offer: &Offer| {
        let name = name_of(&offer.release, documents);
        if offer.share == 10_000 { name } else { format!("{name} ({})", percent(offer.share)) }
    };
    offers.iter().map(one).collect::<Vec<_>>().join(", then ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installations_are_counted_over_all_offers() {
        let offers = |counts: [usize; 2]| {
            counts.map(|count| {
                let allow = (0..count).map(|n| format!("{n:032x}")).collect();
                Offer { allow, ..to_everyone(Offered::Builtin).unwrap() }
            })
        };
        check_allowed(&offers([60, 40])).unwrap();
        for over in [[60, 41], [0, 101], [101, 0]] {
            assert_eq!(check_allowed(&offers(over)).unwrap_err().code, "too-large");
        }
    }
}
