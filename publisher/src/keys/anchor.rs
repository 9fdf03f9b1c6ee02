//! The root that a folder of keys trusts: `<app>.root.json` beside them, the newest they were used with.
//!
//! Whoever can write to a project's folder, but has no key, can put another root there and another
//! `farad-root.json` beside it. What keys of this folder are asked to build upon must therefore follow
//! from the root that lies with them, wherever they are kept. A folder without one takes the first that it
//! is used with: where a key is made in it, or one of it signs, published or not.

use std::fs;
use std::path::PathBuf;

use farad::id::AppId;

use super::{GROUPS, Keys};
use crate::failure::{Failure, Result};
use crate::temporary::replace;

impl Keys {
    fn anchor_path(&self, group: &str, app: &AppId) -> PathBuf {
        self.folder.join(group).join(format!("{app}.root.json"))
    }

    /// The roots that the folders here trust, with their files.
    pub(crate) fn anchors(&self, app: &AppId) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let paths = GROUPS.map(|group| self.anchor_path(group, app));
        let there = paths.into_iter().filter(|path| path.exists());
        there
            .map(|path| match fs::read(&path) {
                Ok(bytes) => Ok((path, bytes)),
                Err(error) => Err(Failure::file("reading", &path, &error)),
            })
            .collect()
    }

    /// Keeps the newest root beside the keys that are here. A folder that cannot be written keeps an
    /// older one, from which the newest follows.
    pub(crate) fn remember(&self, app: &AppId, root: &[u8]) -> Result<()> {
        let found = self.found()?;
        for group in GROUPS {
            let path = self.anchor_path(group, app);
            let used = found.iter().any(|key| key.group == group && key.private);
            let known = fs::read(&path).is_ok_and(|bytes| bytes == root);
            if used
                && !known
                && let Err(failure) = replace(&path, root)
            {
                log::warn!("{}", failure.message);
            }
        }
        Ok(())
    }
}
