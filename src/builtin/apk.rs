//! Files inside an APK, which is a zip that the system verified when it installed the app.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;

use super::limited;
use crate::error::{Error, Result};
use crate::limits;
use crate::unpack::pour_reader;

/// The entries of an APK below a prefix.
pub struct Apk {
    archive: Mutex<ZipArchive<BufReader<File>>>,
    prefix: String,
}

impl std::fmt::Debug for Apk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apk").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Apk {
    /// Opens the APK at `path`; reads its directory, no entry.
    ///
    /// # Errors
    /// [`Error::Config`] where it is no zip.
    pub fn open(path: &Path, prefix: &str) -> Result<Self> {
        let unusable = |detail: String| Error::Config(format!("built-in bundle: {detail}"));
        let file = File::open(path).map_err(|error| unusable(error.to_string()))?;
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { archive: Mutex::new(archive), prefix: prefix.to_owned() })
    }

    /// A small entry, by its full name; nothing if there is none of at most `limit` bytes.
    #[must_use]
    pub fn read(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        limited(archive.by_name(name).ok()?, limit + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= limit).then_some(bytes)
    }

    /// Hands an entry to `sink`; false if there is none or it cannot be read.
    pub(super) fn pour(
        &self,
        path: &str,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        match archive.by_name(&format!("{}{path}", self.prefix)) {
            // What an entry says of its size is not to be trusted; a bundle's limit is.
            Ok(entry) if entry.is_file() => pour_reader(limited(entry, limits::BUNDLE), sink),
            _ => Ok(false),
        }
    }
}
