//! From signed bytes to files: pieces are verified as they travelled, decoded, split, hashed,
//! written. One pass; no step holds more than a piece and a decoder window.
//!
//! Enters: a pack's bytes in order, with the layout and index that describe them; or contents that
//! the device has already. Leaves: files below one folder, each synced, each with the digest that
//! the index signs. Refuses: a piece with another digest, before any decoder sees it; a frame that
//! decodes to more or less than its files; a stream that is too short or too long.

mod local;
mod writer;

use std::io::Read;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

pub(crate) use local::pour_reader;
pub use local::{Contents, Folder, copy_local};
use writer::{FrameWriter, Target};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::limits;
use crate::release::{Blob, Coding, Frame, Index, Layout};
use crate::store::Disk;

/// Unpacks a whole pack below `folder`. `travelled` is told after each piece how many bytes came
/// so far, and may stop the work by failing. After a failure some files may be there; the folder is
/// to be thrown away.
///
/// # Errors
/// [`Error::Digest`] for bytes that are not the signed ones, [`Error::Document`] for a pack that is
/// not what its layout says, [`Error::Network`] where the stream breaks off, storage errors.
pub fn unpack(
    mut body: impl Read,
    index: &Index,
    layout: &Layout,
    disk: &dyn Disk,
    folder: &str,
    travelled: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let target = Target { index, disk, folder };
    target.prepare()?;
    let by_content = target.by_content();
    let mut decoder = new_decoder()?;
    let (mut piece, mut buffer) = (Vec::new(), vec![0; 128 << 10]);
    let mut came = 0;
    for frame in layout.frames() {
        decoder.reinit().map_err(|_| not_a_frame())?;
        let mut writer = FrameWriter::new(target, frame, &by_content);
        let mut ended = false;
        for (at, sha256) in frame.pieces.iter().enumerate() {
            read_piece(&mut body, frame, at, &mut piece)?;
            came += piece.len() as u64;
            if Digest::of(&piece) != *sha256 {
                return Err(Error::Digest { what: "pack".to_owned() });
            }
            ended = decode_piece(&mut decoder, &piece, &mut buffer, &mut writer, ended)?;
            travelled(came)?;
        }
        if !ended {
            return Err(not_a_frame());
        }
        writer.finish()?;
    }
    // One byte more would be one that nothing signed.
    if body.read(&mut [0]).is_ok_and(|count| count > 0) {
        return Err(Error::Digest { what: "pack".to_owned() });
    }
    Ok(())
}

fn read_piece(body: &mut impl Read, frame: &Frame, at: usize, piece: &mut Vec<u8>) -> Result<()> {
    let length = frame.piece_length(at);
    piece.clear();
    let read = body.by_ref().take(length).read_to_end(piece);
    read.map_err(|error| crate::fetch::broken("pack", &error))?;
    if piece.len() as u64 != length {
        return Err(Error::Network("pack: the connection broke off".to_owned()));
    }
    Ok(())
}

/// Decodes one verified piece; true once the frame has ended.
fn decode_piece(
    decoder: &mut Decoder<'_>,
    piece: &[u8],
    buffer: &mut [u8],
    writer: &mut FrameWriter<'_, '_>,
    ended: bool,
) -> Result<bool> {
    if ended {
        return Err(not_a_frame());
    }
    let mut input = InBuffer::around(piece);
    loop {
        let mut output = OutBuffer::around(&mut *buffer);
        let hint = decoder.run(&mut input, &mut output).map_err(|_| not_a_frame())?;
        let full = output.pos() == output.capacity();
        writer.write(output.as_slice())?;
        if hint == 0 {
            // The frame ended; anything behind it in the same piece is not ours.
            return if input.pos == piece.len() { Ok(true) } else { Err(not_a_frame()) };
        }
        if input.pos == piece.len() && !full {
            return Ok(false);
        }
    }
}

fn new_decoder() -> Result<Decoder<'static>> {
    let mut decoder = Decoder::new().map_err(|_| not_a_frame())?;
    // Whoever signs a bundle may not make the phone allocate more than this.
    let limited = decoder.set_parameter(DParameter::WindowLogMax(limits::WINDOW_LOG));
    limited.map_err(|_| not_a_frame())?;
    Ok(decoder)
}

fn not_a_frame() -> Error {
    Error::document("pack", "a frame is not what the layout says")
}

/// Undoes the coding of a small blob whose bytes were verified already.
///
/// # Errors
/// [`Error::Document`] where the bytes do not decode to exactly the signed length.
pub fn decode(bytes: &[u8], blob: &Blob, what: &str) -> Result<Vec<u8>> {
    let refuse = |detail: &str| Error::document(what, detail);
    match blob.coding {
        Coding::Identity => Ok(bytes.to_vec()),
        Coding::Zstd => {
            let limit = blob.decoded.min(limits::INDEX);
            let mut decoder = zstd::stream::read::Decoder::new(bytes)
                .map_err(|_| refuse("it cannot be decoded"))?
                .single_frame();
            decoder
                .window_log_max(limits::WINDOW_LOG)
                .map_err(|_| refuse("it cannot be decoded"))?;
            let mut decoded = Vec::new();
            // One byte more than signed is enough to see that there is more.
            decoder
                .take(limit.saturating_add(1))
                .read_to_end(&mut decoded)
                .map_err(|_| refuse("it cannot be decoded"))?;
            if decoded.len() as u64 != blob.decoded {
                return Err(refuse("it does not decode to the signed length"));
            }
            Ok(decoded)
        }
        Coding::Frames | Coding::Patch => Err(refuse("of a coding that does not fit")),
    }
}

#[cfg(all(test, feature = "publish"))]
mod tests;
