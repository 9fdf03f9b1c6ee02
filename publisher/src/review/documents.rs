//! What a policy or a rollout would change, in words.
//!
//! Enters: a document that somebody is asked to sign, and the one that stands now. Leaves: a line for
//! each difference; none only where the two say the same. Refuses: fields and features that this
//! version does not know, since nobody could be told what they do.

use std::collections::{BTreeMap, BTreeSet};

use farad::json;
use farad::release::unsupported;
use farad::rollout::{Offer, Offered, Policy, Rollout};
use serde::Serialize;
use serde_json::Value;

use super::refuse;
use crate::commands::percent;
use crate::failure::Result;
use crate::plain::one_line;

/// Digest and version of each listed release, by sequence.
pub(super) type Names = BTreeMap<u64, (String, String)>;

/// Refuses a document of which more is signed than `document`, which was read from its `bytes`, holds;
/// or which requires what this version does not have.
pub(super) fn refuse_unknown(
    bytes: &[u8],
    document: &impl Serialize,
    requires: &[String],
    what: &str,
) -> Result<()> {
    if let Some(feature) = unsupported(requires) {
        let feature = one_line(feature);
        return Err(refuse(&format!(
            "{what} requires {feature}, which this version does not know"
        )));
    }
    let said: Value = json::parse(bytes).map_err(|error| refuse(&error))?;
    let known = serde_json::to_value(document).map_err(|error| refuse(&error))?;
    if covers(&known, &said) {
        return Ok(());
    }
    Err(refuse(&format!("{what} says more than this version knows")))
}

/// Whether everything that is `said` is `known`. What was left out, and is known by default, is covered.
fn covers(known: &Value, said: &Value) -> bool {
    match (known, said) {
        (Value::Object(known), Value::Object(said)) => {
            said.iter().all(|(name, said)| known.get(name).is_some_and(|known| covers(known, said)))
        }
        (Value::Array(known), Value::Array(said)) => {
            known.len() == said.len() && known.iter().zip(said).all(|(k, s)| covers(k, s))
        }
        _ => known == said,
    }
}

/// How `after` differs from `before`.
pub(super) fn policy_changes(before: &Policy, after: &Policy) -> Result<Vec<String>> {
    let mut changes = Vec::new();
    if before.floor != after.floor {
        let (from, to) = (before.floor, after.floor);
        changes.push(format!("~ floor {to}, until now {from}"));
    }
    let old: BTreeSet<_> = before.revoked.iter().collect();
    let new: BTreeSet<_> = after.revoked.iter().collect();
    changes.extend(new.difference(&old).map(|s| format!("+ sequence {s} is revoked")));
    changes.extend(old.difference(&new).map(|s| format!("- sequence {s} is no longer revoked")));
    for builtin in &after.builtins {
        if !before.builtins.contains(builtin) {
            changes.push(format!("+ sequence {} is built into apps", builtin.sequence));
        }
    }
    for builtin in &before.builtins {
        if !after.builtins.contains(builtin) {
            changes.push(format!("- sequence {} is no longer built into apps", builtin.sequence));
        }
    }
    changes.extend(required(&before.requires, &after.requires));
    all_told(before, after, changes)
}

/// How `after` differs from `before`; there is none of a channel that is made.
pub(super) fn rollout_changes(
    before: Option<&Rollout>,
    after: &Rollout,
    names: &Names,
) -> Result<Vec<String>> {
    let (from, to) =
        (before.map_or_else(|| "nothing".to_owned(), |old| tell(old, names)), tell(after, names));
    let mut changes = Vec::new();
    if from != to {
        changes.extend([format!("~ offers {to}"), format!("  until now {from}")]);
    }
    let offers = |rollout: &Rollout| rollout.offers.clone();
    let old = before.map(offers).unwrap_or_default();
    for new in &after.offers {
        let old = old.iter().find(|old| old.release == new.release);
        changes.extend(installations(old, new, names));
    }
    let none = Vec::new();
    changes.extend(required(before.map_or(&none, |old| &old.requires), &after.requires));
    match before {
        Some(before) => all_told(before, after, changes),
        None => Ok(changes),
    }
}

/// Who comes to an offer or leaves it while its share stays.
fn installations(old: Option<&Offer>, new: &Offer, names: &Names) -> Vec<String> {
    let what = name(new.release, names);
    let mut changes = Vec::new();
    if old.is_some_and(|old| old.salt != new.salt) {
        changes.push(format!("~ other installations are in the share of {what} than until now"));
    }
    let ids = |offer: Option<&Offer>| -> BTreeSet<String> {
        offer.iter().flat_map(|offer| offer.allow.clone()).collect()
    };
    let (before, after) = (ids(old), ids(Some(new)));
    let line = |sign: &str, id: &String| {
        format!("{sign} {what} to the installation whose hash is {}", one_line(id))
    };
    changes.extend(after.difference(&before).map(|id| line("+", id)));
    changes.extend(before.difference(&after).map(|id| line("-", id)));
    changes
}

fn required(before: &[String], after: &[String]) -> Vec<String> {
    let added = after.iter().filter(|feature| !before.contains(feature));
    let gone = before.iter().filter(|feature| !after.contains(feature));
    let line = |sign: &str, feature: &String| format!("{sign} requires {}", one_line(feature));
    let added = added.map(|feature| line("+", feature));
    added.chain(gone.map(|feature| line("-", feature))).collect()
}

/// "Unchanged" is a fact, and not a list that happens to be empty.
fn all_told<T: PartialEq>(before: &T, after: &T, changes: Vec<String>) -> Result<Vec<String>> {
    if changes.is_empty() && before != after {
        return Err(refuse(&"it differs in a way that cannot be shown"));
    }
    Ok(changes)
}

/// A rollout in words.
fn tell(rollout: &Rollout, names: &Names) -> String {
    let offers = rollout.offers.iter().map(|offer| {
        let allowed = match offer.allow.len() {
            0 => String::new(),
            some => format!(" and {some} installations by name"),
        };
        let mandatory = if offer.mandatory { ", mandatory" } else { "" };
        format!("{} to {}{allowed}{mandatory}", name(offer.release, names), percent(offer.share))
    });
    let mut text = offers.collect::<Vec<_>>().join(", then ");
    if text.is_empty() {
        text.push_str("nothing");
    }
    if rollout.paused {
        text.push_str(", paused");
    }
    text
}

fn name(offered: Offered, names: &Names) -> String {
    match offered {
        Offered::Builtin => "the built-in bundle".to_owned(),
        Offered::Release { sequence, .. } => names.get(&sequence).map_or_else(
            || format!("sequence {sequence}"),
            |(_, version)| format!("{version} (sequence {sequence})"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_out_is_covered_and_what_is_added_is_not() {
        let known = json!({ "schema": 1, "offers": [{ "share": 1, "mandatory": false }] });
        for said in [
            json!({ "schema": 1, "offers": [{ "share": 1, "mandatory": false }] }),
            json!({ "schema": 1, "offers": [{ "share": 1 }] }),
            json!({ "offers": [{}] }),
        ] {
            assert!(covers(&known, &said), "{said}");
        }
        for said in [
            json!({ "schema": 1, "offers": [{ "share": 1 }], "more": null }),
            json!({ "offers": [{ "share": 1, "until": 7 }] }),
            json!({ "offers": [{ "share": 2 }] }),
            json!({ "offers": [] }),
            json!([]),
        ] {
            assert!(!covers(&known, &said), "{said}");
        }
    }
}
