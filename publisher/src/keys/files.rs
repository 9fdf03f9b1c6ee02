//! Files of keys: the private parts, which nobody but their owner may read, and the public ones.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use tempfile::{NamedTempFile, PersistError};
use zeroize::Zeroizing;

use crate::checkpoint;
use crate::commit::{folder_of, sync_folder_of};
use crate::failure::{Failure, Result};
use crate::temporary;

/// Makes a folder for its owner alone. One that is there already stays as it is: what is in it is for
/// its owner alone by itself.
#[cfg(unix)]
pub(crate) fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::file("making", folder, &error))
}

/// Makes a folder for its owner alone, as far as the system knows such a thing.
#[cfg(not(unix))]
pub(crate) fn private_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Failure::file("making", folder, &error))
}

/// Writes a new file for its owner alone. It is there whole or not at all: half a key would stop every
/// later command. A process that is killed meanwhile leaves a file with a name that no key has, which
/// the next command removes.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = temporary::new_in(folder_of(path));
    put(path, file, bytes, |file| file.persist_noclobber(path))
}

/// The same for everybody whom the umask lets read it: the public part of a key.
pub(super) fn write_public(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = temporary::public_in(folder_of(path));
    put(path, file, bytes, |file| file.persist_noclobber(path))
}

/// The same in the place of a file that is there.
pub(super) fn replace_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = temporary::new_in(folder_of(path));
    put(path, file, bytes, |file| file.persist(path))
}

fn put(
    path: &Path,
    file: std::io::Result<NamedTempFile>,
    bytes: &[u8],
    put: impl FnOnce(NamedTempFile) -> Result<File, PersistError>,
) -> Result<()> {
    let failed = |error: std::io::Error| Failure::file("writing", path, &error);
    let mut file = file.map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    checkpoint::pass("write", path);
    put(file).map_err(|error| failed(error.error))?;
    sync_folder_of(path).map_err(failed)
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

/// Refuses a file that others can read; a pipe is not one.
#[cfg(unix)]
pub(crate) fn refuse_shared(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let mode = found.map_or(0, |found| found.permissions().mode());
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("others can read {0}; run: chmod 600 {0}", path.display());
    Err(Failure::new("key-readable", message))
}

/// Refuses a file that others can read, where that can be told.
#[cfg(not(unix))]
pub(crate) fn refuse_shared(_: &Path) -> Result<()> {
    Ok(())
}
