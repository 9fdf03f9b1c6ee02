//! `farad sign`: adds one's signature to a change that waits, and publishes it once nothing lacks.
//!
//! Everything in the file is checked and shown before anything is signed: whoever signs answers for
//! what is shown, not for what the sender said.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Outcome, Report, Workspace, dry_note};
use crate::failure::{Failure, Result};
use crate::passphrase::Passphrases;
use crate::pending;
use crate::review::{Section, review};

/// Arguments of `farad sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct Sign {
    /// The file that waits
    file: PathBuf,
    /// Sign without being asked
    #[arg(long)]
    yes: bool,
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
    let workspace = Workspace::open(config, passphrases)?;
    let (project, current) = (&workspace.project, &workspace.current);
    let mut pending = pending::read(&args.file, project, &workspace.repository, current)?;
    let change = &mut pending.change;
    let sections = review(change, &workspace)?;
    let before = change.waits(&workspace.keys, current)?;
    let mut shown = text_of(&sections);
    for line in workspace.tell(&before) {
        let _ = write!(shown, "\n{line}");
    }
    refuse_idle(&workspace, change, &before)?;
    if !args.yes && !args.dry_run && !ask(&shown) {
        let message = "nothing was signed; answer yes, or pass --yes";
        return Err(Failure::new("not-confirmed", message));
    }
    let added = change.sign(&workspace.keys, current)?;
    let waits = change.waits(&workspace.keys, current)?;
    let outcome = workspace.carry_out(change, waits, &args.file, args.dry_run)?;
    if let Outcome::Published = outcome {
        // It builds on a version that is no longer current: nobody can use it again.
        std::fs::remove_file(&args.file)
            .map_err(|error| Failure::file("removing", &args.file, &error))?;
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

/// Refuses early where nobody here can move the change on.
fn refuse_idle(
    workspace: &Workspace,
    change: &crate::change::Change,
    waits: &[crate::change::Wait],
) -> Result<()> {
    if waits.is_empty() {
        return Ok(());
    }
    let mut mine = false;
    let mut signed = Vec::new();
    for (role, draft) in &change.drafts {
        let waiting = waits.iter().any(|wait| wait.role == *role);
        for may in change.judges(&workspace.current, role) {
            for key in workspace.keys.holding(may.role)? {
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
        for line in changes {
            let _ = write!(text, "\n  {line}");
        }
    }
    text.trim_start().to_owned()
}
