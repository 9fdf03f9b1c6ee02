//! Signatures by keys that no file holds: a token, a key service, OpenSSL.
//!
//! `farad sign --export` writes the very bytes that a role's signature covers; whatever holds the key
//! signs them (Ed25519 over the bytes; P-256 with SHA-256 in DER; RSA-PSS with SHA-256 and a salt of
//! 32 bytes); `--signature` adds the result, if it verifies.

use std::fs;
use std::path::{Path, PathBuf};

use super::Workspace;
use crate::change::{Change, Wait};
use crate::failure::{Failure, Result};

/// Writes what is to be signed for each role that lacks signatures.
pub(super) fn export(change: &Change, waits: &[Wait], folder: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (role, draft) in &change.drafts {
        if !waits.iter().any(|wait| wait.role == *role) {
            continue;
        }
        let path = folder.join(format!("{role}.message"));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, draft.message()))
            .map_err(|error| Failure::file("writing", &path, &error))?;
        written.push(path);
    }
    Ok(written)
}

/// Adds the signature in a file to a role of a change, and returns the id of its key.
pub(super) fn add(
    workspace: &Workspace,
    change: &mut Change,
    (role, path): (&str, &Path),
    key: &str,
) -> Result<String> {
    let signature =
        fs::read(path).map_err(|error| Failure::file("reading the signature", path, &error))?;
    let mut found = None;
    for may in change.judges(&workspace.current, role) {
        for id in &may.role.keyids {
            let meant = id.starts_with(key) && key.len() >= 6
                || workspace.project.holders.get(id).is_some_and(|holder| holder == key);
            if let (true, Some(key)) = (meant, may.keys.get(id)) {
                found = Some((id.clone(), key.clone()));
            }
        }
    }
    let missing = || {
        let message = format!("{key} may not sign for {role} in this change; see farad key list");
        Failure::new("unknown-key", message)
    };
    let (id, key) = found.ok_or_else(missing)?;
    let draft = change.drafts.get_mut(role).ok_or_else(missing)?;
    if !key.verifies(draft.message(), &signature) {
        let who = workspace.project.label(&id);
        let message = format!("{} is no signature of {role} by {who}", path.display());
        return Err(Failure::new("signature", message));
    }
    draft.add(&id, &signature);
    Ok(id)
}

/// Reads `ROLE=FILE`.
pub(super) fn role_and_file(text: &str) -> Result<(String, PathBuf), String> {
    let (role, file) = text.split_once('=').ok_or_else(|| format!("{text:?} is not ROLE=FILE"))?;
    Ok((role.to_owned(), file.into()))
}
