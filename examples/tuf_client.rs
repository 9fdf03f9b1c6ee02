//! A plain TUF client on Farad's trust core, with the command line of the official conformance suite.
//!
//! ```text
//! tuf_client --metadata-dir D init ROOT
//! tuf_client --metadata-dir D --metadata-url U refresh
//! tuf_client --metadata-dir D --metadata-url U --target-name N… --target-dir T --target-base-url B download
//! ```
//! New roots are asked for first, every time, as the specification says. Exit code 0 or 1. What is
//! trusted lies in D as unversioned `*.json`; everything else in folders below it.

#![expect(clippy::print_stderr, reason = "a program for the terminal")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use farad::fetch::{Http, HttpOptions, Request, Response, Transport, read_all};
use farad::host::{Clock, System};
use farad::progress::Cancel;
use farad::time::UnixTime;
use farad::trust::{Keep, Order, Setting, Source, TimestampAnswer, with_session};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args = std::env::args().skip(1).collect();
    // A panic must not end with a third exit code.
    let done = std::panic::catch_unwind(|| run(args));
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("tuf_client: {error}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

#[derive(Default)]
struct Args {
    flags: BTreeMap<String, Vec<String>>,
    words: Vec<String>,
}

impl Args {
    fn read(args: Vec<String>) -> Outcome<Self> {
        let mut found = Self::default();
        let mut args = args.into_iter();
        while let Some(word) = args.next() {
            match word.strip_prefix("--") {
                Some(flag) => {
                    let value = args.next().ok_or("a flag without a value")?;
                    found.flags.entry(flag.to_owned()).or_default().push(value);
                }
                None => found.words.push(word),
            }
        }
        Ok(found)
    }

    fn one(&self, flag: &str) -> Outcome<&str> {
        let value = self.flags.get(flag).and_then(|values| values.first());
        Ok(value.ok_or_else(|| format!("--{flag} is missing"))?)
    }
}

fn run(args: Vec<String>) -> Outcome<()> {
    let args = Args::read(args)?;
    let mut keep = FolderKeep(PathBuf::from(args.one("metadata-dir")?));
    match args.words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["init", root] => {
            let root = fs::read(root)?;
            keep.write("state/shipped", &root)?;
            keep.write("root.json", &root)?;
            Ok(())
        }
        ["refresh"] => work(&args, &mut keep, &[]),
        ["download"] => {
            let names = args.flags.get("target-name").cloned().unwrap_or_default();
            work(&args, &mut keep, &names)
        }
        _ => Err("init ROOT, refresh or download".into()),
    }
}

fn work(args: &Args, keep: &mut FolderKeep, names: &[String]) -> Outcome<()> {
    let root = fs::read(keep.0.join("state/shipped"))?;
    let options = HttpOptions { allow_plain: true, ..HttpOptions::default() };
    let targets = if names.is_empty() { None } else { Some(args.one("target-base-url")?) };
    let mut source = HttpSource {
        metadata: Http::new(args.one("metadata-url")?, &options)?,
        targets: targets.map(|url| Http::new(url, &options)).transpose()?,
    };
    let setting = Setting {
        root: &root,
        now: System.now(),
        built: UnixTime::from_seconds(0),
        order: Order::Strict,
        seed: &BTreeMap::new(),
    };
    let mut found = Vec::new();
    let done = with_session(&setting, keep, &mut source, |session| {
        found.clear();
        for name in names {
            found.push((name.clone(), session.target(name, 1 << 30)?));
        }
        Ok(())
    });
    // What came before a failure is good.
    for (name, bytes) in found {
        let folder = PathBuf::from(args.one("target-dir")?);
        let file: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        fs::write(folder.join(file), bytes)?;
    }
    Ok(done?)
}

struct HttpSource {
    metadata: Http,
    targets: Option<Http>,
}

fn get(http: &Http, path: &str, limit: u64) -> farad::Result<Option<Vec<u8>>> {
    match http.get(&Request::whole(path, limit), &Cancel::default())? {
        Response::Found { body, .. } => read_all(body, path, limit).map(Some),
        Response::NotModified | Response::Missing => Ok(None),
    }
}

impl Source for HttpSource {
    fn metadata(&mut self, file: &str, limit: u64) -> farad::Result<Option<Vec<u8>>> {
        get(&self.metadata, file, limit)
    }

    fn timestamp(&mut self, _: Option<&str>, limit: u64) -> farad::Result<TimestampAnswer> {
        Ok(match get(&self.metadata, "timestamp.json", limit)? {
            Some(bytes) => TimestampAnswer::Found { etag: None, date: None, bytes },
            None => TimestampAnswer::Missing,
        })
    }

    fn target(&mut self, path: &str, limit: u64) -> farad::Result<Option<Vec<u8>>> {
        self.targets.as_ref().map_or(Ok(None), |http| get(http, path, limit))
    }
}

/// Trusted metadata as `*.json` in one folder, the rest below `state/`.
struct FolderKeep(PathBuf);

impl FolderKeep {
    fn place(name: &str) -> String {
        if name.ends_with(".json") && !name.contains('/') {
            name.to_owned()
        } else {
            format!("state/{name}")
        }
    }

    fn write(&self, place: &str, bytes: &[u8]) -> farad::Result<()> {
        let path = self.0.join(place);
        let folder = path.parent().unwrap_or(&self.0);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes));
        written.map_err(|error| farad::Error::storage(place, error))
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join(folder)).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Keep for FolderKeep {
    fn load(&self, name: &str) -> farad::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(Self::place(name))) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(farad::Error::storage(name, error)),
        }
    }

    fn save(&mut self, name: &str, bytes: &[u8]) -> farad::Result<()> {
        self.write(&Self::place(name), bytes)?;
        // The suite looks for the newest root here; what is read again is the history.
        if name.starts_with("root/") { self.write("root.json", bytes) } else { Ok(()) }
    }

    fn remove(&mut self, name: &str) -> farad::Result<()> {
        match fs::remove_file(self.0.join(Self::place(name))) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(farad::Error::storage(name, error))
            }
            _ => Ok(()),
        }
    }

    fn names(&self) -> farad::Result<Vec<String>> {
        let top = self.list("").into_iter().filter(|name| name != "root.json");
        let state = self.list("state").into_iter().filter(|name| name != "shipped");
        let below = |folder: &str| -> Vec<String> {
            let names = self.list(&format!("state/{folder}"));
            names.into_iter().map(|name| format!("{folder}/{name}")).collect()
        };
        Ok(top.chain(state).chain(below("root")).chain(below("targets")).collect())
    }
}
