//! A metadata file on its way to its threshold: what it says, and who signed it so far.
//!
//! Enters: a document, or a file that others began to sign. Leaves: the same file with one more
//! signature. Refuses: what a phone would refuse of the envelope, and fields that this version does
//! not know, since whoever signs must have read everything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::envelope::Envelope;
use super::key::Key;
use super::metadata::RoleKeys;
use super::sign::Signer;
use crate::error::{Error, Result, TrustError, TrustKind};
use crate::hex;
use crate::json::{canonical, compact};

/// A metadata file that may still lack signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    role: String,
    signed: Value,
    message: Vec<u8>,
    /// Signatures by key id, in hex.
    signatures: BTreeMap<String, String>,
}

/// How a draft stands before the keys of its role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Ids of the role's keys that signed.
    pub signed: Vec<String>,
    /// Ids of the role's keys whose signature is of something else: the file was altered.
    pub wrong: Vec<String>,
    /// How many different keys signed: one key under two ids is one.
    pub have: u64,
}

impl Draft {
    /// A document that nobody signed yet.
    ///
    /// # Errors
    /// [`Error::Document`] where it cannot be written.
    pub fn new<T: Serialize>(role: &str, document: &T) -> Result<Self> {
        let malformed = |error: String| Error::document(role, error);
        let signed =
            serde_json::to_value(document).map_err(|error| malformed(error.to_string()))?;
        let message = canonical(&signed).map_err(|error| malformed(error.to_string()))?;
        Ok(Self { role: role.to_owned(), signed, message, signatures: BTreeMap::new() })
    }

    /// A file that was begun elsewhere, of at most `limit` bytes. Nothing is verified yet.
    ///
    /// # Errors
    /// [`Error::Trust`] for what is no envelope, or one in which a key signs twice.
    pub fn parse(role: &str, bytes: &[u8], limit: u64) -> Result<Self> {
        let Envelope { role, signed, message, signatures } = Envelope::open(role, bytes, limit)?;
        Ok(Self { role, signed, message, signatures: signatures.into_iter().collect() })
    }

    /// What it says.
    ///
    /// # Errors
    /// [`Error::Trust`] where that is not a document of type `T`, or holds more than such a one.
    pub fn read<T: Serialize + DeserializeOwned>(&self) -> Result<T> {
        let refuse = |detail: &str| TrustError::new(&self.role, TrustKind::Malformed, detail);
        let document: T = serde_json::from_value(self.signed.clone())
            .map_err(|error| refuse(&error.to_string()))?;
        let known = serde_json::to_value(&document).map_err(|error| refuse(&error.to_string()))?;
        if known == self.signed {
            return Ok(document);
        }
        Err(refuse("it holds fields that this version does not know").into())
    }

    /// The bytes that a signature covers.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whether a signature of this key is there, right or wrong.
    #[must_use]
    pub fn names(&self, keyid: &str) -> bool {
        self.signatures.contains_key(keyid)
    }

    /// Adds a signature, in place of one by the same key.
    ///
    /// # Errors
    /// Where the signer refuses.
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<()> {
        let signature = signer.sign(&self.message)?;
        self.add(&signer.public().id(), &signature);
        Ok(())
    }

    /// Adds a signature that was made elsewhere.
    pub fn add(&mut self, keyid: &str, signature: &[u8]) {
        self.signatures.insert(keyid.to_owned(), hex::encode(signature));
    }

    /// Drops the signatures of all keys but these: a key that was taken out of its role, say.
    pub fn retain(&mut self, keyids: &BTreeSet<String>) {
        self.signatures.retain(|keyid, _| keyids.contains(keyid));
    }

    /// Holds the signatures against the keys of a role.
    #[must_use]
    pub fn standing(&self, keys: &BTreeMap<String, Key>, role: &RoleKeys) -> Standing {
        let mut standing = Standing::default();
        let mut different = BTreeSet::new();
        for (keyid, signature) in &self.signatures {
            let key = keys.get(keyid).filter(|_| role.keyids.contains(keyid));
            let Some(key) = key else { continue };
            let signature = hex::decode(signature).unwrap_or_default();
            if key.verifies(&self.message, &signature) {
                standing.signed.push(keyid.clone());
                different.insert(key.substance());
            } else {
                standing.wrong.push(keyid.clone());
            }
        }
        standing.have = different.len() as u64;
        standing
    }

    /// The file as it stands.
    ///
    /// # Errors
    /// [`Error::Document`] where it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let signature = |(keyid, sig): (&String, &String)| json!({ "keyid": keyid, "sig": sig });
        let signatures: Vec<_> = self.signatures.iter().map(signature).collect();
        let file = json!({ "signatures": signatures, "signed": self.signed });
        compact(&file).map_err(|error| Error::document(&self.role, error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign::Ed25519;
    use super::*;
    use crate::trust::metadata::{Common, Targets};

    fn key(seed: u8) -> Ed25519 {
        let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        Ed25519::from_pkcs8(&[&prefix[..], &[seed; 32]].concat()).unwrap()
    }

    fn role(signers: &[&Ed25519], threshold: u64) -> (BTreeMap<String, Key>, RoleKeys) {
        let keys: BTreeMap<_, _> =
            signers.iter().map(|key| (key.public().id(), key.public().clone())).collect();
        let keyids = keys.keys().cloned().collect();
        (keys, RoleKeys { keyids, threshold })
    }

    fn draft() -> Draft {
        let common = Common {
            role_type: "targets".to_owned(),
            spec_version: "1.0.34".to_owned(),
            version: 2,
            expires: "2027-01-15T08:00:00Z".parse().unwrap(),
        };
        let document = Targets { common, targets: BTreeMap::new(), delegations: None };
        Draft::new("production-releases", &document).unwrap()
    }

    #[test]
    fn signatures_are_added_one_by_one_and_counted_by_key() {
        let (alice, bob, stranger) = (key(1), key(2), key(3));
        let (mut keys, mut may) = role(&[&alice, &bob], 2);
        let mut draft = draft();
        for (signer, have) in [(&alice, 1), (&alice, 1), (&stranger, 1), (&bob, 2)] {
            draft.sign(signer).unwrap();
            let bytes = draft.to_bytes().unwrap();
            draft = Draft::parse("production-releases", &bytes, 10_000).unwrap();
            assert_eq!(draft.standing(&keys, &may).have, have);
        }
        assert!(draft.standing(&keys, &may).wrong.is_empty());
        // One key under a second id is still one key.
        keys.insert("another".to_owned(), alice.public().clone());
        may.keyids.push("another".to_owned());
        draft.add("another", &alice.sign(draft.message()).unwrap());
        let standing = draft.standing(&keys, &may);
        assert_eq!((standing.have, standing.signed.len()), (2, 3));
        draft.retain(&BTreeSet::from([bob.public().id()]));
        assert_eq!(draft.standing(&keys, &may).signed, [bob.public().id()]);
    }

    #[test]
    fn what_was_altered_after_a_signature_shows() {
        let alice = key(1);
        let (keys, may) = role(&[&alice], 1);
        let mut draft = draft();
        draft.sign(&alice).unwrap();
        let text = String::from_utf8(draft.to_bytes().unwrap()).unwrap();
        let altered = text.replace("\"version\":2", "\"version\":3");
        let altered = Draft::parse("production-releases", altered.as_bytes(), 10_000).unwrap();
        let standing = altered.standing(&keys, &may);
        assert_eq!((standing.have, standing.wrong), (0, vec![alice.public().id()]));
    }

    #[test]
    fn fields_that_nobody_would_see_are_refused() {
        let text = String::from_utf8(draft().to_bytes().unwrap()).unwrap();
        assert!(draft().read::<Targets>().is_ok());
        let more = text.replace("\"version\":2", "\"version\":2,\"x\":1");
        let more = Draft::parse("production-releases", more.as_bytes(), 10_000).unwrap();
        assert_eq!(more.read::<Targets>().unwrap_err().code(), "malformed");
    }
}
