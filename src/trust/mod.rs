//! Trust: The Update Framework (TUF 1.0), client side, synchronous, without I/O of its own.
//!
//! Enters: the root that ships with the app, what an untrusted [`Source`] answers, and what a
//! [`Keep`] kept from earlier runs. Leaves: target files (rollout, policy, release manifests) that
//! the keys of their roles vouch for, now. Refuses everything else with a
//! [`crate::TrustError`] that names the role and the rule.
//!
//! `envelope` verifies one file, `set` holds the rules between files, `session` the order of steps
//! and what is kept when, `clock` what time it is, `chain` how the shipped root meets the kept ones.

mod chain;
mod clock;
#[cfg(feature = "publish")]
pub mod draft;
mod envelope;
pub mod key;
pub mod metadata;
mod pattern;
mod session;
mod set;
#[cfg(feature = "publish")]
pub mod sign;
#[cfg(test)]
mod tests;

pub use session::{Order, Session, Setting, with_session};

use crate::digest::Digest;
use crate::error::Result;
use crate::time::UnixTime;

/// Where metadata and targets come from. Nothing it says is believed.
pub trait Source {
    /// The metadata file of this name, such as `3.root.json`; nothing if there is none.
    ///
    /// # Errors
    /// Where it cannot be known whether there is one.
    fn metadata(&mut self, file: &str, limit: u64) -> Result<Option<Vec<u8>>>;

    /// `timestamp.json`, unless it is still the version that `etag` names.
    ///
    /// # Errors
    /// As [`Source::metadata`].
    fn timestamp(&mut self, etag: Option<&str>, limit: u64) -> Result<TimestampAnswer>;

    /// The target file at this path, digest prefix included; nothing if there is none.
    ///
    /// # Errors
    /// As [`Source::metadata`].
    fn target(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>>;
}

/// What a source says of `timestamp.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimestampAnswer {
    /// Its bytes.
    Found {
        /// The source's name for this version.
        etag: Option<String>,
        /// The source's clock, where nobody on the way can have set it.
        date: Option<UnixTime>,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Still the version that was named.
    NotModified,
    /// There is none.
    Missing,
}

/// Where verified files are kept between runs. Names are safe as file names; some stand in one
/// folder (`root/3.json`, `targets/<sha256>`). What comes back is verified again.
pub trait Keep {
    /// The bytes kept under `name`.
    ///
    /// # Errors
    /// Where storage cannot be read.
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Keeps `bytes` under `name`: durable and whole when it returns.
    ///
    /// # Errors
    /// Where storage cannot be written; the old bytes are still there then.
    fn save(&mut self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Forgets `name`; nothing there is fine.
    ///
    /// # Errors
    /// Where storage cannot be written.
    fn remove(&mut self, name: &str) -> Result<()>;

    /// All names that something is kept under.
    ///
    /// # Errors
    /// Where storage cannot be read.
    fn names(&self) -> Result<Vec<String>>;
}

/// The name under which a role's file is kept: anything but small letters, digits, `-` and `_` is
/// percent-encoded, so that no role name is a path, and no two roles are one file where a file
/// system takes `A` for `a`. What grows too long for a file name is told apart by its digest.
fn kept_name(role: &str) -> String {
    let name = quote(role, |byte| byte.is_ascii_lowercase() || b"-_".contains(&byte));
    if name.len() > 200 {
        return format!("%long-{}.json", Digest::of(role.as_bytes()));
    }
    name + ".json"
}

/// A role name as one segment of a URL: all but the unreserved characters of RFC 3986 is
/// percent-encoded.
fn url_segment(role: &str) -> String {
    quote(role, |byte| byte.is_ascii_alphabetic() || b"-_.~".contains(&byte))
}

/// Percent-encodes all but digits and what is `plain`.
fn quote(text: &str, plain: impl Fn(u8) -> bool) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut quoted, byte| {
        if byte.is_ascii_digit() || plain(byte) {
            quoted.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(quoted, "%{byte:02X}");
        }
        quoted
    })
}
