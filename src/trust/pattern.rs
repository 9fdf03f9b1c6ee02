//! Which paths a delegation may speak of (TUF 1.0, section 4.5).

use super::metadata::Delegation;
use crate::digest::Digest;

impl Delegation {
    /// Whether the delegated role may list `path`. Exactly one of `paths` and
    /// `path_hash_prefixes` counts; with neither or both, nothing matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match (&self.paths, &self.path_hash_prefixes) {
            (Some(patterns), None) => patterns.iter().any(|pattern| glob(pattern, path)),
            (None, Some(prefixes)) => {
                let digest = Digest::of(path.as_bytes()).to_string();
                prefixes.iter().any(|prefix| digest.starts_with(prefix.as_str()))
            }
            _ => false,
        }
    }
}

/// Shell-like patterns: `*` and `?` stay within a segment; everything else stands for itself.
fn glob(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if segment_matches(pattern, segment) => {}
            _ => return false,
        }
    }
}

/// One segment, by backtracking to the last `*` alone: linear in the product of the lengths, so
/// that a pattern made for it cannot keep a phone busy.
fn segment_matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry = None;
    loop {
        let (mut next_pattern, mut next_text) = (pattern.clone(), text.clone());
        match (next_pattern.next(), next_text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                pattern = next_pattern;
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                (pattern, text) = (next_pattern, next_text);
                continue;
            }
            _ => {}
        }
        // Let the last star take one character more.
        let Some((after_star, rest)) = &mut retry else { return false };
        if rest.next().is_none() {
            return false;
        }
        (pattern, text) = (after_star.clone(), rest.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_their_segment() {
        for (pattern, path) in [
            ("production/releases/*", "production/releases/7.json"),
            ("a/?.js", "a/x.js"),
            ("*", "file"),
            ("*.tgz", ".tgz"),
            ("a*b*c", "aXbYbZc"),
            ("*/*", "a/b"),
            ("[a]", "[a]"),
        ] {
            assert!(glob(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("production/releases/*", "production/releases/a/7.json"),
            ("production/releases/*", "production/policy.json"),
            ("*", "a/b"),
            ("a/?.js", "a/xy.js"),
            ("A", "a"),
            ("a*b*c", "aXbYbZ"),
            ("a", "a/"),
            ("[a]", "a"),
        ] {
            assert!(!glob(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_of_stars_ends_quickly() {
        assert!(!glob(&"*a".repeat(200), &"a".repeat(150)));
    }
}
