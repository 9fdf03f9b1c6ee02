//! The transport over HTTP: ureq and rustls, blocking.

use std::time::UNIX_EPOCH;

use ureq::Body;
use ureq::http::{StatusCode, Uri, header};

use super::agent::{Capped, HttpOptions, Place, check_url, lines, unreachable};
use super::line::{Lent, Lines};
use super::pace::Pace;
use super::redirect::{is_redirect, target};
use super::{Part, Request, Response, Transport};
use crate::error::{Error, Result};
use crate::progress::Cancel;
use crate::time::UnixTime;

/// A content delivery network may move a file once or twice, not send us in circles.
const REDIRECTS: u32 = 3;

/// A repository behind one base URL.
pub struct Http {
    lines: Lines,
    base: String,
    pace: Pace,
    /// Redirects that one request follows.
    redirects: u32,
    /// Nobody on the way can change an answer's headers: https, or this machine.
    sealed_off: bool,
}

impl Http {
    /// A transport for the repository at `base`, such as `https://updates.example.com/shop`.
    /// Connects nowhere yet.
    ///
    /// # Errors
    /// [`Error::Config`] where `base` is not an https URL (http is allowed to this machine only),
    /// carries a query or credentials.
    pub fn new(base: &str, options: &HttpOptions) -> Result<Self> {
        let Place { secure, local } = check_url(base, options.allow_plain)?;
        // Away from plain http a redirect could lead anywhere on this machine's network.
        let redirects = if secure { REDIRECTS } else { 0 };
        let (lines, base) = (lines(options, secure), base.trim_end_matches('/').to_owned());
        Ok(Self { lines, base, pace: options.pace, redirects, sealed_off: secure || local })
    }

    /// Trusts a test's certificates, where a test has a server with TLS.
    #[cfg(test)]
    pub(super) fn trusting(self, options: &HttpOptions, roots: ureq::tls::RootCerts) -> Self {
        Self { lines: super::agent::lines_trusting(options, true, roots), ..self }
    }

    /// Follows redirects as https does, where a test has a server without TLS.
    #[cfg(test)]
    pub(super) fn following(self) -> Self {
        Self { redirects: REDIRECTS, ..self }
    }

    /// The answer at the end of all redirects; of none of them is the body read.
    fn answer(
        &self,
        line: &Lent,
        request: &Request<'_>,
        cancel: &Cancel,
    ) -> Result<ureq::http::Response<Body>> {
        let mut uri = format!("{}/{}", self.base, request.path)
            .parse::<Uri>()
            .map_err(|_| Error::Network(format!("{}: no URL has such a path", request.path)))?;
        let mut left = self.redirects;
        loop {
            let mut call = line.agent(request.limit, cancel).get(&uri);
            if let Some(etag) = request.etag {
                call = call.header(header::IF_NONE_MATCH, etag);
            }
            if let Some(Part { from, to }) = request.part {
                call = call.header(header::RANGE, format!("bytes={from}-{}", to.saturating_sub(1)));
                if let Some(etag) = request.if_range {
                    call = call.header(header::IF_RANGE, etag);
                }
            }
            let response = call.call().map_err(|error| unreachable(&error, cancel))?;
            let location = response.headers().get(header::LOCATION);
            match location.and_then(|location| location.to_str().ok()) {
                Some(location) if self.redirects > 0 && is_redirect(response.status()) => {
                    left = left.checked_sub(1).ok_or_else(|| {
                        Error::Network("the server redirects too often".to_owned())
                    })?;
                    uri = target(&uri, location)?;
                }
                _ => return Ok(response),
            }
        }
    }

    fn found(
        &self,
        response: ureq::http::Response<Body>,
        request: &Request<'_>,
        part: Option<Part>,
        line: Lent,
    ) -> Result<Response> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // Nothing of ours is compressed on the way: a proxy that does it anyway would hand a bomb
        // to a decoder before any digest was checked.
        if header(header::CONTENT_ENCODING)
            .is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"))
        {
            return Err(Error::Network(format!("{}: the answer is compressed", request.path)));
        }
        // Nothing of ours is a web page: somebody between has one to show.
        if header(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
        {
            let what = "a web page came instead; does this network want a sign-in?";
            return Err(Error::Network(format!("{}: {what}", request.path)));
        }
        let (from, limit) = match part {
            None => (0, request.limit),
            Some(part) => {
                if header(header::CONTENT_RANGE).and_then(range_start) != Some(part.from) {
                    let what = "the server sends another part than was asked for";
                    return Err(Error::Network(format!("{}: {what}", request.path)));
                }
                (part.from, part.to.saturating_sub(part.from))
            }
        };
        if response.body().content_length().is_some_and(|length| length > limit) {
            return Err(Error::TooLarge { what: request.path.to_owned(), limit });
        }
        let etag = header(header::ETAG).filter(|etag| etag.len() <= 256).map(str::to_owned);
        let date = header(header::DATE).filter(|_| self.sealed_off).and_then(http_date);
        let body = Capped::new(response.into_body(), limit, self.pace, line);
        Ok(Response::Found { etag, date, from, body: Box::new(body) })
    }
}

/// The first position that a `Content-Range` header names (RFC 9110, section 14.4).
fn range_start(text: &str) -> Option<u64> {
    text.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// Seconds that a `Retry-After` header asks for (RFC 9110, section 10.2.3), at most a day.
pub(super) fn retry_after(headers: &ureq::http::HeaderMap) -> Option<u64> {
    const DAY: u64 = 86_400;
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let wish = text(header::RETRY_AFTER)?.trim();
    let seconds = match wish.parse::<u64>() {
        Ok(seconds) => seconds,
        // A date is held against the server's own clock.
        Err(_) => {
            let (then, now) = (http_date(wish)?, http_date(text(header::DATE)?)?);
            then.seconds().saturating_sub(now.seconds())
        }
    };
    Some(seconds.min(DAY))
}

/// The moment that a `Date` header names (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<UnixTime> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixTime::from_seconds(since.as_secs()))
}

impl Transport for Http {
    fn get(&self, request: &Request<'_>, cancel: &Cancel) -> Result<Response> {
        cancel.check()?;
        let line = self.lines.lend();
        let response = self.answer(&line, request, cancel)?;
        match response.status() {
            StatusCode::OK => self.found(response, request, None, line),
            StatusCode::PARTIAL_CONTENT if request.part.is_some() => {
                self.found(response, request, request.part, line)
            }
            StatusCode::NOT_MODIFIED if request.etag.is_some() => Ok(Response::NotModified),
            // Buckets say 403 for what they do not hold.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(Response::Missing),
            status => Err(Error::Http {
                status: status.as_u16(),
                retry_after: retry_after(response.headers()),
                file: request.path.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::fetch::MinTls;

    /// Answers one connection with `answer` and hands back what was asked.
    fn serve_once(answer: &'static [u8]) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/repo/", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                asked.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (url, server)
    }

    fn get(answer: &'static [u8], etag: Option<&str>) -> (Result<Response>, String) {
        let (url, server) = serve_once(answer);
        let http = Http::new(&url, &HttpOptions::default()).unwrap();
        let request = Request { etag, ..Request::whole("metadata/timestamp.json", 8) };
        let response = http.get(&request, &Cancel::default());
        (response, server.join().unwrap())
    }

    fn body(answer: &'static [u8]) -> Result<Vec<u8>> {
        match get(answer, None).0? {
            Response::Found { body, .. } => super::super::read_all(body, "file", 8),
            _ => panic!("not found"),
        }
    }

    #[test]
    fn asks_plainly_and_names_the_version_it_has() {
        let (response, asked) = get(b"HTTP/1.1 304 Not Modified\r\n\r\n", Some("\"7\""));
        assert!(matches!(response, Ok(Response::NotModified)));
        assert!(asked.starts_with("GET /repo/metadata/timestamp.json HTTP/1.1\r\n"), "{asked}");
        let asked = asked.to_ascii_lowercase();
        assert!(asked.contains("if-none-match: \"7\""), "{asked}");
        assert!(asked.contains("accept-encoding: identity"), "{asked}");
    }

    #[test]
    fn reads_up_to_the_limit_and_not_beyond() {
        assert_eq!(
            body(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12345678").unwrap(),
            b"12345678"
        );
        let announced = body(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789");
        assert!(matches!(announced, Err(Error::TooLarge { limit: 8, .. })));
        let endless = body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n9\r\n123456789\r\n0\r\n\r\n");
        assert!(endless.is_err());
    }

    #[test]
    fn a_body_that_breaks_off_is_a_network_error() {
        let short = body(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1234");
        assert_eq!(short.unwrap_err().code(), "network");
    }

    /// Asks for bytes 3 to 5 and hands back where the body begins, the body, and what was asked.
    fn part(answer: &'static [u8]) -> (Result<(u64, Vec<u8>)>, String) {
        let (url, server) = serve_once(answer);
        let http = Http::new(&url, &HttpOptions::default()).unwrap();
        let part = Some(Part { from: 3, to: 6 });
        let request = Request { part, ..Request::whole("blobs/x", 10) };
        let got = match http.get(&request, &Cancel::default()) {
            Ok(Response::Found { from, body, .. }) => {
                super::super::read_all(body, "x", 10).map(|bytes| (from, bytes))
            }
            Ok(_) => panic!("not found"),
            Err(error) => Err(error),
        };
        (got, server.join().unwrap())
    }

    #[test]
    fn a_part_is_asked_for_and_the_whole_is_taken_too() {
        let (got, asked) =
            part(b"HTTP/1.1 206 P\r\nContent-Range: bytes 3-5/10\r\nContent-Length: 3\r\n\r\ndef");
        assert_eq!(got.unwrap(), (3, b"def".to_vec()));
        assert!(asked.to_ascii_lowercase().contains("range: bytes=3-5\r\n"), "{asked}");
        let (got, _) = part(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef");
        assert_eq!(got.unwrap(), (0, b"abcdef".to_vec()));
    }

    #[test]
    fn a_part_that_nobody_asked_for_is_refused() {
        for answer in [
            &b"HTTP/1.1 206 P\r\nContent-Range: bytes 4-6/10\r\nContent-Length: 3\r\n\r\nefg"[..],
            b"HTTP/1.1 206 P\r\nContent-Length: 3\r\n\r\ndef",
            b"HTTP/1.1 206 P\r\nContent-Range: bytes 3-9/10\r\nContent-Length: 7\r\n\r\ndefghij",
            b"HTTP/1.1 206 P\r\nContent-Type: multipart/byteranges; boundary=x\r\nContent-Length: 1\r\n\r\n-",
        ] {
            assert!(part(answer).0.is_err(), "{}", String::from_utf8_lossy(answer));
        }
        let (got, _) = part(b"HTTP/1.1 416 R\r\nContent-Range: bytes */2\r\n\r\n");
        assert!(matches!(got, Err(Error::Http { status: 416, .. })));
    }

    #[test]
    fn a_web_page_is_no_answer() {
        let page = body(
            b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Length: 1\r\n\r\nx",
        );
        assert_eq!(page.unwrap_err().code(), "network");
    }

    #[test]
    fn a_busy_server_may_say_when_to_come_back() {
        let wish = |answer| match get(answer, None).0 {
            Err(Error::Http { retry_after, .. }) => retry_after,
            _ => panic!("not an error"),
        };
        assert_eq!(wish(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n"), Some(7));
        assert_eq!(wish(b"HTTP/1.1 429 Slow\r\nRetry-After: 99999999\r\n\r\n"), Some(86_400));
        let dated = b"HTTP/1.1 503 Busy\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n\r\n";
        assert_eq!(wish(dated), Some(60));
        assert_eq!(wish(b"HTTP/1.1 503 Busy\r\nRetry-After: soon\r\n\r\n"), None);
        assert_eq!(wish(b"HTTP/1.1 503 Busy\r\n\r\n"), None);
    }

    #[test]
    fn a_body_that_drips_is_too_slow() {
        let (url, server) = serve_once(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1234");
        // No server is this fast.
        let pace = Pace { bytes: u64::MAX, window: Duration::ZERO };
        let http = Http::new(&url, &HttpOptions { pace, ..HttpOptions::default() }).unwrap();
        let request = Request::whole("file", 8);
        let Ok(Response::Found { body, .. }) = http.get(&request, &Cancel::default()) else {
            panic!("not found")
        };
        let slow = super::super::read_all(body, "file", 8).unwrap_err();
        assert_eq!((slow.code(), slow.retryable()), ("too-slow", true));
        server.join().unwrap();
    }

    #[test]
    fn the_servers_clock_is_read_and_anything_else_in_its_place_is_none() {
        let date = |answer| match get(answer, None).0 {
            Ok(Response::Found { date, .. }) => date.map(UnixTime::seconds),
            _ => panic!("not found"),
        };
        let dated =
            b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(date(dated), Some(784_111_777));
        assert_eq!(date(b"HTTP/1.1 200 OK\r\nDate: yesterday\r\nContent-Length: 0\r\n\r\n"), None);
        assert_eq!(date(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), None);
    }

    #[test]
    fn refuses_compressed_answers() {
        let zipped =
            body(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(zipped.unwrap_err().code(), "network");
    }

    #[test]
    fn missing_is_an_answer_and_a_server_error_is_none() {
        for missing in [&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], b"HTTP/1.1 403 Forbidden\r\n\r\n"] {
            assert!(matches!(get(missing, None).0, Ok(Response::Missing)));
        }
        let error = get(b"HTTP/1.1 503 Busy\r\n\r\n", None).0;
        assert!(matches!(error, Err(Error::Http { status: 503, .. })));
    }

    #[test]
    fn does_not_follow_redirects_on_this_machine() {
        let moved = get(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/x\r\n\r\n", None).0;
        assert!(matches!(moved, Err(Error::Http { status: 302, .. })));
    }

    #[test]
    fn nobody_there_is_a_network_error() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let http = Http::new(&format!("http://127.0.0.1:{port}"), &HttpOptions::default()).unwrap();
        let request = Request::whole("x", 8);
        let error = http.get(&request, &Cancel::default()).err().unwrap();
        assert_eq!(error.code(), "network");
    }

    #[test]
    fn https_begins_with_a_hello_and_ends_where_nobody_speaks_tls() {
        for min_tls in [MinTls::V1_3, MinTls::V1_2] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("https://{}", listener.local_addr().unwrap());
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                // RFC 8446, 5.1: a record of handshake, its legacy version, its length; then the message.
                let mut head = [0; 5];
                stream.read_exact(&mut head).unwrap();
                let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
                stream.read_exact(&mut hello).unwrap();
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
                (head[0], hello[0])
            });
            let options = HttpOptions { min_tls, ..HttpOptions::default() };
            let http = Http::new(&url, &options).unwrap();
            let error = http.get(&Request::whole("x", 8), &Cancel::default()).err().unwrap();
            assert_eq!(error.code(), "network");
            assert_eq!(server.join().unwrap(), (22, 1));
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        let allowed = |url: &str| Http::new(url, &HttpOptions::default()).is_ok();
        for good in
            ["https://a.example", "http://localhost:1/x", "http://127.0.0.9", "http://[::1]:8"]
        {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "http://a.example",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "ftp://a",
            "https://user@a.example",
            "https://a.example/?token=1",
            "a.example",
            "",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
        let debug = HttpOptions { allow_plain: true, ..HttpOptions::default() };
        assert!(Http::new("http://192.168.1.2:8080", &debug).is_ok());
    }
}
