//! What bundles are made of: paths, indexes, layouts, blobs, patches.

use std::path::{Component, Path};
use std::sync::LazyLock;

use farad::digest::Digest;
use farad::patch::{Base, Groups, Made, Plan};
use farad::release::{Blob, Coding, File, Index, Layout, check_path};
use farad::seal::{ContentKey, Object, ObjectKey, SEGMENT, Shape, Unsealed};
use farad::unpack::decode;

use super::APP;

/// A file's path: what is taken never leaves its folder.
pub fn path(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    if check_path(text).is_err() {
        return false;
    }
    let inside = |component: Component<'_>| matches!(component, Component::Normal(_));
    assert!(Path::new(text).components().all(inside), "{text:?}");
    assert!(!text.contains(['\\', ':', '\0']) && !text.ends_with('/'), "{text:?}");
    assert_eq!(Path::new(text).components().count(), text.split('/').count());
    true
}

/// An index has one spelling.
pub fn index(data: &[u8]) -> bool {
    let Ok(index) = Index::parse(data) else { return false };
    assert_eq!(index.to_bytes(), data);
    assert_eq!(index.identity(), Digest::of(data));
    assert!(index.contents().len() <= index.files().len());
    for file in index.files() {
        assert_eq!(index.file(&file.path), Some(file));
    }
    assert!(index.files().iter().all(|file| file.length <= index.total()));
    true
}

/// One number of a layout (LEB128), the way that all numbers of up to 64 bits can be read.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let (number, left) = bytes.split_at(end + 1);
    *bytes = left;
    let add = |sum: u64, byte: &u8| sum.checked_mul(128)?.checked_add(u64::from(byte & 0x7f));
    number.iter().rev().try_fold(0, add)
}

/// Bytes of the pack that a layout would fit: filler, and the lengths of its frames.
fn pack_length(mut layout: &[u8]) -> Option<u64> {
    let _spelling = number(&mut layout)?;
    let (filler, frames) = (number(&mut layout)?, number(&mut layout)?);
    let columns = usize::try_from(frames).ok().filter(|frames| *frames <= layout.len())?;
    for _ in 0..2 * columns {
        number(&mut layout)?;
    }
    (0..columns).try_fold(filler, |sum, _| sum.checked_add(number(&mut layout)?))
}

/// An index up to the first 01, and the layout of its pack from there.
pub fn layout(data: &[u8]) -> bool {
    let begin = data.iter().position(|byte| *byte == 1).unwrap_or(data.len());
    let (index, layout) = data.split_at(begin);
    let Ok(index) = Index::parse(index) else { return false };
    // The pack is whatever would fit.
    let length = pack_length(layout).unwrap_or(0);
    let contents = index.contents();
    let decoded = contents.iter().filter_map(|at| index.files().get(*at));
    let decoded = decoded.fold(0_u64, |sum, file| sum.saturating_add(file.length));
    [None, Some(Digest::of(b"salt"))].into_iter().any(|salt| {
        let decoded = if salt.is_some() { decoded.next_multiple_of(1024) } else { decoded };
        let coding = Coding::Frames;
        let pack = Blob { sha256: Digest::of(b""), length, coding, decoded, salt };
        let bytes = layout;
        let Ok(layout) = Layout::parse(bytes, &index, &pack) else { return false };
        let mut end = 0;
        for (frame, pieces) in layout.pieces() {
            assert_eq!(pieces.iter().map(|piece| piece.length).sum::<u64>(), frame.length);
            for piece in pieces {
                assert_eq!(piece.offset, end);
                end += piece.length;
            }
        }
        assert!(end <= length);
        assert_eq!(layout.to_bytes().unwrap(), bytes);
        true
    })
}

/// A small blob, its first bytes being coding and length: what comes out has the length that was signed.
pub fn blob(data: &[u8]) -> bool {
    let Some(([coding, said @ ..], bytes)) = data.split_first_chunk::<3>() else { return false };
    let coding = match coding {
        b'z' => Coding::Zstd,
        b'b' => Coding::Brotli,
        _ => return false,
    };
    let decoded = said.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let blob =
        Blob { sha256: Digest::of(bytes), length: bytes.len() as u64, coding, decoded, salt: None };
    decode(bytes, None, &blob, "blob").is_ok_and(|bytes| {
        assert_eq!(bytes.len() as u64, decoded);
        true
    })
}

/// The bundle that every patch of the corpus starts from.
pub const BASE: [(&str, &[u8]); 3] = [
    ("app.js", b"export const greeting = 'good morning'; // and so on, and so on, and so on\n"),
    ("index.html", b"<!doctype html><title>A shop</title><script src=app.js></script>\n"),
    ("old.css", b"body { margin: 0; font: 16px/1.5 sans-serif }\n"),
];

/// Its index.
pub static BASE_INDEX: LazyLock<Index> = LazyLock::new(|| {
    let file = |(path, bytes): (&str, &[u8])| File {
        path: path.to_owned(),
        length: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    Index::new(BASE.map(file).to_vec()).unwrap()
});

struct Old;

impl Base for Old {
    fn part(&mut self, file: &File, from: u64, to: u64, into: &mut Vec<u8>) -> farad::Result<bool> {
        let place = |at: u64| usize::try_from(at).unwrap();
        let found = BASE.iter().find(|(path, _)| *path == file.path);
        let part = found.and_then(|(_, bytes)| bytes.get(place(from)..place(to)));
        into.extend_from_slice(part.unwrap_or_default());
        Ok(part.is_some())
    }
}

/// A patch from [`BASE`].
pub fn patch(data: &[u8]) -> bool {
    let mut patch = data;
    let Ok(plan) = Plan::read(&mut patch, &BASE_INDEX) else { return false };
    for (file, _) in plan.outline().files() {
        assert!(check_path(&file.path).is_ok());
    }
    let made: u64 = plan.outline().made().iter().sum();
    let mut groups = Groups::new(&plan, &BASE_INDEX, &mut patch);
    let (mut came, mut whole) = (0, true);
    loop {
        match groups.make(&mut Old) {
            Ok(Some(Made::Bytes(bytes))) => came += bytes.len() as u64,
            Ok(Some(Made::Lost(length))) => {
                came += length;
                whole = false;
            }
            Ok(None) => break,
            Err(_) => return false,
        }
    }
    assert_eq!(came, made);
    whole
}

/// The key of the sealed objects here.
fn object_key() -> ObjectKey {
    let content = ContentKey::from_bytes([7; 32]);
    content.object(&APP.parse().unwrap(), Object::Index, &Digest::of(b"salt")).unwrap()
}

/// What somebody who has the content key may have sealed: length, content, padding.
pub fn sealed(data: &[u8]) -> bool {
    let (key, mut object) = (object_key(), Vec::new());
    let segments = data.chunks(usize::try_from(SEGMENT).unwrap());
    let last = segments.len().saturating_sub(1);
    for (number, plain) in segments.enumerate() {
        let mut segment = plain.to_vec();
        key.seal(u32::try_from(number).unwrap(), number == last, &mut segment).unwrap();
        object.extend_from_slice(&segment);
    }
    let length = object.len() as u64;
    let Ok(unsealed) = Unsealed::new(&object[..], object_key(), length) else { return false };
    assert_eq!(Shape::travelling(length).unwrap().length(), length);
    unsealed.into_bytes().is_ok_and(|content| {
        assert_eq!(content, data[8..8 + content.len()]);
        assert!(data[8 + content.len()..].iter().all(|byte| *byte == 0));
        true
    })
}
