use std::collections::BTreeMap;

use proptest::prelude::*;

use super::make::{Bundle, Draft, Sizes, make};
use super::*;
use crate::digest::Digest;
use crate::release::File;
use crate::wire::Writer;

/// Path and content of every file of a bundle.
type Web = BTreeMap<String, Vec<u8>>;

fn web(files: &[(&str, &[u8])]) -> Web {
    files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
}

fn index(web: &Web) -> Index {
    let file = |(path, bytes): (&String, &Vec<u8>)| File {
        path: path.clone(),
        length: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    Index::new(web.iter().map(file).collect()).unwrap()
}

/// Small enough that tests need not wait for large groups.
const SIZES: Sizes = Sizes { new: 512 << 10, old: 640 << 10 };

fn patch(old: &Web, new: &Web) -> Vec<u8> {
    patch_with(old, new, 1)
}

fn patch_with(old: &Web, new: &Web, workers: usize) -> Vec<u8> {
    let read = |web: &Web| {
        let web = web.clone();
        move |file: &File, from: u64, to: u64| {
            Ok(web[&file.path][from as usize..to as usize].to_vec())
        }
    };
    let (old_index, new_index, read_old, read_new) = (index(old), index(new), read(old), read(new));
    let base = Bundle { index: &old_index, read: &read_old };
    let new = Bundle { index: &new_index, read: &read_new };
    let draft = Draft::sized(base, new, SIZES).unwrap();
    make(&[draft], workers, &|_| ()).unwrap().remove(0)
}

/// Old files in memory; what is damaged is not there.
struct Memory<'a>(&'a Web);

impl Base for Memory<'_> {
    fn part(&mut self, file: &File, from: u64, to: u64, into: &mut Vec<u8>) -> Result<bool> {
        let bytes = self.0.get(&file.path).filter(|bytes| Digest::of(bytes) == file.sha256);
        let part = bytes.and_then(|bytes| bytes.get(from as usize..to as usize));
        part.inspect(|part| into.extend_from_slice(part));
        Ok(part.is_some())
    }
}

/// Applies a patch to a bundle whose index is `base` and whose files are `held`. Nothing where a
/// group was lost.
fn apply(base: &Index, held: &Web, mut patch: &[u8]) -> Result<Option<(Index, Web)>> {
    let plan = Plan::read(&mut patch, base)?;
    let mut groups = Groups::new(&plan, base, &mut patch);
    let mut stream = Vec::new();
    let mut lost = false;
    while let Some(made) = groups.make(&mut Memory(held))? {
        match made {
            Made::Bytes(bytes) => stream.extend_from_slice(bytes),
            Made::Lost(_) => lost = true,
        }
    }
    if lost {
        return Ok(None);
    }
    let mut left = &stream[..];
    let mut made = Vec::new();
    for length in plan.outline().made() {
        let (now, later) = left.split_at(*length as usize);
        made.push(now.to_vec());
        left = later;
    }
    assert!(left.is_empty());
    let by_content: BTreeMap<_, _> = held.values().map(|b| (Digest::of(b), b)).collect();
    let content = |(file, content): (&File, Content)| {
        let bytes = match content {
            Content::Base => (*by_content.get(&file.sha256)?).clone(),
            Content::Empty => Vec::new(),
            Content::Made(at) => made[at].clone(),
        };
        Some((file.path.clone(), bytes))
    };
    let files = plan.outline().files().map(content).collect::<Option<Web>>();
    let digests: Vec<_> = made.iter().map(|bytes| Digest::of(bytes)).collect();
    let index = plan.outline().complete(&digests)?;
    Ok(files.map(|files| (index, files)))
}

fn assert_way(old: &Web, new: &Web) -> Vec<u8> {
    let patch = patch(old, new);
    let (made, files) = apply(&index(old), old, &patch).unwrap().unwrap();
    assert_eq!(made.identity(), index(new).identity());
    assert_eq!(&files, new);
    patch
}

/// Text that compresses as code does.
fn code(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = ["const ", "function", "(e,t)", "=>", "{return ", "}", ";", "this.", "value", "\""];
    let mut text = Vec::new();
    while text.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(words[(state % 10) as usize].as_bytes());
        text.extend_from_slice(format!("{:x}", state >> 44).as_bytes());
    }
    text.truncate(length);
    text
}

fn edited(bytes: &[u8], at: usize, insert: &[u8]) -> Vec<u8> {
    [&bytes[..at], insert, &bytes[at + 3..]].concat()
}

#[test]
fn a_small_change_makes_a_small_patch_whatever_the_file_is_called_now() {
    let (app, vendor) = (code(1, 60_000), code(2, 300_000));
    let old = web(&[
        ("assets/app-Aaaaaaa1.js", &app),
        ("assets/vendor-Vvvvvvv1.js", &vendor),
        ("index.html", b"<script src=assets/app-Aaaaaaa1.js></script>"),
    ]);
    let new = web(&[
        ("assets/app-Bbbbbbb2.js", &edited(&app, 30_000, b"changed")),
        ("assets/vendor-Vvvvvvv1.js", &vendor),
        ("index.html", b"<script src=assets/app-Bbbbbbb2.js></script>"),
    ]);
    let patch = assert_way(&old, &new);
    assert!(patch.len() < 200, "{} bytes", patch.len());
}

#[test]
fn files_move_swap_double_empty_and_vanish_at_no_cost() {
    let (a, b) = (code(1, 40_000), code(2, 40_000));
    let old = web(&[("a.js", &a), ("b.js", &b), ("gone.js", &code(3, 9000)), ("e.css", b"x")]);
    let new = web(&[
        ("a.js", &b),
        ("b.js", &a),
        ("copies/a.js", &a),
        ("e.css", b""),
        ("moved/b.js", &b),
        ("none.txt", b""),
    ]);
    let patch = assert_way(&old, &new);
    assert!(patch.len() < 150, "{} bytes", patch.len());
}

#[test]
fn a_new_content_under_several_paths_is_made_once() {
    let fresh = code(7, 50_000);
    let old = web(&[("index.html", b"x")]);
    let one = assert_way(&old, &web(&[("index.html", b"x"), ("a.js", &fresh)]));
    let files: [(&str, &[u8]); 4] =
        [("index.html", b"x"), ("a.js", &fresh), ("b.js", &fresh), ("c.js", &fresh)];
    let three = assert_way(&old, &web(&files));
    assert!(three.len() < one.len() + 100, "{} after {}", three.len(), one.len());
}

#[test]
fn from_nothing_to_something_and_back() {
    let some = web(&[("a", b"one"), ("b/c", b"two")]);
    assert_way(&Web::new(), &some);
    assert_way(&some, &Web::new());
    assert_way(&some, &some);
}

#[test]
fn a_large_file_is_made_in_groups_of_bounded_size() {
    let large = code(5, 3 << 20);
    // Bytes are inserted, go, and move over more than a group.
    let moved =
        [&large[2 << 20..], b"inserted", &large[..1 << 20], &large[(1 << 20) + 99..2 << 20]];
    let (old, new) = (web(&[("m.wasm", &large)]), web(&[("m.wasm", &moved.concat())]));
    let patch = assert_way(&old, &new);
    assert!(patch.len() < 5000, "{} bytes", patch.len());
    let plan = Plan::read(&mut &patch[..], &index(&old)).unwrap();
    assert!(plan.groups.len() >= 6);
    let largest = plan.groups.iter().map(|group| plan.prefix(group) + group.length).max();
    assert!(largest < Some(1200 << 10), "{largest:?}");
}

#[test]
fn the_same_two_bundles_make_the_same_patch_on_any_number_of_threads() {
    let old: Web = (0..12).map(|n| (format!("p{n}.js"), code(n, 120_000))).collect();
    let edit = |(path, bytes): (&String, &Vec<u8>)| {
        (path.replace('p', "q"), edited(bytes, 1000, path.as_bytes()))
    };
    let new: Web = old.iter().map(edit).collect();
    let one = patch_with(&old, &new, 1);
    assert_eq!(one, patch_with(&old, &new, 2));
    assert!(Plan::read(&mut &one[..], &index(&old)).unwrap().groups.len() >= 3);
}

#[test]
fn a_base_file_that_changed_costs_its_group_alone() {
    let old: Web = (0..3).map(|n| (format!("{n}.js"), code(n, 400_000))).collect();
    let new: Web = old.iter().map(|(p, b)| (p.clone(), edited(b, 99, b"new"))).collect();
    let patch = patch(&old, &new);
    let base = index(&old);
    for damaged in 0..3 {
        let mut held = old.clone();
        held.get_mut(&format!("{damaged}.js")).unwrap()[5] ^= 1;
        let mut rest = &patch[..];
        let plan = Plan::read(&mut rest, &base).unwrap();
        let mut groups = Groups::new(&plan, &base, &mut rest);
        let mut lost = 0;
        while let Some(made) = groups.make(&mut Memory(&held)).unwrap() {
            lost += usize::from(matches!(made, Made::Lost(_)));
        }
        assert_eq!((plan.groups.len(), lost), (3, 1));
    }
}

#[test]
fn a_patch_fits_only_the_base_it_was_made_from_or_is_found_out() {
    let old = web(&[("a.js", &code(1, 5000)), ("index.html", b"x")]);
    let new = web(&[("a.js", &code(9, 5000)), ("index.html", b"x")]);
    let patch = patch(&old, &new);
    let other = web(&[("a.js", &code(1, 5000)), ("b.js", b"y"), ("index.html", b"x")]);
    assert_eq!(apply(&index(&other), &other, &patch).unwrap_err().code(), "malformed");
    // As many files, others: the identity tells.
    let other = web(&[("a.js", &code(2, 5000)), ("index.html", b"y")]);
    let made = apply(&index(&other), &other, &patch);
    assert!(!matches!(made, Ok(Some((made, _))) if made.identity() == index(&new).identity()));
}

/// A patch with this plain head and no frames.
fn with_head(plain: &[u8]) -> Vec<u8> {
    let head = zstd::bulk::compress(plain, 3).unwrap();
    let mut patch = Writer(vec![ALGORITHM]);
    patch.number(head.len() as u64);
    patch.number(plain.len() as u64);
    [patch.0, head].concat()
}

fn refused(base: &Web, head: &[u64], text: &[u8], rest: &[u64]) -> bool {
    let mut writer = Writer::default();
    head.iter().for_each(|number| writer.number(*number));
    writer.0.extend_from_slice(text);
    rest.iter().for_each(|number| writer.number(*number));
    Plan::read(&mut &with_head(&writer.0)[..], &index(base)).is_err()
}

#[test]
fn heads_that_lie_are_refused() {
    let base = web(&[("a/b.js", b"12345"), ("c.js", b"678")]);
    // Runs of what stays; one added file, like none, made, of length 4; one group of no parts.
    let good: (&[u64], &[u8], &[u64]) = (&[1, 2, 1, 4, 0, 0, 3, 0, 8], b"new", &[1, 0, 4, 9]);
    assert!(!refused(&base, good.0, good.1, good.2));
    let heads: [(&str, &[u64]); 9] = [
        ("fewer files than the base has", &[1, 1, 1, 4, 0, 0, 3, 0, 8]),
        ("more files than the base has", &[1, 3, 1, 4, 0, 0, 3, 0, 8]),
        ("like a file that is not there", &[1, 2, 1, 6, 0, 0, 3, 0, 8]),
        ("like a file before the first", &[1, 2, 1, 1, 0, 0, 3, 0, 8]),
        ("shares more than there is", &[1, 2, 1, 4, 1, 0, 3, 0, 8]),
        ("a path longer than the head", &[1, 2, 1, 4, 0, 0, 99, 0, 8]),
        ("a base content out of bounds", &[1, 2, 1, 4, 0, 0, 3, 6]),
        ("a content that is made later", &[1, 2, 1, 4, 0, 0, 3, 3, 8]),
        ("a made content of no bytes", &[1, 2, 1, 4, 0, 0, 3, 0, 0]),
    ];
    for (why, head) in heads {
        assert!(refused(&base, head, good.1, good.2), "{why}");
    }
    for text in [&b"../"[..], b"/a\0", b"a//", b"\xff\xfe\xfd"] {
        assert!(refused(&base, good.0, text, good.2), "{text:?}");
    }
    let groups: [(&str, &[u64]); 8] = [
        ("makes less", &[1, 0, 3, 9]),
        ("makes more", &[1, 0, 5, 9]),
        ("nothing at all", &[0]),
        ("an empty group", &[2, 0, 0, 4, 0, 9, 9]),
        ("no frame", &[1, 0, 4, 0]),
        ("a part beyond its file", &[1, 1, 4, 9, 0, 2, 4]),
        ("a part of a file that is not there", &[1, 1, 4, 9, 4, 0, 0]),
        ("more than is held at once", &[1, 0, 4, limits::GROUP]),
    ];
    for (why, rest) in groups {
        assert!(refused(&base, good.0, good.1, rest), "{why}");
    }
    assert!(refused(&base, &[u64::MAX], b"", &[]), "a count without end");
    assert!(!refused(&base, &[1, 2, 0], b"", &[0]), "the same bundle");
    assert!(refused(&base, &[1, 2, 0], b"", &[0, 0]), "more behind the head");
}

#[test]
fn more_of_anything_than_a_bundle_can_need_is_refused_before_room_is_made_for_it() {
    let base = web(&[("a/b.js", b"12345"), ("c.js", b"678")]);
    let because = |numbers: &[&[u64]], text: &[u8], rest: &[&[u64]]| {
        let mut writer = Writer::default();
        numbers.iter().copied().flatten().for_each(|number| writer.number(*number));
        writer.0.extend_from_slice(text);
        rest.iter().copied().flatten().for_each(|number| writer.number(*number));
        let read = Plan::read(&mut &with_head(&writer.0)[..], &index(&base));
        read.err().map_or("taken".to_owned(), |error| error.to_string())
    };
    let most = limits::FILES as u64;
    let many = |count: u64, number: u64| vec![number; usize::try_from(count).unwrap()];
    let too_many = "patch: a count is out of bounds";
    // Runs: of none but the two files that there are.
    let runs = |count: u64| because(&[&[count, 2], &many(count - 1, 0), &[0]], b"", &[&[0]]);
    assert_eq!((runs(most + 1), runs(most + 2)), ("taken".to_owned(), too_many.to_owned()));
    // Added files: as many as there are bytes in the head, and each column of them.
    let added = because(&[&[1, 2, 1_600_000], &many(5 * 1_600_000, 0)], b"", &[&[0]]);
    assert_eq!(added, too_many);
    // Groups of a byte each; one file of as many bytes.
    let one = |length: u64| [1, 2, 1, 4, 0, 0, 3, 0, 2 * length];
    let groups = |count: u64| {
        let columns = [&many(count, 0)[..], &many(count, 1), &many(count, 9)];
        because(&[&one(count)], b"new", &[&[count], columns[0], columns[1], columns[2]])
    };
    assert_eq!((groups(most), groups(most + 1)), ("taken".to_owned(), too_many.to_owned()));
    // Parts of the first file, all of one group.
    let parts = |count: u64| {
        // The first file, and again: one less than the one after it.
        let files = [&[0][..], &many(count - 1, 1)].concat();
        let rest: [&[u64]; 4] = [&[1, count, 1, 9], &files, &many(count, 0), &many(count, 1)];
        because(&[&one(1)], b"new", &rest)
    };
    let most = limits::PARTS as u64;
    assert_eq!((parts(most), parts(most + 1)), ("taken".to_owned(), too_many.to_owned()));
}

/// Reads what there is, and then the disk fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(out)? {
            0 if !out.is_empty() => Err(std::io::Error::from_raw_os_error(5)),
            count => Ok(count),
        }
    }
}

#[test]
fn a_disk_that_fails_is_no_fault_of_the_patch() {
    let (old, new) = (web(&[("a", b"1")]), web(&[("a", b"2")]));
    let whole = patch(&old, &new);
    let base = index(&old);
    let apply = |patch: &mut dyn Read| {
        let plan = Plan::read(patch, &base)?;
        let mut groups = Groups::new(&plan, &base, patch);
        while groups.make(&mut Memory(&old))?.is_some() {}
        Ok::<_, Error>(())
    };
    for end in 0..=whole.len() {
        assert_eq!(apply(&mut Failing(&whole[..end])).unwrap_err().code(), "storage", "{end}");
        assert_eq!(apply(&mut &whole[..end]).is_ok(), end == whole.len());
    }
}

#[test]
fn other_algorithms_long_heads_and_bombs_are_refused() {
    let base = web(&[("a", b"1")]);
    let whole = patch(&base, &web(&[("a", b"2")]));
    for (at, value) in [(0, 0), (0, 2), (0, 255)] {
        let mut changed = whole.clone();
        changed[at] = value;
        assert!(apply(&index(&base), &base, &changed).is_err());
    }
    for end in 0..whole.len() {
        assert!(apply(&index(&base), &base, &whole[..end]).is_err(), "cut at {end}");
    }
    assert!(apply(&index(&base), &base, &[&whole[..], b"x"].concat()).is_err());
    let mut long = Writer(vec![ALGORITHM]);
    long.number(limits::INDEX + 1);
    long.number(1);
    assert!(Plan::read(&mut &long.0[..], &index(&base)).is_err());
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    let mut head = Writer(vec![ALGORITHM]);
    head.number(bomb.len() as u64);
    head.number(100);
    assert!(Plan::read(&mut &[head.0, bomb].concat()[..], &index(&base)).is_err());
}

/// What `tests/vectors/patch.json` holds: two bundles, and patches from one to the other.
#[derive(serde::Serialize, serde::Deserialize)]
struct Vector {
    base: BTreeMap<String, String>,
    new: BTreeMap<String, String>,
    /// Hex, as this library made it.
    library: String,
    /// Hex, as `patch.py` made it.
    script: String,
}

fn of_texts(texts: &BTreeMap<String, String>) -> Web {
    texts.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect()
}

#[test]
fn a_second_implementation_and_this_one_apply_each_others_patches() {
    let vector: Vector =
        serde_json::from_str(include_str!("../../tests/vectors/patch.json")).unwrap();
    let (base, new) = (of_texts(&vector.base), of_texts(&vector.new));
    for patch in [&vector.library, &vector.script] {
        let patch = crate::hex::decode(patch).unwrap();
        let (made, files) = apply(&index(&base), &base, &patch).unwrap().unwrap();
        assert_eq!(files, new);
        assert_eq!(made.identity(), index(&new).identity());
    }
}

#[test]
#[ignore = "writes the library's part of tests/vectors/patch.json; run patch.py afterwards"]
fn write_the_vector() {
    let text = |seed, length| String::from_utf8(code(seed, length)).unwrap();
    let base = [
        ("assets/app-Aaaaaaa1.js", text(1, 3000)),
        ("assets/lib-Lllllll1.js", text(2, 2000)),
        ("assets/old.css", "body{}".to_owned()),
        ("index.html", "<script src=assets/app-Aaaaaaa1.js></script>".to_owned()),
        ("ü.txt", "ü".to_owned()),
    ];
    let app = text(1, 3000).replace("value", "edited");
    let new = [
        ("assets/app-Bbbbbbb2.js", app.clone()),
        ("assets/empty.css", String::new()),
        ("assets/lib-Lllllll1.js", text(2, 2000)),
        ("copies/app.js", app),
        ("index.html", "<script src=assets/app-Bbbbbbb2.js></script>".to_owned()),
        ("moved/ö.css", "body{}".to_owned()),
        ("ü.txt", "ü".to_owned()),
    ];
    let owned = |files: &[(&str, String)]| -> BTreeMap<String, String> {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.clone())).collect()
    };
    let (base, new) = (owned(&base), owned(&new));
    let library = patch(&of_texts(&base), &of_texts(&new));
    let library = library.iter().map(|byte| format!("{byte:02x}")).collect();
    let vector = Vector { base, new, library, script: String::new() };
    let text = serde_json::to_string_pretty(&vector).unwrap();
    std::fs::write("tests/vectors/patch.json", text).unwrap();
}

/// One edit of a bundle, as a bundler or a developer makes them.
fn edit(web: &mut Web, kind: u8, which: usize, seed: u64) {
    let Some(path) = web.keys().nth(which % web.len().max(1)).cloned() else {
        web.insert("first.js".to_owned(), code(seed, 500));
        return;
    };
    let bytes = web[&path].clone();
    match kind % 8 {
        0 => drop(web.insert(format!("n{seed}.js"), code(seed, (seed % 5000) as usize))),
        1 => drop(web.remove(&path)),
        2 => {
            web.remove(&path);
            web.insert(format!("r{seed}.js"), bytes);
        }
        3 => {
            let other = web.keys().next_back().unwrap().clone();
            let theirs = web.insert(other, bytes).unwrap();
            web.insert(path, theirs);
        }
        4 => drop(web.insert(path, Vec::new())),
        5 => drop(web.insert(path, (0..seed % 3000).map(|n| ((n * seed) >> 3) as u8).collect())),
        6 => drop(web.insert(format!("d{seed}/{path}"), bytes)),
        _ => {
            let at = if bytes.is_empty() { 0 } else { seed as usize % bytes.len() };
            let text = [&bytes[..at], b"edit", &bytes[at..]].concat();
            web.insert(path, text);
        }
    }
}

fn edits() -> impl Strategy<Value = Vec<(u8, usize, u64)>> {
    prop::collection::vec((any::<u8>(), 0..50_usize, 0..100_000_u64), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_history_of_edits_has_a_way(first in edits(), second in edits()) {
        let mut old = Web::new();
        (0..6).for_each(|n| edit(&mut old, 0, 0, n * 977));
        for (kind, which, seed) in first {
            edit(&mut old, kind, which, seed);
        }
        let mut new = old.clone();
        for (kind, which, seed) in second {
            edit(&mut new, kind, which, seed);
        }
        assert_way(&old, &new);
    }

    #[test]
    fn no_changed_byte_of_a_patch_passes_for_the_signed_bundle(at in any::<usize>(), bit in 0..8_u8) {
        let old = web(&[("a.js", &code(1, 3000)), ("b.js", &code(2, 3000)), ("index.html", b"x")]);
        let new = web(&[("a.js", &edited(&code(1, 3000), 50, b"new")), ("index.html", b"y")]);
        let mut changed = patch(&old, &new);
        let at = at % changed.len();
        changed[at] ^= 1 << bit;
        // Whatever comes of it, nothing panics, and another content has another identity.
        if let Ok(Some((made, files))) = apply(&index(&old), &old, &changed) {
            prop_assert!(made.identity() != index(&new).identity() || files == new);
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let base = web(&[("a/b.js", b"12345"), ("c.js", b"678")]);
        let _ = apply(&index(&base), &base, &bytes);
        let _ = apply(&index(&base), &base, &with_head(&bytes));
    }
}
