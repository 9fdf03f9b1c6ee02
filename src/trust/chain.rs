//! The chain of roots: from the one that ships with the app to the newest.
//!
//! Trust always starts at the shipped root, which is as trusted as the app. Roots kept from earlier runs
//! are followed first, then those of the source; each is verified by the one before it, and none is
//! done without that was followed once.
//!
//! State that was built on roots which the shipped one has nothing to do with (another repository, or
//! one that started anew after its root keys were stolen) is dropped. That takes proof which whoever
//! serves the files cannot make: two roots of one number, each vouched for on its own side, that say
//! different things. Nothing that was not signed counts, neither what is withheld nor what does not
//! verify: then another mirror may know more.

use super::set::{Set, recovers, root_content};
use super::{Keep, Source};
use crate::error::{Error, Result, TrustError, TrustKind};
use crate::limits;
use crate::time::UnixTime;

/// Files that are dropped when root gives timestamp or snapshot to other keys.
const REFERENCES: [&str; 3] = ["timestamp.json", "snapshot.json", super::clock::BOUND];

/// The name under which it is kept that earlier state was dropped.
const RESET: &str = "reset";

/// How the shipped root stands to the kept ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lineage {
    /// One chain leads through both, as far as can be told: what is kept stands.
    Shared,
    /// It is proven that none does: what is kept is another repository's.
    Foreign,
}

/// The trusted set at the newest root that was ever followed, and whether all earlier state was dropped
/// since the last session that ended well.
pub(super) fn begin(
    shipped: &[u8],
    now: UnixTime,
    keep: &mut dyn Keep,
    source: &mut dyn Source,
) -> Result<(Set, bool)> {
    let mut set = Set::new(shipped, now)?;
    let start = set.root().common.version;
    let foreign = meet(shipped, &set, now, keep)? == Lineage::Foreign
        || climb(&mut set, keep, source)? == Lineage::Foreign;
    if foreign {
        log::warn!("the app's root has nothing to do with what was trusted before: starting anew");
        forget(keep)?;
        set = Set::new(shipped, now)?;
    }
    if keep.load(&root_name(start))?.as_deref() != Some(shipped) {
        keep.save(&root_name(start), shipped)?;
    }
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

/// Holds the shipped root, at which `set` is, against the kept ones of its number and before. Asks nobody.
fn meet(shipped: &[u8], set: &Set, now: UnixTime, keep: &mut dyn Keep) -> Result<Lineage> {
    let start = set.root().common.version;
    if let Some(kept) = keep.load(&root_name(start))? {
        // Signatures cover no more than that: somebody on the way may have spelled the rest anew.
        match root_content(&kept, start) {
            Ok(content) if content == root_content(shipped, start)? => return Ok(Lineage::Shared),
            Ok(_) => return Ok(Lineage::Foreign),
            Err(error) => log::warn!("kept root {start} is damaged: {error}"),
        }
    }
    let versions = kept_versions(keep)?;
    for version in versions.iter().rev().filter(|version| **version < start) {
        let kept = keep.load(&root_name(*version))?;
        let before = kept.and_then(|bytes| Set::new(&bytes, now).ok());
        let before = before.filter(|before| before.root().common.version == *version);
        let Some(mut before) = before else { continue };
        // All that is kept was made under that root. Roots between the two are not needed: the app
        // vouches for its own.
        if versions.last() == Some(version) && recovers(before.root(), set.root()) {
            // Before the shipped root is kept: a crash in between must not leave the old references
            // standing beside the new keys.
            drop_references(keep)?;
        }
        if version + 1 == start && before.update_root(shipped).is_err() {
            return Ok(Lineage::Foreign);
        }
        break;
    }
    Ok(Lineage::Shared)
}

/// From the shipped root up to the newest kept one. What lacks in between, or is damaged, the source has
/// to show: an older root would give keys their power back that a newer one took.
fn climb(set: &mut Set, keep: &mut dyn Keep, source: &mut dyn Source) -> Result<Lineage> {
    let newest = kept_versions(keep)?.last().copied().unwrap_or(0);
    let mut asked = 0;
    while set.root().common.version < newest {
        let version = set.root().common.version + 1;
        let kept = keep.load(&root_name(version))?;
        if kept.as_ref().is_some_and(|kept| set.update_root(kept).is_ok()) {
            continue;
        }
        let refuse = |kind| Error::from(TrustError::new("root", kind, version.to_string()));
        asked += 1;
        if asked > limits::ROOT_ROTATIONS {
            return Err(refuse(TrustKind::TooLarge));
        }
        // Roots stay for ever: one that is withheld proves nothing, nor one that nobody signed.
        let bytes = source.metadata(&format!("{version}.root.json"), limits::ROOT)?;
        let bytes = bytes.ok_or_else(|| refuse(TrustKind::Missing))?;
        set.update_root(&bytes)?;
        // The shipped root vouches for this one, step by step. Did the kept one say something else?
        let kept = kept.and_then(|kept| root_content(&kept, version).ok());
        if kept.is_some() && kept != root_content(&bytes, version).ok() {
            return Ok(Lineage::Foreign);
        }
        keep.save(&root_name(version), &bytes)?;
    }
    Ok(Lineage::Shared)
}

/// Drops everything that was kept.
fn forget(keep: &mut dyn Keep) -> Result<()> {
    // Stands until a session ends well: this one may be cut short before its caller heard.
    keep.save(RESET, b"")?;
    // Roots last, the newest first: what a call that was cut short leaves of them proves the same again,
    // or lies below the shipped one, where it binds nobody.
    let is_root = |name: &String| root_version(name).is_some();
    for name in keep.names()?.iter().filter(|name| *name != RESET && !is_root(name)) {
        keep.remove(name)?;
    }
    for version in kept_versions(keep)?.into_iter().rev() {
        keep.remove(&root_name(version))?;
    }
    Ok(())
}

fn drop_references(keep: &mut dyn Keep) -> Result<(), Error> {
    REFERENCES.iter().try_for_each(|name| keep.remove(name))
}

fn kept_versions(keep: &dyn Keep) -> Result<Vec<u64>> {
    let mut versions: Vec<u64> = keep.names()?.iter().filter_map(|n| root_version(n)).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn root_version(name: &str) -> Option<u64> {
    name.strip_prefix("root/")?.strip_suffix(".json")?.parse().ok()
}

fn root_name(version: u64) -> String {
    format!("root/{version}.json")
}
