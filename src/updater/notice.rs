//! What a page has yet to be told: that a bundle was given up, and why.
//!
//! Enters: a bundle that a start or a failure gave up. Leaves: the same until somebody says that it
//! was told, across processes. A hint and no part of the record: losing it loses a message.

use serde::{Deserialize, Serialize};

use super::{Release, Updater};
use crate::boot::{Reason, Undone, Which};
use crate::error::{Error, Result};
use crate::id::{BundleId, Channel};
use crate::json;

const FILE: &str = "notice";
const LIMIT: u64 = 4096;

/// A bundle that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which.
    pub id: BundleId,
    /// What it was, as far as it was known then: it may be gone from the device by now.
    pub named: Option<Named>,
    /// Why.
    pub reason: Reason,
}

/// A release's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Version, for people.
    pub version: String,
    /// Sequence in its channel.
    pub sequence: u64,
    /// Its channel.
    pub channel: Channel,
}

impl Updater {
    /// A bundle that was given up, and nobody has been told yet. Reads one small file.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        let bytes = self.store.disk().read(FILE, LIMIT).ok().flatten()?;
        json::parse_as(&bytes).ok()
    }

    /// Somebody was told.
    ///
    /// # Errors
    /// Storage errors; it is told again then.
    pub fn forget_notice(&self) -> Result<()> {
        let disk = self.store.disk();
        disk.remove_file(FILE)
            .and_then(|()| disk.sync_folder(""))
            .map_err(|error| Error::storage("forgetting a notice", error))
    }

    /// Keeps the message that a bundle was given up. Where that fails it may stay untold, which is
    /// no reason to fail.
    pub(super) fn keep_notice(&self, undone: Undone) {
        let notice = Notice {
            id: undone.id,
            named: self.release(Which::Bundle(undone.id)).map(|release| Named {
                version: release.version,
                sequence: release.sequence,
                channel: release.channel,
            }),
            reason: undone.reason,
        };
        let kept = json::compact(&notice)
            .map_err(|error| Error::document(FILE, error))
            .and_then(|bytes| self.store.keep(FILE, &bytes));
        if let Err(error) = kept {
            log::warn!("{error}");
        }
    }

    /// What is known of a bundle: from its signed manifest, or the embedded release.
    #[must_use]
    pub fn release(&self, which: Which) -> Option<Release> {
        match which {
            Which::Builtin => self.embed.as_ref().map(Release::embedded),
            Which::Bundle(id) => {
                self.store.manifest(&id).map(|manifest| Release::of(id, &manifest))
            }
        }
    }
}
