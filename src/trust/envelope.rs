//! The envelope that every metadata file comes in: `{"signatures": […], "signed": {…}}`.
//!
//! Enters: raw bytes. Leaves: the typed `signed` part, once enough of the role's keys signed the
//! canonical form of what arrived. Refuses (in this order): length, JSON that readers could
//! disagree on, one key signing twice, too few keys, another role's type, another specification,
//! version 0. TUF 1.0, sections 4.2 and 5; versions and expiry are judged by the workflow.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key::Key;
use super::metadata::{Common, RoleKeys};
use crate::error::{TrustError, TrustKind};
use crate::{hex, json};

/// A metadata file taken apart, nothing verified yet.
pub(super) struct Envelope {
    pub(super) role: String,
    pub(super) signed: Value,
    /// The bytes that signatures cover.
    pub(super) message: Vec<u8>,
    /// Signatures by key id, in hex.
    pub(super) signatures: Vec<(String, String)>,
}

impl Envelope {
    /// Takes `bytes`, which claim to be metadata of `role`, apart.
    pub(super) fn open(role: &str, bytes: &[u8], limit: u64) -> Result<Self, TrustError> {
        let refuse = |kind, detail: &str| TrustError::new(role, kind, detail);
        if bytes.len() as u64 > limit {
            return Err(refuse(TrustKind::TooLarge, "over the role's limit"));
        }
        let mut file =
            json::parse(bytes).map_err(|error| refuse(TrustKind::Malformed, &error.to_string()))?;
        let signed = file.get_mut("signed").map(Value::take).filter(Value::is_object);
        let signed = signed.ok_or_else(|| refuse(TrustKind::Malformed, "no signed part"))?;
        let listed = file.get("signatures").and_then(Value::as_array);
        let listed = listed.ok_or_else(|| refuse(TrustKind::Malformed, "no signatures"))?;
        let mut signatures = Vec::with_capacity(listed.len());
        let mut keyids = BTreeSet::new();
        for entry in listed {
            let text = |name| entry.get(name).and_then(Value::as_str);
            let (Some(keyid), Some(signature)) = (text("keyid"), text("sig")) else {
                return Err(refuse(TrustKind::Malformed, "a signature without keyid or sig"));
            };
            if !keyids.insert(keyid) {
                return Err(refuse(TrustKind::DuplicateSignature, keyid));
            }
            signatures.push((keyid.to_owned(), signature.to_owned()));
        }
        let message = json::canonical(&signed)
            .map_err(|error| refuse(TrustKind::Malformed, &error.to_string()))?;
        Ok(Self { role: role.to_owned(), signed, message, signatures })
    }

    /// Checks that enough of the delegator's keys signed. Unknown keys, unknown schemes and
    /// malformed signatures do not count and do no harm.
    pub(super) fn verify(
        &self,
        keys: &BTreeMap<String, Key>,
        role: &RoleKeys,
    ) -> Result<(), TrustError> {
        if role.threshold == 0 {
            return Err(self.refuse(TrustKind::Malformed, "a threshold of nought"));
        }
        // Counted by what the key is: one key under two ids must not vouch twice (TAP 12).
        let valid: BTreeSet<_> = self
            .signatures
            .iter()
            .filter(|(keyid, _)| role.keyids.contains(keyid))
            .filter_map(|(keyid, signature)| Some((keys.get(keyid)?, hex::decode(signature)?)))
            .filter(|(key, signature)| key.verifies(&self.message, signature))
            .map(|(key, _)| key.substance())
            .collect();
        if (valid.len() as u64) < role.threshold {
            let detail = format!("{} of {} keys", valid.len(), role.threshold);
            return Err(self.refuse(TrustKind::Signature, &detail));
        }
        Ok(())
    }

    /// The signed part as the type of `role_type`. Only after [`Envelope::verify`].
    pub(super) fn read<T: DeserializeOwned>(self, role_type: &str) -> Result<T, TrustError> {
        let malformed = |error: serde_json::Error| {
            TrustError::new(&self.role, TrustKind::Malformed, error.to_string())
        };
        let common: Common = serde_json::from_value(self.signed.clone()).map_err(malformed)?;
        if common.role_type != role_type {
            return Err(self.refuse(TrustKind::WrongType, &common.role_type));
        }
        if common.spec_version.split('.').next() != Some("1") {
            return Err(self.refuse(TrustKind::UnsupportedSpec, &common.spec_version));
        }
        if common.version == 0 {
            return Err(self.refuse(TrustKind::Malformed, "version nought"));
        }
        serde_json::from_value(self.signed).map_err(malformed)
    }

    fn refuse(&self, kind: TrustKind, detail: &str) -> TrustError {
        TrustError::new(&self.role, kind, detail)
    }
}
