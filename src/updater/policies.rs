//! The newest verified policy of each channel, where a start finds it without checking signatures.
//!
//! Enters: a policy that trust verified. Leaves: the same at the next start, or nothing if the file
//! is damaged. Storage is private to the app: the digest in front guards against damage, not
//! against an attacker.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::{AppId, Channel};
use crate::limits;
use crate::rollout::Policy;
use crate::store::disk::{Disk, read_small, ready_folder, replace};

const FOLDER: &str = "policies";

/// The newest verified policy of `channel`, if one is kept and undamaged.
///
/// # Errors
/// Where the storage cannot be read (a locked phone), as opposed to a file that is not there.
pub(crate) fn load(disk: &dyn Disk, app: &AppId, channel: &Channel) -> Result<Option<Policy>> {
    let path = format!("{FOLDER}/{channel}");
    // The digest and its line feed come on top.
    let file = read_small(disk, &path, limits::ROLE + 65);
    let Some(file) = file.map_err(|error| Error::storage(&path, error))? else {
        return Ok(None);
    };
    let sound = file.split_at_checked(64).and_then(|(digest, rest)| {
        let bytes = rest.strip_prefix(b"\n")?;
        let digest: Digest = std::str::from_utf8(digest).ok()?.parse().ok()?;
        (digest == Digest::of(bytes)).then_some(bytes)
    });
    let Some(bytes) = sound else {
        log::warn!("the kept policy of {channel} is damaged; the next check brings it back");
        return Ok(None);
    };
    Ok(Policy::heed(bytes, app, channel).ok())
}

/// Keeps the bytes of a verified policy. Durable when it returns; syncs, but writes nothing, where
/// they are kept already: whoever did so may have been killed before it could sync.
///
/// # Errors
/// Where the storage refuses.
pub(crate) fn save(disk: &dyn Disk, channel: &Channel, bytes: &[u8]) -> Result<()> {
    let mut file = format!("{}\n", Digest::of(bytes)).into_bytes();
    file.extend_from_slice(bytes);
    let path = format!("{FOLDER}/{channel}");
    let storing = |error| Error::storage(format!("keeping the policy of {channel}"), error);
    if disk.read(&path, limits::ROLE + 65).ok().flatten().is_some_and(|kept| kept == file) {
        return disk.sync_folder(FOLDER).map_err(storing);
    }
    ready_folder(disk, FOLDER).and_then(|()| disk.sync_folder("")).map_err(storing)?;
    replace(disk, FOLDER, channel.as_str(), &file).map_err(storing)
}

/// Forgets every policy: trust began anew, and what another repository signed binds nobody.
///
/// # Errors
/// Where the storage refuses.
pub(crate) fn forget(disk: &dyn Disk) -> Result<()> {
    disk.remove_folder(FOLDER)
        .and_then(|()| disk.sync_folder(""))
        .map_err(|error| Error::storage("forgetting policies", error))
}
