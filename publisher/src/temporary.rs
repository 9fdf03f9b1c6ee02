//! Files in the making. Each has a name that nothing else has, so that nobody can know it beforehand,
//! and takes its place whole or not at all; what a command that died left is removed by the next one
//! that holds the lock.

use std::fs::{self, File};
use std::path::Path;

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::checkpoint;
use crate::commit::{folder_of, sync_folder_of};
use crate::failure::{Failure, Result};

const PREFIX: &str = ".farad-";
const RANDOM: usize = 6;
const SUFFIX: &str = ".tmp";
const FOLDER_SUFFIX: &str = ".unpacked";

/// A new file in a folder, for its owner alone.
pub(crate) fn new_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    named().tempfile_in(folder)
}

/// A new folder in a folder, for its owner alone: what is unpacked in it may be sealed for everybody else.
pub(crate) fn folder_in(folder: &Path) -> Result<TempDir> {
    let mut builder = named();
    builder.suffix(FOLDER_SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir_in(folder).map_err(|error| Failure::file("making a folder in", folder, &error))
}

/// The same in the system's folder of temporary files, where nothing removes it after a kill.
pub(crate) fn folder() -> Result<TempDir> {
    folder_in(&std::env::temp_dir())
}

/// Writes a file so that a reader sees all of it or none, in a folder that is made if need be. It is one
/// that anybody may read, and that its owner gave whatever mode it has.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes).map_err(|error| Failure::file("writing", path, &error))
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let mut file = public_in(folder)?;
    if let Ok(found) = fs::metadata(path) {
        file.as_file().set_permissions(found.permissions())?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    checkpoint::pass("replace", path);
    let _: File = file.persist(path)?;
    sync_folder_of(path)
}

/// A new file in a folder, for everybody whom the umask lets read it.
#[cfg(unix)]
pub(crate) fn public_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    // Less what the umask takes away.
    named().permissions(fs::Permissions::from_mode(0o666)).tempfile_in(folder)
}

/// A new file in a folder.
#[cfg(not(unix))]
pub(crate) fn public_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    new_in(folder)
}

fn named() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).rand_bytes(RANDOM).suffix(SUFFIX);
    builder
}

/// Removes what commands that died left in a folder, and nothing else. One that stays is in nobody's
/// way.
pub(crate) fn remove_strays(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else { continue };
        let is_folder = name.to_str().is_some_and(|name| is_ours(name, FOLDER_SUFFIX));
        if kind.is_file() && is_stray(&name) {
            let _ = fs::remove_file(entry.path());
        } else if kind.is_dir() && is_folder {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a file of this name is in the making, or was left by a command that died.
pub(crate) fn is_stray(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| is_ours(name, SUFFIX))
}

fn is_ours(name: &str, suffix: &str) -> bool {
    let random = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(suffix));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strays_are_removed_and_nothing_that_is_somebody_elses() {
        let home = tempfile::tempdir().unwrap();
        let (_, stray) = new_in(home.path()).unwrap().keep().unwrap();
        let others = [".tmpAbCdEf", ".farad-notes.tmp", "root.pem", ".farad-.tmp"];
        others.iter().for_each(|name| fs::write(home.path().join(name), "").unwrap());
        fs::create_dir(home.path().join(".farad-AbCdEf.tmp")).unwrap();
        let folder = folder_in(home.path()).unwrap().keep();
        fs::write(folder.join("index.html"), "").unwrap();
        remove_strays(home.path());
        assert!(!stray.exists() && !folder.exists());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), others.len() + 1);
        remove_strays(&home.path().join("none"));
    }
}
