//! `farad embed`: marks a released web folder as the one being built into a native app.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use farad::builtin::{EMBED_FILE, Embed};
use farad::release::SCHEMA;
use farad::rollout::BuiltIn;
use serde_json::json;

use super::{Report, Workspace};
use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::opening::Opener;
use crate::passphrase::Passphrases;
use crate::patches::MOST as BASES;
use crate::webfolder::WebFolder;

/// Arguments of `farad embed`.
#[derive(Debug, clap::Args)]
pub(crate) struct EmbedArgs {
    /// The web folder that goes into the native app
    web: PathBuf,
    /// Channel it was released in
    #[arg(long, default_value = "production")]
    channel: String,
}

pub(crate) fn run(args: &EmbedArgs, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    if args.web.is_file() {
        let message = "embed writes into the web folder; name the folder, not a .zip";
        return Err(Failure::new("no-web-folder", message));
    }
    let workspace = Workspace::open(config, passphrases)?;
    let (channel, _, documents) = workspace.channel(&args.channel)?;
    let web = WebFolder::open(&args.web, &workspace.project, config)?;
    let (identity, opener) = (web.index.identity(), Opener::new(&workspace));
    let mut same = Vec::new();
    for release in documents.releases.values().rev() {
        let content = opener.content_if_here(&release.1)?;
        if release.1.is_of(&identity, content.as_ref())? {
            same.push(release);
        }
    }
    let newest = same.first().copied().ok_or_else(|| {
        let message = format!(
            "{} is none of the releases in {channel}; run `farad release {0} --channel {channel} --version V --rollout 0` first",
            args.web.display(),
        );
        Failure::new("not-released", message)
    })?;
    let running = same.into_iter().find(|(_, m)| documents.may_run(m.sequence).is_ok());
    let (digest, manifest) = running.unwrap_or(newest);
    // What no phone may run is built into no app either.
    documents.may_run(manifest.sequence)?;

    let mut policy = documents.policy.clone();
    if !policy.builtins.iter().any(|builtin| builtin.manifest == *digest) {
        let new = BuiltIn {
            sequence: manifest.sequence,
            manifest: *digest,
            index: manifest.index.clone(),
            layout: manifest.layout.clone(),
            pack: manifest.pack.clone(),
        };
        mark(&mut policy.builtins, new);
        let mut edit = Edit::default();
        workspace.put_policy(&mut edit, &channel, &policy)?;
        let outcome = workspace.publish(edit, false)?;
        if !outcome.is_published() {
            let text = "Run the command again once that is published.";
            return Ok(outcome.report(text, json!({ "channel": channel })));
        }
    }
    // The set that was just published: a reference against rollback for fresh installs.
    let current = workspace.repository.load(&workspace.root, &workspace.project.app)?;
    let text = |path: String| -> Result<String> {
        String::from_utf8(workspace.repository.read(&path)?)
            .map_err(|_| Failure::new("malformed", format!("{path} is not UTF-8")))
    };
    let mut metadata = BTreeMap::new();
    metadata.insert("timestamp.json".to_owned(), text("metadata/timestamp.json".to_owned())?);
    let version = current.snapshot.common.version;
    metadata.insert("snapshot.json".to_owned(), text(format!("metadata/{version}.snapshot.json"))?);
    let roles = [channel.releases_role(), channel.rollout_role(), "targets".to_owned()];
    for file in roles.iter().map(|role| format!("{role}.json")) {
        let version = current.snapshot.meta.get(&file).map_or(0, |file| file.version);
        metadata.insert(file.clone(), text(format!("metadata/{version}.{file}"))?);
    }
    let index = String::from_utf8(web.index.to_bytes())
        .map_err(|_| Failure::new("malformed", "the index is not UTF-8"))?;
    let embed = Embed {
        schema: SCHEMA,
        app: workspace.project.app.clone(),
        channel: channel.clone(),
        sequence: manifest.sequence,
        version: manifest.version.clone(),
        manifest: *digest,
        index,
        metadata,
        policy: String::from_utf8(policy.to_bytes()?).ok(),
    };
    let path = args.web.join(EMBED_FILE);
    fs::write(&path, embed.to_bytes()?).map_err(|error| Failure::file("writing", &path, &error))?;
    let said = format!(
        "{} is {} (sequence {}) of {channel}; wrote {}. Build it into the app now (cap sync).",
        args.web.display(),
        manifest.version,
        manifest.sequence,
        path.display(),
    );
    let json = json!({
        "channel": channel, "version": manifest.version, "sequence": manifest.sequence,
        "manifest": digest, "published": true,
    });
    Ok(Report::new(said, json))
}

/// Adds a release to those that ship inside native apps. The oldest of more than any release has patches from
/// go: no phone reads them here, and their blobs would stay for ever.
fn mark(builtins: &mut Vec<BuiltIn>, new: BuiltIn) {
    while builtins.len() >= BASES {
        let oldest = builtins.iter().enumerate().min_by_key(|(_, builtin)| builtin.sequence);
        let Some((at, _)) = oldest else { break };
        builtins.remove(at);
    }
    builtins.push(new);
}

#[cfg(test)]
mod tests {
    use farad::digest::Digest;
    use farad::release::{Blob, Coding};

    use super::*;

    #[test]
    fn of_the_releases_inside_apps_the_newest_are_known_and_the_one_being_built() {
        let builtin = |sequence: u64| {
            let sha256 = Digest::of(&sequence.to_be_bytes());
            let blob = Blob { sha256, length: 1, coding: Coding::Identity, decoded: 1, salt: None };
            let [index, layout, pack] = [(); 3].map(|()| blob.clone());
            BuiltIn { sequence, manifest: sha256, index, layout, pack }
        };
        let mut builtins = Vec::new();
        for sequence in (2..40).chain([1]) {
            mark(&mut builtins, builtin(sequence));
        }
        let mut kept: Vec<u64> = builtins.iter().map(|builtin| builtin.sequence).collect();
        kept.sort_unstable();
        let newest = 40 - BASES as u64 + 1..40;
        assert_eq!(kept, [1].into_iter().chain(newest).collect::<Vec<_>>());
    }
}
