//! From verified pieces to files: decoded, split, hashed, written. One pass; no step holds more than
//! a piece and a decoder window.
//!
//! Enters: verified pieces of a pack (opened here, if it is sealed), with the layout and index that describe them; or contents that
//! the device has already. Leaves: files below one folder, each synced, each with the digest that
//! the index signs. Refuses: a frame that decodes to more or less than its files; a file with
//! another digest.

mod frame;
mod local;
mod patched;
mod writer;

use std::io::Read;

use frame::FrameDecoder;
pub(crate) use local::pour_reader;
pub use local::{Contents, Folder, copy_local};
pub use patched::{Patched, apply_patch};
use writer::{FrameWriter, Target};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::limits;
use crate::release::{Blob, Coding, Frame, Index, Layout, Piece, VerifiedPiece};
use crate::seal::{ObjectKey, TAG, Unsealed};
use crate::store::Disk;

/// Where verified pieces of a pack come from, in the order they are asked for.
pub trait Pieces {
    /// The bytes of this piece.
    ///
    /// # Errors
    /// [`Error::Digest`] where no source has the signed bytes; those of the source.
    fn piece(&mut self, piece: &Piece) -> Result<VerifiedPiece>;
}

/// Writes below `folder` every file whose content is among `wanted`, from the frames that hold one
/// of them; `key` is that of a sealed pack. After a failure some files may be there; the folder is to be thrown away.
///
/// # Errors
/// [`Error::Document`] for a pack that is not what its layout says; [`Error::Seal`] where `key` does
/// not open it; those of `pieces`; storage errors.
pub fn unpack(
    pieces: &mut dyn Pieces,
    key: Option<&ObjectKey>,
    wanted: &dyn Fn(&Digest) -> bool,
    index: &Index,
    layout: &Layout,
    disk: &dyn Disk,
    folder: &str,
) -> Result<()> {
    let target = Target { index, disk, folder };
    target.prepare()?;
    let by_content = target.by_content();
    for (frame, cut) in layout.pieces().filter(|(frame, _)| holds(frame, index, wanted)) {
        let mut decoder = FrameDecoder::new(frame.coding)?;
        let mut writer = FrameWriter::new(target, frame, &by_content);
        for piece in &cut {
            let opened = pieces.piece(piece)?.open(key)?;
            decoder.decode(opened.bytes(), &mut |bytes| writer.write(bytes))?;
        }
        decoder.finish()?;
        writer.finish()?;
    }
    Ok(())
}

/// Whether `frame` holds a content that is wanted.
#[must_use]
pub fn holds(frame: &Frame, index: &Index, wanted: &dyn Fn(&Digest) -> bool) -> bool {
    let contents = frame.files.iter().filter_map(|at| index.files().get(*at));
    contents.into_iter().any(|file| wanted(&file.sha256))
}

/// The pieces of a whole pack that comes as one stream.
pub struct Stream<R>(R);

impl<R: Read> Stream<R> {
    /// The pack that `body` begins with.
    pub fn new(body: R) -> Self {
        Self(body)
    }
}

impl<R: Read> Pieces for Stream<R> {
    fn piece(&mut self, piece: &Piece) -> Result<VerifiedPiece> {
        let mut bytes = Vec::new();
        read_piece(&mut self.0, piece, &mut bytes)?;
        piece.verify(bytes).ok_or_else(|| Error::Digest { what: "pack".to_owned() })
    }
}

/// Reads what is lacking in `bytes` of the bytes of `piece`, whatever they are. After an error
/// `bytes` holds what came so far.
pub(crate) fn read_piece(body: &mut impl Read, piece: &Piece, bytes: &mut Vec<u8>) -> Result<()> {
    let lacking = piece.length.min(limits::PIECE + TAG).saturating_sub(bytes.len() as u64);
    let read = body.take(lacking).read_to_end(bytes);
    read.map_err(|error| crate::fetch::broken("pack", &error))?;
    if bytes.len() as u64 != piece.length {
        return Err(Error::Network("pack: the connection broke off".to_owned()));
    }
    Ok(())
}

fn not_a_frame() -> Error {
    Error::document("pack", "a frame is not what the layout says")
}

/// Opens a small blob whose bytes were verified already, with the `key` of a sealed one, and undoes
/// its coding.
///
/// # Errors
/// [`Error::Seal`]; [`Error::Document`] where the bytes do not decode to the signed length.
pub fn decode(bytes: &[u8], key: Option<ObjectKey>, blob: &Blob, what: &str) -> Result<Vec<u8>> {
    match key {
        None => undo(bytes, blob, what),
        Some(key) => undo(&Unsealed::new(bytes, key, blob.length)?.into_bytes()?, blob, what),
    }
}

fn undo(bytes: &[u8], blob: &Blob, what: &str) -> Result<Vec<u8>> {
    let refuse = |detail: &str| Error::document(what, detail);
    let decoded = match blob.coding {
        Coding::Identity => bytes.to_vec(),
        Coding::Zstd | Coding::Brotli => {
            let (limit, mut decoded) = (blob.decoded.min(limits::INDEX), Vec::new());
            let undone = FrameDecoder::new(blob.coding).and_then(|mut decoder| {
                decoder.decode(bytes, &mut |bytes| {
                    decoded.extend_from_slice(bytes);
                    if decoded.len() as u64 > limit { Err(not_a_frame()) } else { Ok(()) }
                })?;
                decoder.finish()
            });
            undone.map_err(|_| refuse("it does not decode to the signed length"))?;
            decoded
        }
        Coding::Frames | Coding::Patch => return Err(refuse("of a coding that does not fit")),
    };
    if blob.fits(decoded.len() as u64) {
        Ok(decoded)
    } else {
        Err(refuse("it does not decode to the signed length"))
    }
}

#[cfg(all(test, feature = "publish"))]
mod tests;
