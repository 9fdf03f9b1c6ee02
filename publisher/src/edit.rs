//! What is to change in the repository, before anybody signed it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use farad::digest::Digest;
use farad::limits;
use farad::trust::metadata::{Root, Targets};

use crate::failure::{Failure, Result};
use crate::repository::{Current, listing, target_file};

/// A change in the making.
#[derive(Default)]
pub(crate) struct Edit {
    /// The next root, as it shall be (version and expiry are set when signing).
    pub(crate) root: Option<Root>,
    /// Targets roles to sign anew, by name, as they shall be.
    pub(crate) roles: BTreeMap<String, Targets>,
    /// Target files to write, by place in the repository.
    pub(crate) targets: BTreeMap<String, Vec<u8>>,
    /// Blobs to write.
    pub(crate) blobs: BTreeMap<Digest, BlobSource>,
    /// Sign snapshot even if no role changed.
    pub(crate) snapshot: bool,
    /// Sign timestamp even if nothing else changed.
    pub(crate) timestamp: bool,
}

/// Where a blob's bytes are until they are published.
#[derive(Debug)]
pub(crate) enum BlobSource {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file.
    File(PathBuf),
}

impl Edit {
    /// The root, to be changed.
    pub(crate) fn root(&mut self, current: &Current) -> &mut Root {
        self.root.get_or_insert_with(|| current.root.clone())
    }

    /// The role of this name, to be changed.
    pub(crate) fn role(&mut self, current: &Current, name: &str) -> Result<&mut Targets> {
        if !self.roles.contains_key(name) {
            let found = if name == "targets" {
                Some(current.targets.clone())
            } else {
                current.roles.get(name).cloned()
            };
            let missing = || Failure::new("unknown-role", format!("there is no role {name}"));
            self.roles.insert(name.to_owned(), found.ok_or_else(missing)?);
        }
        let unreachable = || Failure::new("unknown-role", format!("there is no role {name}"));
        self.roles.get_mut(name).ok_or_else(unreachable)
    }

    /// Lists `bytes` under `path` in a role; refuses more than half of what phones take.
    pub(crate) fn put(
        &mut self,
        current: &Current,
        role: &str,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<()> {
        let limit = if path.contains("/releases/") { limits::MANIFEST } else { limits::ROLE };
        check_half(path, bytes.len() as u64, limit)?;
        self.role(current, role)?.targets.insert(path.to_owned(), listing(&bytes));
        self.targets.insert(target_file(path, &Digest::of(&bytes).to_string()), bytes);
        Ok(())
    }

    /// Adds a blob.
    pub(crate) fn blob(&mut self, digest: Digest, source: BlobSource) {
        self.blobs.insert(digest, source);
    }
}

/// Refuses what is longer than half of what phones take, while there is still room to mend it.
pub(crate) fn check_half(what: &str, length: u64, limit: u64) -> Result<()> {
    let half = limit / 2;
    if length <= half {
        return Ok(());
    }
    Err(Failure::new("too-large", format!("{what} would be {length} bytes, over {half}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_over_half_of_what_phones_take_is_refused() {
        let put = |path: &str, length: u64| {
            let bytes = vec![b' '; usize::try_from(length).unwrap()];
            // A role that is not there is looked for after that.
            let failure = Edit::default().put(&Current::nothing(), "none", path, bytes);
            failure.unwrap_err().code
        };
        for (path, limit) in [
            ("production/releases/7.json", limits::MANIFEST),
            ("production/policy.json", limits::ROLE),
            ("production/rollout.json", limits::ROLE),
        ] {
            assert_eq!(put(path, limit / 2), "unknown-role");
            assert_eq!(put(path, limit / 2 + 1), "too-large");
        }
    }
}
