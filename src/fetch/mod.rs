//! Getting files of a repository over HTTP, and posting events.
//!
//! Enters: a path within the repository. Leaves: a stream of unverified bytes, cut off at the limit
//! the caller sets. Refuses: plain http except to this machine, redirects to it, TLS below 1.3
//! unless configured, compressed answers, answers that are longer or slower than they may be, be it by
//! bytes that no reader sees (`line`).

#[cfg(feature = "net")]
mod agent;
mod backoff;
#[cfg(feature = "net")]
mod http;
#[cfg(all(test, feature = "net"))]
mod https;
#[cfg(feature = "net")]
mod line;
#[cfg(feature = "net")]
mod pace;
#[cfg(feature = "net")]
mod redirect;
#[cfg(feature = "net")]
mod sink;

use std::io::Read;

#[cfg(feature = "net")]
pub use agent::{HttpOptions, MinTls};
pub(crate) use backoff::Backoff;
#[cfg(feature = "net")]
pub use http::Http;
#[cfg(feature = "net")]
pub use pace::Pace;
#[cfg(feature = "net")]
pub use sink::HttpSink;

use crate::error::{Error, Result};
use crate::progress::Cancel;
use crate::time::UnixTime;

/// One request for a file.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Path within the repository, such as `metadata/timestamp.json`.
    pub path: &'a str,
    /// Ask only for something other than this version.
    pub etag: Option<&'a str>,
    /// Ask for these bytes of the file alone. A server may send all of it instead.
    pub part: Option<Part>,
    /// Ask for the part only if it is one of this version; of another one all of it comes
    /// (`If-Range`, RFC 9110, section 13.1.5). Without a part it means nothing.
    pub if_range: Option<&'a str>,
    /// Most bytes that the whole file may have.
    pub limit: u64,
}

/// A part of a file: its bytes from `from` up to, not including, `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Position of the first byte.
    pub from: u64,
    /// Position after the last byte.
    pub to: u64,
}

impl<'a> Request<'a> {
    /// A request for a whole file of at most `limit` bytes.
    #[must_use]
    pub fn whole(path: &'a str, limit: u64) -> Self {
        Self { path, etag: None, part: None, if_range: None, limit }
    }
}

/// The answer to a [`Request`].
pub enum Response {
    /// The file. Reading past the limit, or a connection that breaks, is an error of the reader.
    Found {
        /// The server's name for this version.
        etag: Option<String>,
        /// The server's clock, where nobody on the way can have set it (https, this machine).
        date: Option<UnixTime>,
        /// Position in the file of the body's first byte: that of the part that was asked for, or
        /// 0 where the server sends all of it.
        from: u64,
        /// The content.
        body: Box<dyn Read + Send>,
    },
    /// The version that was named is still the one.
    NotModified,
    /// No such file (404, or 403 as buckets say it).
    Missing,
}

/// Something that gets files of one repository.
pub trait Transport: Send + Sync {
    /// Asks for one file; blocks until the headers of the answer are there.
    ///
    /// # Errors
    /// [`crate::Error::Network`], [`crate::Error::Http`], [`crate::Error::Cancelled`].
    fn get(&self, request: &Request<'_>, cancel: &Cancel) -> Result<Response>;
}

/// Something that takes batches of events.
pub trait Sink: Send + Sync {
    /// Hands over one batch, JSON as `docs/events.md` describes it, and returns what the server
    /// says to it: at most `limit` bytes. Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Network`], [`crate::Error::Http`], [`crate::Error::Cancelled`]. The batch is
    /// sent again another time.
    fn post(&self, batch: &[u8], limit: u64, cancel: &Cancel) -> Result<Vec<u8>>;
}

/// Reads a small answer whole.
///
/// # Errors
/// [`Error::TooLarge`] past the limit of the request; [`Error::Network`] where the connection
/// breaks.
pub fn read_all(body: Box<dyn Read + Send>, path: &str, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| broken(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { what: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// A body that broke off, or came too slowly.
pub(crate) fn broken(path: &str, error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::TimedOut {
        return Error::TooSlow { file: path.to_owned() };
    }
    Error::Network(format!("{path}: {error}"))
}
