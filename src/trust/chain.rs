//! The chain of roots: from the one that ships with the app to the newest.
//!
//! Trust always starts at the shipped root. Roots kept from earlier runs are followed first, then
//! those of the source; each is verified by the one before it. State that was built on roots which
//! the shipped one has nothing to do with (another repository, or a repository that started anew
//! after its root keys were stolen) is dropped.

use super::set::{Set, recovers};
use super::{Keep, Source};
use crate::error::{Error, Result, TrustError, TrustKind};
use crate::limits;
use crate::time::UnixTime;

/// Files that are dropped when root gives timestamp or snapshot to other keys.
const REFERENCES: [&str; 3] = ["timestamp.json", "snapshot.json", super::session::BOUND];

/// The name under which it is kept that earlier state was dropped.
const RESET: &str = "reset";

/// The trusted set at the newest kept root, and whether all earlier state was dropped since the last
/// session that ended well.
pub(super) fn begin(
    shipped: &[u8],
    now: UnixTime,
    keep: &mut dyn Keep,
    source: &mut dyn Source,
) -> Result<(Set, bool)> {
    let mut set = Set::new(shipped, now)?;
    let start = set.root().common.version;
    let kept = kept_versions(keep)?;
    let connected = match (kept.first(), kept.last()) {
        (Some(first), Some(last)) => connect(shipped, start, (*first, *last), now, keep, source)?,
        _ => true,
    };
    if !connected {
        log::warn!("the app's root has nothing to do with what was trusted before: starting anew");
        // Stands until a session ends well: this one may be cut short before its caller heard.
        keep.save(RESET, b"")?;
        // Roots last: while one of them is there, a call that was cut short is made up for.
        let (roots, others): (Vec<_>, Vec<_>) =
            keep.names()?.into_iter().partition(|name| name.starts_with("root/"));
        for name in others.iter().filter(|name| *name != RESET).chain(&roots) {
            keep.remove(name)?;
        }
    }
    if keep.load(&root_name(start))?.as_deref() != Some(shipped) {
        keep.save(&root_name(start), shipped)?;
    }
    follow_kept(&mut set, keep)?;
    let reset = keep.load(RESET)?.is_some();
    Ok((set, reset))
}

/// Asks the source for newer roots until it has none (5.3), keeping each as it is verified.
pub(super) fn follow_source(
    set: &mut Set,
    keep: &mut dyn Keep,
    source: &mut dyn Source,
) -> Result<()> {
    for _ in 0..limits::ROOT_ROTATIONS {
        let Some(next) = set.root().common.version.checked_add(1) else { break };
        let Some(bytes) = source.metadata(&format!("{next}.root.json"), limits::ROOT)? else {
            break;
        };
        let before = set.root().clone();
        set.update_root(&bytes)?;
        if recovers(&before, set.root()) {
            // Before the root is kept: a crash in between must not leave the old references
            // standing beside the new keys.
            drop_references(keep)?;
        }
        keep.save(&root_name(next), &bytes)?;
    }
    Ok(())
}

/// Whether the shipped root is one of the kept ones, or a neighbour that the chain leads to.
fn connect(
    shipped: &[u8],
    start: u64,
    (first, last): (u64, u64),
    now: UnixTime,
    keep: &mut dyn Keep,
    source: &mut dyn Source,
) -> Result<bool> {
    if let Some(kept) = keep.load(&root_name(start))? {
        return Ok(kept == shipped);
    }
    // Walk from the older side to the newer one; what lies between has to come from the source.
    let (mut set, end) = if last < start {
        let Some(kept) = keep.load(&root_name(last))? else { return Ok(false) };
        // A kept root that was damaged connects to nothing.
        let Ok(set) = Set::new(&kept, now) else { return Ok(false) };
        (set, start)
    } else if start < first {
        (Set::new(shipped, now)?, first)
    } else {
        // A hole in the history: not something this client leaves behind.
        return Ok(false);
    };
    if end.saturating_sub(set.root().common.version) > limits::ROOT_ROTATIONS {
        return Ok(false);
    }
    let before = set.root().clone();
    let mut between = Vec::new();
    for version in set.root().common.version + 1..=end {
        let bytes = if version == start {
            Some(shipped.to_vec())
        } else if let Some(kept) = keep.load(&root_name(version))? {
            Some(kept)
        } else {
            source.metadata(&format!("{version}.root.json"), limits::ROOT)?
        };
        // Roots stay for ever: one that is withheld proves nothing, and another mirror may have it.
        let Some(bytes) = bytes else {
            return Err(TrustError::new("root", TrustKind::Missing, version.to_string()).into());
        };
        if set.update_root(&bytes).is_err() {
            return Ok(false);
        }
        between.push((version, bytes));
    }
    if last < start && recovers(&before, set.root()) {
        drop_references(keep)?;
    }
    for (version, bytes) in between {
        keep.save(&root_name(version), &bytes)?;
    }
    Ok(true)
}

/// Follows the kept roots as far as they verify; what does not is damage, and is forgotten.
fn follow_kept(set: &mut Set, keep: &mut dyn Keep) -> Result<()> {
    for version in kept_versions(keep)? {
        if version <= set.root().common.version {
            continue;
        }
        let bytes = keep.load(&root_name(version))?.unwrap_or_default();
        if let Err(error) = set.update_root(&bytes) {
            log::warn!("kept root {version} is forgotten: {error}");
            keep.remove(&root_name(version))?;
        }
    }
    Ok(())
}

fn drop_references(keep: &mut dyn Keep) -> Result<(), Error> {
    REFERENCES.iter().try_for_each(|name| keep.remove(name))
}

fn kept_versions(keep: &dyn Keep) -> Result<Vec<u64>> {
    let version = |name: &String| name.strip_prefix("root/")?.strip_suffix(".json")?.parse().ok();
    let mut versions: Vec<u64> = keep.names()?.iter().filter_map(version).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn root_name(version: u64) -> String {
    format!("root/{version}.json")
}
