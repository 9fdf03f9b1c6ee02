//! The repository as the conductor asks for it: behind one address or several, with patience.
//!
//! Enters: a path within the repository. Leaves: unverified bytes of one mirror; what travelled is
//! counted, wasted bytes too. A mirror that fails makes way for the next; when all have failed,
//! there is a wait, and after so many waits without progress the last error.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::fetch::{Backoff, Request, Response, Transport, read_all};
use crate::host::{Clock, Random};
use crate::progress::Cancel;
use crate::trust::{Source, TimestampAnswer};

/// A repository behind its mirrors; counts what travels.
pub(crate) struct Remote<'a> {
    mirrors: &'a [Arc<dyn Transport>],
    /// The mirror that is asked now.
    at: usize,
    /// Mirrors that failed in a row.
    failed: usize,
    backoff: Backoff,
    clock: &'a dyn Clock,
    random: &'a dyn Random,
    pub(crate) cancel: &'a Cancel,
    bytes: Arc<AtomicU64>,
    /// Requests so far.
    pub(crate) requests: u64,
}

impl<'a> Remote<'a> {
    /// Begins with the first of `mirrors`; waits at most `retries` times in a row.
    pub(crate) fn new(
        mirrors: &'a [Arc<dyn Transport>],
        retries: u32,
        clock: &'a dyn Clock,
        random: &'a dyn Random,
        cancel: &'a Cancel,
    ) -> Self {
        let (backoff, bytes) = (Backoff::new(retries), Arc::default());
        Self { mirrors, at: 0, failed: 0, backoff, clock, random, cancel, bytes, requests: 0 }
    }

    /// Bytes of the bodies of all answers so far, as far as they were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The place of the mirror that is asked now.
    pub(crate) fn mirror(&self) -> usize {
        self.at
    }

    /// How many mirrors there are.
    pub(crate) fn mirrors(&self) -> usize {
        self.mirrors.len()
    }

    /// How often in one run a blob may come wrong: each mirror gets one try, and one of them a
    /// second.
    pub(crate) fn tries(&self) -> usize {
        self.mirrors.len() + 1
    }

    /// Asks the next mirror from now on.
    pub(crate) fn turn(&mut self) {
        self.at = (self.at + 1) % self.mirrors.len().max(1);
    }

    /// Something that verified came: the next failure is the first again.
    pub(crate) fn progress(&mut self) {
        self.failed = 0;
        self.backoff.progress();
    }

    /// After a failure: returns once it is worth another try, with another mirror or after a wait.
    ///
    /// # Errors
    /// The failure, where it is not.
    pub(crate) fn recover(&mut self, error: Error) -> Result<()> {
        self.cancel.check()?;
        let (elsewhere, later, wish) = match &error {
            Error::Network(_) | Error::TooSlow { .. } => (true, true, None),
            Error::Http { status, retry_after, .. } => {
                (true, matches!(status, 408 | 425 | 429 | 500..), *retry_after)
            }
            Error::Digest { .. } | Error::TooLarge { .. } => (true, false, None),
            _ => (false, false, None),
        };
        self.failed += 1;
        if elsewhere && self.failed < self.mirrors.len() {
            log::info!("{error}: asking another mirror");
            self.turn();
            return Ok(());
        }
        self.failed = 0;
        let random = self.random.bytes().unwrap_or_default();
        let random = random.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        match self.backoff.after_failure(wish, random) {
            Some(wait) if later => {
                log::info!("{error}: again in {wait:?}");
                self.clock.pause(wait, self.cancel);
                self.turn();
                self.cancel.check()
            }
            _ => Err(error),
        }
    }

    /// Asks the mirror of the moment, once, and reads nothing of the answer.
    pub(crate) fn open(&mut self, request: &Request<'_>) -> Result<Response> {
        self.cancel.check()?;
        let Some(mirror) = self.mirrors.get(self.at) else {
            return Err(Error::Config("no url".to_owned()));
        };
        self.requests += 1;
        let mut response = mirror.get(request, self.cancel)?;
        if let Response::Found { body, .. } = &mut response {
            let inner = std::mem::replace(body, Box::new(io::empty()));
            *body = Box::new(Counted { inner, bytes: self.bytes.clone() });
        }
        Ok(response)
    }

    /// Asks until there is an answer, and hands it on with its body read.
    fn ask(&mut self, request: &Request<'_>) -> Result<TimestampAnswer> {
        loop {
            let answer = match self.open(request) {
                Ok(Response::Found { etag, date, body, .. }) => self
                    .finish(read_all(body, request.path, request.limit))
                    .map(|bytes| TimestampAnswer::Found { etag, date, bytes }),
                Ok(Response::NotModified) => Ok(TimestampAnswer::NotModified),
                Ok(Response::Missing) => Ok(TimestampAnswer::Missing),
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => {
                    self.progress();
                    return Ok(answer);
                }
                Err(error) => self.recover(error)?,
            }
        }
    }

    /// The whole of a small file, or nothing if the server has none.
    pub(crate) fn whole(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.ask(&Request::whole(path, limit))? {
            TimestampAnswer::Found { bytes, .. } => Ok(Some(bytes)),
            // Nobody asked whether something changed.
            TimestampAnswer::NotModified => Err(Error::http(304, path)),
            TimestampAnswer::Missing => Ok(None),
        }
    }

    /// A broken body of a cancelled call is a cancellation.
    fn finish(&self, read: Result<Vec<u8>>) -> Result<Vec<u8>> {
        read.map_err(|error| self.cancel.check().err().unwrap_or(error))
    }
}

/// A body whose bytes are counted as they are read.
struct Counted {
    inner: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Source for Remote<'_> {
    fn metadata(&mut self, file: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.whole(&format!("metadata/{file}"), limit)
    }

    fn timestamp(&mut self, etag: Option<&str>, limit: u64) -> Result<TimestampAnswer> {
        self.ask(&Request { etag, ..Request::whole("metadata/timestamp.json", limit) })
    }

    fn target(&mut self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.whole(&format!("targets/{path}"), limit)
    }
}
