//! A server on this machine that answers what the test tells it to, and writes down what it was
//! asked.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use farad::digest::Digest;

use crate::forge::Forge;

/// What stands at one path.
#[derive(Clone)]
pub enum Answer {
    /// A file.
    File(Vec<u8>),
    /// The file, compressed or said to be.
    Encoded(Vec<u8>),
    /// The file, with this length said to be its own.
    Length(&'static str, Vec<u8>),
    /// Bytes without end, in chunks.
    Endless,
    /// Another status.
    Status(u16),
    /// The connection closes without a word.
    Nothing,
    /// The file, whatever part of it is asked for.
    Whole(Vec<u8>),
    /// A web page with status 200, as a network that wants a sign-in shows it.
    Page,
    /// 503 with a wish in seconds.
    Busy(u64),
    /// These bytes, head included, on a connection that stays open.
    Raw(&'static [u8]),
}

/// Decides what happens to an answer with a body, by its path and length.
type Fates = Box<dyn FnMut(&str, u64) -> Fate + Send>;

/// What happens to a connection. Bytes count those of the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// All goes well.
    Well,
    /// It closes after so many bytes.
    Cut(u64),
    /// It is reset after so many bytes; some of them may be lost on the way.
    Reset(u64),
    /// It says nothing more after so many bytes.
    Stall(u64),
    /// The byte at this position changes, if the body has one there.
    Spoil(u64),
}

#[derive(Default)]
struct Shared {
    answers: BTreeMap<String, Answer>,
    log: Vec<String>,
    date: Option<String>,
    silent: bool,
    stopped: bool,
    fates: Option<Fates>,
}

/// The server; it stops when this is dropped.
pub struct Site {
    address: std::net::SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Site {
    /// A server for the repository as it stands.
    pub fn new(forge: &Forge) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let site = Self { address, shared: shared.clone() };
        site.serve(forge);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.lock().unwrap().stopped {
                    break;
                }
                let shared = shared.clone();
                thread::spawn(move || {
                    // A client that hangs up is no news.
                    if answer(&stream, &shared).is_ok() {
                        let _ = (&stream).read(&mut [0]);
                    }
                });
            }
        });
        site
    }

    /// Serves the repository as it stands now, and nothing else.
    pub fn serve(&self, forge: &Forge) {
        let files = forge.files.iter();
        let answers = files.map(|(path, bytes)| (path.clone(), Answer::File(bytes.clone())));
        self.shared.lock().unwrap().answers = answers.collect();
    }

    pub fn answer(&self, path: &str, answer: Answer) {
        self.shared.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    pub fn remove(&self, path: &str) {
        self.shared.lock().unwrap().answers.remove(path);
    }

    /// What the `Date` header says from now on, seconds since the epoch.
    pub fn says_it_is(&self, seconds: u64) {
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        self.shared.lock().unwrap().date = Some(date);
    }

    /// Drops every request, or no longer.
    pub fn drop_requests(&self, silent: bool) {
        self.shared.lock().unwrap().silent = silent;
    }

    /// Decides what happens to each answer with a body, by its path and length.
    pub fn let_fate_decide(&self, fate: impl FnMut(&str, u64) -> Fate + Send + 'static) {
        self.shared.lock().unwrap().fates = Some(Box::new(fate));
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Paths that were asked for since the last call, with the range if one was, and with `if` if
    /// that was for one version alone.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().log)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shared.lock().unwrap().stopped = true;
        // Wakes the listener, so that it sees the flag.
        drop(TcpStream::connect(self.address));
    }
}

/// A request as far as it matters here.
#[derive(Default)]
struct Asked {
    path: String,
    etag: Option<String>,
    range: Option<(usize, usize)>,
    if_range: Option<String>,
}

/// Reads a request up to its last byte. That one is left: closing the connection over it resets it.
fn read_request(mut stream: &TcpStream) -> std::io::Result<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let mut asked = Asked { path, ..Asked::default() };
    for line in head.lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        let value = value.to_owned();
        match name.to_ascii_lowercase().as_str() {
            "if-none-match" => asked.etag = Some(value),
            "if-range" => asked.if_range = Some(value),
            "range" => {
                let (from, to) = value.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                asked.range = Some((from.parse().unwrap(), to.parse::<usize>().unwrap() + 1));
            }
            _ => {}
        }
    }
    Ok(asked)
}

fn answer(stream: &TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let Asked { path, etag, mut range, if_range } = read_request(stream)?;
    let (answer, date, silent) = {
        let mut shared = shared.lock().unwrap();
        let part = range.map_or(String::new(), |(from, to)| format!(" {from}..{to}"));
        let only = if if_range.is_some() { " if" } else { "" };
        shared.log.push(format!("{path}{part}{only}"));
        (shared.answers.get(&path).cloned(), shared.date.clone(), shared.silent)
    };
    if silent {
        return Ok(());
    }
    let date = date.map_or(String::new(), |date| format!("Date: {date}\r\n"));
    let mut out = stream;
    let mut head = |status: u16, more: &str| {
        write!(out, "HTTP/1.1 {status} X\r\nConnection: close\r\n{date}{more}\r\n")
    };
    match answer.unwrap_or(Answer::Status(404)) {
        Answer::File(bytes) => {
            let tag = format!("\"{}\"", Digest::of(&bytes));
            range = range.filter(|_| if_range.as_ref().is_none_or(|wanted| *wanted == tag));
            if etag.as_ref() == Some(&tag) {
                return head(304, "");
            }
            let body = match range {
                None => {
                    head(200, &format!("ETag: {tag}\r\nContent-Length: {}\r\n", bytes.len()))?;
                    &bytes[..]
                }
                Some((from, _)) if from >= bytes.len() => {
                    return head(416, "Content-Length: 0\r\n");
                }
                Some((from, to)) => {
                    let to = to.min(bytes.len());
                    let part = format!("bytes {from}-{}/{}", to - 1, bytes.len());
                    let length = to - from;
                    head(206, &format!("Content-Range: {part}\r\nContent-Length: {length}\r\n"))?;
                    &bytes[from..to]
                }
            };
            send(stream, shared, &path, body)
        }
        Answer::Whole(bytes) => {
            head(200, &format!("Content-Length: {}\r\n", bytes.len()))?;
            send(stream, shared, &path, &bytes)
        }
        Answer::Page => {
            let page = "<html><body>Please sign in</body></html>";
            head(200, &format!("Content-Type: text/html\r\nContent-Length: {}\r\n", page.len()))?;
            out.write_all(page.as_bytes())
        }
        Answer::Busy(seconds) => {
            head(503, &format!("Retry-After: {seconds}\r\nContent-Length: 0\r\n"))
        }
        Answer::Encoded(bytes) => {
            head(200, &format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", bytes.len()))?;
            out.write_all(&bytes)
        }
        Answer::Length(length, bytes) => {
            head(200, &format!("Content-Length: {length}\r\n"))?;
            out.write_all(&bytes)
        }
        Answer::Endless => {
            head(200, "Transfer-Encoding: chunked\r\n")?;
            loop {
                out.write_all(b"1000\r\n")?;
                out.write_all(&[b'['; 4096])?;
                out.write_all(b"\r\n")?;
            }
        }
        Answer::Status(status) => head(status, "Content-Length: 0\r\n"),
        Answer::Nothing => Ok(()),
        Answer::Raw(bytes) => {
            out.write_all(bytes)?;
            until_it_hangs_up(out)
        }
    }
}

fn until_it_hangs_up(mut stream: &TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut stream, &mut std::io::sink()).map(|_| ())
}

/// Sends a body as its fate wills.
fn send(
    mut stream: &TcpStream,
    shared: &Mutex<Shared>,
    path: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let fate = {
        let mut shared = shared.lock().unwrap();
        shared.fates.as_mut().map_or(Fate::Well, |fate| fate(path, body.len() as u64))
    };
    let upto = |at: u64| usize::try_from(at).unwrap().min(body.len());
    let mut spoilt;
    let sent = match fate {
        Fate::Well => body,
        Fate::Cut(at) | Fate::Reset(at) | Fate::Stall(at) => &body[..upto(at)],
        Fate::Spoil(at) => {
            spoilt = body.to_vec();
            if let Some(byte) = spoilt.get_mut(usize::try_from(at).unwrap()) {
                *byte ^= 0x10;
            }
            &spoilt[..]
        }
    };
    stream.write_all(sent)?;
    match fate {
        Fate::Reset(_) => Err(ErrorKind::ConnectionReset.into()),
        Fate::Stall(_) => until_it_hangs_up(stream),
        Fate::Well | Fate::Cut(_) | Fate::Spoil(_) => Ok(()),
    }
}
