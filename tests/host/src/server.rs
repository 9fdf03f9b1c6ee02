//! The server of the web view: answers from the native app's web files or from a bundle's folder, by
//! the platform's rules. A phone intercepts requests instead of listening; Chromium lets nobody
//! intercept those of service workers, so there is a port of this machine, always the same for one
//! app. HTTP/1.1, GET, one request a connection: all that a page needs here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::app::App;
use crate::files::Files;
use crate::routes::{Absent, Platform, Route, content_type};

/// Longest request, bytes.
const REQUEST: u64 = 64 << 10;

/// What is served from when.
pub struct Server {
    files: Arc<Mutex<Files>>,
}

impl Server {
    /// Listens on the app's port, and serves its built-in bundle first.
    #[must_use]
    pub fn start(app: &App) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", app.port)).unwrap();
        let files = Arc::new(Mutex::new(app.builtin()));
        let (served, platform) = (Arc::clone(&files), app.platform);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let served = Arc::clone(&served);
                // A page that went away wants no answer.
                thread::spawn(move || respond(stream, platform, &served).ok());
            }
        });
        Self { files }
    }

    /// Serves these files from now on.
    pub fn serve(&self, files: Files) {
        *self.files.lock().unwrap() = files;
    }

    /// What is served.
    #[must_use]
    pub fn files(&self) -> Files {
        self.files.lock().unwrap().clone()
    }
}

fn respond(mut stream: TcpStream, platform: Platform, files: &Mutex<Files>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?.take(REQUEST)).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let target = request.split(' ').nth(1).unwrap_or_default();
    let route = platform.route(&decoded(target.split(['?', '#']).next().unwrap_or_default()));
    let files = files.lock().unwrap().clone();
    let (file, body) = match &route {
        Route::Cordova => ("cordova.js", Some(Vec::new())),
        Route::File(file) => (file.as_str(), files.read(file)),
    };
    let status = match (&body, platform.absent(&route)) {
        (Some(_), _) => "200 OK",
        (None, Absent::NotFound) => "404 Not Found",
        // The connection ends without an answer.
        (None, Absent::Failed) => return Ok(()),
    };
    let (body, content_type) = (body.unwrap_or_default(), content_type(file));
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-cache\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

/// Percent-decoded.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn paths_are_decoded() {
        assert_eq!(decoded("/a%20b/%C3%A9.png"), "/a b/é.png");
        assert_eq!(decoded("/100%/x%"), "/100%/x%");
    }
}
