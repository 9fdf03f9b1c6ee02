//! Files that nobody but their owner may read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Failure, Result};

/// Makes a folder for its owner alone.
#[cfg(unix)]
pub(crate) fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .map_err(|error| Failure::file("making", folder, &error))
}

/// Makes a folder for its owner alone.
#[cfg(not(unix))]
pub(crate) fn private_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Failure::file("making", folder, &error))
}

/// Writes a new file for its owner alone.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::file("writing", path, &error))
}

/// The text of a private key's file; refuses one that others can read.
pub(super) fn read_private(path: &Path, name: &str) -> Result<Zeroizing<String>> {
    refuse_shared(path)?;
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            let place = path.display();
            Failure::new("key-missing", format!("the key {name} is not here ({place})"))
        } else {
            Failure::file("reading the key", path, &error)
        }
    })
}

#[cfg(unix)]
fn refuse_shared(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("others can read {0}; run: chmod 600 {0}", path.display());
    Err(Failure::new("key-readable", message))
}

#[cfg(not(unix))]
fn refuse_shared(_: &Path) -> Result<()> {
    Ok(())
}
