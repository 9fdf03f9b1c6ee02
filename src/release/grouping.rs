//! Which contents share a frame of a pack, and in which order the frames lie.
//!
//! A reader that lacks one content of a frame fetches all of it: contents should share a frame if they
//! change together. Bundlers put a digest of each file into its name, and whoever imports the file
//! names it; so a change of one file gives a new name, and with it new bytes, to everything that leads
//! to it. *Kin* are files that lead to the very same others: in a circle, where each leads to every
//! other, or as siblings. What changes one of them by way of a name changes all.
//!
//! Enters: an index, and which of its files each file names. Leaves: groups of places in the index,
//! those that few changes reach first: what is fetched together lies together. Decided by measuring
//! (ADR 1); no part of the format.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Index;
use crate::digest::Digest;

/// How files share frames.
#[derive(Debug, Clone, Copy)]
pub struct Grouping {
    /// Files of at most this many bytes share a frame with their neighbours by path.
    pub small: u64,
    /// A frame of neighbours holds at most this many bytes, decoded.
    pub frame: u64,
    /// Files of at most this many bytes share a frame with their kin.
    pub kin: u64,
    /// A frame of kin holds at most this many bytes, decoded.
    pub kin_frame: u64,
}

/// How packs are made.
pub const GROUPING: Grouping =
    Grouping { small: 2 << 10, frame: 16 << 10, kin: 64 << 10, kin_frame: 256 << 10 };

/// At least so many characters of a name are a digest, if there is one in it.
const DIGEST: usize = 8;

/// Which files each file of a bundle names, by places in its index.
#[derive(Debug, Default)]
pub(super) struct References(BTreeMap<usize, BTreeSet<usize>>);

/// The names in a bundle that hold a digest, and the first place of the content that each has.
pub(super) struct Names<'a>(HashMap<&'a [u8], usize>);

impl<'a> Names<'a> {
    pub(super) fn of(index: &'a Index) -> Self {
        let content = |at: usize| index.files().get(at).map(|file| (file.sha256, at));
        let places: HashMap<Digest, usize> =
            index.contents().into_iter().filter_map(content).collect();
        let mut names = HashMap::new();
        for file in index.files() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            if let Some(at) = places.get(&file.sha256).filter(|_| holds_digest(name)) {
                names.entry(name.as_bytes()).or_insert(*at);
            }
        }
        Self(names)
    }

    /// Notes which of them stand in `bytes`, the content at this place.
    pub(super) fn note(&self, at: usize, bytes: &[u8], into: &mut References) {
        let words = bytes.split(|byte| {
            !byte.is_ascii_alphanumeric()
                && !matches!(byte, b'-' | b'_' | b'.' | b'$' | b'~' | b'@')
        });
        let named = words.filter_map(|word| self.0.get(word)).copied();
        let named: BTreeSet<usize> = named.filter(|named| *named != at).collect();
        if !named.is_empty() {
            into.0.insert(at, named);
        }
    }
}

/// Whether the end of a name, its extension aside, looks like a digest and not like a word. A name
/// without one stays as it is when its file changes, and so does whoever imports it.
fn holds_digest(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let end = stem.as_bytes().rchunks(DIGEST).next().unwrap_or_default();
    let has = |kind: fn(&u8) -> bool| end.iter().any(kind);
    name.len() > DIGEST
        && (has(u8::is_ascii_digit) || has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
}

/// A set of places: one bit each, no zeros behind the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Places(Vec<u64>);

impl Places {
    fn only(at: usize) -> Self {
        let mut places = Self(vec![0; at / 64]);
        places.0.push(1 << (at % 64));
        places
    }

    /// Adds the others; false if they were all there.
    fn add(&mut self, others: &Self) -> bool {
        let mut grew = others.0.len() > self.0.len();
        self.0.resize(self.0.len().max(others.0.len()), 0);
        for (here, there) in self.0.iter_mut().zip(&others.0) {
            grew |= *there & !*here != 0;
            *here |= there;
        }
        grew
    }

    fn without(&self, at: usize) -> Self {
        let mut places = self.clone();
        if let Some(word) = places.0.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
        // One spelling for one set.
        while places.0.pop_if(|word| *word == 0).is_some() {}
        places
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// What each content leads to, itself among it.
fn closures(contents: &[usize], references: &References) -> HashMap<usize, Places> {
    let mut all: HashMap<usize, Places> =
        contents.iter().map(|at| (*at, Places::only(*at))).collect();
    loop {
        let mut grew = false;
        for (at, named) in &references.0 {
            let mut places = all.remove(at).unwrap_or_default();
            for named in named.iter().filter_map(|named| all.get(named)) {
                grew |= places.add(named);
            }
            all.insert(*at, places);
        }
        if !grew {
            return all;
        }
    }
}

/// Which contents may share a frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Class {
    /// All that lead to each other and, with that, to these.
    Circle(Places),
    /// All that lead to these and not to each other.
    Siblings(Places),
    /// Small ones that lead nowhere.
    Ends,
    /// Small ones without kin.
    Others,
}

/// Groups of contents that share a frame, in the order of the pack.
pub(super) fn group(index: &Index, references: &References, grouping: Grouping) -> Vec<Vec<usize>> {
    let contents = index.contents();
    let closures = closures(&contents, references);
    let mut order: Vec<(u32, usize, &Places)> =
        closures.iter().map(|(at, places)| (places.count(), *at, places)).collect();
    order.sort_unstable_by_key(|(count, at, _)| (*count, *at));
    let mut alike: HashMap<&Places, usize> = HashMap::new();
    order.iter().for_each(|(_, _, places)| *alike.entry(places).or_default() += 1);
    let length = |at: usize| index.files().get(at).map_or(0, |file| file.length);
    let kin = |count: u32, at: usize, places: &Places| {
        if alike.get(places).is_some_and(|alike| *alike > 1) {
            return Some(Class::Circle(places.clone()));
        }
        (count > 1).then(|| Class::Siblings(places.without(at)))
    };
    let mut members: HashMap<Class, usize> = HashMap::new();
    for (count, at, places) in order.iter().filter(|(_, at, _)| length(*at) <= grouping.kin) {
        if let Some(class) = kin(*count, *at, places) {
            *members.entry(class).or_default() += 1;
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    // The group that each class fills now, and what it has room for.
    let mut open: HashMap<Class, (usize, u64)> = HashMap::new();
    for (count, at, places) in order {
        let length = length(at);
        let class = kin(count, at, places).filter(|_| length <= grouping.kin);
        let class = class.filter(|class| members.get(class).is_some_and(|members| *members > 1));
        let (class, most) = match class {
            Some(class) => (class, grouping.kin_frame),
            None if length <= grouping.small && count == 1 => (Class::Ends, grouping.frame),
            None if length <= grouping.small => (Class::Others, grouping.frame),
            None => {
                // What lies between two files makes them neighbours no more.
                open.remove(&Class::Ends);
                open.remove(&Class::Others);
                groups.push(vec![at]);
                continue;
            }
        };
        match open.get_mut(&class).filter(|(_, room)| length <= *room) {
            Some((group, room)) => {
                groups.get_mut(*group).into_iter().for_each(|group| group.push(at));
                *room -= length;
            }
            None => {
                open.insert(class, (groups.len(), most.saturating_sub(length)));
                groups.push(vec![at]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::File;

    /// The groups of files with these texts, as names.
    fn grouped(files: &[(&str, String)], grouping: Grouping) -> Vec<Vec<String>> {
        let file = |(path, text): &(&str, String)| File {
            path: (*path).to_owned(),
            length: text.len() as u64,
            sha256: Digest::of(text.as_bytes()),
        };
        let index = Index::new(files.iter().map(file).collect()).unwrap();
        let (names, mut references) = (Names::of(&index), References::default());
        for at in index.contents() {
            let file = &index.files()[at];
            let (_, text) = files.iter().find(|(path, _)| *path == file.path).unwrap();
            names.note(at, text.as_bytes(), &mut references);
        }
        let name = |at: &usize| index.files()[*at].path.clone();
        let groups = group(&index, &references, grouping);
        let mut held = groups.concat();
        held.sort_unstable();
        assert_eq!(held, index.contents(), "each content once");
        groups.iter().map(|group| group.iter().map(name).collect()).collect()
    }

    fn importing(names: &[&str], length: usize) -> String {
        let imports: String = names.iter().map(|name| format!("import'./{name}';")).collect();
        format!("{imports}{}", "x".repeat(length))
    }

    #[test]
    fn what_changes_together_shares_a_frame_and_lies_last() {
        let circle = importing(&["entry-B1jCkv2I.js"], 5000);
        let files = [
            ("assets/api-CG7ziAjA.js", importing(&[], 9000)),
            ("assets/entry-B1jCkv2I.js", importing(&["page-aZ81kd0q.js", "more-Qk10aPzz.js"], 900)),
            ("assets/icon-0zPq81kk.svg", "<svg/>".to_owned()),
            ("assets/more-Qk10aPzz.js", circle.clone() + "1"),
            ("assets/one-Ab3dEf6h.js", importing(&["api-CG7ziAjA.js"], 3000)),
            ("assets/page-aZ81kd0q.js", circle + "2"),
            ("assets/two-Zb3dEf6h.js", importing(&["api-CG7ziAjA.js"], 4000)),
            ("index.html", importing(&["entry-B1jCkv2I.js"], 20)),
        ];
        let expected = [
            vec!["assets/api-CG7ziAjA.js"],
            vec!["assets/icon-0zPq81kk.svg"],
            vec!["assets/one-Ab3dEf6h.js", "assets/two-Zb3dEf6h.js"],
            vec!["assets/entry-B1jCkv2I.js", "assets/more-Qk10aPzz.js", "assets/page-aZ81kd0q.js"],
            vec!["index.html"],
        ];
        assert_eq!(grouped(&files, GROUPING), expected);
        // No more in a frame than it may hold, and no file that is too large for it.
        let narrow = Grouping { kin: 4000, kin_frame: 7000, ..GROUPING };
        let groups = grouped(&files, narrow);
        assert!(groups.contains(&vec!["assets/two-Zb3dEf6h.js".to_owned()]), "{groups:?}");
    }

    #[test]
    fn small_files_share_with_their_neighbours_alone() {
        let text = |n: usize, length: usize| format!("{n:08}") + &"y".repeat(length);
        let files: Vec<(String, String)> = (0..9)
            .map(|n| (format!("{n}.svg"), text(n, if n == 4 { 3000 } else { 400 })))
            .collect();
        let files: Vec<(&str, String)> =
            files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let sizes = |frame: u64| -> Vec<usize> {
            let grouping = Grouping { frame, ..GROUPING };
            grouped(&files, grouping).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(16 << 10), [4, 1, 4]);
        assert_eq!(sizes(1300), [3, 1, 1, 3, 1]);
    }

    #[test]
    fn siblings_are_found_wherever_they_lie() {
        let icons = (0..300).map(|n| (format!("icon-{n:08}.svg"), format!("{n}")));
        let mut files: Vec<(String, String)> = icons.collect();
        for name in ["a-0zPq81kk.js", "z-0zPq81kk.js"] {
            files.push((name.to_owned(), importing(&["icon-00000003.svg"], 3000) + name));
        }
        let files: Vec<(&str, String)> =
            files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let groups = grouped(&files, GROUPING);
        assert_eq!(groups.last().unwrap(), &["a-0zPq81kk.js", "z-0zPq81kk.js"]);
    }

    #[test]
    fn a_name_without_a_digest_does_not_make_kin() {
        let files = [
            ("app.js", importing(&["library.js"], 3000)),
            ("library.js", importing(&[], 3000)),
            ("other.js", importing(&["library.js"], 4000)),
        ];
        assert_eq!(grouped(&files, GROUPING).len(), 3);
        for name in
            ["index-BljCkv2I.js", "chunk-AQ6EADP3.mjs", "N8nText-C7F7-XLa.js", "p-Do3zTvCA.js"]
        {
            assert!(holds_digest(name), "{name}");
        }
        for name in ["swagger-ui-bundle.js", "index.html", "a1.js", "model.min.js"] {
            assert!(!holds_digest(name), "{name}");
        }
    }
}
