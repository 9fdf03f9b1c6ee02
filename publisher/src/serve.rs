//! A small static server for trying a repository and for tests: ranges, ETags, cache headers as a
//! CDN would send them, faults on request, and a place for devices' events. Listens on this machine
//! only.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use farad::digest::Digest;
use tiny_http::{Header, Method, Request, Response, StatusCode};

use crate::eventlog::{EventLog, Refused};
use crate::failure::{Failure, Result};
use crate::foreign::is_metadata;

/// Faults that the server makes on purpose; each is a share of all answers, 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// The body stops halfway, and the connection says nothing more.
    pub stall: f64,
    /// One byte of the body is changed.
    pub corrupt: f64,
    /// 503 instead of the file.
    pub unavailable: f64,
}

impl std::str::FromStr for Faults {
    type Err = String;

    /// Reads `stall=0.2,corrupt=0.1,unavailable=0.1`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut faults = Self::default();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or("a fault is written NAME=SHARE")?;
            let share: f64 = share.parse().map_err(|_| format!("{share} is no share"))?;
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{share} does not lie between 0 and 1"));
            }
            match name {
                "stall" => faults.stall = share,
                "corrupt" => faults.corrupt = share,
                "unavailable" => faults.unavailable = share,
                _ => return Err(format!("no fault {name}; there is stall, corrupt, unavailable")),
            }
        }
        Ok(faults)
    }
}

/// A running server; it stops when this is dropped.
pub struct Server {
    http: Arc<tiny_http::Server>,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    workers: Vec<JoinHandle<()>>,
}

/// How many requests are answered at once.
const WORKERS: usize = 4;
/// Where devices post their events.
const EVENTS: &str = "/events";

impl Server {
    /// Serves `folder` on `port` of this machine; 0 takes a free one.
    ///
    /// # Errors
    /// Where the folder is none or the port is taken.
    pub fn start(folder: &Path, port: u16, faults: Faults) -> Result<Self, Failure> {
        Self::listen(folder, port, faults, None)
    }

    /// The same, taking devices' events at `/events`: each is written to the file `events` once, a
    /// line of JSON, however often it is sent.
    ///
    /// # Errors
    /// As [`Server::start`], and where the file cannot be read or written.
    pub fn start_with_events(
        folder: &Path,
        port: u16,
        faults: Faults,
        events: &Path,
    ) -> Result<Self, Failure> {
        Self::listen(folder, port, faults, Some(&Arc::new(EventLog::open(events)?)))
    }

    fn listen(
        folder: &Path,
        port: u16,
        faults: Faults,
        events: Option<&Arc<EventLog>>,
    ) -> Result<Self, Failure> {
        if !folder.is_dir() {
            let message = format!("there is no folder {}", folder.display());
            return Err(Failure::new("no-repository", message));
        }
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let http = tiny_http::Server::http(address).map_err(|error| {
            let in_use = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::AddrInUse);
            if in_use {
                let message =
                    format!("port {port} is in use; pass another with --port, or 0 for any");
                Failure::new("port-in-use", message)
            } else {
                Failure::new("network", format!("cannot listen on port {port}: {error}"))
            }
        })?;
        let address = http.server_addr().to_ip().unwrap_or(address);
        let (http, log) = (Arc::new(http), Arc::new(Mutex::new(Vec::new())));
        let dice = Arc::new(AtomicU64::new(0x9e37_79b9_7f4a_7c15));
        let workers = (0..WORKERS)
            .map(|_| {
                let (http, log, dice) = (http.clone(), log.clone(), dice.clone());
                let events = events.cloned();
                let site = Site { folder: folder.to_owned(), faults, dice, events };
                std::thread::spawn(move || {
                    while let Ok(request) = http.recv() {
                        let line = format!("{} {}", request.method(), request.url());
                        log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                        // A client that went away is no fault of the server.
                        let _ = site.answer(request);
                    }
                })
            })
            .collect();
        Ok(Self { http, address, log, workers })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far, as `GET /path`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for ever.
    pub fn wait(mut self) {
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for _ in 0..WORKERS {
            self.http.unblock();
        }
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

struct Site {
    folder: PathBuf,
    faults: Faults,
    dice: Arc<AtomicU64>,
    events: Option<Arc<EventLog>>,
}

/// What one answer is made of.
struct Found {
    file: File,
    length: u64,
    etag: String,
    cache: &'static str,
}

impl Site {
    fn answer(&self, request: Request) -> std::io::Result<()> {
        if let Some(events) = self.events.as_ref().filter(|_| request.url() == EVENTS) {
            return self.take_events(request, events);
        }
        if !matches!(request.method(), Method::Get | Method::Head) {
            return respond(request, 405, vec![("Allow", "GET, HEAD".to_owned())], None);
        }
        if self.strikes(self.faults.unavailable) {
            return respond(request, 503, vec![("Retry-After", "1".to_owned())], None);
        }
        let Some(mut found) = self.find(request.url()) else {
            return respond(request, 404, vec![("Cache-Control", "max-age=60".to_owned())], None);
        };
        let common = vec![
            ("ETag", found.etag.clone()),
            ("Cache-Control", found.cache.to_owned()),
            ("Accept-Ranges", "bytes".to_owned()),
        ];
        if header(&request, "If-None-Match").is_some_and(|tags| lists(&tags, &found.etag)) {
            return respond(request, 304, common, None);
        }
        let still = header(&request, "If-Range").is_none_or(|tag| tag == found.etag);
        let range = header(&request, "Range").filter(|_| still);
        let (status, from, to) = match range.map(|range| parse_range(&range, found.length)) {
            None => (200, 0, found.length),
            Some(Some((from, to))) => (206, from, to),
            Some(None) => {
                let mut headers = common;
                headers.push(("Content-Range", format!("bytes */{}", found.length)));
                return respond(request, 416, headers, None);
            }
        };
        let mut headers = common;
        if status == 206 {
            let last = to.saturating_sub(1);
            headers.push(("Content-Range", format!("bytes {from}-{last}/{}", found.length)));
        }
        headers.push(("Content-Type", "application/octet-stream".to_owned()));
        found.file.seek(SeekFrom::Start(from))?;
        let mut body = Vec::new();
        found.file.take(to - from).read_to_end(&mut body)?;
        if self.strikes(self.faults.corrupt)
            && let Some(byte) = body.len().checked_div(2).and_then(|half| body.get_mut(half))
        {
            *byte ^= 1;
        }
        if self.strikes(self.faults.stall) {
            return stall(request, status, &headers, &body);
        }
        respond(request, status, headers, Some(body))
    }

    fn take_events(&self, mut request: Request, log: &EventLog) -> std::io::Result<()> {
        if *request.method() != Method::Post {
            return respond(request, 405, vec![("Allow", "POST".to_owned())], None);
        }
        if self.strikes(self.faults.unavailable) {
            return respond(request, 503, vec![("Retry-After", "1".to_owned())], None);
        }
        let mut batch = Vec::new();
        request.as_reader().take(EventLog::LONGEST + 1).read_to_end(&mut batch)?;
        match log.take(&batch) {
            Ok(answer) => {
                let headers = vec![("Content-Type", "application/json".to_owned())];
                respond(request, 200, headers, Some(answer.to_string().into_bytes()))
            }
            Err(Refused::TooLong) => respond(request, 413, Vec::new(), None),
            Err(Refused::NoBatch) => respond(request, 400, Vec::new(), None),
            Err(Refused::Storage) => respond(request, 500, Vec::new(), None),
        }
    }

    /// The file that a URL names, if it is one of a repository's and lies in the folder.
    fn find(&self, url: &str) -> Option<Found> {
        let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
        // Names in a repository need no escapes, so that none has to be undone safely.
        farad::release::check_path(path).ok()?;
        if path.contains('%') || path.split('/').any(|segment| segment.starts_with('.')) {
            return None;
        }
        if !is_handed_out(path) {
            return None;
        }
        let (home, _) = path.split_once('/')?;
        let home = self.folder.join(home).canonicalize().ok()?;
        let place = self.folder.join(path).canonicalize().ok()?;
        // A link may lead anywhere; a pipe keeps whoever opens it waiting.
        if !place.starts_with(home) || !fs::metadata(&place).ok()?.is_file() {
            return None;
        }
        let mut file = File::open(place).ok()?;
        let length = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        let mutable = path == "metadata/timestamp.json";
        let (etag, cache) = if mutable {
            // Of the very file that is sent: another may have its name a moment later.
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).ok()?;
            (format!("\"{}\"", Digest::of(&bytes)), "max-age=60")
        } else {
            // What is immutable is named by its name.
            (format!("\"{}\"", Digest::of(path.as_bytes())), "max-age=31536000, immutable")
        };
        Some(Found { file, length, etag, cache })
    }

    /// Rolls the dice; the same requests in the same order meet the same faults.
    fn strikes(&self, share: f64) -> bool {
        if share <= 0.0 {
            return false;
        }
        // splitmix64
        let mut z = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z % 1_000_000) as f64) < share * 1_000_000.0
    }
}

/// Whether a path may be one of a TUF repository, ours or another's: nothing else that somebody keeps in
/// its folder is handed out, least of all keys.
fn is_handed_out(path: &str) -> bool {
    match path.split_once('/') {
        Some(("metadata", name)) => is_metadata(name),
        Some(("targets", rest)) => rest.ends_with(".json"),
        Some(("blobs", name)) => name.parse::<Digest>().is_ok(),
        _ => false,
    }
}

fn respond(
    request: Request,
    status: u16,
    headers: Vec<(&str, String)>,
    body: Option<Vec<u8>>,
) -> std::io::Result<()> {
    let body = body.unwrap_or_default();
    let length = body.len();
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Header::from_bytes(name.as_bytes(), value.as_bytes()).ok())
        .collect();
    let response =
        Response::new(StatusCode(status), headers, std::io::Cursor::new(body), Some(length), None);
    // Lengths are announced, as a CDN does, never chunked.
    request.respond(response.with_chunked_threshold(usize::MAX))
}

/// Announces all of a body and sends half of it.
fn stall(
    request: Request,
    status: u16,
    headers: &[(&str, String)],
    body: &[u8],
) -> std::io::Result<()> {
    let mut writer = request.into_writer();
    let reason = StatusCode(status).default_reason_phrase();
    write!(writer, "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\n", body.len())?;
    for (name, value) in headers {
        write!(writer, "{name}: {value}\r\n")?;
    }
    writer.write_all(b"\r\n")?;
    writer.write_all(body.get(..body.len() / 2).unwrap_or_default())?;
    writer.flush()
}

fn header(request: &Request, name: &'static str) -> Option<String> {
    let found = request.headers().iter().find(|header| header.field.equiv(name));
    found.map(|header| header.value.as_str().to_owned())
}

fn lists(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The half-open range that `bytes=…` names; one range only, and one that can be met.
fn parse_range(text: &str, length: u64) -> Option<(u64, u64)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => (from, to.saturating_add(1).min(length)),
        (Ok(from), Err(_)) if to.is_empty() => (from, length),
        (Err(_), Ok(last)) if from.is_empty() => (length.saturating_sub(last), length),
        _ => return None,
    };
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// What comes to a request until the headers end and `bytes` more came.
    fn ask(server: &Server, request: &str, bytes: usize) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let mut body = vec![0; bytes];
        stream.read_exact(&mut body).unwrap();
        (String::from_utf8(head).unwrap(), body)
    }

    #[test]
    fn an_answer_that_stalls_is_otherwise_the_answer_to_its_request() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        let blob = format!("blobs/{}", Digest::of(b"0123456789"));
        fs::write(folder.path().join(&blob), b"0123456789").unwrap();
        let faults = Faults { stall: 1.0, ..Faults::default() };
        let server = Server::start(folder.path(), 0, faults).unwrap();
        let request = format!("GET /{blob} HTTP/1.1\r\nHost: x\r\n");
        let (head, half) = ask(&server, &format!("{request}Range: bytes=2-7\r\n\r\n"), 3);
        assert!(head.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Range: bytes 2-7/10\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Length: 6\r\n"), "{head}");
        assert!(head.contains("\r\nETag: \""), "{head}");
        assert_eq!(half, b"234");
        let (head, half) = ask(&server, &format!("{request}\r\n"), 5);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Length: 10\r\n"), "{head}");
        assert!(!head.contains("Content-Range"), "{head}");
        assert_eq!(half, b"01234");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_a_repository_is_not_served() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let (blob, link) = (format!("blobs/{}", Digest::of(b"a")), Digest::of(b"b"));
        for file in ["keys/root/root.pem", "blobs/root.pem", "metadata/1.root.json", &blob] {
            fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            fs::write(at(file), b"x").unwrap();
        }
        symlink(at("keys/root/root.pem"), at(&format!("blobs/{link}"))).unwrap();
        symlink(at("keys"), at("targets")).unwrap();
        let server = Server::start(folder.path(), 0, Faults::default()).unwrap();
        let status = |path: &str| {
            let (head, _) = ask(&server, &format!("HEAD /{path} HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
            head.split(' ').nth(1).unwrap().to_owned()
        };
        assert_eq!((status("metadata/1.root.json"), status(&blob)), ("200".into(), "200".into()));
        let link = format!("blobs/{link}");
        for path in ["keys/root/root.pem", "blobs/root.pem", &link, "targets/root/root.pem"] {
            assert_eq!(status(path), "404", "{path}");
        }
    }

    #[test]
    fn ranges_are_met_or_refused() {
        assert_eq!(parse_range("bytes=0-4", 10), Some((0, 5)));
        assert_eq!(parse_range("bytes=5-", 10), Some((5, 10)));
        assert_eq!(parse_range("bytes=-3", 10), Some((7, 10)));
        assert_eq!(parse_range("bytes=8-99", 10), Some((8, 10)));
        for bad in ["bytes=10-", "bytes=5-4", "items=0-1", "bytes=a-b", "bytes=-"] {
            assert_eq!(parse_range(bad, 10), None, "{bad}");
        }
    }

    #[test]
    fn faults_are_read_from_text() {
        let faults = "stall=0.2,corrupt=1".parse::<Faults>().unwrap();
        assert_eq!(faults, Faults { stall: 0.2, corrupt: 1.0, unavailable: 0.0 });
        assert!("stall=2".parse::<Faults>().is_err());
        assert!("slow=0.1".parse::<Faults>().is_err());
    }
}
