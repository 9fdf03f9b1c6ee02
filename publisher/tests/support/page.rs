//! Pages of the documentation, with the commands that stand on them.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

/// The blocks of one section that were not run yet: what stands behind `sh`, and the commands.
pub struct Section {
    title: String,
    blocks: VecDeque<(String, String)>,
}

/// Title and blocks of every section of a page in `docs`, sections without blocks left out.
pub fn sections(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
    let sections = text.split("\n## ").skip(1).map(|section| {
        let (title, body) = section.split_once('\n').unwrap();
        let blocks = body.split("\n```sh").skip(1).map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (commands, _) = rest.split_once("\n```").unwrap();
            (name.trim().to_owned(), commands.to_owned())
        });
        (title.to_owned(), blocks.collect::<Vec<_>>())
    });
    sections.filter(|(_, blocks)| !blocks.is_empty()).collect()
}

impl Section {
    pub fn open(page: &str, title: &str) -> Self {
        let found = sections(page).into_iter().find(|(name, _)| name == title);
        let (title, blocks) = found.expect("the page has this section");
        Self { title, blocks: blocks.into() }
    }

    /// The commands of the next block, which must have this name (mostly none).
    pub fn next(&mut self, name: &str) -> String {
        let (found, commands) = self.blocks.pop_front().expect("the page has fewer blocks");
        assert_eq!(found, name, "{}", self.title);
        commands
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.blocks.is_empty(), "{}: not run: {:?}", self.title, self.blocks);
        }
    }
}
