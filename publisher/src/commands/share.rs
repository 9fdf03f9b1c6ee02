//! How many of how many keys sign for a role: `2of3`.

use crate::edit::Edit;
use crate::failure::{Failure, Result};
use crate::keys::{Found, Keys, group};
use crate::repository::Current;

/// More keys than this in a role are a mistake.
const MOST: u64 = 16;

/// A threshold and a number of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) need: u64,
    pub(crate) of: u64,
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no threshold like 2of3, of at most {MOST} keys");
        let (need, of) = text.split_once("of").ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let (need, of) = (number(need)?, number(of)?);
        if (1..=of).contains(&need) && of <= MOST { Ok(Self { need, of }) } else { Err(wrong()) }
    }
}

/// Reads `NAME=2of3`.
pub(crate) fn named(text: &str) -> Result<(String, Share), String> {
    let (name, share) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=2of3"))?;
    Ok((name.to_owned(), share.parse()?))
}

/// Makes the keys of a role and lets them sign for it. One key shares the passphrase of its folder;
/// of several, each is somebody's own.
pub(crate) fn make(
    edit: &mut Edit,
    current: &Current,
    keys: &Keys,
    (role, share): (&str, Option<Share>),
    encrypt: bool,
) -> Result<Vec<Found>> {
    let group = group(role);
    let names: Vec<(String, String)> = match share {
        // A forgotten root passphrase is what the recovery key is for: it has one of its own.
        None if role == "root" => {
            [("root", group), ("recovery", "recovery")].map(|(n, s)| (n.into(), s.into())).into()
        }
        None | Some(Share { of: 1, .. }) => vec![(keys.free_name(group, role), group.to_owned())],
        Some(share) => (1..=share.of)
            .map(|n| {
                let name = keys.free_name(group, &format!("{role}-{n}"));
                (name.clone(), name)
            })
            .collect(),
    };
    let mut made = Vec::new();
    for (name, slot) in names {
        let key = keys.make(group, &name, encrypt.then_some(slot.as_str()))?;
        edit.grant(current, role, &key.public)?;
        made.push(key);
    }
    edit.set_threshold(current, role, share.map_or(1, |share| share.need))?;
    edit.check_threshold(current, role)?;
    Ok(made)
}

/// The role that a name means on the command line: a role's own name, or a channel's for its
/// releases.
pub(crate) fn role_of(name: &str, roles: &[String]) -> Result<String> {
    let releases = format!("{name}-releases");
    let known = |role: &String| *role == name || *role == releases;
    roles.iter().find(|role| known(role)).cloned().ok_or_else(|| {
        let message = format!("there is no role {name}; there is: {}", roles.join(", "));
        Failure::new("unknown-role", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_some_of_so_many() {
        assert_eq!("2of3".parse(), Ok(Share { need: 2, of: 3 }));
        assert_eq!(named("production=1of1").unwrap().0, "production");
        for bad in ["0of1", "2of1", "2", "of", "2of17", "-1of2", "2 of 3"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }
}
