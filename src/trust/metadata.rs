//! TUF metadata as types (TUF 1.0, section 4). One struct a role; unknown fields are left alone,
//! since signatures are checked over what arrived and not over these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::Key;
use crate::time::UnixTime;

/// Fields that every role's `signed` part has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// Role type: `root`, `timestamp`, `snapshot` or `targets`.
    #[serde(rename = "_type")]
    pub role_type: String,
    /// Version of the TUF specification.
    pub spec_version: String,
    /// Version of this metadata, from 1.
    pub version: u64,
    /// When it stops being valid.
    pub expires: UnixTime,
}

/// Who may sign for a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// Keys, by id.
    pub keyids: Vec<String>,
    /// How many different ones must sign.
    pub threshold: u64,
}

/// `root`: the keys of the top-level roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Type, version, expiry.
    #[serde(flatten)]
    pub common: Common,
    /// Whether versioned file names are used.
    #[serde(default)]
    pub consistent_snapshot: bool,
    /// Keys by id.
    pub keys: BTreeMap<String, Key>,
    /// Top-level roles by name.
    pub roles: BTreeMap<String, RoleKeys>,
}

/// One metadata file as timestamp and snapshot name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFile {
    /// Its version.
    pub version: u64,
    /// Its length, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Its digests by algorithm, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<BTreeMap<String, String>>,
}

/// `timestamp`: the snapshot that is current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    /// Type, version, expiry.
    #[serde(flatten)]
    pub common: Common,
    /// When it was signed: a field of ours, the lower bound of this device's idea of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<UnixTime>,
    /// `snapshot.json` only.
    pub meta: BTreeMap<String, MetaFile>,
}

/// `snapshot`: the versions of all targets roles that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Type, version, expiry.
    #[serde(flatten)]
    pub common: Common,
    /// Files by name, `targets.json` and the delegated roles'.
    pub meta: BTreeMap<String, MetaFile>,
}

/// One target as a targets role lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    /// Length, bytes.
    pub length: u64,
    /// Digests by algorithm, in hex.
    pub hashes: BTreeMap<String, String>,
    /// Anything the signer adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Value>,
}

/// `targets` or a delegated role: target files, and who else may list which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// Type, version, expiry.
    #[serde(flatten)]
    pub common: Common,
    /// Target files by path.
    pub targets: BTreeMap<String, TargetFile>,
    /// Delegations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegations: Option<Delegations>,
}

/// The delegations of a targets role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegations {
    /// Keys by id.
    pub keys: BTreeMap<String, Key>,
    /// Roles, highest priority first.
    #[serde(default)]
    pub roles: Vec<Delegation>,
}

/// One delegated role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Its name.
    pub name: String,
    /// Who may sign it.
    #[serde(flatten)]
    pub keys: RoleKeys,
    /// Nothing after it is looked at for paths that match.
    #[serde(default)]
    pub terminating: bool,
    /// Path patterns it may list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// Or: prefixes of the SHA-256 of paths it may list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_hash_prefixes: Option<Vec<String>>,
}
