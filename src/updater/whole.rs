//! Blobs that are verified whole: index, layout, patch.
//!
//! Enters: a signed blob. Leaves: a file on the device that has its digest: from an earlier run, or
//! fetched from where that run was cut off. `downloads/<blob>/whole` holds what came so far; nothing of
//! it is used before all of it has the digest. Bytes that turn out wrong are fetched once more: from
//! another mirror if there is one, but from the same one where they came in several answers and an
//! earlier one may be to blame. Then the blob is left alone.
//!
//! `downloads/<blob>/version` says which mirror the first byte came from, and which ETag that gave.
//! Towards that mirror the rest is asked for with `If-Range`; towards another one without, since equal
//! files of two servers may well have different ETags.

use std::io::{Read, Write};

use super::meter::Meter;
use super::remote::Remote;
use super::spool::folder;
use crate::digest::Hasher;
use crate::error::{Error, Result};
use crate::fetch::{Part, Request, Response};
use crate::release::Blob;
use crate::store::Disk;

/// Read at once.
const CHUNK: usize = 64 << 10;
/// Most bytes of the line that names a version.
const VERSION: u64 = 512;

/// The file that has, or will have, the bytes of a blob.
pub(super) fn place(blob: &Blob) -> String {
    format!("{}/whole", folder(&blob.sha256))
}

/// Bytes of a blob that came in earlier runs.
///
/// # Errors
/// Storage errors.
pub(super) fn held(disk: &dyn Disk, blob: &Blob) -> Result<u64> {
    let length = disk.length(&place(blob)).map_err(storing)?;
    Ok(length.filter(|length| *length <= blob.length).unwrap_or(0))
}

/// Fetches what is missing of a blob, and returns the path of its file, verified.
///
/// # Errors
/// [`Error::Digest`] where no source has the signed bytes; those of the network; storage errors.
pub(super) fn fetch(
    disk: &dyn Disk,
    blob: &Blob,
    what: &str,
    remote: &mut Remote<'_>,
    meter: &mut Meter<'_>,
) -> Result<String> {
    let file = place(blob);
    meter.expect(blob.length - held(disk, blob)?);
    let mut tries = remote.tries();
    // A beginning of an earlier run may be the one to blame.
    let mut pieced = held(disk, blob)? > 0;
    let mut furthest = held(disk, blob)?;
    loop {
        let came = held(disk, blob)?;
        pieced |= came > 0;
        let fetched = if came == blob.length {
            Ok(())
        } else {
            append(disk, blob, what, (came, &mut furthest), remote, meter)
        };
        match fetched {
            Ok(()) if is_right(disk, &file, blob)? => {
                remote.progress();
                return Ok(file);
            }
            Ok(()) => {
                disk.remove_file(&file).map_err(storing)?;
                furthest = 0;
                tries -= 1;
                if tries == 0 {
                    return Err(Error::Digest { what: what.to_owned() });
                }
                if !std::mem::take(&mut pieced) {
                    remote.turn();
                }
            }
            Err(error) => {
                let error = remote.cancel.check().err().unwrap_or(error);
                remote.recover(error)?;
            }
        }
    }
}

/// Asks for what follows the first `from` bytes, and keeps what comes. Only what leads past `furthest` is
/// progress: a server that begins anew each time and breaks off is not asked for ever.
fn append(
    disk: &dyn Disk,
    blob: &Blob,
    what: &str,
    (from, furthest): (u64, &mut u64),
    remote: &mut Remote<'_>,
    meter: &mut Meter<'_>,
) -> Result<()> {
    let path = blob.path();
    let part = (from > 0).then_some(Part { from, to: blob.length });
    let version = version(disk, blob, remote.mirror());
    let request =
        Request { part, if_range: version.as_deref(), ..Request::whole(&path, blob.length) };
    let (mut body, begins, etag) = match remote.open(&request)? {
        Response::Found { from, body, etag, .. } => (body, from, etag),
        Response::NotModified | Response::Missing => return Err(Error::http(404, what)),
    };
    disk.create_folder(&folder(&blob.sha256)).map_err(storing)?;
    let file = place(blob);
    // A server that knows no ranges, or has another version, sends all of it.
    let fresh = begins != from || from == 0;
    let out = if fresh { disk.create(&file) } else { disk.append(&file) };
    let mut out = out.map_err(storing)?;
    if fresh {
        note_version(disk, blob, remote.mirror(), etag).map_err(storing)?;
    }
    let mut left = blob.length - if fresh { 0 } else { from };
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        remote.cancel.check()?;
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let read = body.read(chunk.get_mut(..most).unwrap_or_default());
        let count = read.map_err(|error| crate::fetch::broken(what, &error))?;
        if count == 0 {
            return Err(Error::Network(format!("{what}: the connection broke off")));
        }
        meter.allow(remote, 0)?;
        out.write_all(chunk.get(..count).unwrap_or_default()).map_err(storing)?;
        left -= count as u64;
        meter.came(count as u64);
        let at = blob.length - left;
        if at >= furthest.saturating_add(CHUNK as u64) {
            // Not yet verified, but no more of it than was signed can come.
            remote.progress();
            *furthest = at;
        }
    }
    Ok(())
}

/// The ETag of the version that is held, if it came from this mirror.
fn version(disk: &dyn Disk, blob: &Blob, mirror: usize) -> Option<String> {
    let file = format!("{}/version", folder(&blob.sha256));
    let line = String::from_utf8(disk.read(&file, VERSION).ok()??).ok()?;
    let (from, etag) = line.strip_suffix('\n')?.split_once(' ')?;
    (from.parse() == Ok(mirror)).then(|| etag.to_owned())
}

/// Notes where the first byte came from. Only a strong ETag says that two parts fit each other.
fn note_version(
    disk: &dyn Disk,
    blob: &Blob,
    mirror: usize,
    etag: Option<String>,
) -> std::io::Result<()> {
    let file = format!("{}/version", folder(&blob.sha256));
    match etag.filter(|etag| etag.starts_with('"')) {
        Some(etag) => disk.create(&file)?.write_all(format!("{mirror} {etag}\n").as_bytes()),
        None => disk.remove_file(&file),
    }
}

fn is_right(disk: &dyn Disk, file: &str, blob: &Blob) -> Result<bool> {
    let mut file = disk.open(file).map_err(storing)?;
    let (mut hasher, mut chunk) = (Hasher::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk).map_err(storing)? {
            0 => return Ok(hasher.finish() == blob.sha256),
            count => hasher.update(chunk.get(..count).unwrap_or_default()),
        }
    }
}

fn storing(error: std::io::Error) -> Error {
    Error::storage("keeping what was downloaded", error)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::super::ledger::Allowance;
    use super::*;
    use crate::digest::Digest;
    use crate::fetch::Transport;
    use crate::host::{Clock, System};
    use crate::progress::Cancel;
    use crate::release::Coding;
    use crate::store::memory::{Fault, MemoryDisk};
    use crate::time::UnixTime;

    /// A server whose every connection ends after so many bytes.
    struct Short {
        file: Vec<u8>,
        each: usize,
        ranges: bool,
        requests: Mutex<u32>,
    }

    impl Transport for Short {
        fn get(&self, request: &Request<'_>, _: &Cancel) -> Result<Response> {
            *self.requests.lock().unwrap() += 1;
            let from = request.part.filter(|_| self.ranges).map_or(0, |part| part.from);
            let rest = &self.file[from as usize..];
            let body = Cursor::new(rest[..self.each.min(rest.len())].to_vec());
            Ok(Response::Found { etag: None, date: None, from, body: Box::new(body) })
        }
    }

    /// A clock that does not wait but counts.
    #[derive(Default)]
    struct Waits(Mutex<u32>);

    impl Clock for Waits {
        fn now(&self) -> UnixTime {
            UnixTime::from_seconds(0)
        }

        fn pause(&self, _: Duration, _: &Cancel) {
            *self.0.lock().unwrap() += 1;
        }
    }

    fn blob(bytes: &[u8]) -> Blob {
        let (sha256, length) = (Digest::of(bytes), bytes.len() as u64);
        Blob { sha256, length, coding: Coding::Identity, decoded: length, salt: None }
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * at / 7) as u8).collect()
    }

    /// Fetches over connections of `each` bytes with one wait in a row; the result, the requests
    /// and the waits.
    fn over(disk: &MemoryDisk, file: &[u8], each: usize) -> (Result<Vec<u8>>, u32, u32) {
        let ranges = true;
        from(Short { file: file.to_vec(), each, ranges, requests: Mutex::new(0) }, disk, file)
    }

    fn from(short: Short, disk: &MemoryDisk, file: &[u8]) -> (Result<Vec<u8>>, u32, u32) {
        let short = Arc::new(short);
        let mirrors: Vec<Arc<dyn Transport>> = vec![short.clone()];
        let (waits, cancel) = (Waits::default(), Cancel::default());
        let mut remote = Remote::new(&mirrors, 1, &waits, &System, &cancel);
        let mut tell = |_| {};
        let mut meter = Meter::new(Allowance::UNLIMITED, &remote, &mut tell);
        let got = fetch(disk, &blob(file), "index", &mut remote, &mut meter);
        let got = got.map(|path| disk.read(&path, u64::MAX).unwrap().unwrap());
        let (requests, waits) = (*short.requests.lock().unwrap(), *waits.0.lock().unwrap());
        (got, requests, waits)
    }

    #[test]
    fn one_run_goes_on_as_long_as_something_comes() {
        let file = noise(700_000);
        let (got, requests, waits) = over(&MemoryDisk::new(), &file, 70_000);
        assert_eq!((got.unwrap(), requests, waits), (file, 10, 9));
    }

    #[test]
    fn a_server_that_begins_anew_each_time_is_given_up() {
        let file = noise(700_000);
        let short =
            Short { file: file.clone(), each: 200_000, ranges: false, requests: Mutex::new(0) };
        let (got, requests, _) = from(short, &MemoryDisk::new(), &file);
        // What the second answer brought had come with the first.
        assert_eq!((got.unwrap_err().code(), requests), ("network", 2));
    }

    #[test]
    fn connections_that_yield_next_to_nothing_are_given_up_and_the_next_run_has_what_came() {
        let (disk, file) = (MemoryDisk::new(), noise(5_000));
        for run in 1..=2 {
            let (got, requests, _) = over(&disk, &file, 1_000);
            assert_eq!((got.unwrap_err().code(), requests), ("network", 2), "{run}");
        }
        let (got, requests, _) = over(&disk, &file, 1_000);
        assert_eq!((got.unwrap(), requests), (file, 1));
    }

    #[test]
    fn a_crash_at_any_write_costs_no_more_than_what_came_since() {
        let file = noise(200_000);
        let writes = MemoryDisk::new();
        over(&writes, &file, usize::MAX).0.unwrap();
        let writes = writes.journal().len();
        assert!(writes > 4, "{writes}");
        for at in 0..writes {
            for fault in [Fault::Kill, Fault::Error, Fault::Full] {
                let disk = MemoryDisk::new();
                disk.fail_at(at, fault);
                let _ = over(&disk, &file, usize::MAX);
                for after in [disk.after_kill(), disk.after_power_cut()] {
                    assert_eq!(over(&after, &file, usize::MAX).0.unwrap(), file, "{at} {fault:?}");
                }
            }
        }
    }
}
