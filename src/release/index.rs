//! Index: the canonical list of a bundle's files. Its SHA-256 is the bundle's identity.
//!
//! Enters: decoded bytes of an index blob. Leaves: files sorted by path, each path once.
//! Refuses: any other spelling, so that one folder has one identity on every machine.
//!
//! ```text
//! farad-index 1
//! <sha256> <length> <path>
//! ```
//! One line a file, each ended by a line feed, sorted by the bytes of the path.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::check_path;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::limits;

const HEADER: &str = "farad-index 1";

/// The files of a bundle, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    files: Vec<File>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path within the bundle.
    pub path: String,
    /// Length, bytes.
    pub length: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

impl Index {
    /// The index of `files`, in any order.
    ///
    /// # Errors
    /// [`Error::Document`] where a path is not allowed, stands twice, or is another file's folder,
    /// or where there are too many files or bytes.
    pub fn new(mut files: Vec<File>) -> Result<Self> {
        files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        let refuse = |detail: String| Err(Error::document("index", detail));
        if files.len() > limits::FILES {
            return refuse(format!("{} files; {} are allowed", files.len(), limits::FILES));
        }
        let mut paths = HashSet::with_capacity(files.len());
        let mut total = 0_u64;
        for file in &files {
            if let Err(rule) = check_path(&file.path) {
                return refuse(format!("{:?}: {rule}", file.path));
            }
            if !paths.insert(file.path.as_str()) {
                return refuse(format!("{:?} stands twice", file.path));
            }
            total = total.saturating_add(file.length);
        }
        if total > limits::BUNDLE {
            return refuse(format!("{total} bytes; {} are allowed", limits::BUNDLE));
        }
        for file in &files {
            let folders = file.path.match_indices('/').filter_map(|(at, _)| file.path.get(..at));
            if let Some(folder) = folders.into_iter().find(|folder| paths.contains(folder)) {
                return refuse(format!("{folder:?} is both a file and a folder"));
            }
        }
        Ok(Self { files })
    }

    /// Reads an index.
    ///
    /// # Errors
    /// [`Error::Document`] where it is not exactly what [`Index::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let refuse = |detail: &str| Error::document("index", detail);
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("not UTF-8"))?;
        let mut lines = text.strip_suffix('\n').ok_or_else(|| refuse("cut short"))?.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(refuse("another format"));
        }
        let files = lines
            .map(|line| {
                let (sha256, length, path) = fields(line)?;
                Some(File { path: path.to_owned(), length, sha256: sha256.parse().ok()? })
            })
            .take(limits::FILES + 1)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| refuse("a line is malformed"))?;
        let index = Self::new(files)?;
        // Catches wrong order, leading zeros and signs at once.
        if index.to_bytes() != bytes {
            return Err(refuse("not in canonical form"));
        }
        Ok(index)
    }

    /// Digest (as text), length and path of each file in bytes that were parsed before and have not
    /// changed since: their digest says so. A start has no time to prove again what was proven.
    pub(crate) fn lines(known: &[u8]) -> impl Iterator<Item = (&str, u64, &str)> {
        let text = std::str::from_utf8(known).unwrap_or_default();
        text.lines().skip(1).filter_map(fields)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{HEADER}\n");
        for file in &self.files {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{} {} {}", file.sha256, file.length, file.path);
        }
        text.into_bytes()
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn identity(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// The files, sorted by path.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    /// Positions of the files whose content the pack holds: of every distinct, non-empty content
    /// the first by path.
    #[must_use]
    pub fn contents(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        let first = |(_, file): &(usize, &File)| file.length > 0 && seen.insert(file.sha256);
        self.files.iter().enumerate().filter(first).map(|(at, _)| at).collect()
    }
}

fn fields(line: &str) -> Option<(&str, u64, &str)> {
    let (sha256, rest) = line.split_once(' ')?;
    let (length, path) = rest.split_once(' ')?;
    Some((sha256, length.parse().ok()?, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &[u8]) -> File {
        File { path: path.to_owned(), length: content.len() as u64, sha256: Digest::of(content) }
    }

    #[test]
    fn order_of_discovery_does_not_change_the_identity() {
        let files = [file("b", b"2"), file("a/z", b"1"), file("a-b", b"3")];
        let index = Index::new(files.to_vec()).unwrap();
        let again = Index::new(files.iter().rev().cloned().collect()).unwrap();
        assert_eq!(index.identity(), again.identity());
        let paths: Vec<_> = index.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a-b", "a/z", "b"]);
        assert_eq!(Index::parse(&index.to_bytes()).unwrap(), index);
        assert_eq!(index.file("b"), Some(&file("b", b"2")));
    }

    #[test]
    fn refuses_other_spellings_of_the_same_list() {
        let index = Index::new(vec![file("a", b"1"), file("b", b"22")]).unwrap();
        let text = String::from_utf8(index.to_bytes()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for bad in [
            format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]),
            text.replace(" 1 a", " 01 a"),
            text.replace(" 1 a", " +1 a"),
            text.replace('\n', "\r\n"),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            text.replace(" 1 a", "  1 a"),
            text.replace("index 1", "index 2"),
            format!("{text}{}\n", lines[2]),
            text.replace(" a\n", " ../a\n"),
        ] {
            assert!(Index::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_cannot_be_a_folder_too() {
        assert!(Index::new(vec![file("a", b""), file("a/b", b"")]).is_err());
        assert!(Index::new(vec![file("a", b""), file("a.b", b""), file("a/b", b"")]).is_err());
    }

    #[test]
    fn the_pack_holds_each_content_once_and_no_empty_one() {
        let index =
            Index::new(vec![file("a", b"x"), file("b", b""), file("c", b"x"), file("d", b"y")]);
        assert_eq!(index.unwrap().contents(), [0, 3]);
    }
}
