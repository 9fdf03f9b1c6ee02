//! What a server should send: the table of `docs/guides/production.md` against `farad serve`, its nginx
//! lines against nginx and its uploads by rsync, where these are installed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at a surprise"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Trial};
use support::page::Section;
use support::{Device, Shop};

const PAGE: &str = "guides/production.md";

fn main() {
    let trial = |name: &str, program: &str, test: fn()| {
        let can = program.is_empty() || installed(program);
        if !can {
            support::say(&format!("skipped: {name}: there is no {program}"));
        }
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(!can)
    };
    let trials = vec![
        trial("our_own_server_sends_what_the_guide_asks_for", "", ours),
        trial("nginx_as_the_guide_has_it_sends_what_the_guide_asks_for", "nginx", nginx),
        trial("an_upload_by_rsync_adds_files_and_names_them_last", "rsync", rsync),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    places.into_iter().any(|place| place.join(program).is_file())
}

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join("docs").join(PAGE)).unwrap()
}

/// Status and header fields of an answer, names in lower case.
struct Answer {
    status: String,
    fields: Vec<(String, String)>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == &name.to_lowercase());
        found.map(|(_, value)| value.as_str())
    }
}

fn get(port: u16, path: &str, fields: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let host = "Host: 127.0.0.1\r\nConnection: close\r\nAccept-Encoding: gzip, identity";
    write!(stream, "GET {path} HTTP/1.1\r\n{host}\r\n{fields}\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    });
    Answer { status, fields: fields.collect() }
}

/// Holds a server of a repository below `prefix` against the table.
fn sends_what_the_table_says(shop: &Shop, port: u16, prefix: &str) {
    let text = page();
    let table = text.split("| Request |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let names = fs::read_dir(shop.path("updates/blobs")).unwrap();
    let largest = names.map(|entry| entry.unwrap()).max_by_key(|e| e.metadata().unwrap().len());
    let blob = format!("blobs/{}", largest.unwrap().file_name().to_str().unwrap());
    let timestamp = "metadata/timestamp.json";
    let mut tried = 0;
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let etag = |path: &str| {
            let answer = get(port, &format!("{prefix}/{path}"), "");
            answer.field("ETag").unwrap().to_owned()
        };
        let (path, fields) = match (cells[1], tried) {
            ("`metadata/timestamp.json`", _) => (timestamp, String::new()),
            ("the same with `If-None-Match`", 1) => {
                (timestamp, format!("If-None-Match: {}\r\n", etag(timestamp)))
            }
            ("any other file", _) => (blob.as_str(), String::new()),
            ("the same with `Range`", 3) => {
                (blob.as_str(), format!("Range: bytes=100-199\r\nIf-Range: {}\r\n", etag(&blob)))
            }
            ("what is not there", _) => ("metadata/9999.root.json", String::new()),
            other => unreachable!("a row that is not tried: {other:?}"),
        };
        let answer = get(port, &format!("{prefix}/{path}"), &fields);
        assert_eq!(answer.status, cells[2], "{row}");
        assert_eq!(answer.field("Content-Encoding"), None, "{row}");
        if !cells[3].is_empty() {
            let wanted = cells[3].trim_matches('`');
            assert_eq!(answer.field("Cache-Control"), Some(wanted), "{row}");
        }
        for field in cells[4].split(", ").filter(|field| !field.is_empty()) {
            let field = field.trim_matches('`');
            let (name, value) = field.split_once(": ").unwrap_or((field, ""));
            let sent = answer.field(name).unwrap_or_else(|| panic!("{row}: no {name}"));
            assert!(value.is_empty() || sent == value, "{row}: {sent}");
            assert!(name != "ETag" || sent.starts_with('"'), "{row}: a weak tag resumes nothing");
        }
        tried += 1;
    }
    assert_eq!(tried, 5);
}

fn shop() -> Shop {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    shop
}

fn ours() {
    let shop = shop();
    let server = shop.serve();
    let port = server.url().rsplit(':').next().unwrap().parse().unwrap();
    sends_what_the_table_says(&shop, port, "");
}

/// A running nginx; it ends when this is dropped.
struct Nginx {
    config: PathBuf,
    port: u16,
}

impl Nginx {
    fn command(config: &Path) -> Command {
        let debian = Path::new("/usr/sbin/nginx");
        let mut nginx = Command::new(if debian.exists() { debian } else { "nginx".as_ref() });
        nginx.arg("-c").arg(config).arg("-e").arg(config.with_file_name("errors"));
        nginx
    }

    /// Serves with the lines that `block` makes for a port. Another process may take a port that was
    /// free a moment ago: then it is another one.
    fn start(home: &Path, block: impl Fn(u16) -> String) -> Self {
        let (config, place) = (home.join("nginx.conf"), home.display());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {place}/{name};\n"))
            .concat();
        loop {
            let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let port = free.local_addr().unwrap().port();
            let text = format!(
                "user root;\npid {place}/pid;\nevents {{ }}\nhttp {{\n{temporary}access_log off;\n\
                 gzip on;\n{}\n}}\n",
                block(port)
            );
            fs::write(&config, text).unwrap();
            drop(free);
            // It goes to the background once it listens.
            let output = Self::command(&config).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            if output.status.success() {
                return Self { config, port };
            }
            assert!(said.contains("Address already in use"), "{said}");
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Self::command(&self.config).args(["-s", "stop"]).output();
    }
}

fn nginx() {
    let shop = shop();
    let text = page();
    let block = text.split("```nginx\n").nth(1).unwrap().split("\n```").next().unwrap();
    let place = shop.path("srv");
    fs::create_dir(&place).unwrap();
    std::os::unix::fs::symlink(shop.path("updates"), place.join("shop")).unwrap();
    let (listen, files) = ("listen 443 ssl;", "root /srv/updates;");
    assert!(block.contains(listen) && block.contains(files));
    let here = |port: u16| -> String {
        let plain = block.lines().filter(|line| !line.trim().starts_with("ssl_"));
        plain
            .map(|line| match line.trim() {
                line if line == listen => format!("listen 127.0.0.1:{port};\n"),
                line if line == files => format!("root {};\n", place.display()),
                line => format!("{line}\n"),
            })
            .collect()
    };
    let nginx = Nginx::start(shop.home.path(), here);
    sends_what_the_table_says(&shop, nginx.port, "/shop");
    assert_eq!(get(nginx.port, "/shop/.lock", "").status, "404");
    let url = format!("http://127.0.0.1:{}/shop", nginx.port);
    let phone = Device { shop: &shop, url: url.clone(), name: "phone".into(), more: Vec::new() };
    assert_eq!(phone.update()["version"], "1.0.0");
    shop.ok(&["verify", &url]);
}

fn rsync() {
    let shop = shop();
    let mut section = Section::open(PAGE, "Upload");
    let (commands, _) = (section.next("rsync"), section.next("s3"));
    let remote = shop.path("remote");
    fs::create_dir(&remote).unwrap();
    let variables = [("REMOTE", remote.to_str().unwrap().to_owned())];
    shop.sh(&commands, &variables);
    shop.release("1.1.0", 2);
    shop.ok(&["key", "rotate", "timestamp", "--no-passphrase"]);
    // As if all of this had been within one second: then only the content tells the two apart.
    let file = "metadata/timestamp.json";
    let before = fs::metadata(remote.join(file)).unwrap().modified().unwrap();
    let signed = fs::File::options().write(true).open(shop.path("updates").join(file)).unwrap();
    signed.set_modified(before).unwrap();
    shop.sh(&commands, &variables);
    let mut uploaded = support::files(&remote);
    uploaded.retain(|path, _| !path.starts_with(".lock"));
    let here = shop.published();
    let differs = |path: &&PathBuf| uploaded.get(*path) != here.get(*path);
    let wrong: Vec<_> = uploaded.keys().chain(here.keys()).filter(differs).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    shop.ok(&["verify", remote.to_str().unwrap()]);
}
