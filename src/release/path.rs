//! Which file paths a bundle may hold.
//!
//! The rule is the same for the publisher, the index of a download and the files of a native app:
//! relative, `/` between segments, nothing that could leave the folder on any platform.

use crate::limits;

/// Checks one path.
///
/// # Errors
/// The rule that it breaks.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("the path is empty");
    }
    if path.len() > limits::PATH {
        return Err("the path is longer than 512 bytes");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("the path holds a control character or a backslash");
    }
    // A colon would name a drive or an alternate stream on Windows.
    if path.contains(':') {
        return Err("the path holds a colon");
    }
    for segment in path.split('/') {
        if segment.is_empty() {
            return Err("the path is absolute or has an empty segment");
        }
        if segment == "." || segment == ".." {
            return Err("the path has a segment . or ..");
        }
        // File systems end there.
        if segment.len() > 255 {
            return Err("a segment of the path is longer than 255 bytes");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_web_paths_pass() {
        for good in
            ["index.html", "assets/app-4f3a.js", "a b/ü.svg", ".well-known/x", "a/...", "a~1"]
        {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn nothing_leaves_the_folder() {
        let long_path = "a/".repeat(256) + "a";
        let long_segment = "x".repeat(256);
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "./a",
            "..",
            "../a",
            "a/../b",
            "a/.",
            "a\\b",
            "C:/a",
            "a:b",
            "a\0b",
            "a\nb",
            "a\u{85}b",
            &long_path,
            &long_segment,
        ] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
    }
}
