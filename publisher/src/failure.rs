//! What the command says when it fails: one sentence, what to do, and a stable code.

use std::path::Path;

/// A failure of the command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable, kebab-case. The client library's codes, and a few of the command's own.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// TUF role, where metadata was refused.
    pub role: Option<String>,
}

/// A result of the command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with one of the command's own codes.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), role: None }
    }

    /// A file that could not be read or written.
    #[must_use]
    pub fn file(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => "no-space",
            _ => "storage",
        };
        Self::new(code, format!("{doing} {}: {error}", path.display()))
    }
}

impl From<farad::Error> for Failure {
    fn from(error: farad::Error) -> Self {
        let hint = match &error {
            farad::Error::Network(_) => "; check the URL and the connection, then try again",
            farad::Error::NoSpace { .. } => "; free some room and try again",
            farad::Error::Busy(_) => "; wait for it to end",
            farad::Error::Trust(error) => match error.kind {
                farad::TrustKind::BadRoot => {
                    "; pass the farad-root.json that `farad init` wrote for this repository"
                }
                farad::TrustKind::Expired => {
                    "; the publisher runs `farad refresh` and uploads the repository"
                }
                farad::TrustKind::Signature => {
                    "; is this the farad-root.json of this repository, and is it uploaded whole?"
                }
                _ => "",
            },
            _ => "",
        };
        let role = match &error {
            farad::Error::Trust(error) => Some(error.role.clone()),
            _ => None,
        };
        Self { code: error.code(), message: format!("{error}{hint}"), role }
    }
}
