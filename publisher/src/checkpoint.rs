//! Where tests end a command that works on the publisher's disk; nothing at all in other builds.
//!
//! With the feature `checkpoints`: `FARAD_CHECKPOINT` names where, as `put keys/root`, what is done to
//! a path's last two segments; `FARAD_CHECKPOINTS` a file to write the names to. Digests are left out,
//! since those of what is signed are never the same twice.

use std::path::Path;

#[cfg(not(feature = "checkpoints"))]
pub(crate) fn pass(_: &str, _: &Path) {}

#[cfg(feature = "checkpoints")]
pub(crate) fn pass(what: &str, path: &Path) {
    use std::io::Write as _;

    let mut segments: Vec<_> = path.iter().rev().take(2).map(|s| s.to_string_lossy()).collect();
    segments.reverse();
    let name = format!("{what} {}", without_digests(&segments.join("/")));
    if let Some(log) = std::env::var_os("FARAD_CHECKPOINTS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(log);
        // Whoever reads it sees that lines are missing.
        let _ = file.and_then(|mut file| writeln!(file, "{name}"));
    }
    if std::env::var("FARAD_CHECKPOINT").is_ok_and(|deadly| deadly == name) {
        crate::checkpoints::die();
    }
}

#[cfg(feature = "checkpoints")]
fn without_digests(name: &str) -> String {
    let digest = |part: &&str| part.parse::<farad::digest::Digest>().is_ok();
    let parts = name.split_inclusive(['/', '.', '-']);
    parts.filter(|part| !digest(&part.trim_end_matches(['/', '.', '-']))).collect()
}
