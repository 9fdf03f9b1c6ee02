//! `farad key list`: who may sign what, from the signed files, and which of those keys are here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::commands::{Report, Workspace};
use crate::failure::Result;
use crate::roles::May;

pub(super) fn run(config: &Path) -> Result<Report> {
    let workspace = Workspace::read(config)?;
    let found = workspace.keys.found()?;
    let (mut text, mut json_roles) = (String::new(), Vec::new());
    let mut used = BTreeSet::new();
    let authority = workspace.current.authority();
    for role in authority.names() {
        let Some(all) = authority.of(&role) else { continue };
        let May { keys, role: may } = all;
        let _ = writeln!(text, "{role}: {} of {}", may.threshold, may.keyids.len());
        let mut json_keys = Vec::new();
        for id in &may.keyids {
            used.insert(id.clone());
            let scheme = keys.get(id).map_or("", |key| key.scheme());
            let here = found.iter().find(|key| key.id == *id && key.signs_for(all));
            let place = here.map(|key| format!("{}/{}.pem", key.group, key.name));
            let label = match keys.get(id) {
                Some(key) if key.id() != *id => format!("another key, {}", key.id()),
                _ => workspace.project.label(id),
            };
            let shown = place.as_deref().unwrap_or("not here");
            let _ = writeln!(text, "  {label:<36} {scheme:<20} {shown}");
            json_keys.push(json!({
                "id": id, "holder": workspace.project.holders.get(id), "scheme": scheme,
                "file": place,
            }));
        }
        json_roles.push(json!({ "role": role, "threshold": may.threshold, "keys": json_keys }));
    }
    let unused: Vec<_> =
        found.iter().filter(|key| key.private && !used.contains(&key.id)).collect();
    let unused: Vec<_> =
        unused.iter().map(|key| format!("{}/{}.pem", key.group, key.name)).collect();
    if !unused.is_empty() {
        let _ = writeln!(text, "No role names these: {}", unused.join(", "));
    }
    for path in workspace.keys.nameless()? {
        let _ = writeln!(text, "Its .pub is missing, so it is not used: {}", path.display());
    }
    Ok(Report::new(text.trim_end(), json!({ "roles": json_roles, "unused": unused })))
}
