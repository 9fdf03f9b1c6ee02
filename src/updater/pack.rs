//! Pieces of a pack over a network that may fail at any byte.
//!
//! Enters: which pieces a bundle needs, in the order of the pack. Leaves: each of them, verified,
//! in that order: from the spool, where an earlier run or this one has put it, else from a mirror,
//! neighbours in one request. A connection that breaks is taken up again at the first byte that is
//! lacking, at the same mirror or another. A piece whose bytes are wrong is fetched once more: from another mirror if there is
//! one, but from the same one where the piece came in two parts and the first may be to blame.
//! After that the pack is left alone.
//!
//! Ranges are asked for without `If-Range`: each piece has a digest of its own, so two versions of
//! a file cannot be mixed, and mirrors with the same bytes under different ETags can take turns.

use std::io::Read;

use super::meter::Meter;
use super::remote::Remote;
use super::spool::Spool;
use crate::error::{Error, Result};
use crate::fetch::{Part, Request, Response};
use crate::release::{Blob, Piece, VerifiedPiece};
use crate::unpack::{Pieces, read_piece};

/// Two ranges this close are fetched as one: a request and its answer cost about as much in headers
/// alone.
const GAP: u64 = 512;

/// Bytes of the pack on their way.
struct Stream {
    body: Box<dyn Read + Send>,
    at: u64,
    end: u64,
}

/// The pieces of one pack.
pub(crate) struct PackFetch<'a, 's, 'r, 'm> {
    remote: &'a mut Remote<'r>,
    spool: Spool<'s>,
    path: String,
    length: u64,
    /// What is to be fetched, as few ranges as it makes sense, in order.
    runs: Vec<Part>,
    stream: Option<Stream>,
    meter: &'a mut Meter<'m>,
}

impl<'a, 's, 'r, 'm> PackFetch<'a, 's, 'r, 'm> {
    /// Will hand out `wanted` pieces of `pack`.
    pub(crate) fn new(
        remote: &'a mut Remote<'r>,
        spool: Spool<'s>,
        pack: &Blob,
        wanted: &[Piece],
        meter: &'a mut Meter<'m>,
    ) -> Self {
        let runs = lacking(&spool, wanted);
        meter.expect(runs.iter().map(|run| run.to - run.from).sum());
        Self { remote, spool, path: pack.path(), length: pack.length, runs, stream: None, meter }
    }

    /// Fetches what is lacking of `wanted` into the spool, and returns that.
    pub(crate) fn all(mut self, wanted: &[Piece]) -> Result<Spool<'s>> {
        for piece in wanted {
            if !self.spool.has(piece) {
                self.piece(piece)?;
            }
        }
        Ok(self.spool)
    }

    /// Reads what is lacking of `piece` from the stream, which is opened if need be. After an error
    /// `bytes` holds what came so far.
    fn read(&mut self, piece: &Piece, bytes: &mut Vec<u8>) -> Result<()> {
        let from = piece.offset.saturating_add(bytes.len() as u64);
        let fits = |stream: &Stream| stream.at <= from && piece.end() <= stream.end;
        let mut stream = match self.stream.take().filter(fits) {
            Some(stream) => stream,
            None => self.open(piece, from)?,
        };
        self.meter.allow(self.remote, piece.end().saturating_sub(stream.at))?;
        let gap = from.saturating_sub(stream.at);
        let skipped = std::io::copy(&mut stream.body.by_ref().take(gap), &mut std::io::sink())
            .map_err(|error| crate::fetch::broken("pack", &error))?;
        self.meter.came(skipped);
        if skipped != gap {
            return Err(Error::Network("pack: the connection broke off".to_owned()));
        }
        read_piece(&mut stream.body, piece, bytes)?;
        stream.at = piece.end();
        self.stream = Some(stream);
        Ok(())
    }

    /// Asks for the pack from `from` on, a position in `piece`, to the end of what is wanted there.
    fn open(&mut self, piece: &Piece, from: u64) -> Result<Stream> {
        let run = self.runs.iter().find(|run| run.from <= piece.offset && piece.end() <= run.to);
        let to = run.map_or(piece.end(), |run| run.to);
        // All of it is asked for plainly: some servers know no ranges.
        let whole = from == 0 && to == self.length;
        let part = (!whole).then_some(Part { from, to });
        let request = Request { part, ..Request::whole(&self.path, self.length) };
        match self.remote.open(&request)? {
            Response::Found { from: at, body, .. } => {
                let end = if at == 0 && from > 0 { self.length } else { to };
                Ok(Stream { body, at, end })
            }
            Response::NotModified | Response::Missing => Err(Error::http(404, "pack")),
        }
    }
}

impl Pieces for PackFetch<'_, '_, '_, '_> {
    fn piece(&mut self, piece: &Piece) -> Result<VerifiedPiece> {
        self.remote.cancel.check()?;
        if let Some(verified) = self.spool.load(piece).and_then(|bytes| piece.verify(bytes)) {
            return Ok(verified);
        }
        let mut bytes = self.spool.take_beginning(piece);
        let mut pieced = !bytes.is_empty();
        let mut tries = self.remote.tries();
        loop {
            match self.read(piece, &mut bytes) {
                Ok(()) => {
                    if let Some(verified) = piece.verify(std::mem::take(&mut bytes)) {
                        self.remote.progress();
                        self.spool.save(piece, verified.bytes())?;
                        self.meter.came(piece.length);
                        return Ok(verified);
                    }
                    // Whatever follows on this connection is as suspect.
                    self.stream = None;
                    self.spool.keep_beginning(piece, &[]);
                    tries -= 1;
                    if tries == 0 {
                        return Err(Error::Digest { what: "pack".to_owned() });
                    }
                    if !std::mem::take(&mut pieced) {
                        self.remote.turn();
                    }
                }
                Err(error) => {
                    self.stream = None;
                    let error = self.remote.cancel.check().err().unwrap_or(error);
                    if let Err(error) = self.remote.recover(error) {
                        // On a network where no connection lasts for a piece, the next run has
                        // less of it to fetch.
                        self.spool.keep_beginning(piece, &bytes);
                        return Err(error);
                    }
                    pieced = !bytes.is_empty();
                }
            }
        }
    }
}

/// What is to be fetched for `wanted` pieces beyond what `spool` has.
pub(super) fn lacking(spool: &Spool<'_>, wanted: &[Piece]) -> Vec<Part> {
    merge(wanted.iter().filter(|piece| !spool.has(piece)))
}

/// Ranges that cover the pieces, which come in order.
fn merge<'p>(pieces: impl Iterator<Item = &'p Piece>) -> Vec<Part> {
    let mut runs: Vec<Part> = Vec::new();
    for piece in pieces {
        match runs.last_mut() {
            Some(run) if piece.offset.saturating_sub(run.to) <= GAP => run.to = piece.end(),
            _ => runs.push(Part { from: piece.offset, to: piece.end() }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Truncated;

    #[test]
    fn neighbours_travel_together() {
        let piece = |offset, length| Piece {
            offset,
            length,
            digest: Truncated::of(b""),
            number: 0,
            last: false,
        };
        let pieces = [piece(0, 10), piece(10, 5), piece(15 + GAP, 5), piece(21 + 2 * GAP, 1)];
        let part = |from, to| Part { from, to };
        assert_eq!(merge(pieces.iter()), [part(0, 20 + GAP), part(21 + 2 * GAP, 22 + 2 * GAP)],);
        assert!(merge([].iter()).is_empty());
    }
}
