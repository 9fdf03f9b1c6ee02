//! The repository as trust asks for it: names of metadata and targets become requests.

use crate::error::{Error, Result};
use crate::fetch::{Request, Response, Transport, read_all};
use crate::progress::Cancel;
use crate::trust::{Source, TimestampAnswer};

/// A repository behind a transport; counts what travels.
pub(crate) struct Remote<'a> {
    transport: &'a dyn Transport,
    cancel: &'a Cancel,
    /// Bytes of all answers so far.
    pub(crate) bytes: u64,
    /// Requests so far.
    pub(crate) requests: u64,
}

impl<'a> Remote<'a> {
    pub(crate) fn new(transport: &'a dyn Transport, cancel: &'a Cancel) -> Self {
        Self { transport, cancel, bytes: 0, requests: 0 }
    }

    /// Opens an answer without reading it.
    pub(crate) fn open(&mut self, path: &str, etag: Option<&str>, limit: u64) -> Result<Response> {
        self.cancel.check()?;
        self.requests += 1;
        self.transport.get(&Request { path, etag, limit }, self.cancel)
    }

    /// The whole of a small file, or nothing if the server has none.
    pub(crate) fn whole(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.open(path, None, limit)? {
            Response::Found { body, .. } => {
                let bytes = self.finish(read_all(body, path, limit))?;
                Ok(Some(bytes))
            }
            // Nobody asked whether something changed.
            Response::NotModified => Err(Error::Http { status: 304, file: path.to_owned() }),
            Response::Missing => Ok(None),
        }
    }

    /// A broken body of a cancelled call is a cancellation.
    fn finish(&mut self, read: Result<Vec<u8>>) -> Result<Vec<u8>> {
        let bytes = read.map_err(|error| self.cancel.check().err().unwrap_or(error))?;
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }
}

impl Source for Remote<'_> {
    fn metadata(&mut self, file: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.whole(&format!("metadata/{file}"), limit)
    }

    fn timestamp(&mut self, etag: Option<&str>, limit: u64) -> Result<TimestampAnswer> {
        let path = "metadata/timestamp.json";
        match self.open(path, etag, limit)? {
            Response::Found { etag, date, body } => {
                let bytes = self.finish(read_all(body, path, limit))?;
                Ok(TimestampAnswer::Found { etag, date, bytes })
            }
            Response::NotModified => Ok(TimestampAnswer::NotModified),
            Response::Missing => Ok(TimestampAnswer::Missing),
        }
    }

    fn target(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.whole(&format!("targets/{path}"), limit)
    }
}
