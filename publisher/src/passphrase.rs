//! Passphrases: from the terminal or a file, never from the command line or the environment. Refuses: a
//! file that others can read; a new one that is short.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::failure::{Failure, Result};
use crate::keys::{check_name, refuse_shared};
use crate::screen::Screen;

/// Names the file with passphrases.
const FILE: &str = "FARAD_PASSPHRASE_FILE";
/// Characters of a new passphrase.
const SHORTEST: usize = 8;
/// Where passphrases come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passphrases {
    /// A file descriptor to read them from, on Unix.
    fd: Option<u32>,
    /// What was chosen, by slot: keys of one slot share a passphrase.
    chosen: RefCell<BTreeMap<String, Zeroizing<String>>>,
    /// What opened a key already, by folder: one passphrase often serves them all.
    known: RefCell<Vec<(String, Zeroizing<String>)>>,
    /// What the file said: a pipe can be read only once.
    text: RefCell<Option<Zeroizing<String>>>,
    /// Where something may be drawn while a passphrase is asked for.
    screen: Screen,
}

impl Passphrases {
    /// Passphrases from file descriptor `fd`, else from the environment's file or the terminal, on which
    /// `screen` draws.
    pub(crate) fn new(fd: Option<u32>, screen: Screen) -> Self {
        Self { fd, screen, ..Self::default() }
    }

    /// What `open` makes of the passphrase of the key `name` in folder `group`.
    pub(crate) fn unlock<T>(
        &self,
        name: &str,
        group: &str,
        open: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let wrong = || {
            let message = format!("wrong passphrase for the {group} key {name}; try again");
            Failure::new("wrong-passphrase", message)
        };
        if let Some(text) = self.given()? {
            return open(&pick(&text, &[name, group])?).ok_or_else(wrong);
        }
        let known = self.known.borrow().clone();
        let opened = known.iter().filter(|(of, _)| of == group).find_map(|(_, text)| open(text));
        if let Some(opened) = opened {
            return Ok(opened);
        }
        if !std::io::stdin().is_terminal() {
            let message =
                format!("the {group} key {name} needs a passphrase; name a file with it in {FILE}");
            return Err(Failure::new("passphrase", message));
        }
        let typed = self.prompt(&format!("Passphrase of the {group} key {name}: "))?;
        let opened = open(&typed).ok_or_else(wrong)?;
        self.known.borrow_mut().push((group.to_owned(), typed));
        Ok(opened)
    }

    /// A new passphrase for the keys of `slot` in folder `group`; asked for twice, and only once in
    /// a command.
    pub(crate) fn choose(&self, slot: &str, group: &str) -> Result<Zeroizing<String>> {
        if let Some(chosen) = self.chosen.borrow().get(slot) {
            return Ok(chosen.clone());
        }
        let chosen = self.choose_anew(slot, group)?;
        self.chosen.borrow_mut().insert(slot.to_owned(), chosen.clone());
        self.known.borrow_mut().push((group.to_owned(), chosen.clone()));
        Ok(chosen)
    }

    fn choose_anew(&self, slot: &str, group: &str) -> Result<Zeroizing<String>> {
        if let Some(text) = self.given()? {
            return pick(&text, &[slot, group]).and_then(long_enough);
        }
        let what = if slot == group { format!("{slot} keys") } else { format!("key {slot}") };
        if !std::io::stdin().is_terminal() {
            let message = format!(
                "a new passphrase is needed for the {what}; name a file with it in {FILE}, or pass --no-passphrase for a trial"
            );
            return Err(Failure::new("passphrase", message));
        }
        let first = long_enough(self.prompt(&format!("New passphrase for the {what}: "))?)?;
        if self.prompt("The same again: ")? != first {
            return Err(Failure::new("passphrase", "the two passphrases differ; nothing was made"));
        }
        Ok(first)
    }

    /// Asks on the terminal.
    fn prompt(&self, text: &str) -> Result<Zeroizing<String>> {
        self.screen.aside(|| rpassword::prompt_password(text)).map(Zeroizing::new).map_err(
            |error| Failure::new("passphrase", format!("cannot read a passphrase: {error}")),
        )
    }

    fn given(&self) -> Result<Option<Zeroizing<String>>> {
        if let Some(text) = &*self.text.borrow() {
            return Ok(Some(text.clone()));
        }
        let path = match (self.fd, std::env::var_os(FILE)) {
            // Whoever opened it saw to who else can.
            (Some(fd), _) => PathBuf::from(format!("/dev/fd/{fd}")),
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                refuse_shared(&path)?;
                path
            }
            (None, None) => return Ok(None),
        };
        let mut text = Zeroizing::new(String::new());
        std::fs::File::open(&path)
            .and_then(|file| file.take(16 << 10).read_to_string(&mut text))
            .map_err(|error| Failure::file("reading passphrases from", &path, &error))?;
        *self.text.borrow_mut() = Some(text.clone());
        Ok(Some(text))
    }
}

/// A new passphrase that is not tried out in no time, wherever it comes from.
fn long_enough(passphrase: Zeroizing<String>) -> Result<Zeroizing<String>> {
    if passphrase.chars().count() >= SHORTEST {
        return Ok(passphrase);
    }
    Err(Failure::new("passphrase", format!("a passphrase has at least {SHORTEST} characters")))
}

/// The passphrase under the first of `names` that the file has a line `name: passphrase` for. A file of one
/// line that begins with no such name serves all keys: a line for one key, whether there is such a key here
/// or not, is never taken for the passphrase of another.
fn pick(text: &str, names: &[&str]) -> Result<Zeroizing<String>> {
    let lines_of = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| *found == name)
            .count()
    };
    if let Some(twice) = names.iter().find(|name| lines_of(name) > 1) {
        let message = format!("the passphrase file has two lines for {twice}; take one out");
        return Err(Failure::new("passphrase", message));
    }
    let named = |name: &&str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(found, _)| found == name).map(|(_, passphrase)| passphrase.to_owned())
    };
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let found = names.iter().find_map(named).or_else(|| match (lines.next(), lines.next()) {
        (Some(only), None) if !is_named(only) => Some(only.to_owned()),
        _ => None,
    });
    found.map(Zeroizing::new).ok_or_else(|| {
        let mut names = names.to_vec();
        names.dedup();
        let names = names.join(" or ");
        Failure::new("passphrase", format!("the passphrase file has no line for {names}"))
    })
}

/// Whether a line begins with the name of a key or a folder of keys.
fn is_named(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, _)| check_name(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_serves_all_keys_and_named_lines_a_key_or_a_group() {
        let picked = |text: &str, names: &[&str]| pick(text, names).map(|text| text.to_string());
        assert_eq!(picked("correct horse\n", &["alice", "root"]).unwrap(), "correct horse");
        assert_eq!(picked("Correct: horse\n", &["alice", "root"]).unwrap(), "Correct: horse");
        for line in ["online: one\n", "alice: secret\n", "production-releases-2: secret\n\n"] {
            let failure = picked(line, &["bob", "release"]).unwrap_err();
            assert_eq!(failure.code, "passphrase", "{line}");
            assert!(!failure.message.contains("secret"), "{failure:?}");
        }
        let named = "root: one\nonline: two: three\nalice: four\n";
        assert_eq!(picked(named, &["recovery", "root"]).unwrap(), "one");
        assert_eq!(picked(named, &["timestamp", "online"]).unwrap(), "two: three");
        assert_eq!(picked(named, &["alice", "root"]).unwrap(), "four");
        assert_eq!(picked(named, &["bob", "release"]).unwrap_err().code, "passphrase");
        // Which of the two was meant, nobody knows.
        let twice = picked("root: one\nonline: two\nroot: three\n", &["root"]).unwrap_err();
        assert_eq!(twice.code, "passphrase");
        assert!(twice.message.contains("root") && !twice.message.contains("three"), "{twice:?}");
    }
}
