//! The line that answers come over, where every byte of a server is counted before TLS and HTTP make
//! anything of it.
//!
//! Enters: what an answer may have, and what the connection yields. Leaves: the same bytes. Refuses: more
//! of them than the answer can need, a pace that is too slow, anything after the caller cancelled. The
//! limit of a body cannot stand for this one: HTTP reads trailers, and TLS reads tickets and empty records,
//! without end and without a byte that a reader of the body would ever see.
//!
//! The HTTP library tells a connection nothing of the request that it serves. So a line carries one
//! request at a time, with connections of its own that the next request finds open.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout,
    RustlsConnector, TcpConnector, Transport, time,
};

use super::pace::{Pace, Watch};
use crate::progress::Cancel;

/// What headers of at most 16 KiB, a handshake and its certificates take, and some more.
const AROUND: u64 = 128 << 10;
/// A wait for bytes looks this often whether the caller cancelled.
const GLANCE: Duration = Duration::from_millis(250);

/// Bytes that an answer of `limit` bytes can need on the line: with a quarter for chunks and records, which
/// take a twentieth where a server makes them as small as anybody does.
fn enough(limit: u64) -> u64 {
    limit.saturating_add(limit / 4).saturating_add(AROUND)
}

/// Lines to the hosts of one transport: as many as it ever had requests at once.
pub(super) struct Lines {
    config: Config,
    idle: Arc<Mutex<Vec<Line>>>,
}

impl Lines {
    /// Lines for requests by `config`. Connects nowhere yet.
    pub(super) fn new(config: Config) -> Self {
        Self { config, idle: Arc::default() }
    }

    /// A line of the caller's own until it is dropped.
    pub(super) fn lend(&self) -> Lent {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let line = idle.unwrap_or_else(|| Line::new(self.config.clone()));
        Lent { line, idle: self.idle.clone() }
    }
}

/// A line that goes back when it is dropped.
pub(super) struct Lent {
    line: Line,
    idle: Arc<Mutex<Vec<Line>>>,
}

impl Lent {
    /// What makes the request. Its answer may have `limit` bytes, until the next call of this.
    pub(super) fn agent(&self, limit: u64, cancel: &Cancel) -> &Agent {
        self.line.gauge.change(|answer| *answer = Answer::new(limit, cancel));
        &self.line.agent
    }

    /// The headers are there: from now on the answer keeps pace.
    pub(super) fn content(&self, pace: Pace) {
        self.line.gauge.change(|answer| answer.watch = Some(Watch::new(pace)));
    }

    /// Whether the content that was just read came fast enough.
    ///
    /// # Errors
    /// `TimedOut` where it did not; anything else once the caller cancelled.
    pub(super) fn check(&self) -> io::Result<()> {
        self.line
            .gauge
            .change(|answer| answer.check().and_then(|()| answer.keeps_pace(0, Duration::ZERO)))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.line.clone());
    }
}

#[derive(Clone)]
struct Line {
    agent: Agent,
    gauge: Gauge,
}

impl Line {
    fn new(config: Config) -> Self {
        let gauge = Gauge(Arc::new(Mutex::new(Answer::new(0, &Cancel::default()))));
        // TLS stands above what counts: what TLS itself takes is a server's to make endless too.
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(gauge.clone())
                .chain(RustlsConnector::default());
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Self { agent, gauge }
    }
}

/// What the answer of the moment may still do.
#[derive(Debug)]
struct Answer {
    left: u64,
    /// None before the headers are there: they have times of their own.
    watch: Option<Watch>,
    cancel: Cancel,
}

impl Answer {
    fn new(limit: u64, cancel: &Cancel) -> Self {
        Self { left: enough(limit), watch: None, cancel: cancel.clone() }
    }

    fn check(&self) -> io::Result<()> {
        self.cancel.check().map_err(|_| io::Error::other("cancelled"))
    }

    /// `count` bytes came after `waited`.
    fn came(&mut self, count: u64, waited: Duration) -> io::Result<()> {
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            self.left = 0;
            io::Error::other("more comes than an answer can need")
        })?;
        // A connection that ended is not slow.
        if count > 0 { self.keeps_pace(count, waited) } else { Ok(()) }
    }

    fn keeps_pace(&mut self, count: u64, waited: Duration) -> io::Result<()> {
        let enough = self.watch.as_mut().is_none_or(|watch| watch.came(count, waited));
        if enough { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}

/// Opens connections that count towards the answer of the moment.
#[derive(Debug, Clone)]
struct Gauge(Arc<Mutex<Answer>>);

impl Gauge {
    fn change<T>(&self, work: impl FnOnce(&mut Answer) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<In: Transport> Connector<In> for Gauge {
    type Out = Either<In, Gauged>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // What a proxy is reached by was opened here, and counts already.
        if chained.is_some() {
            return Ok(chained.map(Either::A));
        }
        let opened = TcpConnector::default().connect(details, chained)?;
        Ok(opened.map(|inner| Either::B(Gauged { inner: Box::new(inner), gauge: self.clone() })))
    }
}

/// A connection whose bytes are counted as they come.
#[derive(Debug)]
struct Gauged {
    inner: Box<dyn Transport>,
    gauge: Gauge,
}

impl Transport for Gauged {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.gauge.change(|answer| answer.check())?;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let limit = timeout.for_read();
        let (asked, held) = (Instant::now(), self.inner.buffers().input().len());
        loop {
            self.gauge.change(|answer| answer.check())?;
            let left = limit.after.saturating_sub(asked.elapsed());
            if left.is_zero() {
                return Err(ureq::Error::Timeout(limit.reason));
            }
            let after = time::Duration::Exact(left.min(GLANCE));
            match self.inner.await_input(NextTimeout { after, ..timeout }) {
                Err(ureq::Error::Timeout(_)) => {}
                outcome => {
                    let progress = outcome?;
                    let count = self.inner.buffers().input().len().saturating_sub(held);
                    self.gauge.change(|answer| answer.came(count as u64, asked.elapsed()))?;
                    return Ok(progress);
                }
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::*;
    use crate::error::{Error, Result};
    use crate::fetch::Transport as _;
    use crate::fetch::{Http, HttpOptions, HttpSink, Part, Request, Response, Sink, read_all};

    /// More than the buffers of a connection, and far less than a test can wait for.
    const FLOOD: usize = 32 << 20;
    const HOUR: Duration = Duration::from_secs(3600);

    /// Answers a request on a connection.
    type Answer = Box<dyn FnOnce(&mut TcpStream) -> io::Result<()> + Send>;

    /// These bytes.
    fn says(bytes: &str) -> Answer {
        let bytes = bytes.to_owned();
        Box::new(move |stream| stream.write_all(bytes.as_bytes()))
    }

    /// `begin`, then `again` until it is a flood, then `end`, with which HTTP would be content.
    fn floods(begin: &'static str, again: &'static str, end: &'static str) -> Answer {
        Box::new(move |stream| {
            stream.write_all(begin.as_bytes())?;
            let block = again.repeat(10_000);
            for _ in 0..FLOOD / block.len() {
                stream.write_all(block.as_bytes())?;
            }
            stream.write_all(end.as_bytes())
        })
    }

    /// A server that gives one answer on each connection, leaves it open, and passes on what it was asked.
    fn serve(answers: Vec<Answer>) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/shop", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let tell = tell.clone();
                thread::spawn(move || {
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                        head.push(byte[0]);
                    }
                    // A client that hangs up is no news; nor is a test that is over.
                    let answered = answer(&mut stream);
                    let _ = tell.send(String::from_utf8(head).unwrap());
                    if answered.is_ok() {
                        let _ = io::copy(&mut stream, &mut io::sink());
                    }
                });
            }
        });
        (url, asked)
    }

    fn http(url: &str, options: &HttpOptions) -> Http {
        Http::new(url, options).unwrap().following()
    }

    /// Asks for a file of at most 8 bytes.
    fn get(http: &Http, cancel: &Cancel) -> Result<Vec<u8>> {
        match http.get(&Request::whole("x", 8), cancel)? {
            Response::Found { body, .. } => read_all(body, "x", 8),
            _ => panic!("not found"),
        }
    }

    fn got(answers: Vec<Answer>) -> Result<Vec<u8>> {
        let (url, _asked) = serve(answers);
        get(&http(&url, &HttpOptions::default()), &Cancel::default())
    }

    const MOVED: &str =
        "HTTP/1.1 302 Found\r\nLocation: /y?z\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const FOUND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew";

    #[test]
    fn the_body_of_a_redirect_is_left_unread() {
        for body in
            ["Content-Length: 1000000\r\n\r\nmoved", "Transfer-Encoding: chunked\r\n\r\n5\r\nmov"]
        {
            let moved = format!("HTTP/1.1 302 Found\r\nLocation: /y\r\n{body}");
            let (url, asked) = serve(vec![says(&moved), says(FOUND)]);
            // Whoever reads on waits for an hour.
            let options = HttpOptions { silence: Some(HOUR), ..HttpOptions::default() };
            let found = get(&http(&url, &options), &Cancel::default());
            assert_eq!(found.unwrap(), b"new");
            let asked: Vec<_> = asked.iter().take(2).collect();
            assert!(asked.iter().any(|asked| asked.starts_with("GET /shop/x ")), "{asked:?}");
            assert!(asked.iter().any(|asked| asked.starts_with("GET /y ")), "{asked:?}");
        }
    }

    #[test]
    fn a_redirect_is_asked_what_the_first_address_was() {
        let part = "HTTP/1.1 206 P\r\nContent-Range: bytes 3-5/8\r\nContent-Length: 3\r\n\r\ndef";
        let (url, asked) = serve(vec![says(MOVED), says(part)]);
        let part = Some(Part { from: 3, to: 6 });
        let request = Request { part, if_range: Some("\"7\""), ..Request::whole("x", 8) };
        let found = http(&url, &HttpOptions::default()).get(&request, &Cancel::default()).unwrap();
        let Response::Found { from, body, .. } = found else { panic!("not found") };
        assert_eq!((from, read_all(body, "x", 8).unwrap()), (3, b"def".to_vec()));
        let asked: Vec<_> = asked.iter().take(2).map(|asked| asked.to_ascii_lowercase()).collect();
        assert!(asked.iter().any(|asked| asked.starts_with("get /y?z ")), "{asked:?}");
        assert!(asked.iter().all(|asked| asked.contains("range: bytes=3-5\r\n")), "{asked:?}");
        assert!(asked.iter().all(|asked| asked.contains("if-range: \"7\"\r\n")), "{asked:?}");
    }

    #[test]
    fn three_redirects_are_followed_and_no_fourth() {
        let after = |moves| {
            let moves = (0..moves).map(|_| says(MOVED));
            got(moves.chain([says(FOUND)]).collect())
        };
        assert_eq!(after(3).unwrap(), b"new");
        let too_often = after(4).unwrap_err();
        assert!(
            matches!(&too_often, Error::Network(text) if text.contains("too often")),
            "{too_often}"
        );
    }

    #[test]
    fn a_redirect_that_is_refused_is_asked_nothing() {
        for location in ["https://127.0.0.1:9/y", "http://user:word@127.0.0.1:9/y", "ftp://a/y"] {
            let moved =
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            let refused = got(vec![says(&moved)]).unwrap_err();
            assert!(
                matches!(&refused, Error::Network(text) if text.contains("redirects to")),
                "{refused}"
            );
        }
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n";

    #[test]
    fn bytes_that_no_reader_sees_end_all_the_same() {
        assert_eq!(got(vec![says(&format!("{CHUNKED}a: b\r\n\r\n"))]).unwrap(), b"hi");
        let trailers = got(vec![floods(CHUNKED, "a: b\r\n", "\r\n")]).unwrap_err();
        assert!(
            matches!(&trailers, Error::Network(text) if text.contains("more comes")),
            "{trailers}"
        );
        // HTTP alone refuses a size of a thousand digits, or a header that does not end.
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            got(vec![floods(head, "0000", "2\r\nhi\r\n0\r\n\r\n")]).unwrap_err().code(),
            "network"
        );
        let interim = "HTTP/1.1 102 Processing\r\n\r\n";
        assert_eq!(got(vec![floods("", interim, FOUND)]).unwrap_err().code(), "network");
    }

    #[test]
    fn the_answer_to_events_ends_too() {
        let (url, _asked) = serve(vec![floods(CHUNKED, "a: b\r\n", "\r\n")]);
        let sink = HttpSink::new(&url, &HttpOptions::default()).unwrap();
        assert_eq!(sink.post(b"{}", 8, &Cancel::default()).unwrap_err().code(), "network");
    }

    #[test]
    fn whoever_cancels_waits_for_no_server() {
        // Nothing; a header that does not end; a body that does not; trailers that do not.
        for begin in
            ["", "HTTP/1.1 200 OK\r\nX", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhi", CHUNKED]
        {
            let (url, asked) = serve(vec![says(begin)]);
            let options = HttpOptions { silence: Some(HOUR), ..HttpOptions::default() };
            let cancel = Cancel::default();
            let stops = cancel.clone();
            let stopper = thread::spawn(move || {
                asked.recv().unwrap();
                stops.cancel();
            });
            let stopped = get(&http(&url, &options), &cancel).unwrap_err();
            assert!(["cancelled", "network"].contains(&stopped.code()), "{begin}: {stopped}");
            assert!(stopped.to_string().contains("cancelled"), "{begin}: {stopped}");
            stopper.join().unwrap();
        }
    }

    #[test]
    fn what_no_reader_sees_keeps_pace_and_is_counted() {
        let mut answer = super::Answer::new(8, &Cancel::default());
        // Before the headers are there, their own times count.
        answer.came(1, HOUR).unwrap();
        answer.watch = Some(Watch::new(Pace::default()));
        answer.came(8 << 10, Duration::from_secs(30)).unwrap();
        answer.came(0, HOUR).unwrap();
        let slow = answer.came(1, Duration::from_secs(30)).unwrap_err();
        assert_eq!(slow.kind(), io::ErrorKind::TimedOut);
        let mut answer = super::Answer::new(1000, &Cancel::default());
        answer.came(1250 + AROUND, Duration::ZERO).unwrap();
        assert!(answer.came(1, Duration::ZERO).is_err());
        assert!(answer.came(1, Duration::ZERO).is_err(), "and it stays so");
    }

    #[test]
    fn a_line_serves_one_request_after_the_other() {
        let keep = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        let both: Answer = Box::new(move |stream| {
            stream.write_all(format!("{keep}hi").as_bytes())?;
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
                head.push(byte[0]);
            }
            stream.write_all(format!("{keep}ho").as_bytes())
        });
        let (url, _asked) = serve(vec![both]);
        let http = http(&url, &HttpOptions::default());
        assert_eq!(get(&http, &Cancel::default()).unwrap(), b"hi");
        assert_eq!(
            get(&http, &Cancel::default()).unwrap(),
            b"ho",
            "on the connection that was open"
        );
    }
}
