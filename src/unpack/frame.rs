//! One frame of a pack, decoded as its bytes come.
//!
//! Enters: a coding, and the verified bytes of one frame in any number of parts. Leaves: decoded bytes,
//! as many as the caller takes. Refuses: bytes that are no frame of that coding, or more than one; a
//! window above the limit, before it is allocated.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::not_a_frame;
use crate::error::Result;
use crate::limits;
use crate::release::Coding;

/// Bytes that are decoded at once.
const BUFFER: usize = 64 << 10;

/// Where decoded bytes go.
type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// A frame that is being decoded.
pub(super) struct FrameDecoder {
    kind: Kind,
    buffer: Vec<u8>,
    /// The frame has ended.
    ended: bool,
}

enum Kind {
    Zstd(Decoder<'static>),
    /// What the first byte says of the window is checked when it comes.
    Brotli {
        state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
        begun: bool,
    },
}

impl FrameDecoder {
    /// Will decode one frame of this coding.
    pub(super) fn new(coding: Coding) -> Result<Self> {
        let kind = match coding {
            Coding::Zstd => {
                let mut decoder = Decoder::new().map_err(|_| not_a_frame())?;
                // Whoever signs a bundle may not make the phone allocate more than this.
                let limited = decoder.set_parameter(DParameter::WindowLogMax(limits::WINDOW_LOG));
                limited.map_err(|_| not_a_frame())?;
                Kind::Zstd(decoder)
            }
            Coding::Brotli => {
                let [bytes, numbers, codes] = [StandardAlloc::default(); 3];
                // Strict: without the large windows that RFC 7932 does not know.
                let state = Box::new(BrotliState::new_strict(bytes, numbers, codes));
                Kind::Brotli { state, begun: false }
            }
            Coding::Identity | Coding::Frames | Coding::Patch => return Err(not_a_frame()),
        };
        Ok(Self { kind, buffer: vec![0; BUFFER], ended: false })
    }

    /// Decodes the next bytes of the frame; nothing may follow its end.
    pub(super) fn decode(&mut self, bytes: &[u8], sink: Sink<'_>) -> Result<()> {
        if self.ended {
            return Err(not_a_frame());
        }
        self.ended = match &mut self.kind {
            Kind::Zstd(decoder) => zstd(decoder, bytes, &mut self.buffer, sink)?,
            Kind::Brotli { state, begun } => {
                if let (false, Some(first)) = (*begun, bytes.first()) {
                    let window = brotli_window(*first).filter(|log| *log <= limits::WINDOW_LOG);
                    window.ok_or_else(not_a_frame)?;
                    *begun = true;
                }
                brotli(state, bytes, &mut self.buffer, sink)?
            }
        };
        Ok(())
    }

    /// All bytes came: the frame must have ended with them.
    pub(super) fn finish(self) -> Result<()> {
        if self.ended { Ok(()) } else { Err(not_a_frame()) }
    }
}

/// True once the frame has ended.
fn zstd(
    decoder: &mut Decoder<'_>,
    bytes: &[u8],
    buffer: &mut [u8],
    sink: Sink<'_>,
) -> Result<bool> {
    let mut input = InBuffer::around(bytes);
    loop {
        let mut output = OutBuffer::around(&mut *buffer);
        let hint = decoder.run(&mut input, &mut output).map_err(|_| not_a_frame())?;
        let full = output.pos() == output.capacity();
        sink(output.as_slice())?;
        if hint == 0 {
            return if input.pos == bytes.len() { Ok(true) } else { Err(not_a_frame()) };
        }
        if input.pos == bytes.len() && !full {
            return Ok(false);
        }
    }
}

/// True once the frame has ended.
fn brotli(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    bytes: &[u8],
    buffer: &mut [u8],
    sink: Sink<'_>,
) -> Result<bool> {
    let (mut left, mut at) = (bytes.len(), 0);
    loop {
        let (mut room, mut written, mut total) = (buffer.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            bytes,
            &mut room,
            &mut written,
            buffer,
            &mut total,
            state,
        );
        sink(buffer.get(..written).unwrap_or_default())?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput if left == 0 => return Ok(false),
            BrotliResult::ResultSuccess if left == 0 => return Ok(true),
            _ => return Err(not_a_frame()),
        }
    }
}

/// The window that a brotli stream says it needs, as a power of two (RFC 7932, section 9.1): it
/// stands in the first byte. Nothing for the one pattern that is none.
fn brotli_window(first: u8) -> Option<u32> {
    let first = u32::from(first);
    match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, _, _) => Some(16),
        (_, 0, 0) => Some(17),
        (_, 0, 1) => None,
        (_, 0, high) => Some(8 + high),
        (_, low, _) => Some(17 + low),
    }
}

#[cfg(all(test, feature = "publish"))]
mod tests {
    use super::*;

    fn coded(plain: &[u8], lgwin: i32, large_window: bool) -> Vec<u8> {
        let params = brotli::enc::BrotliEncoderParams {
            quality: 5,
            lgwin,
            large_window,
            ..Default::default()
        };
        let mut out = Vec::new();
        brotli::BrotliCompress(&mut &*plain, &mut out, &params).unwrap();
        out
    }

    /// Decodes in parts of `each` bytes.
    fn decoded(coding: Coding, bytes: &[u8], each: usize) -> Result<Vec<u8>> {
        let (mut decoder, mut out) = (FrameDecoder::new(coding)?, Vec::new());
        for part in bytes.chunks(each) {
            decoder.decode(part, &mut |bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        decoder.finish().map(|()| out)
    }

    fn text() -> Vec<u8> {
        (0..30_000)
            .flat_map(|n: u32| format!("line {} of many\n", n * n % 977).into_bytes())
            .collect()
    }

    #[test]
    fn either_coding_comes_back_however_it_is_cut() {
        let plain = text();
        let brotli = coded(&plain, 22, false);
        let zstd = zstd::bulk::compress(&plain, 3).unwrap();
        for each in [1, 7, 64 << 10] {
            assert!(decoded(Coding::Brotli, &brotli, each).unwrap() == plain, "{each}");
            assert!(decoded(Coding::Zstd, &zstd, each).unwrap() == plain, "{each}");
        }
        assert!(decoded(Coding::Brotli, &zstd, 100).is_err());
        assert!(decoded(Coding::Zstd, &brotli, 100).is_err());
    }

    #[test]
    fn every_window_is_what_its_first_byte_says_and_large_ones_are_refused() {
        for log in 10..=24 {
            let frame = coded(b"some text, and some text again", log, false);
            assert_eq!(brotli_window(frame[0]), Some(u32::try_from(log).unwrap()));
            let taken = decoded(Coding::Brotli, &frame, 100).is_ok();
            assert_eq!(taken, log <= 23, "{log}");
        }
        let large = coded(&text(), 27, true);
        assert_eq!(brotli_window(large[0]), None);
        assert!(decoded(Coding::Brotli, &large, 100).is_err());
    }

    #[test]
    fn a_brotli_stream_that_ends_early_or_goes_on_is_refused() {
        let frame = coded(b"hello, hello, hello", 18, false);
        for end in 0..frame.len() {
            assert!(decoded(Coding::Brotli, &frame[..end], 100).is_err(), "{end}");
        }
        for each in [1, 100] {
            let doubled = [&frame[..], &frame].concat();
            assert!(decoded(Coding::Brotli, &doubled, each).is_err());
            assert!(decoded(Coding::Brotli, &[&frame[..], b"\0"].concat(), each).is_err());
        }
    }

    #[test]
    fn a_bomb_stops_where_its_sink_says() {
        let bomb = coded(&vec![0; 64 << 20], 22, false);
        assert!(bomb.len() < 1000);
        let (mut decoder, mut came) = (FrameDecoder::new(Coding::Brotli).unwrap(), 0);
        let stopped = decoder.decode(&bomb, &mut |bytes| {
            came += bytes.len();
            if came > 1000 { Err(not_a_frame()) } else { Ok(()) }
        });
        assert!(stopped.is_err());
        assert!(came <= BUFFER, "{came}");
    }
}
