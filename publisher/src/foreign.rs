//! What lies in a repository's folder and is none of the repository's: an upload takes everything along.
//!
//! Enters: the folder. Refuses: in the folders that phones ask for, names that no repository has; anywhere
//! in it, links and private keys in PEM; roots that nobody signed yet, for which every phone asks one day.
//! Leaves alone: what a command that died left under names of its own (`temporary`), which is nobody's
//! secret, and what a web server wants beside a repository.

use std::fs;
use std::path::{Path, PathBuf};

use farad::digest::Digest;
use farad::id::Channel;

use crate::failure::{Failure, Result};
use crate::places::SERVED;
use crate::{temporary, webfolder};

/// Refuses a repository's folder that holds what is not its own.
pub(crate) fn refuse_foreign(folder: &Path) -> Result<()> {
    let mut left = vec![folder.to_owned()];
    while let Some(place) = left.pop() {
        let failed = |error: std::io::Error| Failure::file("reading", &place, &error);
        for entry in fs::read_dir(&place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            let name = inside(folder, &path);
            let served = SERVED.iter().any(|served| {
                name.strip_prefix(served)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            if kind.is_symlink() {
                return Err(refuse(&name, "is a link"));
            }
            if kind.is_dir() {
                left.push(path);
                continue;
            }
            let ours = path.file_name().is_some_and(temporary::is_stray);
            if served && !ours && !is_of_repository(&name) {
                return Err(refuse(&name, "is no file of a repository"));
            }
            if kind.is_file() && webfolder::is_private_key(&path)? {
                return Err(refuse(&name, "is a private key"));
            }
        }
    }
    Ok(())
}

/// Refuses roots after the newest one.
pub(crate) fn refuse_later_roots(folder: &Path, newest: u64) -> Result<()> {
    let place = folder.join("metadata");
    let failed = |error: std::io::Error| Failure::file("reading", &place, &error);
    for entry in fs::read_dir(&place).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        let version = name.strip_suffix(".root.json").and_then(|number| number.parse().ok());
        if version.is_some_and(|version: u64| version > newest) {
            return Err(refuse(&format!("metadata/{name}"), "is no root of this repository"));
        }
    }
    Ok(())
}

fn refuse(name: &str, what: &str) -> Failure {
    let message = format!("{name} {what}, and an upload would take it along; take it out");
    Failure::new("unsafe-path", message)
}

/// A path as phones write it.
fn inside(folder: &Path, path: &Path) -> String {
    let inside: PathBuf = path.strip_prefix(folder).unwrap_or(path).to_owned();
    inside.to_string_lossy().replace('\\', "/")
}

/// Whether a path is one that a repository has (`docs/format.md`, Files).
fn is_of_repository(path: &str) -> bool {
    let Some((folder, rest)) = path.split_once('/') else { return false };
    match folder {
        "metadata" => is_metadata(rest),
        "blobs" => is_digest(rest),
        "targets" => rest
            .split_once('/')
            .is_some_and(|(channel, rest)| channel.parse::<Channel>().is_ok() && is_document(rest)),
        _ => false,
    }
}

/// Whether a file of this name may be metadata, of this or another TUF repository.
pub(crate) fn is_metadata(name: &str) -> bool {
    name == "timestamp.json" || numbered(name).is_some_and(is_role)
}

/// What follows the number in front of a name. Numbers begin with one.
fn numbered(name: &str) -> Option<&str> {
    let (number, rest) = name.split_once('.')?;
    let parsed: u64 = number.parse().ok()?;
    // One spelling only.
    (parsed > 0 && parsed.to_string() == number).then_some(rest)
}

fn is_role(name: &str) -> bool {
    let role = name.strip_suffix(".json");
    role.is_some_and(|role| {
        !role.is_empty() && role.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    })
}

fn is_document(name: &str) -> bool {
    let (release, name) = match name.strip_prefix("releases/") {
        Some(name) => (true, name),
        None => (false, name),
    };
    name.split_once('.').is_some_and(|(digest, rest)| {
        let known = match release {
            true => numbered(rest).is_some_and(|rest| rest == "json"),
            false => ["policy.json", "rollout.json"].contains(&rest),
        };
        known && is_digest(digest)
    })
}

fn is_digest(text: &str) -> bool {
    text.parse::<Digest>().is_ok_and(|digest| digest.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn names_of_a_repository_are_told_from_others() {
        for own in [
            "metadata/timestamp.json".to_owned(),
            "metadata/12.production-releases.json".to_owned(),
            format!("blobs/{DIGEST}"),
            format!("targets/production/{DIGEST}.policy.json"),
            format!("targets/beta-2/{DIGEST}.rollout.json"),
            format!("targets/production/releases/{DIGEST}.7.json"),
        ] {
            assert!(is_of_repository(&own), "{own}");
        }
        for other in [
            "index.html".to_owned(),
            "metadata/root.json".to_owned(),
            "metadata/012.root.json".to_owned(),
            "metadata/0.root.json".to_owned(),
            "metadata/credentials.json".to_owned(),
            "metadata/1.root.json.bak".to_owned(),
            "metadata/sub/1.root.json".to_owned(),
            "blobs/backup.pem".to_owned(),
            format!("blobs/{}", DIGEST.to_uppercase()),
            format!("blobs/{DIGEST}/x"),
            format!("targets/{DIGEST}.policy.json"),
            format!("targets/production/{DIGEST}.notes.json"),
            format!("targets/production/releases/{DIGEST}.policy.json"),
            "targets/production/releases/7.json".to_owned(),
        ] {
            assert!(!is_of_repository(&other), "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_an_upload_would_take_along_is_named() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        fs::write(at("metadata/timestamp.json"), "{}").unwrap();
        fs::write(at("blobs/.farad-AbCdEf.tmp"), "").unwrap();
        fs::write(at("index.html"), "<p>Nothing to see").unwrap();
        refuse_foreign(home.path()).unwrap();
        let base64 = "MC4CAQAwBQYDK2VwBCIEIPE2LjMZpZzBTs+hnoPcPF8Nz/5f6MLFmZnVZFZzJm1S";
        let key = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
        for (path, what) in [("blobs/backup.pem", "no file"), ("keys/root/root.pem", "private key")]
        {
            fs::write(at(path), &key).unwrap();
            let failure = refuse_foreign(home.path()).unwrap_err();
            assert_eq!(failure.code, "unsafe-path");
            assert!(
                failure.message.contains(path) && failure.message.contains(what),
                "{failure:?}"
            );
            fs::remove_file(at(path)).unwrap();
        }
        for link in ["targets/production", "docs"] {
            std::os::unix::fs::symlink("../..", at(link)).unwrap();
            let failure = refuse_foreign(home.path()).unwrap_err();
            assert!(failure.message.contains(&format!("{link} is a link")), "{failure:?}");
            fs::remove_file(at(link)).unwrap();
        }
        refuse_foreign(home.path()).unwrap();
        fs::write(at("metadata/8.root.json"), "{}").unwrap();
        refuse_later_roots(home.path(), 8).unwrap();
        let failure = refuse_later_roots(home.path(), 7).unwrap_err();
        assert!(failure.message.contains("metadata/8.root.json is no root"), "{failure:?}");
    }
}
