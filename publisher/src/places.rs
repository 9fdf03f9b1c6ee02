//! Where folders really lie, and that no private key lies where everybody could fetch it, nor is released.

use std::path::{Component, Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::keys::GROUPS;
use crate::opening;
use crate::project::{PENDING, Project};

/// The folders of a repository: what phones ask for, and what is uploaded.
pub(crate) const SERVED: [&str; 3] = ["metadata", "targets", "blobs"];

/// Where a path leads once its links are followed; what is not there yet is taken as it is written.
pub(crate) fn real(path: &Path) -> Result<PathBuf> {
    let absolute =
        std::path::absolute(path).map_err(|error| Failure::file("looking at", path, &error))?;
    let mut real = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                real.pop();
            }
            Component::Normal(name) => {
                real.push(name);
                real = real.canonicalize().unwrap_or(real);
            }
            root => real.push(root),
        }
    }
    Ok(real)
}

/// Refuses a folder of keys, or one of the folders in it, that is in the repository.
pub(crate) fn refuse_served(keys: &Path, repository: &Path) -> Result<()> {
    let served = [repository.to_owned()].into_iter();
    let served = served.chain(SERVED.map(|folder| repository.join(folder)));
    let served = served.map(|folder| real(&folder)).collect::<Result<Vec<_>>>()?;
    let groups = GROUPS.into_iter().chain([opening::GROUP]).map(|group| keys.join(group));
    for folder in [keys.to_owned()].into_iter().chain(groups) {
        let place = real(&folder)?;
        if served.iter().any(|served| place.starts_with(served)) {
            let (folder, repository) = (folder.display(), repository.display());
            let message = format!(
                "{folder} lies inside the repository {repository}: everybody could fetch the keys"
            );
            return Err(Failure::new("unsafe-path", message));
        }
    }
    Ok(())
}

/// Refuses a web folder that holds something of the project's own, or lies in it.
pub(crate) fn refuse_own(web: &Path, project: &Project, config: &Path) -> Result<()> {
    let place = real(web)?;
    let groups = GROUPS.into_iter().chain([opening::GROUP]);
    let groups = groups.map(|group| project.keys().join(group));
    let own = [
        project.keys(),
        project.repository(),
        project.base.join(PENDING),
        project.root_file(),
        config.to_owned(),
    ];
    for own in own.into_iter().chain(groups) {
        let found = real(&own)?;
        if found.starts_with(&place) || place.starts_with(&found) {
            let (web, own) = (web.display(), own.display());
            let message = format!(
                "{web} holds {own} or lies in it, and a release is for everybody; name the folder that your web build wrote"
            );
            return Err(Failure::new("unsafe-path", message));
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn keys_are_found_inside_the_repository_by_whatever_way_they_get_there() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        for folder in ["updates/metadata", "keys/online", "elsewhere/blobs", "linked"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        symlink(at("updates/metadata"), at("linked/online")).unwrap();
        symlink(at("elsewhere/blobs"), at("updates/blobs")).unwrap();
        symlink(at("updates"), at("alias")).unwrap();
        for (keys, fine) in [
            ("keys", true),
            ("updates-keys", true),
            ("updates/../keys", true),
            (".", true),
            ("updates", false),
            ("updates/keys", false),
            ("none/../updates/keys", false),
            ("alias/keys", false),
            ("linked", false),
            ("elsewhere/blobs/keys", false),
        ] {
            let refused = refuse_served(&at(keys), &at("updates"));
            assert_eq!(refused.is_ok(), fine, "{keys}: {refused:?}");
        }
        assert!(refuse_served(&at("keys"), &at(".")).is_err());
        assert!(refuse_served(&at(""), &at("online")).is_err(), "a folder of keys itself");
    }
}
