//! A sink for events over HTTP: one URL that batches are posted to.
//!
//! Enters: a batch of events as JSON. Leaves: the answer's body, unjudged. Refuses: plain http
//! except to this machine, redirects, answers that are too long, and any status but 200.

use ureq::http::{StatusCode, header};

use super::agent::{Capped, HttpOptions, check_url, lines, unreachable};
use super::http::retry_after;
use super::line::Lines;
use super::pace::Pace;
use super::{Sink, read_all};
use crate::error::{Error, Result};
use crate::progress::Cancel;

/// What errors call it: the URL may hold a key.
const NAME: &str = "events";

/// A URL that takes events.
pub struct HttpSink {
    lines: Lines,
    url: String,
    pace: Pace,
}

impl HttpSink {
    /// A sink at `url`, such as `https://updates.example.com/v1/events`. Connects nowhere yet.
    ///
    /// # Errors
    /// [`Error::Config`] where `url` is not an https URL (http is allowed to this machine only),
    /// carries a query or credentials.
    pub fn new(url: &str, options: &HttpOptions) -> Result<Self> {
        let place = check_url(url, options.allow_plain)?;
        // Where a sign-in or a new host stands in the way, events wait.
        let lines = lines(options, place.secure);
        Ok(Self { lines, url: url.to_owned(), pace: options.pace })
    }
}

impl Sink for HttpSink {
    fn post(&self, batch: &[u8], limit: u64, cancel: &Cancel) -> Result<Vec<u8>> {
        cancel.check()?;
        let line = self.lines.lend();
        let call = line.agent(limit, cancel).post(&self.url);
        let call = call.header(header::CONTENT_TYPE, "application/json");
        let response = call.send(batch).map_err(|error| unreachable(&error, cancel))?;
        if response.status() != StatusCode::OK {
            return Err(Error::Http {
                status: response.status().as_u16(),
                retry_after: retry_after(response.headers()),
                file: NAME.to_owned(),
            });
        }
        let body = Capped::new(response.into_body(), limit, self.pace, line);
        read_all(Box::new(body), NAME, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_held_to_the_rules_of_a_repository() {
        let allowed = |url: &str| HttpSink::new(url, &HttpOptions::default()).is_ok();
        assert!(allowed("https://updates.example.com/v1/events"));
        assert!(allowed("http://127.0.0.1:8080/events"));
        for bad in ["http://updates.example.com/events", "https://a.example/?key=1", "events"] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
