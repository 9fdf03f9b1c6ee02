//! Text that shows what it is: what comes from files may hold characters that a terminal obeys instead of
//! showing, or that turn the order of others around. They leave this command escaped; in names that
//! nobody signed, and in names of released files, they are refused.

use std::fmt::Write as _;

/// No name in `farad.toml` is longer, in characters: it stands in one line with other things.
const NAME: usize = 100;

/// The text, each character that would not be seen, or not as it is, in the form `\u{202e}`. Line feeds
/// are left: they are the command's own.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && c != '\n' {
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The same for text that is one line, however many its author wrote.
pub(crate) fn one_line(text: &str) -> String {
    shown(text).replace('\n', "\\n")
}

/// The same for a line of JSON, in which such characters stand in strings alone.
pub(crate) fn shown_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a name that nobody signed may stand beside what somebody did.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= NAME && !text.chars().any(is_hidden)
}

/// Characters that change the direction of others (Unicode Standard Annex 9, section 2).
pub(crate) fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Controls, formats (general categories Cc and Cf), and separators of lines and paragraphs.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || turns_text(c)
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_instead() {
        assert_eq!(shown("a\u{1b}[2J\u{9b}b\rc\n"), "a\\u{1b}[2J\\u{9b}b\\u{d}c\n");
        assert_eq!(one_line("a\nb\u{202e}c"), "a\\nb\\u{202e}c");
        assert_eq!(shown("Zoë, 北京, שלום"), "Zoë, 北京, שלום");
        let json = serde_json::json!({ "name": "a\u{202e}\u{e0001}\u{1b}ü" });
        let shown = shown_json(&json.to_string());
        assert_eq!(shown, r#"{"name":"a\u202e\udb40\udc01\u001bü"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), json);
    }

    #[test]
    fn names_are_seen_as_they_are() {
        for good in ["alice", "Zoë & Søn (Kiel)", "שלום"] {
            assert!(is_name(good), "{good}");
        }
        let long = "x".repeat(NAME + 1);
        for bad in ["", "a\n", "\u{1b}[2J", "a\u{202e}b", "a\u{200b}", "\u{2028}", &long] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
