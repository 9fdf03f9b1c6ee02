//! The web folder of a release: what may be in it.
//!
//! Enters: a folder or a `.zip`. Leaves: its index, without what file managers leave in folders.
//! Refuses: no `index.html`, names that some platform cannot hold or that collide on one, links, special
//! files, more than half of what a phone takes; and what is nobody else's business: the project's own
//! folders, a history of versions, settings with passwords, private keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use farad::limits;
use farad::release::{Index, check_path, pack};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::is_nfc;

use crate::commit::folder_of;
use crate::failure::{Failure, Result};
use crate::project::Project;
use crate::{places, plain, temporary};

/// A web folder, unpacked if it came as a `.zip`.
pub(crate) struct WebFolder {
    pub(crate) path: PathBuf,
    pub(crate) index: Index,
    /// How many files were left out.
    pub(crate) left_out: usize,
    _unpacked: Option<tempfile::TempDir>,
}

impl WebFolder {
    /// Opens and checks a web folder or a `.zip` of one, for whoever holds the project at `config`.
    pub(crate) fn open(path: &Path, project: &Project, config: &Path) -> Result<Self> {
        places::refuse_own(path, project, config)?;
        let unpacked = if path.is_file() { Some(unzip(path, folder_of(config))?) } else { None };
        let folder = unpacked.as_ref().map_or(path, |folder| folder.path()).to_owned();
        if !folder.is_dir() {
            let message = format!("{} is no folder; build the web app first", path.display());
            return Err(Failure::new("no-web-folder", message));
        }
        if !folder.join("index.html").is_file() {
            let message =
                format!("{} has no index.html; name the folder your build wrote", path.display());
            return Err(Failure::new("no-index-html", message));
        }
        let found = pack::index_folder(&folder)?;
        let kept = found.files().iter().filter(|file| !is_left_behind(&file.path));
        let index = Index::new(kept.cloned().collect())?;
        let left_out = found.files().len() - index.files().len();
        check(&index)?;
        refuse_private(&folder, &index)?;
        Ok(Self { path: folder, index, left_out, _unpacked: unpacked })
    }
}

/// What file managers leave in folders, and in archives: macOS puts what its own disks know of a file into
/// one beside it (AppleDouble, RFC 1740).
fn is_left_behind(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    [".ds_store", "thumbs.db", "desktop.ini"].contains(&name.as_str())
        || name.starts_with("._")
        || path.split('/').any(|segment| segment == "__MACOSX")
}

/// Everybody can read a release, for as long as a phone has it.
fn refuse_private(folder: &Path, index: &Index) -> Result<()> {
    for file in index.files() {
        let path = &file.path;
        let refuse = |what: &str| {
            let message =
                format!("{path:?} is {what}, and a release is for everybody; take it out");
            Err(Failure::new("unsafe-path", message))
        };
        for segment in path.split('/').map(str::to_ascii_lowercase) {
            if [".git", ".svn", ".hg"].contains(&segment.as_str()) {
                return refuse("part of a history of versions");
            }
            if segment.starts_with(".env") {
                return refuse("a file of settings");
            }
        }
        if is_private_key(&folder.join(path))? {
            return refuse("a private key");
        }
    }
    Ok(())
}

/// Whether a file holds a private key in PEM, whatever it is called: a whole one, as code that reads keys
/// names how they begin and end.
pub(crate) fn is_private_key(path: &Path) -> Result<bool> {
    let failed = |error: std::io::Error| Failure::file("reading", path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > PRIVATE_KEY {
        return Ok(false);
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Ok(holds_private_key(&String::from_utf8_lossy(&bytes)))
}

/// Whether a text holds a private key in PEM (RFC 7468, and RFC 1421 for its headers), also as a string of
/// JSON or of a program.
fn holds_private_key(text: &str) -> bool {
    let text = text.replace("\\n", "\n").replace("\\r", "\n");
    let blocks = text.split("-----BEGIN ").skip(1);
    blocks.filter_map(|block| block.split_once("PRIVATE KEY-----")).any(|(kind, rest)| {
        let is_kind =
            kind.len() <= LABEL && kind.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
        let Some((body, _)) = rest.split_once("-----END ").filter(|_| is_kind) else {
            return false;
        };
        // A line of a program has its quotes around it.
        let lines =
            body.lines().map(|line| line.trim_matches([' ', '\t', '"', '\'', '`', '+', ',', '\\']));
        let mut lines = lines.filter(|line| !line.is_empty() && !line.contains(": "));
        let mut length = 0;
        let is_base64 = lines.all(|line| {
            length += line.len();
            line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
        });
        is_base64 && length >= SHORTEST_KEY
    })
}

fn check(index: &Index) -> Result<()> {
    let refuse = |detail: String| Err(Failure::new("unsafe-path", detail));
    if index.files().len() > limits::FILES / 2 || index.total() > limits::BUNDLE / 2 {
        let (files, bytes) = (limits::FILES / 2, limits::BUNDLE / 2);
        let message = format!("a bundle has at most {files} files and {bytes} bytes");
        return Err(Failure::new("too-large", message));
    }
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for file in index.files() {
        let path = file.path.as_str();
        if path.chars().any(plain::turns_text) {
            return refuse(format!("{path:?} turns the order of its letters; rename the file"));
        }
        if !is_nfc(path) {
            return refuse(format!("{path:?} is not in Unicode form NFC; rename the file"));
        }
        if let Some(segment) = path.split('/').find(|segment| reserved_on_windows(segment)) {
            return refuse(format!("{path:?}: Windows cannot hold a file named {segment:?}"));
        }
        let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        for name in folders.chain([path]) {
            // Lower case of the decomposed form catches what case-insensitive disks take for one.
            let key: String = name.nfd().flat_map(char::to_lowercase).collect();
            let other = *folded.entry(key).or_insert(name);
            if other != name {
                return refuse(format!("{name:?} and {other:?} are one on some disks"));
            }
        }
    }
    Ok(())
}

fn reserved_on_windows(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| (b'1'..=b'9').contains(&b)))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || numbered("COM")
        || numbered("LPT")
        || segment.ends_with(['.', ' '])
        || segment.contains(['<', '>', '"', '|', '?', '*'])
}

fn unzip(path: &Path, beside: &Path) -> Result<tempfile::TempDir> {
    let broken = |detail: &dyn std::fmt::Display| {
        Failure::new("unsafe-archive", format!("{}: {detail}", path.display()))
    };
    let open = || File::open(path).map_err(|error| Failure::file("opening", path, &error));
    if let Some(name) = doubled(open()?).map_err(|error| broken(&error))? {
        return Err(broken(&format!("{name:?} stands twice in it")));
    }
    let file = open()?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| broken(&error))?;
    let folder = temporary::folder_in(beside)?;
    let mut left = limits::BUNDLE / 2;
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).map_err(|error| broken(&error))?;
        let name = entry.name().map_err(|error| broken(&error))?.into_owned();
        if entry.is_dir() {
            continue;
        }
        if let Err(rule) = check_path(&name) {
            return Err(broken(&format!("{name:?}: {rule}")));
        }
        if entry.is_symlink() {
            return Err(broken(&format!("{name:?} is a link")));
        }
        let target = folder.path().join(&name);
        let parent = target.parent().unwrap_or(folder.path());
        std::fs::create_dir_all(parent).map_err(|error| broken(&error))?;
        // Two names that are one on this disk would be written over.
        let mut out = create(&target).map_err(|error| broken(&error))?;
        let copied = std::io::copy(&mut entry.by_ref().take(left + 1), &mut out)
            .map_err(|error| broken(&error))?;
        left = left.checked_sub(copied).ok_or_else(|| broken(&"too many bytes"))?;
    }
    Ok(folder)
}

/// A name that stands twice in an archive: which of the two is meant, programs do not agree on.
pub(crate) fn doubled(file: File) -> Result<Option<String>, rawzip::Error> {
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let located = rawzip::ZipLocator::new().locate_in_file(file, &mut buffer);
    let archive = located.map_err(|(_, error)| error)?;
    let (mut seen, mut entries) = (BTreeSet::new(), archive.entries(&mut buffer));
    while let Some(entry) = entries.next_entry()? {
        let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        if !seen.insert(name.clone()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A new file for its owner alone.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// No private key in PEM is longer, bytes.
const PRIVATE_KEY: u64 = 16 << 10;
/// Nor has any fewer letters of base64: Ed25519 in PKCS#8 has 64.
const SHORTEST_KEY: usize = 40;
/// What stands before PRIVATE KEY has no more letters: ENCRYPTED, OPENSSH.
const LABEL: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_known_by_its_whole_block() {
        let home = tempfile::tempdir().unwrap();
        let holds = |text: &str| {
            let path = home.path().join("file");
            std::fs::write(&path, text).unwrap();
            is_private_key(&path).unwrap()
        };
        let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
        let key = "MC4CAQAwBQYDK2VwBCIEIPE2LjMZpZzBTs+hnoPcPF8Nz/5f6MLFmZnVZFZzJm1S";
        let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00";
        for text in [
            format!("{begin}\n{key}\n{end}\n"),
            format!("// for later\r\n{begin}\r\n{key}\r\n{end}\r\n"),
            format!("{begin}\n{}\n{}\n{end}", &key[..32], &key[32..]),
            format!("{begin}\n{old}\n\n{key}\n{end}").replace(" PRIVATE", " RSA PRIVATE"),
            format!("{begin}\n{key}\n{end}").replace("PRIVATE", "ENCRYPTED PRIVATE"),
            format!("{{\"private_key\": \"{begin}\\n{key}\\n{end}\\n\"}}"),
            format!("const key = '{begin}\\n' +\n  '{key}\\n' +\n  '{end}';"),
            format!("if (pem.startsWith('{begin}')) {{}}\n`{begin}\n{key}\n{end}`"),
        ] {
            assert!(holds(&text), "{text}");
        }
        // What code that reads keys says of them.
        for text in [
            format!("pem.replace(/(?:{begin}|{end}|\\s)/g, '')"),
            format!("if (pem.indexOf('{begin}') !== 0) throw new TypeError('pkcs8')"),
            format!("`{begin}\\n${{lines(base64)}}\\n{end}`"),
            format!(
                "const b='{begin}',a='ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',e='{end}'"
            ),
            format!("{begin}\n...\n{end}"),
            format!("{begin}\n{key}\n"),
            format!("{begin}\n{key}\n{end}").replace("PRIVATE", "PUBLIC"),
        ] {
            assert!(!holds(&text), "{text}");
        }
    }

    #[test]
    fn names_that_windows_reserves_are_refused() {
        for bad in ["con", "NUL.txt", "com1.js", "a.", "a ", "a?b", "LPT9"] {
            assert!(reserved_on_windows(bad), "{bad}");
        }
        for good in ["console.js", "com.js", "com10", "nully", "a.b"] {
            assert!(!reserved_on_windows(good), "{good}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_in_an_archive_is_refused() {
        use std::io::Write as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("web.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for name in ["index.html", "indez.html"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        unzip(&path, home.path()).unwrap();
        // No writer makes one: the second name is altered where it stands, in front and in the directory.
        let mut bytes = std::fs::read(&path).unwrap();
        while let Some(at) = bytes.windows(10).position(|bytes| bytes == b"indez.html") {
            bytes[at + 4] = b'x';
        }
        std::fs::write(&path, bytes).unwrap();
        let failure = unzip(&path, home.path()).unwrap_err();
        assert_eq!(failure.code, "unsafe-archive");
        assert!(failure.message.contains("\"index.html\" stands twice"), "{}", failure.message);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_unpacked_is_for_its_owner_alone() {
        use std::io::Write as _;
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("web.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for name in ["index.html", "assets/app.js"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(b"sealed for others").unwrap();
        }
        zip.finish().unwrap();
        let folder = unzip(&path, home.path()).unwrap();
        assert_eq!(folder.path().parent(), Some(home.path()));
        let mode = |path: &str| {
            std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(""), 0o700);
        assert_eq!(mode("index.html"), 0o600);
        assert_eq!(mode("assets/app.js"), 0o600);
    }
}
