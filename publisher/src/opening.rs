//! Who can read sealed releases: the publisher's own opening key, and the recipients of
//! `farad.toml`.
//!
//! Opening keys are X25519 keys in `keys/opening`. `publisher.pem` is always a recipient, so that
//! patches and promotions can be made of what was sealed; it takes a passphrase, as signing keys do.
//! The key of an app lies there without one, for its owner alone: it is to be shipped in the app, or
//! handed to phones at run time. Leaves: the recipients of a channel. Refuses: a sealed channel that
//! no phone could read.

use std::cell::RefCell;
use std::path::Path;

use farad::host::System;
use farad::id::Channel;
use farad::release::Manifest;
use farad::seal::{ContentKey, KeyId, OpeningKey, RecipientKey, Seal, Sealer};

use crate::commands::Workspace;
use crate::failure::{Failure, Result};
use crate::keys::{Keys, pem, random};
use crate::passphrase::Passphrases;
use crate::project::{ChannelSettings, Project, RecipientSettings};

/// Folder of opening keys, and name of their passphrase.
pub(crate) const GROUP: &str = "opening";
/// Name of the publisher's own opening key.
pub(crate) const OWN: &str = "publisher";

/// Makes an opening key; encrypted if `slot` names a passphrase.
pub(crate) fn create(keys: &Keys, name: &str, slot: Option<&str>) -> Result<RecipientKey> {
    let key = OpeningKey::from_bytes(random()?);
    keys.create_document(GROUP, name, &key.to_pkcs8(), slot)?;
    Ok(key.recipient())
}

/// A recipient of every sealed channel, or of some.
pub(crate) fn recipient(key: RecipientKey, channels: &[String]) -> RecipientSettings {
    RecipientSettings { key, channels: channels.to_vec(), earlier: Vec::new() }
}

/// Gives the publisher another opening key. The one before stays beside it under another name, for
/// what it opens.
pub(crate) fn renew(keys: &Keys, slot: Option<&str>) -> Result<RecipientKey> {
    if !keys.path(GROUP, OWN).exists() {
        return create(keys, OWN, slot);
    }
    let key = OpeningKey::from_bytes(random()?);
    let mut earlier = (1..).map(|n: u32| format!("{OWN}-{n}"));
    let free = earlier.find(|name| !keys.path(GROUP, name).exists()).unwrap_or_default();
    keys.renew_document(GROUP, (OWN, &free), &key.to_pkcs8(), slot)?;
    Ok(key.recipient())
}

/// Names of the publisher's own opening keys that are on this machine: today's, then earlier ones,
/// the newest first.
pub(crate) fn own_names(keys: &Keys) -> Vec<String> {
    let here = |name: &String| keys.path(GROUP, name).exists();
    let earlier: Vec<_> = (1..).map(|n: u32| format!("{OWN}-{n}")).take_while(here).collect();
    let today = Some(OWN.to_owned()).filter(here);
    today.into_iter().chain(earlier.into_iter().rev()).collect()
}

/// The opening key in a file, whose passphrase is asked for if it has one.
pub(crate) fn read(path: &Path, passphrases: &Passphrases) -> Result<OpeningKey> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let document = pem::read(path, &name, GROUP, passphrases)?;
    from_document(document.as_bytes())
}

/// One of the publisher's own opening keys, by its name.
pub(crate) fn open_own(keys: &Keys, name: &str) -> Result<OpeningKey> {
    from_document(keys.open_document(GROUP, name)?.as_bytes())
}

fn from_document(document: &[u8]) -> Result<OpeningKey> {
    OpeningKey::from_pkcs8(document)
        .map_err(|_| Failure::new("key-invalid", "an opening key is an X25519 key"))
}

/// For whom releases of a sealed channel are sealed.
pub(crate) fn recipients(project: &Project, channel: &Channel) -> Result<Vec<RecipientKey>> {
    let of_channel = |settings: &RecipientSettings| {
        settings.channels.is_empty() || settings.channels.iter().any(|c| c == channel.as_str())
    };
    let named: Vec<_> =
        project.recipients.iter().filter(|(_, settings)| of_channel(settings)).collect();
    let has = |own: bool| named.iter().any(|(name, _)| (name.as_str() == OWN) == own);
    if !has(true) {
        let message = format!(
            "{channel} is sealed, and farad.toml names no recipient {OWN}; run `farad key recipient renew`"
        );
        return Err(Failure::new("no-recipient", message));
    }
    if !has(false) {
        let message = format!(
            "no phone could read {channel}, which is sealed; make another recipient first: `farad key recipient new NAME`"
        );
        return Err(Failure::new("no-recipient", message));
    }
    let mut keys: Vec<_> = named.iter().map(|(_, settings)| settings.key).collect();
    keys.sort();
    keys.dedup();
    if keys.len() > farad::limits::RECIPIENTS / 2 {
        let limit = farad::limits::RECIPIENTS / 2;
        return Err(Failure::new("too-large", format!("a release has at most {limit} recipients")));
    }
    Ok(keys)
}

/// What seals a new release, with its seal; nothing in an open channel.
pub(crate) fn sealing<'a>(
    project: &'a Project,
    channel: &Channel,
    settings: &ChannelSettings,
) -> Result<Option<(Sealer<'a>, Seal)>> {
    if !settings.sealed {
        return Ok(None);
    }
    let recipients = recipients(project, channel)?;
    let sealer = Sealer::new(&project.app, &System)?;
    let seal = sealer.seal(&recipients)?;
    Ok(Some((sealer, seal)))
}

/// The seal of a release that is promoted to `channel`: as it is where it has the recipients of
/// that channel already, else the same content key wrapped anew.
pub(crate) fn promoted(
    workspace: &Workspace,
    channel: &Channel,
    manifest: &Manifest,
) -> Result<Option<Seal>> {
    let Some(seal) = &manifest.seal else { return Ok(None) };
    let wanted = recipients(&workspace.project, channel)?;
    let mut ids: Vec<_> = wanted.iter().map(RecipientKey::id).collect();
    let mut has: Vec<_> = seal.recipients.iter().map(|recipient| recipient.kid).collect();
    ids.sort();
    has.sort();
    if ids == has {
        return Ok(Some(seal.clone()));
    }
    // Blobs and content key stay the same: whoever could open the one can open the other.
    let known = |kid: &KeyId| workspace.project.recipients.values().any(|of| of.had(kid));
    if let Some(kid) = has.iter().find(|kid| !known(kid)) {
        let message = format!(
            "{} was sealed for {kid} too, which is no recipient any more; release it in {channel} instead",
            manifest.version
        );
        return Err(Failure::new("seal-differs", message));
    }
    let content = Opener::new(workspace).content(manifest)?.ok_or_else(not_opened)?;
    let sealer = Sealer::again(&workspace.project.app, content, &System);
    Ok(Some(sealer.seal(&wanted)?))
}

/// Opens releases with the publisher's own key, which is asked for when the first sealed one comes.
pub(crate) struct Opener<'a> {
    workspace: &'a Workspace,
    /// Those of the own keys that were needed so far.
    own: RefCell<Vec<OpeningKey>>,
}

impl<'a> Opener<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, own: RefCell::default() }
    }

    /// What opens a release; nothing for an open one.
    pub(crate) fn content(&self, manifest: &Manifest) -> Result<Option<ContentKey>> {
        if manifest.seal.is_none() {
            return Ok(None);
        }
        self.content_if_here(manifest)?.map(Some).ok_or_else(not_opened)
    }

    /// What opens a release, if an own key that does is on this machine.
    pub(crate) fn content_if_here(&self, manifest: &Manifest) -> Result<Option<ContentKey>> {
        let Some(seal) = &manifest.seal else { return Ok(None) };
        let Workspace { project, keys, .. } = self.workspace;
        let mut own = self.own.borrow_mut();
        if let Some(content) = seal.open(&project.app, &*own)? {
            return Ok(Some(content));
        }
        let names = own_names(keys);
        for name in names.iter().skip(own.len()) {
            own.push(open_own(keys, name)?);
            if let Some(content) = seal.open(&project.app, &*own)? {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }
}

/// For whom a release is sealed: names of `farad.toml`, and ids of keys that it does not know.
pub(crate) fn names(project: &Project, seal: &Seal) -> Vec<String> {
    let name = |kid: &KeyId| {
        let known = project.recipients.iter().find(|(_, settings)| settings.had(kid));
        match known {
            Some((name, settings)) if settings.key.id() == *kid => name.clone(),
            Some((name, _)) => format!("{name} (an earlier key)"),
            None => format!("{kid} (unknown)"),
        }
    };
    seal.recipients.iter().map(|recipient| name(&recipient.kid)).collect()
}

fn not_opened() -> Failure {
    let message =
        format!("no key in keys/{GROUP} opens the release; bring {OWN}.pem here, or release again");
    Failure::new("key-missing", message)
}
