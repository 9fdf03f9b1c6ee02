use std::fs;
use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::digest::Truncated;
use crate::progress::Cancel;
use crate::release::Frame;
use crate::release::pack::{index_folder, small_blob, write_pack};
use crate::seal::Object;
use crate::store::memory::MemoryDisk;

/// A web folder, its index, and its pack.
struct Web {
    _folder: tempfile::TempDir,
    files: Vec<(String, Vec<u8>)>,
    index: Index,
    layout: Layout,
    pack: Vec<u8>,
    blob: Blob,
}

fn web(files: &[(&str, Vec<u8>)]) -> Web {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
    let index = index_folder(folder.path()).unwrap();
    let mut pack = Vec::new();
    let (layout, blob) = write_pack(folder.path(), &index, None, &mut pack).unwrap();
    let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())).collect();
    Web { _folder: folder, files, index, layout, pack, blob }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

fn sample() -> Web {
    web(&[
        ("index.html", b"<!doctype html>".repeat(20)),
        ("a/app.js", b"console.log(1);".repeat(9000)),
        ("a/copy.js", b"console.log(1);".repeat(9000)),
        ("a/empty.css", Vec::new()),
        ("img/noise.bin", noise(150_000)),
    ])
}

fn unpack_from(web: &Web, pack: &[u8], layout: &Layout) -> Result<MemoryDisk> {
    let disk = MemoryDisk::new();
    disk.create_folder("out").unwrap();
    let mut pieces = Stream::new(Cursor::new(pack));
    unpack(&mut pieces, None, &|_| true, &web.index, layout, &disk, "out")?;
    Ok(disk)
}

fn assert_whole(web: &Web, disk: &MemoryDisk) {
    for (path, bytes) in &web.files {
        let found = disk.read(&format!("out/{path}"), u64::MAX).unwrap();
        assert_eq!(found.as_ref(), Some(bytes), "{path}");
    }
}

#[test]
fn what_is_packed_is_unpacked() {
    let web = sample();
    let disk = unpack_from(&web, &web.pack, &web.layout).unwrap();
    assert_whole(&web, &disk);
    let layout = web.layout.to_bytes().unwrap();
    assert_eq!(Layout::parse(&layout, &web.index, &web.blob).unwrap(), web.layout);
}

#[test]
fn the_same_folder_makes_the_same_pack() {
    let (one, two) = (sample(), sample());
    assert_eq!(one.pack, two.pack);
    assert_eq!(one.index.identity(), two.index.identity());
}

#[test]
fn a_large_file_is_cut_into_pieces_and_streams() {
    let web = web(&[("index.html", b"x".to_vec()), ("video.bin", noise(20 << 20))]);
    assert!(web.layout.frames().iter().any(|frame| frame.pieces.len() > 300));
    let disk = unpack_from(&web, &web.pack, &web.layout).unwrap();
    assert_whole(&web, &disk);
}

#[test]
fn a_thousand_copies_of_one_content_need_few_file_handles() {
    let names: Vec<String> = (0..1500).map(|n| format!("icons/{n}.svg")).collect();
    let mut files: Vec<(&str, Vec<u8>)> =
        names.iter().map(|name| (name.as_str(), b"<svg/>".to_vec())).collect();
    files.push(("index.html", b"x".to_vec()));
    let web = web(&files);
    let folder = tempfile::tempdir().unwrap();
    let disk = crate::store::RealDisk::new(folder.path()).unwrap();
    let mut pieces = Stream::new(Cursor::new(&web.pack));
    unpack(&mut pieces, None, &|_| true, &web.index, &web.layout, &disk, "out").unwrap();
    assert_eq!(index_folder(&folder.path().join("out")).unwrap(), web.index);
}

#[test]
fn every_changed_byte_is_refused_before_anything_is_decoded_from_it() {
    let web = web(&[("index.html", b"hello ".repeat(60)), ("b.js", noise(300))]);
    for at in 0..web.pack.len() {
        let mut changed = web.pack.clone();
        changed[at] ^= 1;
        let refused = unpack_from(&web, &changed, &web.layout).err().unwrap();
        assert!(matches!(refused, Error::Digest { .. }), "{at}: {refused}");
    }
}

#[test]
fn cut_short_it_is_refused() {
    let web = web(&[("index.html", b"hello ".repeat(60))]);
    for end in 0..web.pack.len() {
        let refused = unpack_from(&web, &web.pack[..end], &web.layout).err().unwrap();
        assert_eq!(refused.code(), "network", "{end}");
    }
}

/// A layout that a dishonest signer made for `pack`, one frame with these files.
fn lying(pack: &[u8], files: Vec<usize>) -> Layout {
    let pieces = pack.chunks(64 << 10).map(Truncated::of).collect();
    let coding = Coding::Zstd;
    Layout::new(vec![Frame { coding, length: pack.len() as u64, files, pieces }], 0, false)
}

#[test]
fn a_frame_that_decodes_to_more_or_less_than_its_files_is_refused() {
    let web = web(&[("index.html", b"hello".to_vec())]);
    for plain in [&b"hell"[..], b"hello!", b"", &vec![0; 1 << 20]] {
        let pack = zstd::bulk::compress(plain, 3).unwrap();
        let refused = unpack_from(&web, &pack, &lying(&pack, vec![0])).err().unwrap();
        assert!(["malformed", "hash-mismatch"].contains(&refused.code()), "{refused}");
    }
    let frame = zstd::bulk::compress(b"hello", 3).unwrap();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &frame].concat();
    let doubled = [&frame[..], &frame].concat();
    for pack in [b"no frame at all".to_vec(), doubled, skippable] {
        assert!(unpack_from(&web, &pack, &lying(&pack, vec![0])).is_err());
    }
}

#[test]
fn a_frame_that_wants_a_larger_window_is_refused() {
    let web = web(&[("index.html", b"hello".to_vec())]);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    std::io::Write::write_all(&mut encoder, b"hello").unwrap();
    let pack = encoder.finish().unwrap();
    assert!(unpack_from(&web, &pack, &lying(&pack, vec![0])).is_err());
}

#[test]
fn text_travels_as_brotli_and_noise_as_zstd() {
    let web = web(&[("app.js", b"let a = 1; ".repeat(900)), ("noise.bin", noise(9000))]);
    let codings: Vec<Coding> = web.layout.frames().iter().map(|frame| frame.coding).collect();
    assert_eq!(codings, [Coding::Brotli, Coding::Zstd]);
    assert_whole(&web, &unpack_from(&web, &web.pack, &web.layout).unwrap());
}

#[test]
fn a_frame_under_the_name_of_another_coding_is_refused() {
    let web = web(&[("app.js", b"let a = 1; ".repeat(900)), ("noise.bin", noise(9000))]);
    let mut frames = web.layout.frames().to_vec();
    for frame in &mut frames {
        frame.coding = match frame.coding {
            Coding::Brotli => Coding::Zstd,
            _ => Coding::Brotli,
        };
    }
    let refused = unpack_from(&web, &web.pack, &Layout::new(frames, 0, false)).err().unwrap();
    assert_eq!(refused.code(), "malformed");
}

#[test]
fn a_layout_that_does_not_fit_its_index_is_refused() {
    let web = sample();
    let frames = web.layout.frames().to_vec();
    let refused = |frames: Vec<Frame>| {
        let bytes = Layout::new(frames, 0, false).to_bytes();
        bytes.and_then(|bytes| Layout::parse(&bytes, &web.index, &web.blob)).is_err()
    };
    assert!(!refused(frames.clone()));
    assert!(refused(frames[1..].to_vec()), "a content is missing");
    assert!(refused([&frames[..], &frames[..1]].concat()), "a content stands twice");
    for change in [
        (|frame| frame.length += 1) as fn(&mut Frame),
        |frame| frame.length = u64::MAX,
        |frame| frame.coding = Coding::Identity,
        |frame| frame.coding = Coding::Patch,
        |frame| frame.files[0] = 99,
        |frame| frame.files.clear(),
        |frame| frame.pieces.clear(),
        |frame| frame.pieces.push(Truncated::of(b"")),
    ] {
        let mut frames = frames.clone();
        change(&mut frames[0]);
        assert!(refused(frames));
    }
}

#[test]
fn a_layout_is_spelt_in_columns_and_in_one_way() {
    let [script, page] = [b"let a = 1".to_vec(), b"<p>".to_vec()];
    let web = web(&[("a.js", script), ("copy.js", b"let a = 1".to_vec()), ("i.html", page)]);
    let frames = [(Coding::Brotli, vec![2], 70_000, 2), (Coding::Zstd, vec![0], 3, 1)];
    let frames = frames.map(|(coding, files, length, pieces)| {
        let pieces = (0..pieces).map(|n| Truncated::from_bytes([n; 16])).collect();
        Frame { coding, length, files, pieces }
    });
    let layout = Layout::new(frames.to_vec(), 0, false);
    let numbers = [
        &[1, 0, 2][..],         // spelling, filler, frames
        &[1, 0],                // codings
        &[1, 1],                // contents of each
        &[0xf0, 0xa2, 0x04, 3], // lengths
        &[2 * 2, 3 * 2 - 1],    // positions: +2, -3
        &[0; 16],
        &[1; 16],
        &[0; 16], // digests
    ];
    let bytes = numbers.concat();
    assert_eq!(layout.to_bytes().unwrap(), bytes);
    let blob = Blob { length: 70_003, decoded: 12, ..web.blob };
    assert_eq!(Layout::parse(&bytes, &web.index, &blob).unwrap(), layout);
    let changed = |at: usize, to: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = to;
        Layout::parse(&bytes, &web.index, &blob).is_err()
    };
    assert!(changed(0, 2), "another spelling");
    assert!(changed(1, 1), "filler in an open pack");
    assert!(changed(2, 1) && changed(2, 3) && changed(2, 0x7f), "another number of frames");
    assert!(changed(3, 2), "a coding that no frame has");
    assert!(changed(5, 0) && changed(5, 2), "a frame that holds nothing, or another's");
    assert!(changed(10, 0), "a frame of no bytes");
    assert!(changed(11, 2) && changed(11, 6) && changed(12, 7), "another content, or none");
    for end in 0..bytes.len() {
        assert!(Layout::parse(&bytes[..end], &web.index, &blob).is_err(), "{end}");
    }
    let longer = [&bytes[..], &[0; 16]].concat();
    assert!(Layout::parse(&longer, &web.index, &blob).is_err(), "a digest of nothing");
    let padded = [&bytes[..1], &[0x80], &bytes[1..]].concat();
    assert!(Layout::parse(&padded, &web.index, &blob).is_err(), "a number with a byte too many");
}

#[test]
fn frames_that_hold_nothing_wanted_are_not_even_asked_for() {
    struct Noting<'a>(&'a [u8], Vec<u64>);
    impl Pieces for Noting<'_> {
        fn piece(&mut self, piece: &Piece) -> Result<VerifiedPiece> {
            self.1.push(piece.offset);
            let bytes = &self.0[piece.offset as usize..piece.end() as usize];
            Ok(piece.verify(bytes.to_vec()).unwrap())
        }
    }
    let web = sample();
    let noise = Digest::of(&noise(150_000));
    let disk = MemoryDisk::new();
    let mut pieces = Noting(&web.pack, Vec::new());
    unpack(&mut pieces, None, &|sha256| *sha256 == noise, &web.index, &web.layout, &disk, "out")
        .unwrap();
    assert_eq!(pieces.1.len(), 3, "a frame of 150 kB that does not compress");
    assert!(disk.read("out/img/noise.bin", u64::MAX).unwrap().is_some());
    assert!(disk.read("out/a/app.js", u64::MAX).unwrap().is_none());
}

#[test]
fn what_came_is_written_while_the_rest_is_still_on_its_way() {
    /// Asked for a piece, it holds that the files of every frame before it are there already.
    struct Later<'a>(&'a Web, &'a MemoryDisk, usize);
    impl Pieces for Later<'_> {
        fn piece(&mut self, piece: &Piece) -> Result<VerifiedPiece> {
            let Self(web, disk, looked) = self;
            for (frame, cut) in web.layout.pieces().filter(|(_, cut)| cut[0].offset < piece.offset)
            {
                if cut.iter().all(|before| before.end() <= piece.offset) {
                    let file = &web.index.files()[frame.files[0]];
                    let written = disk.read(&format!("out/{}", file.path), u64::MAX).unwrap();
                    assert_eq!(Digest::of(&written.unwrap()), file.sha256);
                    *looked += 1;
                }
            }
            let bytes = &web.pack[piece.offset as usize..piece.end() as usize];
            Ok(piece.verify(bytes.to_vec()).unwrap())
        }
    }
    let (web, disk) = (sample(), MemoryDisk::new());
    let mut pieces = Later(&web, &disk, 0);
    unpack(&mut pieces, None, &|_| true, &web.index, &web.layout, &disk, "out").unwrap();
    assert!(pieces.2 > 0);
}

#[test]
fn a_small_blob_decodes_to_its_signed_length_or_not_at_all() {
    let plain = b"index ".repeat(1000);
    let (blob, bytes) = small_blob(&plain, Object::Index, None).unwrap();
    assert_eq!(decode(&bytes, None, &blob, "index").unwrap(), plain);
    for decoded in [0, plain.len() as u64 - 1, plain.len() as u64 + 1] {
        assert!(decode(&bytes, None, &Blob { decoded, ..blob.clone() }, "index").is_err());
    }
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    let zstd = Blob { coding: Coding::Zstd, ..blob };
    assert!(decode(&bomb, None, &zstd, "index").is_err());
    let packed = zstd::bulk::compress(&plain, 3).unwrap();
    assert_eq!(decode(&packed, None, &zstd, "index").unwrap(), plain);
    let two = [&packed[..], &zstd::bulk::compress(b"", 3).unwrap()].concat();
    assert!(decode(&two, None, &zstd, "index").is_err());
    assert!(decode(&[&bytes[..], b"\0"].concat(), None, &blob, "index").is_err());
    assert!(decode(b"", None, &blob, "index").is_err());
}

#[test]
fn contents_that_are_here_are_copied_whatever_they_were_called() {
    let old = sample();
    let disk = unpack_from(&old, &old.pack, &old.layout).unwrap();
    let moved = web(&[
        ("index.html", b"<!doctype html>".repeat(20)),
        ("other/renamed.js", b"console.log(1);".repeat(9000)),
        ("new.js", b"new".to_vec()),
    ]);
    let source = Folder::new(&disk, "out".to_owned(), &old.index);
    let sources: [&dyn Contents; 1] = [&source];
    let missing = copy_local(&disk, "next", &moved.index, &sources, &Cancel::default()).unwrap();
    assert_eq!(missing, [Digest::of(b"new")].into());
    let copied = disk.read("next/other/renamed.js", u64::MAX).unwrap();
    assert_eq!(copied, Some(b"console.log(1);".repeat(9000)));

    // A source whose bytes changed does not have them.
    disk.damage("out/index.html", 3);
    let missing = copy_local(&disk, "third", &moved.index, &sources, &Cancel::default()).unwrap();
    assert_eq!(missing.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_small_folder_comes_back_as_it_was(
        files in prop::collection::btree_map(
            "[a-c]{1,2}(/[a-c]\\.js)?",
            prop::collection::vec(any::<u8>(), 0..3000),
            1..12,
        ),
    ) {
        let folders: Vec<String> = files.keys().filter_map(|p| Some(p.split_once('/')?.0.to_owned())).collect();
        let files: Vec<(&str, Vec<u8>)> = files
            .iter()
            .filter(|(path, _)| !folders.contains(path))
            .map(|(path, bytes)| (path.as_str(), bytes.clone()))
            .collect();
        let web = web(&files);
        let disk = unpack_from(&web, &web.pack, &web.layout).unwrap();
        assert_whole(&web, &disk);
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let web = web(&[("index.html", b"x".to_vec())]);
        prop_assert!(Index::parse(&bytes).is_err());
        prop_assert!(Layout::parse(&bytes, &web.index, &web.blob).is_err());
        let _ = unpack_from(&web, &bytes, &lying(&bytes, vec![0]));
    }
}
