//! `farad refresh`: signs anew what is past half its life and whose key is here.

use std::path::Path;

use serde_json::json;

use super::status::expiries;
use super::{Report, Workspace, dry_note};
use crate::edit::{Edit, lifetime};
use crate::failure::Result;
use crate::passphrase::Passphrases;

/// Arguments of `farad refresh`.
#[derive(Debug, clap::Args)]
pub(crate) struct Refresh {
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Refresh, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let mut edit = Edit::default();
    let (mut signed, mut elsewhere) = (Vec::new(), Vec::new());
    for (role, expires) in expiries(&workspace) {
        let left = expires.seconds().saturating_sub(workspace.now.seconds());
        if left > lifetime(&role) / 2 {
            continue;
        }
        // A root is signed in a ceremony of its own.
        if role == "root" || !workspace.keys.has(&role) {
            elsewhere.push(role);
            continue;
        }
        match role.as_str() {
            "timestamp" => {}
            "snapshot" => edit.snapshot = true,
            name => {
                edit.role(&workspace.current, name)?;
            }
        }
        signed.push(role);
    }
    if !signed.is_empty() {
        workspace.publish(edit, args.dry_run)?;
    }
    let mut text = if signed.is_empty() {
        "Nothing is past half its life.".to_owned()
    } else {
        format!("Signed anew: {}{}.", signed.join(", "), dry_note(args.dry_run))
    };
    if !elsewhere.is_empty() {
        text += &format!("\nDue, and their keys are not here: {}.", elsewhere.join(", "));
    }
    Ok(Report::new(text, json!({ "signed": signed, "elsewhere": elsewhere })))
}
