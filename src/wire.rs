//! Numbers and columns of numbers in a patch and in a layout.
//!
//! Enters: bytes from outside, and what they are said to be, for the error. Leaves: numbers, positions.
//! Refuses: what is cut short, a number with another spelling, a position out of bounds. A number is LEB128 (seven bits a byte, lowest first, at most 64 bits, no byte too many); a signed
//! one is zigzag (0, −1, 1, −2, …); positions are signed differences to the successor of the one
//! before. Every count is held against what is left to read before anything is made room for.

use std::io::{self, ErrorKind, Read};

use crate::error::{Error, Result};

/// Reads columns of a document that is named `what` in errors.
pub(crate) struct Reader<'a> {
    what: &'static str,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, left: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        number(&mut self.left, self.what)
    }

    /// How many of something follow, at most so many; each takes at least a byte.
    pub(crate) fn count(&mut self, most: usize) -> Result<usize> {
        let count = self.number()?;
        within(self.what, count, most.min(self.left.len()))
    }

    pub(crate) fn numbers(&mut self, count: usize) -> Result<Vec<u64>> {
        if count > self.left.len() {
            return Err(cut(self.what));
        }
        (0..count).map(|_| self.number()).collect()
    }

    pub(crate) fn signed(&mut self, count: usize) -> Result<Vec<i64>> {
        Ok(self.numbers(count)?.into_iter().map(from_zigzag).collect())
    }

    /// Positions below `end`.
    pub(crate) fn positions(&mut self, count: usize, end: usize) -> Result<Vec<usize>> {
        let mut next = 0_i64;
        let mut positions = Vec::new();
        for difference in self.signed(count)? {
            let at = next.checked_add(difference);
            let at = at.and_then(|at| usize::try_from(at).ok()).filter(|at| *at < end);
            let at = at.ok_or_else(|| Error::document(self.what, "a position is out of bounds"))?;
            positions.push(at);
            next = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1);
        }
        Ok(positions)
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let length = usize::try_from(length).map_err(|_| cut(self.what))?;
        let (taken, left) = self.left.split_at_checked(length).ok_or_else(|| cut(self.what))?;
        self.left = left;
        Ok(taken)
    }
}

/// A count that is held against its limit.
pub(crate) fn within(what: &str, count: u64, most: usize) -> Result<usize> {
    let count = usize::try_from(count).ok().filter(|count| *count <= most);
    count.ok_or_else(|| Error::document(what, "a count is out of bounds"))
}

/// One byte.
pub(crate) fn byte(reader: &mut (impl Read + ?Sized), what: &str) -> Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte).map_err(|error| failed(error, what))?;
    let [byte] = byte;
    Ok(byte)
}

/// One number.
pub(crate) fn number(reader: &mut (impl Read + ?Sized), what: &str) -> Result<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = byte(reader, what)?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 || shift > 0 && byte == 0 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Error::document(what, "a number is malformed"))
}

/// Exactly `length` bytes; the caller knows that they are not too many.
pub(crate) fn bytes(reader: &mut dyn Read, length: u64, what: &str) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| cut(what))?];
    reader.read_exact(&mut bytes).map_err(|error| failed(error, what))?;
    Ok(bytes)
}

/// Bytes that end too early, or that are not sealed as they must be, are the document's fault; the rest
/// is the disk's.
pub(crate) fn failed(error: io::Error, what: &str) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => cut(what),
        ErrorKind::InvalidData => Error::document(what, error),
        _ => Error::storage(format!("reading the {what}"), error),
    }
}

fn cut(what: &str) -> Error {
    Error::document(what, "cut short")
}

#[expect(clippy::cast_possible_wrap, reason = "zigzag is about bits")]
fn from_zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Writes columns.
#[cfg(feature = "publish")]
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

#[cfg(feature = "publish")]
impl Writer {
    #[expect(clippy::cast_possible_truncation, reason = "masked to seven bits")]
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 & 0x7f | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    #[expect(clippy::cast_sign_loss, reason = "zigzag is about bits")]
    pub(crate) fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    pub(crate) fn positions(&mut self, positions: impl IntoIterator<Item = usize>) {
        let mut next = 0;
        for at in positions {
            let at = i64::try_from(at).unwrap_or(i64::MAX);
            self.signed(at - next);
            next = at + 1;
        }
    }
}

#[cfg(all(test, feature = "publish"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec(any::<u64>(), 0..50)) {
            let mut writer = Writer::default();
            numbers.iter().for_each(|number| writer.number(*number));
            let mut reader = Reader::new("patch", &writer.0);
            prop_assert_eq!(reader.numbers(numbers.len()).unwrap(), numbers);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn positions_go_up_and_down(positions in prop::collection::vec(0..1000_usize, 0..50)) {
            let mut writer = Writer::default();
            writer.positions(positions.iter().copied());
            let mut reader = Reader::new("patch", &writer.0);
            prop_assert_eq!(reader.positions(positions.len(), 1000).unwrap(), positions);
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        let read = |bytes: &[u8]| number(&mut &*bytes, "patch").ok();
        assert_eq!(read(&[0]), Some(0));
        assert_eq!(read(&[0x80, 1]), Some(128));
        assert_eq!(read(&[0xff; 9].iter().copied().chain([1]).collect::<Vec<_>>()), Some(u64::MAX));
        for bad in [&[0x80, 0][..], &[0x80], &[], &[0xff; 10], &[0xff; 11]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!([0, 1, 2, 3, u64::MAX].map(from_zigzag), [0, -1, 1, -2, i64::MIN]);
    }
}
