//! Files inside an APK, which is a zip that the system verified when it installed the app.
//!
//! Enters: an APK's path. Leaves: its entries by name, stored or deflated, read as they are asked for; only
//! their names and places are held. Refuses: what is no zip, or has a directory that is larger than
//! [`DIRECTORY`] or cannot be read to its end. Not there, for whoever asks: a name that stands twice, of which
//! Android installs nothing; a symbolic link; what is encrypted, or packed by another method; an entry whose
//! bytes do not come to the length and the CRC-32 that the directory states.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder,
    ZipFileHeaderRecord, ZipLocator, ZipVerification,
};

use super::limited;
use crate::error::{Error, Result};
use crate::limits;
use crate::unpack::pour_reader;

/// Largest directory of an APK, bytes: some 150,000 entries, twice what a zip can have without its 64-bit form.
const DIRECTORY: u64 = 16 << 20;
/// How far from its end an APK is searched for the end of its directory: as far as a comment may be long.
/// Android looks no farther.
const END: u64 = 22 + u16::MAX as u64;

/// The entries of an APK below a prefix.
pub struct Apk {
    archive: ZipArchive<FileReader>,
    /// By full name; nothing where a name stands for no file, or for more than one.
    entries: HashMap<Box<[u8]>, Option<Entry>>,
    prefix: String,
}

/// Where a file's bytes lie.
struct Entry {
    place: ZipArchiveEntryWayfinder,
    deflated: bool,
}

impl std::fmt::Debug for Apk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apk").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Apk {
    /// Opens the APK at `path`; reads its directory, no entry.
    ///
    /// # Errors
    /// [`Error::Config`] where it is no zip.
    pub fn open(path: &Path, prefix: &str) -> Result<Self> {
        let unusable = |detail: String| Error::Config(format!("built-in bundle: {detail}"));
        let file = File::open(path).map_err(|error| unusable(error.to_string()))?;
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipLocator::new()
            .max_search_space(END)
            .locate_in_file(file, &mut buffer)
            .map_err(|(_, error)| unusable(error.to_string()))?;
        if archive.eocd_offset().saturating_sub(archive.directory_offset()) > DIRECTORY {
            return Err(unusable("the directory is too large".to_owned()));
        }
        let mut entries = HashMap::new();
        let mut records = archive.entries(&mut buffer);
        while let Some(record) =
            records.next_entry().map_err(|error| unusable(error.to_string()))?
        {
            let name = record.file_path();
            entries
                .entry(Box::from(name.as_ref()))
                .and_modify(|entry| *entry = None)
                .or_insert_with(|| Entry::of(&record));
        }
        Ok(Self { archive, entries, prefix: prefix.to_owned() })
    }

    /// A small entry, by its full name; nothing if there is none of at most `limit` bytes.
    #[must_use]
    pub fn read(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        limited(self.entry(name)?, limit + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= limit).then_some(bytes)
    }

    /// Hands an entry to `sink`; false if there is none or it cannot be read.
    pub(super) fn pour(
        &self,
        path: &str,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        match self.entry(&format!("{}{path}", self.prefix)) {
            // What an entry says of its size is not to be trusted; a bundle's limit is.
            Some(entry) => pour_reader(limited(entry, limits::BUNDLE), sink),
            None => Ok(false),
        }
    }

    fn entry(&self, name: &str) -> Option<impl Read> {
        let entry = self.entries.get(name.as_bytes())?.as_ref()?;
        let packed = self.archive.get_entry(entry.place).ok()?.reader();
        let expected = packed.claim_verifier();
        let bytes: Box<dyn Read> =
            if entry.deflated { Box::new(DeflateDecoder::new(packed)) } else { Box::new(packed) };
        Some(Checked { bytes, expected, length: 0, crc: Crc::new() })
    }
}

impl Entry {
    /// Nothing where it is no file that can be read.
    fn of(record: &ZipFileHeaderRecord<'_>) -> Option<Self> {
        let deflated = match record.compression_method() {
            CompressionMethod::STORE => false,
            CompressionMethod::DEFLATE => true,
            _ => return None,
        };
        let plain = !record.flags().is_encrypted() && !record.mode().is_symlink();
        plain.then(|| Self { place: record.wayfinder(), deflated })
    }
}

/// The bytes of an entry; an error in place of their end, where they are not what the directory states.
struct Checked<R> {
    bytes: R,
    expected: ZipVerification,
    length: u64,
    crc: Crc,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.length += count as u64;
        self.crc.update(buffer.get(..count).unwrap_or_default());
        let found = ZipVerification { crc: self.crc.sum(), uncompressed_size: self.length };
        let ended = count == 0 && !buffer.is_empty();
        if self.length > self.expected.uncompressed_size || ended && found != self.expected {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
