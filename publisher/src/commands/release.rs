//! `farad release`: a web folder becomes a release, and is offered.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use farad::digest::Digest;
use farad::id::Channel;
use farad::limits;
use farad::native::{NativeRange, Range};
use farad::progress::Progress;
use farad::release::pack::{small_blob, write_pack};
use farad::release::{Blob, BundleName, Manifest, SCHEMA};
use farad::rollout::{Offer, Offered};
use farad::seal::{FEATURE, Object, Sealer};
use serde_json::json;

use super::channel::last_sequence;
use super::offers::ahead_of_the_rest;
use super::rollout::way_back;
use super::{Report, Workspace, count, dry_note, percent, salt};
use crate::commit::folder_of;
use crate::edit::{BlobSource, Edit, check_half};
use crate::failure::{Failure, Result};
use crate::opening::{self, Opener};
use crate::passphrase::Passphrases;
use crate::patches;
use crate::project::ChannelSettings;
use crate::repository::ChannelDocuments;
use crate::temporary;
use crate::webfolder::WebFolder;

/// Arguments of `farad release`.
#[derive(Debug, clap::Args)]
pub(crate) struct Release {
    /// The folder that your web build wrote, or a .zip of it
    web: PathBuf,
    /// Channel to release in
    #[arg(long)]
    channel: String,
    /// Version of the release (semver)
    #[arg(long)]
    version: String,
    /// Share of installations that get it: 10%, 0 to list it without offering it
    #[arg(long, default_value = "100%", value_parser = share)]
    rollout: u32,
    /// Android builds it runs on, as MIN..MAX of versionCode; either may be left out
    #[arg(long)]
    android: Option<String>,
    /// iOS builds it runs on, as MIN..MAX of CFBundleVersion; either may be left out
    #[arg(long)]
    ios: Option<String>,
    /// The app should not go on without it
    #[arg(long)]
    mandatory: bool,
    /// Make patches from so many of the newest releases, and so many of the newest embedded ones
    #[arg(long, default_value_t = 10)]
    patches: usize,
    /// A text file with notes for users
    #[arg(long)]
    notes: Option<PathBuf>,
    /// Release a bundle more than twice the size of the one before
    #[arg(long)]
    allow_larger: bool,
    /// Release openly in a channel whose last release is sealed
    #[arg(long)]
    unseal: bool,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Reads a share as people write it into basis points.
pub(crate) fn share(text: &str) -> Result<u32, String> {
    let wrong =
        || "a share is a number from 0 to 100 with at most two decimals, like 10%".to_owned();
    let text = text.trim_end_matches('%');
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > 2 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let part: u32 = format!("{part:0<2}").parse().map_err(|_| wrong())?;
    whole.checked_mul(100).map(|w| w + part).filter(|share| *share <= 10_000).ok_or_else(wrong)
}

pub(crate) fn run(
    args: &Release,
    config: &Path,
    passphrases: &Passphrases,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    check_version(&args.version)?;
    let native = native_range(args.android.as_deref(), args.ios.as_deref())?;
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, settings, documents) = workspace.channel(&args.channel)?;
    refuse_same_version(&documents, &args.version, &channel)?;
    let web = WebFolder::open(&args.web, &workspace.project, config)?;
    refuse_larger(args, &documents, web.index.total())?;

    if !args.unseal {
        refuse_unsealed(&documents, &settings, &channel, "pass --unseal")?;
    }
    let (sealer, seal) = opening::sealing(&workspace.project, &channel, &settings)?.unzip();
    let sealer = sealer.as_ref();
    let mut edit = Edit::default();
    // Beside the project file, where the next command removes what one that died left.
    let packed = temporary::new_in(folder_of(config))
        .map_err(|error| Failure::file("making a file in", folder_of(config), &error))?;
    let (layout, pack) = {
        let mut out = BufWriter::new(
            File::create(packed.path())
                .map_err(|error| Failure::file("writing", packed.path(), &error))?,
        );
        let made = write_pack(&web.path, &web.index, sealer, &mut out)?;
        out.flush().map_err(|error| Failure::file("writing", packed.path(), &error))?;
        made
    };
    let (index_blob, index_bytes) = described(&web.index.to_bytes(), Object::Index, sealer)?;
    let (layout_blob, layout_bytes) = described(&layout.to_bytes()?, Object::Layout, sealer)?;
    edit.blob(index_blob.sha256, BlobSource::Bytes(index_bytes));
    edit.blob(layout_blob.sha256, BlobSource::Bytes(layout_bytes));
    edit.blob(pack.sha256, BlobSource::File(packed.path().to_owned()));
    let info = match &args.notes {
        None => None,
        Some(path) => {
            let (blob, bytes) = notes(path, sealer)?;
            edit.blob(blob.sha256, BlobSource::Bytes(bytes));
            Some(blob)
        }
    };
    let target = patches::Release {
        folder: &web.path,
        index: &web.index,
        layout: &layout,
        sealer,
        description: index_blob.length + layout_blob.length,
    };
    let patches =
        patches::add(&workspace, &documents, &target, (args.patches, &[]), &mut edit, progress)?;
    let lacking = patches.lacking;
    // Sealed ones were opened for the patches, if at all.
    let opened = if sealer.is_some() && lacking.is_empty() { args.patches } else { 0 };
    let same = same_files(&workspace, &documents, &web.index.identity(), opened)?;
    let manifest = Manifest {
        schema: SCHEMA,
        app: workspace.project.app.clone(),
        channel: channel.clone(),
        requires: seal.iter().map(|_| FEATURE.to_owned()).collect(),
        version: args.version.clone(),
        sequence: next_sequence(&documents)?,
        created: workspace.now,
        native,
        bundle: match sealer {
            None => BundleName::Identity(web.index.identity()),
            Some(sealer) => BundleName::Keyed(sealer.content().label(&web.index.identity())?),
        },
        index: index_blob,
        layout: layout_blob,
        pack,
        patches: patches.made,
        info,
        seal,
    };
    let offer = Offering { share: args.rollout, mandatory: args.mandatory };
    list(&workspace, &mut edit, &channel, &settings, &documents, &manifest, offer)?;
    let outcome = workspace.publish(edit, args.dry_run)?;
    let text = format!(
        "Released {} (sequence {}) in {channel} to {}: {}, {} bytes{}, {} to download{}{}{}.{}{}",
        manifest.version,
        manifest.sequence,
        percent(args.rollout),
        count(web.index.files().len(), "file"),
        web.index.total(),
        left_out_note(web.left_out),
        manifest.pack.length,
        patches_note(&manifest, &lacking),
        sealed_note(&workspace, &manifest),
        dry_note(args.dry_run),
        same.as_ref().map_or_else(String::new, |version| {
            format!("\nIts files are those of {version}, one and all. Was the build forgotten?")
        }),
        paused_note(&documents),
    );
    let mut described = describe(&manifest, args.rollout);
    if let Some(fields) = described.as_object_mut() {
        fields.insert("same_as".to_owned(), json!(same));
        fields.insert("left_out".to_owned(), json!(web.left_out));
    }
    Ok(outcome.report(text, described))
}

/// The newest listed version with the very same files; among sealed ones only of the newest that were
/// `opened` already, so that nothing is asked for.
fn same_files(
    workspace: &Workspace,
    documents: &ChannelDocuments,
    identity: &Digest,
    opened: usize,
) -> Result<Option<String>> {
    let opener = Opener::new(workspace);
    for (at, (_, listed)) in documents.releases.values().rev().enumerate() {
        if listed.seal.is_some() && at >= opened {
            continue;
        }
        let Ok(content) = opener.content_if_here(listed) else { continue };
        if listed.is_of(identity, content.as_ref())? {
            return Ok(Some(listed.version.clone()));
        }
    }
    Ok(None)
}

/// What the release does not have of its folder.
fn left_out_note(left_out: usize) -> String {
    match left_out {
        0 => String::new(),
        some => format!(" ({} of a file manager left out)", count(some, "file")),
    }
}

/// To whom a release is offered.
#[derive(Clone, Copy)]
pub(super) struct Offering {
    pub(super) share: u32,
    pub(super) mandatory: bool,
}

/// Lists a manifest and offers it before what is offered to everyone now.
pub(super) fn list(
    workspace: &Workspace,
    edit: &mut Edit,
    channel: &Channel,
    settings: &ChannelSettings,
    documents: &ChannelDocuments,
    manifest: &Manifest,
    offering: Offering,
) -> Result<()> {
    let bytes = manifest.to_bytes()?;
    let digest = Digest::of(&bytes);
    Manifest::parse(&bytes, &manifest.app, channel, manifest.sequence)?;
    let mut rollout = documents.rollout.clone();
    if offering.share > 0 {
        let release = Offered::Release { sequence: manifest.sequence, manifest: digest };
        let Offering { share, mandatory } = offering;
        let offer = Offer { release, share, salt: salt()?, allow: Vec::new(), mandatory };
        rollout.offers = ahead_of_the_rest(documents, manifest, offer)?;
        workspace.put_rollout(edit, channel, &rollout)?;
    }
    let role = channel.releases_role();
    edit.put(&workspace.current, &role, &channel.release_path(manifest.sequence), bytes)?;
    // The oldest leave the list; what is offered, and what a rollback goes to, stays whatever its age.
    let mut stay = way_back(workspace, documents, &rollout);
    stay.extend(rollout.offers.iter().map(|offer| offer.release));
    let stays = |sequence: u64| {
        let names = |offered: &Offered| matches!(offered, Offered::Release { sequence: s, .. } if *s == sequence);
        stay.iter().any(names)
    };
    let listed: Vec<u64> = documents.releases.keys().copied().collect();
    let surplus = (listed.len() + 1).saturating_sub(settings.keep);
    let targets = &mut edit.role(&workspace.current, &role)?.targets;
    for sequence in listed.into_iter().filter(|sequence| !stays(*sequence)).take(surplus) {
        targets.remove(&channel.release_path(sequence));
    }
    Ok(())
}

/// The listed release of this version: the newest, should it have been released twice.
pub(crate) fn find_version<'a>(
    documents: &'a ChannelDocuments,
    version: &str,
    channel: &str,
) -> Result<(Digest, &'a Manifest)> {
    let found = documents.releases.values().rev().find(|(_, m)| m.version == version);
    found.map(|(digest, manifest)| (*digest, manifest)).ok_or_else(|| {
        let known: Vec<_> = documents.releases.values().map(|(_, m)| m.version.as_str()).collect();
        let message = match known.as_slice() {
            [] => format!("{channel} lists no release yet"),
            known => {
                format!("{channel} lists no release {version}; it lists: {}", known.join(", "))
            }
        };
        Failure::new("unknown-version", message)
    })
}

/// The first sequence after all that were released and that is not revoked.
pub(super) fn next_sequence(documents: &ChannelDocuments) -> Result<u64> {
    let last = newest_sequence(documents);
    (last.saturating_add(1)..=i64::MAX.unsigned_abs())
        .find(|sequence| !documents.policy.revokes(*sequence))
        .ok_or_else(|| Failure::new("too-large", "the channel has no sequence left"))
}

/// The newest sequence that was released: the newest is always listed, unless the channel was away.
pub(super) fn newest_sequence(documents: &ChannelDocuments) -> u64 {
    let listed = documents.releases.keys().next_back().copied().unwrap_or(0);
    listed.max(last_sequence(&documents.policy))
}

pub(super) fn refuse_same_version(
    documents: &ChannelDocuments,
    version: &str,
    channel: &Channel,
) -> Result<()> {
    if documents.releases.values().any(|(_, manifest)| manifest.version == version) {
        let message =
            format!("{channel} lists {version} already; give the new one its own version");
        return Err(Failure::new("exists", message));
    }
    Ok(())
}

fn refuse_larger(args: &Release, documents: &ChannelDocuments, total: u64) -> Result<()> {
    let last = documents.releases.values().next_back().map(|(_, manifest)| manifest.pack.decoded);
    match last {
        // Small bundles may grow as they like.
        Some(last) if !args.allow_larger && total > (2 * last).max(1 << 20) => {
            let message = format!(
                "{total} bytes, after {last} in the last release; pass --allow-larger if that is meant"
            );
            Err(Failure::new("larger", message))
        }
        _ => Ok(()),
    }
}

/// What was published openly stays so for ever: a line that went missing from farad.toml is no
/// reason to. `meant` says what to do if it is meant.
pub(super) fn refuse_unsealed(
    documents: &ChannelDocuments,
    settings: &ChannelSettings,
    channel: &Channel,
    meant: &str,
) -> Result<()> {
    let last = documents.releases.values().next_back();
    let was_sealed = last.is_some_and(|(_, manifest)| manifest.seal.is_some());
    if !was_sealed || settings.sealed {
        return Ok(());
    }
    let message = format!(
        "the last release of {channel} is sealed, and farad.toml does not say that {channel} is; write sealed = true there, or {meant} if everybody may read it"
    );
    Err(Failure::new("seal-differs", message))
}

fn check_version(version: &str) -> Result<()> {
    semver::Version::parse(version).map(|_| ()).map_err(|error| {
        let message = format!("{version:?} is no semantic version like 1.4.0: {error}");
        Failure::new("bad-version", message)
    })
}

fn native_range(android: Option<&str>, ios: Option<&str>) -> Result<NativeRange> {
    let wrong = |what: &str, text: &str| {
        Failure::new(
            "bad-range",
            format!("--{what} {text}: a range is MIN..MAX, like 30..49 or 30.."),
        )
    };
    let ends = |what: &str, text: &str| -> Result<(Option<String>, Option<String>)> {
        let (min, max) = text.split_once("..").ok_or_else(|| wrong(what, text))?;
        let end = |end: &str| (!end.is_empty()).then(|| end.to_owned());
        Ok((end(min), end(max)))
    };
    let mut range = NativeRange::default();
    if let Some(text) = android {
        let (min, max) = ends("android", text)?;
        let number = |end: Option<String>| {
            end.map(|end| end.parse::<u64>().map_err(|_| wrong("android", text))).transpose()
        };
        range.android = Some(Range { min: number(min)?, max: number(max)? });
    }
    if let Some(text) = ios {
        let (min, max) = ends("ios", text)?;
        range.ios = Some(Range { min, max });
    }
    if !range.is_valid() {
        return Err(Failure::new("bad-range", "the native range is empty or not made of numbers"));
    }
    Ok(range)
}

/// Index or layout as a blob.
fn described(plain: &[u8], kind: Object, sealer: Option<&Sealer<'_>>) -> Result<(Blob, Vec<u8>)> {
    let (blob, bytes) = small_blob(plain, kind, sealer)?;
    let longer = blob.length.max(blob.decoded);
    check_half(&format!("the {}", kind.as_str()), longer, limits::INDEX)?;
    Ok((blob, bytes))
}

fn notes(path: &Path, sealer: Option<&Sealer<'_>>) -> Result<(Blob, Vec<u8>)> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::file("reading the notes from", path, &error))?;
    let info = json!({ "schema": SCHEMA, "notes": text });
    let bytes = farad::json::compact(&info)
        .map_err(|error| Failure::new("malformed", error.to_string()))?;
    if bytes.len() as u64 > limits::INFO / 2 {
        return Err(Failure::new("too-large", "notes have at most 32 KiB"));
    }
    Ok(small_blob(&bytes, Object::Info, sealer)?)
}

/// What a download takes by a patch.
pub(super) fn patches_note(manifest: &Manifest, lacking: &[String]) -> String {
    let lengths = || manifest.patches.iter().map(|patch| patch.blob.length);
    let made = match (lengths().min(), lengths().max()) {
        (Some(least), Some(most)) => {
            let made = match manifest.patches.len() {
                1 => "a patch".to_owned(),
                several => format!("{several} patches"),
            };
            let range = if least == most { String::new() } else { format!("{least} to ") };
            format!(", {range}{most} by {made}")
        }
        _ => String::new(),
    };
    let lacking = lacking.iter().map(|why| format!(", no patch from {why}"));
    made + &lacking.collect::<String>()
}

/// A pause goes on until somebody ends it.
pub(super) fn paused_note(documents: &ChannelDocuments) -> String {
    if !documents.rollout.paused {
        return String::new();
    }
    let channel = &documents.rollout.channel;
    format!("\n{channel} is paused: nothing new is taken until farad rollout {channel} --resume.")
}

/// For whom a release is sealed.
pub(super) fn sealed_note(workspace: &Workspace, manifest: &Manifest) -> String {
    let names = manifest.seal.as_ref().map(|seal| opening::names(&workspace.project, seal));
    names.map_or_else(String::new, |names| format!(", sealed for {}", names.join(", ")))
}

pub(super) fn describe(manifest: &Manifest, share: u32) -> serde_json::Value {
    json!({
        "channel": manifest.channel,
        "version": manifest.version,
        "sequence": manifest.sequence,
        "share": share,
        "identity": match manifest.bundle {
            BundleName::Identity(digest) | BundleName::Keyed(digest) => digest,
        },
        "recipients": manifest.seal.as_ref().map(|seal| &seal.recipients).map(|all| {
            all.iter().map(|recipient| recipient.kid).collect::<Vec<_>>()
        }),
        "bytes": manifest.pack.length,
        "patches": manifest.patches.iter().map(|patch| patch.blob.length).collect::<Vec<_>>(),
        "unpacked": manifest.pack.decoded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_in_hundredths_of_a_percent() {
        for (text, expected) in
            [("10%", 1000), ("0", 0), ("100", 10_000), ("2.5%", 250), ("0.01", 1)]
        {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for bad in ["", "101", "-1", "1.234", "ten", "1e2", "100.01"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_index_over_half_of_what_phones_take_is_refused() {
        let most = usize::try_from(limits::INDEX / 2).unwrap();
        described(&vec![b' '; most], Object::Index, None).unwrap();
        let failure = described(&vec![b' '; most + 1], Object::Index, None).unwrap_err();
        assert_eq!(failure.code, "too-large");
        assert!(failure.message.contains("the index"), "{}", failure.message);
    }

    #[test]
    fn ranges_may_be_open_at_either_end() {
        let range = native_range(Some("30.."), Some("..2.1")).unwrap();
        assert_eq!(range.android, Some(Range { min: Some(30), max: None }));
        assert_eq!(range.ios, Some(Range { min: None, max: Some("2.1".to_owned()) }));
        for bad in ["30", "a..b", "50..30"] {
            assert!(native_range(Some(bad), None).is_err(), "{bad}");
        }
    }
}
