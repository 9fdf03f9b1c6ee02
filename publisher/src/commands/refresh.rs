//! `farad refresh`: signs anew what is past half its life, or what is asked for.
//!
//! Without a name, every role is signed whose keys here suffice; what else is due is named with the
//! holders of its keys. A role that is named is signed whatever its age, and waits for further
//! signatures if it needs them.

use std::path::Path;

use serde_json::json;

use super::share::role_of;
use super::status::expiries;
use super::{Outcome, Report, Workspace, dry_note};
use crate::edit::Edit;
use crate::failure::Result;
use crate::passphrase::Passphrases;
use crate::roles::May;
use crate::roles::{is_offline, lifetime};

/// Arguments of `farad refresh`.
#[derive(Debug, clap::Args)]
pub(crate) struct Refresh {
    /// Roles to sign whatever their age, or channels for their releases
    roles: Vec<String>,
    /// Check and sign, write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Refresh, config: &Path, passphrases: &Passphrases) -> Result<Report> {
    let workspace = Workspace::open(config, passphrases)?;
    let authority = workspace.current.authority();
    let names = authority.names();
    let asked = args.roles.iter().map(|role| role_of(role, &names)).collect::<Result<Vec<_>>>()?;
    let mut edit = Edit::default();
    let (mut signed, mut elsewhere) = (Vec::new(), Vec::new());
    for (role, expires) in expiries(&workspace) {
        let left = expires.seconds().saturating_sub(workspace.now.seconds());
        let wanted =
            if asked.is_empty() { left <= lifetime(&role) / 2 } else { asked.contains(&role) };
        let Some(may) = authority.of(&role).filter(|_| wanted) else { continue };
        if asked.is_empty() && !can_sign(&workspace, &role, may)? {
            let holders: Vec<_> =
                may.role.keyids.iter().map(|id| workspace.project.label(id)).collect();
            elsewhere.push((role, may.role.threshold, holders));
            continue;
        }
        match role.as_str() {
            "root" => drop(edit.root(&workspace.current)),
            "timestamp" => edit.timestamp = true,
            "snapshot" => edit.snapshot = true,
            name => drop(edit.role(&workspace.current, name)?),
        }
        signed.push(role);
    }
    let mut text = if signed.is_empty() {
        "Nothing is past half its life whose keys are here.".to_owned()
    } else {
        format!("Signed anew: {}{}.", signed.join(", "), dry_note(args.dry_run))
    };
    for (role, need, holders) in &elsewhere {
        text += &format!("\nDue, and not signed: {role}, by {need} of {}.", holders.join(", "));
    }
    let elsewhere: Vec<_> = elsewhere
        .into_iter()
        .map(|(role, need, holders)| json!({ "role": role, "need": need, "holders": holders }))
        .collect();
    let json = json!({ "signed": signed, "elsewhere": elsewhere });
    let outcome = match (signed.is_empty(), args.dry_run) {
        (true, false) => {
            workspace.clear()?;
            // Nothing waits for anybody: what there is is published.
            Outcome::Published
        }
        (true, true) => Outcome::Tried,
        (false, dry) => workspace.publish(edit, dry)?,
    };
    Ok(outcome.report(text, json))
}

/// Whether the keys here suffice for a role. An offline key that lies here is opened for that: a
/// daily job knows the passphrase of the online keys alone, and must go on without the others.
fn can_sign(workspace: &Workspace, role: &str, may: May<'_>) -> Result<bool> {
    let mut count = 0;
    for key in workspace.keys.holding(may)? {
        if count == may.role.threshold {
            break;
        }
        match workspace.keys.open(&key) {
            Ok(_) => count += 1,
            Err(failure)
                if is_offline(role)
                    && ["passphrase", "wrong-passphrase"].contains(&failure.code) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(count == may.role.threshold)
}
