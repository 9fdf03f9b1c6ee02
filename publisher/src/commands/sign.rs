//! `farad sign`: adds one's signature to a change that waits, and publishes it once nothing lacks.
//!
//! Everything in the file is checked and shown before anything is signed: whoever signs answers for
//! what is shown, not for what the sender said. The file may lie where others write: it is read once,
//! into a folder of one's own, and what is shown and what is signed are that copy.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use farad::digest::{Digest, Hasher};
use farad::id::Channel;
use farad::trust::metadata::Targets;
use serde_json::json;

use super::{Outcome, Report, Workspace, dry_note, elsewhere};
use crate::change::{Change, Wait};
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::pending;
use crate::repository::Current;
use crate::review::{Section, review};
use crate::roles::Authority;
use crate::temporary;

/// Arguments of `farad sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    /// The file that waits
    file: PathBuf,
    /// Sign without being asked
    #[arg(long)]
    yes: bool,
    /// Write the bytes that signatures cover into this folder, to be signed by a key that no file
    /// here holds; sign nothing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["yes", "signature"])]
    export: Option<PathBuf>,
    /// Add the signature in a file, made over an exported message
    #[arg(long, value_name = "ROLE=FILE", requires = "key", value_parser = elsewhere::role_and_file)]
    signature: Option<(String, PathBuf)>,
    /// Whose signature it is: holder, or the beginning of the key's id
    #[arg(long, requires = "signature")]
    key: Option<String>,
    /// Check, show and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Shows a text and asks whether to go on.
pub(crate) type Ask<'a> = &'a dyn Fn(&str) -> bool;

pub(crate) fn run(
    args: &Sign,
    config: &Path,
    passphrases: &Passphrases,
    ask: Ask<'_>,
) -> Result<Report> {
    let copy = Copied::of(&args.file)?;
    // Whoever reads takes his time: nobody waits for him meanwhile.
    let looked = {
        let workspace = Workspace::look(config, passphrases)?;
        look(&workspace, &copy, args)?
    };
    let Looked { shown, sections, messages } = looked;
    if let Some(messages) = messages {
        let list: Vec<_> = messages.iter().map(|path| path.display().to_string()).collect();
        let text = format!("{shown}\n\nTo be signed: {}", list.join(", "));
        return Ok(Report::new(text, json!({ "changes": sections, "messages": messages })));
    }
    if !args.yes && !args.dry_run && !ask(&shown) {
        let message = "nothing was signed; answer yes, or pass --yes";
        return Err(Failure::new("not-confirmed", message));
    }
    let workspace = Workspace::open(config, passphrases)?;
    let (project, current) = (&workspace.project, &workspace.current);
    // Somebody else's signature, say, which would be written over.
    if digest(&args.file)? != copy.digest {
        let message = "the file changed while it was shown; run the command again";
        return Err(Failure::new("conflict", message));
    }
    let mut pending = pending::read(&copy.path, project, &workspace.repository, current)?;
    let change = &mut pending.change;
    let mut added = Vec::new();
    if let (Some((role, path)), Some(key)) = (&args.signature, &args.key) {
        let id = elsewhere::add(&workspace, change, (role, path), key)?;
        added.push((role.clone(), id));
    }
    added.extend(change.sign(&workspace.keys, current)?);
    let waits = change.waits(&workspace.keys, current)?;
    let outcome = workspace.carry_out(change, waits, &args.file, args.dry_run)?;
    if let Outcome::Published = outcome {
        // It builds on a version that is no longer current: nobody can use it again.
        fs::remove_file(&args.file)
            .map_err(|error| Failure::file("removing", &args.file, &error))?;
        let removed = removed_channels(change, current)?;
        if !removed.is_empty() {
            project.note(config, |notes| {
                removed.iter().for_each(|channel| notes.remove_channel(channel.as_str()));
            })?;
        }
    }
    let signed: Vec<_> =
        added.iter().map(|(role, id)| format!("{role} by {}", project.label(id))).collect();
    let done = match (&outcome, signed.is_empty()) {
        (Outcome::Published, true) => "Published.".to_owned(),
        (Outcome::Published, false) => format!("Signed {} and published.", signed.join(", ")),
        (_, true) => "Nothing to sign for the keys that are here".to_owned(),
        (_, false) => format!("Signed {}{}.", signed.join(", "), dry_note(args.dry_run)),
    };
    let json = json!({ "changes": sections, "signed": signed });
    Ok(outcome.report(format!("{shown}\n\n{done}"), json))
}

/// The channels that a change takes away.
fn removed_channels(change: &Change, current: &Current) -> Result<Vec<Channel>> {
    let Some(targets) = change.drafts.get("targets") else { return Ok(Vec::new()) };
    let targets: Targets = targets.read()?;
    let left = Authority { root: &current.root, targets: &targets }.channels();
    let mut removed = current.authority().channels();
    removed.retain(|channel| !left.contains(channel));
    Ok(removed)
}

/// What was found in a file that waits.
struct Looked {
    shown: String,
    sections: Vec<Section>,
    /// What was exported to be signed elsewhere, if that was asked for.
    messages: Option<Vec<PathBuf>>,
}

/// Checks everything in the file, and says what it would do.
fn look(workspace: &Workspace, copy: &Copied, args: &Sign) -> Result<Looked> {
    let (project, current) = (&workspace.project, &workspace.current);
    let pending = pending::read(&copy.path, project, &workspace.repository, current)?;
    let change = &pending.change;
    let sections = review(change, workspace)?;
    let waits = change.waits(&workspace.keys, current)?;
    let mut shown = text_of(&sections);
    for line in workspace.tell(&waits) {
        let _ = write!(shown, "\n{line}");
    }
    let folder = args.export.as_ref();
    let messages = folder.map(|folder| elsewhere::export(change, &waits, folder)).transpose()?;
    if args.signature.is_none() && messages.is_none() {
        refuse_idle(workspace, change, &waits)?;
    }
    Ok(Looked { shown, sections, messages })
}

/// A file that waits, as it was when it was read for the first and only time.
struct Copied {
    path: PathBuf,
    digest: Digest,
    _folder: tempfile::TempDir,
}

impl Copied {
    fn of(path: &Path) -> Result<Self> {
        let folder = temporary::folder()?;
        let to = folder.path().join("waits.zip");
        let mut file = File::create(&to).map_err(|error| Failure::file("writing", &to, &error))?;
        let digest = each_chunk(path, |chunk| file.write_all(chunk))?;
        Ok(Self { path: to, digest, _folder: folder })
    }
}

fn digest(path: &Path) -> Result<Digest> {
    each_chunk(path, |_| Ok(()))
}

/// Reads a file, hands on what it holds, and hashes the same bytes.
fn each_chunk(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<Digest> {
    let failed = |error: io::Error| Failure::file("reading", path, &error);
    let (mut file, mut hasher) = (File::open(path).map_err(failed)?, Hasher::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        let chunk = buffer.get(..count).unwrap_or_default();
        hasher.update(chunk);
        take(chunk).map_err(failed)?;
    }
}

/// Refuses early where nobody here can move the change on.
fn refuse_idle(workspace: &Workspace, change: &Change, waits: &[Wait]) -> Result<()> {
    if waits.is_empty() {
        return Ok(());
    }
    let mut mine = false;
    let mut signed = Vec::new();
    for (role, draft) in &change.drafts {
        let waiting = waits.iter().any(|wait| wait.role == *role);
        for may in change.judges(&workspace.current, role) {
            for key in workspace.keys.holding(may)? {
                mine |= waiting && !draft.names(&key.id);
                if draft.names(&key.id) {
                    signed.push(workspace.project.label(&key.id));
                }
            }
        }
    }
    if mine {
        return Ok(());
    }
    let rest = workspace.tell(waits).join("; ");
    if let Some(who) = signed.first() {
        let message = format!("{who} signed this already; {rest}");
        return Err(Failure::new("already-signed", message));
    }
    Err(Failure::new("key-missing", format!("no key for this is here: {rest}")))
}

fn text_of(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let Section { role, version, expires, changes } = section;
        let _ = write!(text, "\n{role}, version {version}, until {expires}");
        if changes.is_empty() {
            text.push_str("\n  signed anew, content unchanged");
        }
        for run in changes.chunk_by(|one, next| one.beyond == next.beyond) {
            if run.iter().any(|line| line.beyond) {
                let more = run.len();
                let _ = write!(
                    text,
                    "\n      … and {more} more; all of them: farad sign FILE --dry-run --json"
                );
                continue;
            }
            for line in run {
                let _ = write!(text, "\n  {}", line.text);
            }
        }
    }
    text.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_later_is_not_what_was_read() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("waits.zip");
        fs::write(&file, "shown").unwrap();
        let copy = Copied::of(&file).unwrap();
        assert_eq!(copy.digest, digest(&file).unwrap());
        fs::write(&file, "other").unwrap();
        assert_eq!(fs::read(&copy.path).unwrap(), b"shown");
        assert_eq!(copy.digest, Digest::of(b"shown"));
        assert_ne!(copy.digest, digest(&file).unwrap(), "noticed before anything is signed");
    }
}
