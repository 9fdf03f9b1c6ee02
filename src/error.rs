//! The one error of the library. Variants by what the caller can do, each with a stable code.
//!
//! Texts carry no URL queries, keys or user data, so that they may go to a log or a bug report.
//! `docs/errors.md` lists every code; a test compares the two.

use std::io;

/// What went wrong, and so what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host's configuration cannot work: mend it and ship a new build.
    #[error("configuration: {0}")]
    Config(String),
    /// The server could not be reached or broke off: try again later.
    #[error("network: {0}")]
    Network(String),
    /// The server answered with something that is not a repository's answer: try again later.
    #[error("the server answered {status} for {file}")]
    Http {
        /// HTTP status code.
        status: u16,
        /// Seconds after which the server wants to be asked again, if it said so.
        retry_after: Option<u64>,
        /// File within the repository.
        file: String,
    },
    /// The server sends so slowly that it might as well not: try again later.
    #[error("the server sends {file} too slowly")]
    TooSlow {
        /// File within the repository.
        file: String,
    },
    /// Too early: this release failed here before, the server asked for patience, or a day's bytes
    /// are used up. Nothing was fetched; a later sync goes on.
    #[error("not before {seconds} s from now ({why})")]
    TooEarly {
        /// How long to wait, seconds.
        seconds: u64,
        /// What for.
        why: &'static str,
    },
    /// Metadata that the trust rules refuse. Nothing of it was kept.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A signed document that breaks its format's rules: the publisher must release again.
    #[error("{what}: {detail}")]
    Document {
        /// Which document.
        what: String,
        /// Which rule.
        detail: String,
    },
    /// Bytes that a signed digest does not cover. They reached no decoder and were dropped.
    #[error("{what} does not match its signed digest")]
    Digest {
        /// What was fetched or read.
        what: String,
    },
    /// More bytes than the format or the signed length allows.
    #[error("{what} is longer than {limit} bytes")]
    TooLarge {
        /// What was being read.
        what: String,
        /// The limit, bytes.
        limit: u64,
    },
    /// A sealed release that the keys here do not open as it says, or an open one where sealing is
    /// required. Says no more, whatever it was: details would help those who try.
    #[error("the release is not sealed as it must be")]
    Seal,
    /// Too little room: free some. Everything is as it was.
    #[error("no space left on the device ({doing})")]
    NoSpace {
        /// What was being done.
        doing: String,
    },
    /// The app's storage refused: locked phone, permission, broken disk.
    #[error("storage: {doing}: {source}")]
    Storage {
        /// What was being done, to which file (relative to the store).
        doing: String,
        /// The system's word.
        source: io::Error,
    },
    /// Another run of the same work is under way, here or in another process.
    #[error("another {0} is under way")]
    Busy(&'static str),
    /// The caller cancelled. What was fetched may be used by the next run.
    #[error("cancelled")]
    Cancelled,
    /// A call's options are not what the call takes: mend the call.
    #[error("{0}")]
    Argument(String),
    /// The call asks for what policy, the state of this device or the kind of the app's build does not
    /// allow. Nothing changed, and nothing will while that holds.
    #[error("not allowed: {0}")]
    NotAllowed(&'static str),
    /// `ready` or `fail` came with a token that is not the running launch's.
    #[error("this launch token is not the running launch's")]
    StaleToken,
}

/// A result with the library's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Metadata that was refused: which role's, and as what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{role}: {kind}{}", detail_suffix(.detail))]
pub struct TrustError {
    /// TUF role, such as `timestamp` or `production-releases`.
    pub role: String,
    /// The rule that was broken.
    pub kind: TrustKind,
    /// For the log: versions, times, names.
    pub detail: String,
}

/// Most of a text from outside that an error repeats, characters.
const TOLD: usize = 256;

/// Text from outside as an error repeats it: not without end, on one line, and with nothing that a
/// terminal or a log would obey instead of showing it.
pub(crate) fn told(text: &str) -> String {
    let mut told = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == TOLD {
            told.push('…');
            break;
        }
        if "\"'\\".contains(c) {
            told.push(c);
        } else {
            told.extend(c.escape_debug());
        }
    }
    told
}

fn detail_suffix(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

impl TrustError {
    /// An error of `kind` in `role`. Both texts may come from outside.
    pub fn new(role: impl AsRef<str>, kind: TrustKind, detail: impl AsRef<str>) -> Self {
        Self { role: told(role.as_ref()), kind, detail: told(detail.as_ref()) }
    }
}

/// The trust rule that was broken. TUF 1.0, section 5; attack names of section 1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TrustKind {
    /// The root shipped with the app is unusable.
    #[error("the root shipped with the app is not valid")]
    BadRoot,
    /// Longer than its limit or its listing.
    #[error("too long")]
    TooLarge,
    /// Not what TUF metadata looks like.
    #[error("not valid metadata")]
    Malformed,
    /// One key signed twice in one file.
    #[error("one key signs twice")]
    DuplicateSignature,
    /// Too few valid signatures by the keys of the role.
    #[error("not signed by enough of the role's keys")]
    Signature,
    /// Another role's metadata.
    #[error("metadata of another role")]
    WrongType,
    /// A TUF version other than 1.
    #[error("unsupported version of the specification")]
    UnsupportedSpec,
    /// A root that is not the successor of the trusted one.
    #[error("not the next root")]
    RootVersion,
    /// An older version than one seen before.
    #[error("older than what was seen before")]
    Rollback,
    /// A snapshot that no longer names a role it named before.
    #[error("a role vanished from the snapshot")]
    RoleRemoved,
    /// Not the version that the referring role names.
    #[error("not the version that was announced")]
    VersionMismatch,
    /// Not the bytes that the referring role names.
    #[error("not the bytes that were announced")]
    HashMismatch,
    /// Named with no digest this client knows.
    #[error("announced without a usable digest")]
    NoUsableHash,
    /// Past its expiry.
    #[error("expired")]
    Expired,
    /// A delegated role that the snapshot does not name.
    #[error("not named by the snapshot")]
    NotInSnapshot,
    /// Not to be found in any role that may say so.
    #[error("no trusted role names it")]
    TargetNotFound,
    /// The server has no such file.
    #[error("missing on the server")]
    Missing,
    /// Made for another app or channel.
    #[error("made for another app or channel")]
    WrongRepository,
}

/// A document of another app or channel: perhaps signed by the same keys, and still not for here.
pub(crate) fn wrong_repository(what: &str) -> Error {
    TrustError::new(what, TrustKind::WrongRepository, "").into()
}

impl TrustKind {
    /// Stable, kebab-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BadRoot => "bad-root",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::DuplicateSignature => "duplicate-signature",
            Self::Signature => "signature",
            Self::WrongType => "wrong-type",
            Self::UnsupportedSpec => "unsupported-spec",
            Self::RootVersion => "root-version",
            Self::Rollback => "rollback",
            Self::RoleRemoved => "role-removed",
            Self::VersionMismatch => "version-mismatch",
            Self::HashMismatch => "hash-mismatch",
            Self::NoUsableHash => "no-usable-hash",
            Self::Expired => "expired",
            Self::NotInSnapshot => "not-in-snapshot",
            Self::TargetNotFound => "target-not-found",
            Self::Missing => "missing",
            Self::WrongRepository => "wrong-repository",
        }
    }

    /// The attack that the rule stops, by TUF's name for it; none where it is as likely an
    /// accident.
    #[must_use]
    pub fn attack(self) -> Option<&'static str> {
        match self {
            Self::TooLarge => Some("endless-data"),
            Self::DuplicateSignature | Self::Signature | Self::WrongType | Self::BadRoot => {
                Some("arbitrary-software")
            }
            Self::Rollback | Self::RoleRemoved | Self::RootVersion => Some("rollback"),
            Self::VersionMismatch | Self::HashMismatch | Self::NotInSnapshot => {
                Some("mix-and-match")
            }
            Self::Expired => Some("indefinite-freeze"),
            Self::WrongRepository => Some("wrong-software"),
            Self::Malformed
            | Self::UnsupportedSpec
            | Self::NoUsableHash
            | Self::TargetNotFound
            | Self::Missing => None,
        }
    }
}

impl Error {
    /// Stable, kebab-case code, the same in Rust, Kotlin, Swift, TypeScript and the command.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "config-invalid",
            Self::Network(_) => "network",
            Self::Http { .. } => "http-status",
            Self::TooSlow { .. } => "too-slow",
            Self::TooEarly { .. } => "too-early",
            Self::Trust(error) => error.kind.code(),
            Self::Document { .. } => "malformed",
            Self::Digest { .. } => "hash-mismatch",
            Self::TooLarge { .. } => "too-large",
            Self::Seal => "seal",
            Self::NoSpace { .. } => "no-space",
            Self::Storage { .. } => "storage",
            Self::Busy(_) => "busy",
            Self::Cancelled => "cancelled",
            Self::Argument(_) => "argument-invalid",
            Self::NotAllowed(_) => "not-allowed",
            Self::StaleToken => "stale-token",
        }
    }

    /// Whether what was served is to blame: it is not what was signed, or breaks its format.
    pub(crate) fn blames_content(&self) -> bool {
        matches!(
            self,
            Self::Digest { .. } | Self::Document { .. } | Self::TooLarge { .. } | Self::Seal
        )
    }

    /// The same, or the server does not have the file, or not all of it. A network or a disk that fails is
    /// neither.
    pub(crate) fn blames_file(&self) -> bool {
        let missing = matches!(self, Self::Http { status: 404 | 410 | 416, .. });
        missing || self.blames_content()
    }

    /// Whether the same call may succeed later without anybody's doing.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            Self::Network(_)
                | Self::Http { .. }
                | Self::TooSlow { .. }
                | Self::TooEarly { .. }
                | Self::Busy(_)
                | Self::Digest { .. }
        )
    }

    /// A status other than success.
    pub(crate) fn http(status: u16, file: impl Into<String>) -> Self {
        Self::Http { status, retry_after: None, file: file.into() }
    }

    /// A storage error, told apart from a full disk.
    pub fn storage(doing: impl Into<String>, source: io::Error) -> Self {
        let doing = doing.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { doing },
            _ => Self::Storage { doing, source },
        }
    }

    /// A document that breaks its format.
    pub fn document(what: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::Document { what: what.into(), detail: told(&detail.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_told_on_one_line_and_not_without_end() {
        assert_eq!(told("a\nb\u{1b}[2J\u{202e}"), "a\\nb\\u{1b}[2J\\u{202e}");
        for plain in ["role \"x\" isn't, C:\\ is", "Zoë, 北京"] {
            assert_eq!(told(plain), plain);
        }
        let long = told(&"ü".repeat(1000));
        assert_eq!(long.chars().count(), TOLD + 1);
        for error in [
            Error::document("rollout", "a\nb"),
            TrustError::new("a\nb", TrustKind::Missing, "a\nb").into(),
        ] {
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
