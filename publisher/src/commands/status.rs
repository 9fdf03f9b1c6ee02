//! `farad status` and `farad history`: what the signed files say, and until when.

use std::fmt::Write as _;
use std::path::Path;

use farad::id::Channel;
use farad::limits;
use farad::rollout::Rollout;
use farad::time::UnixTime;
use farad::trust::draft::Draft;
use farad::trust::metadata::Targets;
use serde_json::json;

use super::rollout::name_of;
use super::{Report, Workspace, count, percent};
use crate::failure::{Failure, Result};
use crate::pending;
use crate::roles::{is_offline, lifetime};

const DAY: u64 = 86_400;
/// The offline roles are warned of this long before they expire.
const OFFLINE_WARNING: u64 = 90 * DAY;

/// Arguments of `farad status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// Fail if a role, of whatever keys, expires within this time: 3d, 12h
    #[arg(long, default_value = "3d", value_parser = span)]
    within: u64,
}

/// Arguments of `farad history`.
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// Channel; all of them by default
    channel: Option<String>,
}

/// Reads a span of days or hours into seconds.
fn span(text: &str) -> Result<u64, String> {
    let wrong = || "a span is a number with d or h, like 3d or 12h".to_owned();
    let (number, unit) = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(number), _) => (number, DAY),
        (None, Some(number)) => (number, 3600),
        (None, None) => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

pub(crate) fn status(args: &Status, config: &Path) -> Result<Report> {
    let workspace = Workspace::read(config)?;
    let mut text = String::new();
    let mut json_roles = Vec::new();
    let mut failed = false;
    for (role, expires) in expiries(&workspace) {
        let left = expires.seconds().saturating_sub(workspace.now.seconds());
        let (note, bad) = if left == 0 {
            ("  EXPIRED", true)
        } else if left < args.within {
            let offline = "  EXPIRES: its key has to be fetched";
            (if is_offline(&role) { offline } else { "  EXPIRES: run farad refresh" }, true)
        } else if is_offline(&role) && left < OFFLINE_WARNING {
            ("  soon: its key has to be fetched", false)
        } else {
            ("", false)
        };
        failed |= bad;
        let _ = writeln!(text, "{role:<28} expires {expires}  ({} days){note}", left / DAY);
        json_roles.push(json!({ "role": role, "expires": expires, "ok": !bad }));
    }
    let mut channels = Vec::new();
    for channel in workspace.current.authority().channels() {
        let (channel, _, documents) = workspace.channel(channel.as_str())?;
        let listed = count(documents.releases.len(), "release");
        let _ = writeln!(text, "\n{channel}: {listed} listed");
        for offer in &documents.rollout.offers {
            let name = name_of(&offer.release, &documents);
            let _ = writeln!(text, "  offers {name} to {}", percent(offer.share));
        }
        if documents.rollout.offers.is_empty() {
            text.push_str("  offers nothing\n");
        }
        if documents.rollout.paused {
            text.push_str("  paused: nothing new is taken\n");
        }
        let policy = &documents.policy;
        if policy.floor > 0 {
            let _ = writeln!(text, "  floor: nothing below sequence {} runs", policy.floor);
        }
        for sequence in &policy.revoked {
            let version = documents.releases.get(sequence).map(|(_, known)| &known.version);
            let name = version.map_or_else(String::new, |version| format!("{version}, "));
            let _ = writeln!(text, "  revoked: {name}sequence {sequence}");
        }
        channels.push(json!({
            "channel": channel, "offers": documents.rollout.offers,
            "paused": documents.rollout.paused, "floor": policy.floor, "revoked": policy.revoked,
        }));
    }
    let waiting = pending::waiting(&workspace.project, &workspace.repository, &workspace.current)?;
    let waiting: Vec<_> = waiting
        .into_iter()
        .map(|(file, lost)| {
            let note = lost.as_ref().map_or_else(
                || "waits for signatures (farad sign)".to_owned(),
                |why| format!("cannot be signed: {}", why.message),
            );
            let _ = writeln!(text, "\n{file} {note}");
            json!({ "file": file, "signable": lost.is_none() })
        })
        .collect();
    // Nothing can be published until it is mended, a rollback neither.
    failed |= workspace.is_before_newest();
    let warnings = warnings(&workspace)?;
    for warning in &warnings {
        let _ = writeln!(text, "\nWarning: {warning}.");
    }
    let json = json!({
        "roles": json_roles, "channels": channels, "waiting": waiting, "warnings": warnings,
    });
    Ok(Report { text: text.trim_end().to_owned(), json, failed })
}

/// What is wrong about the keys that are here.
fn warnings(workspace: &Workspace) -> Result<Vec<String>> {
    let authority = workspace.current.authority();
    let mut warnings = Vec::new();
    if workspace.is_before_newest() {
        let signed = workspace.current.timestamp.signed_at.unwrap_or(workspace.now);
        warnings.push(format!(
            "the newest timestamp says that it was signed at {signed}, and it is {} here: set the clock, or, if that one was wrong, farad key rotate timestamp",
            workspace.now
        ));
    }
    let here = |role: &str| match authority.of(role) {
        Some(may) => workspace.keys.holding(may),
        None => Ok(Vec::new()),
    };
    let online = !here("timestamp")?.is_empty() || !here("snapshot")?.is_empty();
    if online && !here("root")?.is_empty() {
        warnings.push("a root key lies beside the online keys: move keys/root away".to_owned());
    }
    if here("root")?.len() > 1 {
        warnings.push("several root keys lie together: keep each elsewhere".to_owned());
    }
    for role in authority.names() {
        let need = authority.of(&role).map_or(0, |may| may.role.threshold);
        let count = here(&role)?.len() as u64;
        if need > 1 && count >= need {
            warnings.push(format!(
                "{role} needs {need} signatures, and {count} of its keys lie here: hand them out"
            ));
        }
    }
    Ok(warnings)
}

/// Every role with its expiry.
pub(crate) fn expiries(workspace: &Workspace) -> Vec<(String, UnixTime)> {
    let current = &workspace.current;
    let expiry = |role: &String| match role.as_str() {
        "root" => Some(current.root.common.expires),
        "targets" => Some(current.targets.common.expires),
        "snapshot" => Some(current.snapshot.common.expires),
        "timestamp" => Some(current.timestamp.common.expires),
        name => current.roles.get(name).map(|role| role.common.expires),
    };
    let names = current.authority().names().into_iter();
    names.filter_map(|role| Some((role.clone(), expiry(&role)?))).collect()
}

pub(crate) fn history(args: &History, config: &Path) -> Result<Report> {
    let workspace = Workspace::read(config)?;
    let names: Vec<String> = match &args.channel {
        Some(name) => vec![name.clone()],
        None => {
            let channels = workspace.current.authority().channels();
            channels.iter().map(ToString::to_string).collect()
        }
    };
    let (mut text, mut all) = (String::new(), Vec::new());
    for name in names {
        let (channel, _, documents) = workspace.channel(&name)?;
        let _ = writeln!(text, "{channel}");
        for (sequence, (_, manifest)) in &documents.releases {
            let (created, version) = (manifest.created, &manifest.version);
            let _ = writeln!(text, "  {created}  released {version} (sequence {sequence})");
            all.push(json!({
                "channel": channel, "at": created, "release": version, "sequence": sequence,
            }));
        }
        let role = channel.rollout_role();
        let newest = workspace.current.roles.get(&role).map_or(0, |role| role.common.version);
        for version in 1..=newest {
            // Steps whose files were pruned are gone from history.
            let Some(Step { at, rollout, vouched }) = read_step(&workspace, &channel, version)?
            else {
                continue;
            };
            let offers: Vec<String> = rollout
                .offers
                .iter()
                .map(|o| format!("{} to {}", name_of(&o.release, &documents), percent(o.share)))
                .collect();
            let offers =
                if offers.is_empty() { "nothing".to_owned() } else { offers.join(", then ") };
            let paused = if rollout.paused { ", paused" } else { "" };
            let note = if vouched { "" } else { ", not signed by the keys of today" };
            let _ = writeln!(text, "  {at}  step {version}: offers {offers}{paused}{note}");
            all.push(json!({
                "channel": channel, "at": at, "step": version, "offers": rollout.offers,
                "paused": rollout.paused, "vouched": vouched,
            }));
        }
    }
    Ok(Report::new(text.trim_end(), json!({ "history": all })))
}

/// One version of a rollout.
struct Step {
    /// When it was signed: its expiry less its lifetime.
    at: UnixTime,
    rollout: Rollout,
    /// Whether the keys signed it that sign the current one. No metadata that is current leads to an earlier
    /// version: of one that other keys signed nobody can say any more who wrote it.
    vouched: bool,
}

/// One earlier version of a rollout, to go back to, and when it was signed. Refuses one that is not known to
/// have been published.
pub(super) fn step(
    workspace: &Workspace,
    channel: &Channel,
    version: u64,
) -> Result<Option<(UnixTime, Rollout)>> {
    match read_step(workspace, channel, version)? {
        Some(Step { vouched: false, .. }) => {
            let message = format!(
                "step {version} of {channel} is not signed by the keys of today, so that nobody can say what was offered then; say where to go back to: --to VERSION or --builtin"
            );
            Err(Failure::new("signature", message))
        }
        step => Ok(step.map(|step| (step.at, step.rollout))),
    }
}

fn read_step(workspace: &Workspace, channel: &Channel, version: u64) -> Result<Option<Step>> {
    let role = channel.rollout_role();
    let path = format!("metadata/{version}.{role}.json");
    let Some(bytes) = workspace.repository.read_if_there(&path)? else { return Ok(None) };
    let draft = Draft::parse(&role, &bytes, limits::ROLE)?;
    let targets: Targets = draft.read()?;
    let Ok(bytes) = workspace.repository.target(&targets, &channel.rollout_path()) else {
        return Ok(None);
    };
    let rollout = Rollout::parse(&bytes, &workspace.project.app, channel)?;
    let signed_at = targets.common.expires.seconds().saturating_sub(lifetime(&role));
    let may = workspace.current.authority().of(&role);
    let signed =
        may.is_some_and(|may| draft.standing(may.keys, may.role).have >= may.role.threshold);
    let vouched = signed && targets.common.version == version;
    Ok(Some(Step { at: UnixTime::from_seconds(signed_at), rollout, vouched }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_days_or_hours() {
        assert_eq!(span("3d"), Ok(3 * DAY));
        assert_eq!(span("12h"), Ok(12 * 3600));
        for bad in ["3", "d", "-1d", "3w", "99999999999999999999d"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
