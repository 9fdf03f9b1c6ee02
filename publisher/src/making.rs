//! A project in the making: everything is made aside, and takes its place once all of it is there.
//!
//! Aside is the folder `.farad-init` in the project's folder, in the repository's and in that of the
//! keys, which may be on disks of their own. Once `farad.toml` stands in the first of them, nothing is
//! lacking, and whoever comes next only moves; it takes its own place last, so that a project that can
//! be seen is whole. What a run left that was killed before that moment was used by nobody, and is
//! removed. Enters: a project that is to be. Refuses: to put anything over what is there already.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint;
use crate::commit::sync_folder_of;
use crate::failure::{Failure, Result};
use crate::project::{FILE, Project, ROOT_FILE};

/// Name of the folders aside.
pub(crate) const ASIDE: &str = ".farad-init";

/// Where a project is made, and where it will be.
pub(crate) struct Making {
    config: PathBuf,
    base: PathBuf,
    repository: PathBuf,
    keys: PathBuf,
}

impl Making {
    pub(crate) fn new(project: &Project, config: &Path) -> Self {
        Self {
            config: config.to_owned(),
            base: project.base.clone(),
            repository: project.repository(),
            keys: project.keys(),
        }
    }

    /// The project that a run made, all of it, which died before everything was in its place.
    pub(crate) fn complete(project: &Project, config: &Path) -> Result<Option<Project>> {
        let made = Self::new(project, config).made();
        if !made.is_file() {
            return Ok(None);
        }
        let found = Project::load(&made)?;
        Ok(Some(Project { base: project.base.clone(), ..found }))
    }

    /// The same project, aside.
    pub(crate) fn aside(&self, project: &Project) -> Result<Project> {
        let aside = |place: &Path| {
            std::path::absolute(place.join(ASIDE))
                .map_err(|error| Failure::file("looking at", place, &error))
        };
        Ok(Project {
            base: aside(&self.base)?,
            repository: aside(&self.repository)?,
            keys: aside(&self.keys)?,
            ..project.clone()
        })
    }

    /// Where `farad.toml` stands once everything else does.
    pub(crate) fn made(&self) -> PathBuf {
        self.base.join(ASIDE).join(FILE)
    }

    /// Removes what a run left that died before everything was there.
    pub(crate) fn clear(&self) -> Result<()> {
        for place in [&self.base, &self.keys, &self.repository] {
            let aside = place.join(ASIDE);
            checkpoint::pass("clear", &aside);
            match fs::remove_dir_all(&aside) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::file("removing", &aside, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves everything to its place, or what is not there yet.
    pub(crate) fn finish(&self) -> Result<()> {
        for place in [&self.keys, &self.repository] {
            let aside = place.join(ASIDE);
            let failed = |error: std::io::Error| Failure::file("reading", &aside, &error);
            let entries = match fs::read_dir(&aside) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let from = entry.map_err(failed)?.path();
                let name = from.file_name().unwrap_or_default();
                // Keys may lie in the project's own folder.
                if name != FILE && name != ROOT_FILE {
                    put(&from, &place.join(name))?;
                }
            }
            // With the project's own file in it, it is needed a little longer.
            let _ = fs::remove_dir(&aside);
        }
        let anchor = self.base.join(ASIDE).join(ROOT_FILE);
        if anchor.is_file() {
            put(&anchor, &self.base.join(ROOT_FILE))?;
        }
        put(&self.made(), &self.config)?;
        checkpoint::pass("done", &self.config);
        remove_empty(&self.base);
        Ok(())
    }
}

/// Removes the folder aside of a project that is in its place.
pub(crate) fn remove_empty(base: &Path) {
    // What is not empty is still being made, and what is not there is gone.
    let _ = fs::remove_dir(base.join(ASIDE));
}

fn put(from: &Path, to: &Path) -> Result<()> {
    checkpoint::pass("put", to);
    if fs::symlink_metadata(to).is_ok() {
        let message = format!(
            "{} is in the way of what an interrupted `farad init` made; move it away, and run the command again",
            to.display()
        );
        return Err(Failure::new("exists", message));
    }
    let moved = fs::rename(from, to).and_then(|()| sync_folder_of(to));
    moved.map_err(|error| Failure::file("writing", to, &error))
}
