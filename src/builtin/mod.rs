//! The bundle inside the native app: a folder, or entries of the APK below a prefix.
//!
//! Enters: what the app's build put there. Leaves: the embedded release's description
//! (`farad-embed.json`), if there is one, and contents to reuse, by digest. Refuses: nothing that
//! would keep the app from starting; a description that makes no sense counts as none.

mod apk;
mod embed;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

pub use apk::Apk;
pub use embed::Embed;

use crate::digest::Digest;
use crate::error::Result;
use crate::id::AppId;
use crate::release::{Index, check_path};
use crate::unpack::{Contents, pour_reader};

/// Name of the description of the embedded release, at the root of the web folder.
pub const EMBED_FILE: &str = "farad-embed.json";

/// Where Capacitor puts web files inside an APK.
pub const APK_PREFIX: &str = "assets/public/";

/// The built-in bundle.
#[derive(Debug)]
pub enum Builtin {
    /// A folder (iOS, and tests).
    Folder(PathBuf),
    /// Entries of an APK.
    Apk(Apk),
}

impl Builtin {
    /// The description of the embedded release of `app`, if there is a sound one.
    #[must_use]
    pub fn embed(&self, app: &AppId) -> Option<Embed> {
        let mut bytes = Vec::new();
        let mut over = false;
        let found = self.pour_file(EMBED_FILE, &mut |piece| {
            over |= bytes.len() + piece.len() > embed::LIMIT;
            if !over {
                bytes.extend_from_slice(piece);
            }
            Ok(())
        });
        if !matches!(found, Ok(true)) || over {
            return None;
        }
        Embed::parse(&bytes, app)
            .inspect_err(|error| log::warn!("the built-in bundle counts as no release: {error}"))
            .ok()
    }

    /// The contents of the built-in bundle that `index` (the embedded release's) speaks of.
    #[must_use]
    pub fn contents(&self, index: &Index) -> BuiltinContents<'_> {
        let paths = index.files().iter().map(|file| (file.sha256, file.path.clone())).collect();
        BuiltinContents { builtin: self, paths }
    }

    fn pour_file(&self, path: &str, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        if check_path(path).is_err() {
            return Ok(false);
        }
        match self {
            Self::Folder(folder) => match File::open(folder.join(path)) {
                Ok(file) => pour_reader(file, sink),
                Err(_) => Ok(false),
            },
            Self::Apk(apk) => apk.pour(path, sink),
        }
    }
}

/// Contents of the built-in bundle, by digest. What the shell dropped or changed is simply not
/// there: everything is hashed when it is used.
pub struct BuiltinContents<'a> {
    builtin: &'a Builtin,
    paths: HashMap<Digest, String>,
}

impl Contents for BuiltinContents<'_> {
    fn lists(&self, sha256: &Digest) -> bool {
        self.paths.contains_key(sha256)
    }

    fn pour(
        &self,
        sha256: &Digest,
        length: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let Some(path) = self.paths.get(sha256) else { return Ok(false) };
        // A file that grew must not be read to its end for nothing.
        let mut left = length;
        let mut fits = true;
        let poured = self.builtin.pour_file(path, &mut |bytes| match left
            .checked_sub(bytes.len() as u64)
        {
            Some(rest) if fits => {
                left = rest;
                sink(bytes)
            }
            _ => {
                fits = false;
                Ok(())
            }
        })?;
        Ok(poured && fits)
    }
}

/// Reads at most `limit` bytes.
fn limited(reader: impl Read, limit: u64) -> impl Read {
    reader.take(limit)
}

#[cfg(test)]
mod tests;
