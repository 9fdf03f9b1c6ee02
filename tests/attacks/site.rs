//! A server on this machine that answers what the test tells it to, and writes down what it was
//! asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

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
}

#[derive(Default)]
struct Shared {
    answers: BTreeMap<String, Answer>,
    log: Vec<String>,
    date: Option<String>,
    silent: bool,
    stopped: bool,
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
                // A client that hangs up is no news.
                thread::spawn(move || drop(answer(&stream, &shared)));
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

    /// What the `Date` header says from now on.
    pub fn says_it_is(&self, date: &str) {
        self.shared.lock().unwrap().date = Some(date.to_owned());
    }

    /// Drops every request, or no longer.
    pub fn drop_requests(&self, silent: bool) {
        self.shared.lock().unwrap().silent = silent;
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Paths that were asked for since the last call.
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

fn answer(stream: &TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let mut etag = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-none-match: ") {
            etag = Some(value.to_owned());
        }
    }
    let (answer, date, silent) = {
        let mut shared = shared.lock().unwrap();
        shared.log.push(path.clone());
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
            if etag.as_ref() == Some(&tag) {
                return head(304, "");
            }
            head(200, &format!("ETag: {tag}\r\nContent-Length: {}\r\n", bytes.len()))?;
            out.write_all(&bytes)
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
    }
}
