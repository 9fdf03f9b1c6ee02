//! Blobs that are verified whole: index, layout, patch.
//!
//! Enters: a signed blob. Leaves: a file on the device that has its digest: from an earlier run, or
//! fetched from where that run was cut off. `downloads/<blob>/whole` holds what came so far; nothing of
//! it is used before all of it has the digest. Bytes that turn out wrong are fetched once more, from
//! another mirror if there is one; then the blob is left alone.

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
    let mut tries = remote.mirrors().max(2);
    loop {
        let came = held(disk, blob)?;
        let fetched = if came == blob.length {
            Ok(())
        } else {
            append(disk, blob, what, came, remote, meter)
        };
        match fetched {
            Ok(()) if is_right(disk, &file, blob)? => {
                remote.progress();
                return Ok(file);
            }
            Ok(()) => {
                disk.remove_file(&file).map_err(storing)?;
                tries -= 1;
                if tries == 0 {
                    return Err(Error::Digest { what: what.to_owned() });
                }
                // Once more, from another mirror if there is one.
                remote.turn();
            }
            Err(error) => {
                let error = remote.cancel.check().err().unwrap_or(error);
                remote.recover(error)?;
            }
        }
    }
}

/// Asks for what follows the first `from` bytes, and keeps what comes.
fn append(
    disk: &dyn Disk,
    blob: &Blob,
    what: &str,
    from: u64,
    remote: &mut Remote<'_>,
    meter: &mut Meter<'_>,
) -> Result<()> {
    let path = blob.path();
    let part = (from > 0).then_some(Part { from, to: blob.length });
    let request = Request { part, ..Request::whole(&path, blob.length) };
    let (mut body, begins) = match remote.open(&request)? {
        Response::Found { from, body, .. } => (body, from),
        Response::NotModified | Response::Missing => return Err(Error::http(404, what)),
    };
    disk.create_folder(&folder(&blob.sha256)).map_err(storing)?;
    let file = place(blob);
    // A server that knows no ranges sends all of it.
    let fresh = begins != from || from == 0;
    let out = if fresh { disk.create(&file) } else { disk.append(&file) };
    let mut out = out.map_err(storing)?;
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
        remote.bytes += count as u64;
        meter.spend(count as u64)?;
        out.write_all(chunk.get(..count).unwrap_or_default()).map_err(storing)?;
        left -= count as u64;
        meter.came(count as u64);
    }
    Ok(())
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
