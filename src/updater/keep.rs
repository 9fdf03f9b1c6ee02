//! Where trust keeps what it verified: files under `trust/` on the device's disk.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits;
use crate::store::disk::{Disk, read_small, ready_folder, replace};
use crate::trust::Keep;

const FOLDER: &str = "trust";

/// Trust's files on a disk.
pub(crate) struct DiskKeep {
    disk: Arc<dyn Disk>,
}

impl DiskKeep {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }
}

/// The folder and the last segment of `name`, which may stand in one folder of its own.
fn place(name: &str) -> (String, &str) {
    match name.rsplit_once('/') {
        Some((folder, file)) => (format!("{FOLDER}/{folder}"), file),
        None => (FOLDER.to_owned(), name),
    }
}

impl Keep for DiskKeep {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = format!("{FOLDER}/{name}");
        let read = read_small(&*self.disk, &path, limits::ROLE);
        read.map_err(|error| Error::storage(path, error))
    }

    fn save(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let (folder, file) = place(name);
        let disk = &*self.disk;
        ready_folder(disk, FOLDER)
            .and_then(|()| ready_folder(disk, &folder))
            .and_then(|()| disk.sync_folder(""))
            .and_then(|()| if folder == FOLDER { Ok(()) } else { disk.sync_folder(FOLDER) })
            .and_then(|()| replace(disk, &folder, file, bytes))
            .map_err(|error| Error::storage(format!("keeping {name}"), error))
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let (folder, _) = place(name);
        self.disk
            .remove_file(&format!("{FOLDER}/{name}"))
            .and_then(|()| self.disk.sync_folder(&folder))
            .map_err(|error| Error::storage(format!("removing {name}"), error))
    }

    fn names(&self) -> Result<Vec<String>> {
        let list =
            |folder: &str| self.disk.list(folder).map_err(|error| Error::storage(folder, error));
        let mut names = Vec::new();
        for entry in list(FOLDER)? {
            if entry.folder {
                let inside = list(&format!("{FOLDER}/{}", entry.name))?;
                names
                    .extend(inside.into_iter().map(|file| format!("{}/{}", entry.name, file.name)));
            } else {
                names.push(entry.name);
            }
        }
        // Left behind by a write that a crash cut short.
        names.retain(|name| !name.ends_with(".tmp"));
        Ok(names)
    }
}
