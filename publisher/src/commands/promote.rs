//! `farad promote`: a release of one channel becomes one of another, without its blobs moving.
//!
//! Enters: the version, both channels. Leaves: a manifest of its own in the other channel, patches
//! from what that channel's phones have. Refuses: a version that is listed there already; one that may
//! not run in its own channel; a sealed release in an open channel and the other way round; an open one in a
//! channel whose last release is sealed.

use std::path::Path;

use farad::digest::Digest;
use farad::host::System;
use farad::limits;
use farad::progress::Progress;
use farad::release::Manifest;
use farad::seal::Sealer;

use super::release::{
    Offering, describe, find_version, list, next_sequence, patches_note, paused_note,
    refuse_same_version, refuse_unsealed, sealed_note, share,
};
use super::{Report, Workspace, dry_note, percent};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::opening::{self, Opener};
use crate::passphrase::Passphrases;
use crate::patches::{self, Patches, Unpacked};
use crate::repository::ChannelDocuments;

/// Arguments of `farad promote`.
#[derive(Debug, clap::Args)]
pub(crate) struct Promote {
    /// Version to promote
    version: String,
    /// Channel it was released in
    #[arg(long)]
    from: String,
    /// Channel to release it in
    #[arg(long)]
    to: String,
    /// Share of installations that get it
    #[arg(long, default_value = "100%", value_parser = share)]
    rollout: u32,
    /// Make patches from so many of the newest releases there, and so many of the newest embedded ones
    #[arg(long, default_value_t = 10)]
    patches: usize,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(
    args: &Promote,
    config: &Path,
    passphrases: &Passphrases,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let (_, _, from) = workspace.channel(&args.from)?;
    let (channel, settings, to) = workspace.channel(&args.to)?;
    refuse_same_version(&to, &args.version, &channel)?;
    let (_, source) = find_version(&from, &args.version, &args.from)?;
    from.may_run(source.sequence)?;
    if source.seal.is_some() != settings.sealed {
        let (from, to) = if settings.sealed { ("open", "sealed") } else { ("sealed", "open") };
        let message = format!("{} is {from} and {channel} is {to}; release it there", args.version);
        return Err(Failure::new("seal-differs", message));
    }
    refuse_unsealed(&to, &settings, &channel, "release it there with --unseal")?;
    let mut edit = Edit::default();
    let Patches { made: patches, lacking } =
        patches_there(&workspace, &to, source, args.patches, &mut edit, progress)?;
    let manifest = Manifest {
        channel: channel.clone(),
        sequence: next_sequence(&to)?,
        created: workspace.now,
        seal: opening::promoted(&workspace, &channel, source)?,
        patches,
        ..source.clone()
    };
    let offer = Offering { share: args.rollout, mandatory: false };
    list(&workspace, &mut edit, &channel, &settings, &to, &manifest, offer)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let text = format!(
        "Promoted {} from {} to {channel} (sequence {}) for {}{}{}{}.{}",
        manifest.version,
        args.from,
        manifest.sequence,
        percent(args.rollout),
        patches_note(&manifest, &lacking),
        sealed_note(&workspace, &manifest),
        dry_note(args.dry_run),
        paused_note(&to),
    );
    Ok(outcome.report(text, describe(&manifest, args.rollout)))
}

/// The patches of a promoted release: those it has, and such from what the other channel's phones
/// have.
fn patches_there(
    workspace: &Workspace,
    documents: &ChannelDocuments,
    source: &Manifest,
    count: usize,
    edit: &mut Edit,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Patches> {
    let mut patches = source.patches.clone();
    let opened = Opener::new(workspace).content(source);
    let content = match opened {
        Ok(content) if count > 0 => content,
        Ok(_) => return Ok(Patches { made: patches, lacking: Vec::new() }),
        // Who cannot open a release can promote it all the same.
        Err(failure) => return Ok(Patches { made: patches, lacking: vec![failure.message] }),
    };
    let bundle = Unpacked::of(workspace, source)?;
    let sealer = content.map(|content| Sealer::again(&workspace.project.app, content, &System));
    let release = patches::Release {
        folder: &bundle.files(),
        index: &bundle.index,
        layout: &bundle.layout,
        sealer: sealer.as_ref(),
        description: source.index.length + source.layout.length,
    };
    let known: Vec<Digest> = patches.iter().map(|patch| patch.base).collect();
    let more = patches::add(workspace, documents, &release, (count, &known), edit, progress)?;
    patches.extend(more.made);
    patches.truncate(limits::PATCHES / 2);
    Ok(Patches { made: patches, lacking: more.lacking })
}
