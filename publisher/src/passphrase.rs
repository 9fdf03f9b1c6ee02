//! Passphrases: from the terminal or a file, never from the command line or the environment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::failure::{Failure, Result};

/// Names the file with passphrases.
const FILE: &str = "FARAD_PASSPHRASE_FILE";

/// Where passphrases come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passphrases {
    /// A file descriptor to read them from, on Unix.
    fd: Option<u32>,
    /// What was asked for already: one command asks once for each group of keys.
    known: RefCell<BTreeMap<String, Zeroizing<String>>>,
    /// What the file said: a pipe can be read only once.
    text: RefCell<Option<Zeroizing<String>>>,
}

impl Passphrases {
    /// Passphrases from file descriptor `fd`, else from the environment's file or the terminal.
    pub(crate) fn new(fd: Option<u32>) -> Self {
        Self { fd, ..Self::default() }
    }

    /// The passphrase of the keys in folder `group` (`root`, `release`, `online`).
    pub(crate) fn ask(&self, group: &str) -> Result<Zeroizing<String>> {
        if let Some(known) = self.known.borrow().get(group) {
            return Ok(known.clone());
        }
        let asked = self.ask_anew(group)?;
        self.known.borrow_mut().insert(group.to_owned(), asked.clone());
        Ok(asked)
    }

    fn ask_anew(&self, group: &str) -> Result<Zeroizing<String>> {
        if let Some(text) = self.given()? {
            return pick(&text, group);
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new(
                "passphrase",
                format!("the {group} keys need a passphrase; name a file with it in {FILE}"),
            ));
        }
        prompt(&format!("Passphrase of the {group} keys: "))
    }

    /// A new passphrase for the keys in folder `group`, asked twice.
    pub(crate) fn choose(&self, group: &str) -> Result<Zeroizing<String>> {
        let chosen = self.choose_anew(group)?;
        self.known.borrow_mut().insert(group.to_owned(), chosen.clone());
        Ok(chosen)
    }

    fn choose_anew(&self, group: &str) -> Result<Zeroizing<String>> {
        if let Some(text) = self.given()? {
            return pick(&text, group);
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new(
                "passphrase",
                format!(
                    "new {group} keys need a passphrase; name a file with it in {FILE}, or pass --no-passphrase for a trial"
                ),
            ));
        }
        let first = prompt(&format!("New passphrase for the {group} keys: "))?;
        if first.chars().count() < 8 {
            return Err(Failure::new("passphrase", "a passphrase has at least 8 characters"));
        }
        if prompt("The same again: ")? != first {
            return Err(Failure::new("passphrase", "the two passphrases differ; nothing was made"));
        }
        Ok(first)
    }

    fn given(&self) -> Result<Option<Zeroizing<String>>> {
        if let Some(text) = &*self.text.borrow() {
            return Ok(Some(text.clone()));
        }
        let path = match (self.fd, std::env::var_os(FILE)) {
            (Some(fd), _) => PathBuf::from(format!("/dev/fd/{fd}")),
            (None, Some(path)) => PathBuf::from(path),
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

fn prompt(text: &str) -> Result<Zeroizing<String>> {
    rpassword::prompt_password(text)
        .map(Zeroizing::new)
        .map_err(|error| Failure::new("passphrase", format!("cannot read a passphrase: {error}")))
}

/// One line serves all keys; lines `group: passphrase` one group each.
fn pick(text: &str, group: &str) -> Result<Zeroizing<String>> {
    let named = |line: &str| {
        let (name, passphrase) = line.split_once(": ")?;
        (name == group).then(|| Zeroizing::new(passphrase.to_owned()))
    };
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let found = text.lines().find_map(named).or_else(|| match (lines.next(), lines.next()) {
        (Some(only), None) => Some(Zeroizing::new(only.to_owned())),
        _ => None,
    });
    found.ok_or_else(|| {
        Failure::new("passphrase", format!("the passphrase file has none for the {group} keys"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_serves_all_keys_and_named_lines_one_group_each() {
        assert_eq!(pick("correct horse\n", "root").unwrap().as_str(), "correct horse");
        let named = "root: one\nonline: two: three\n";
        assert_eq!(pick(named, "root").unwrap().as_str(), "one");
        assert_eq!(pick(named, "online").unwrap().as_str(), "two: three");
        assert!(pick(named, "release").is_err());
    }
}
