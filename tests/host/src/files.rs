//! Where web files come from: the native app, or a folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A place with web files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// `assets/public` inside an APK.
    Apk(PathBuf),
    /// A folder. As on both platforms, nothing here looks for links or for ways out: whoever writes
    /// a bundle must not make any.
    Folder(PathBuf),
}

impl Files {
    /// A file's bytes, if it is there.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self {
            Self::Folder(folder) => fs::read(folder.join(path)).ok(),
            Self::Apk(apk) => {
                let mut archive = zip::ZipArchive::new(File::open(apk).ok()?).ok()?;
                let mut bytes = Vec::new();
                let mut entry = archive.by_name(&format!("assets/public/{path}")).ok()?;
                entry.read_to_end(&mut bytes).ok()?;
                Some(bytes)
            }
        }
    }

    /// The folder, unless it is the native app.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Apk(_) => None,
            Self::Folder(folder) => Some(folder),
        }
    }
}
