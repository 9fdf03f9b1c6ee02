//! Tests counted over several harnesses, and the closing line of a task.

use std::fmt;

/// How tests went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// Reads a closing line of Rust's test harness or of Vitest.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim();
        let closing = line.strip_prefix("test result: ").or_else(|| line.strip_prefix("Tests "));
        let Some(rest) = closing else { return };
        let number = |name: &str| -> u64 {
            let parts = rest.split([';', '.', '|', '(']).map(str::trim);
            let number = parts.filter_map(|part| part.strip_suffix(name)).next_back();
            number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.passed += number(" passed");
        self.failed += number(" failed");
        self.skipped += number(" ignored") + number(" skipped");
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts one check, and says how it went.
    pub(crate) fn check(&mut self, name: &str, done: Result<(), String>) {
        match done {
            Ok(()) => {
                println!("ok: {name}");
                self.passed += 1;
            }
            Err(why) => {
                println!("FAILED: {name}: {why}");
                self.failed += 1;
            }
        }
    }

    /// Counts checks that could not be made, and says why.
    pub(crate) fn skip(&mut self, checks: u64, why: &str) {
        println!("skipped: {why}");
        self.skipped += checks;
    }

    /// Prints the closing line; an error where anything failed.
    pub(crate) fn close(self) -> Result<(), String> {
        println!("\n{self}");
        if self.failed == 0 { Ok(()) } else { Err(format!("{} failed", self.failed)) }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// What Maven's test runner said last: it tells each class, and all of them in the end.
#[derive(Default)]
pub(crate) struct Surefire(Count);

impl Surefire {
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once("Tests run: ") else { return };
        let mut numbers = rest.split(", ").filter_map(|part| {
            part.rsplit(": ").next().and_then(|number| number.trim().parse::<u64>().ok())
        });
        let mut next = || numbers.next().unwrap_or(0);
        let (run, failures, errors, skipped) = (next(), next(), next(), next());
        let failed = failures + errors;
        self.0 = Count { passed: run.saturating_sub(failed + skipped), failed, skipped };
    }

    pub(crate) fn count(&self) -> Count {
        self.0
    }
}

/// What Swift's test runner said last: it tells each class, and all of them in the end.
#[derive(Default)]
pub(crate) struct XcTest(Count);

impl XcTest {
    pub(crate) fn read(&mut self, line: &str) {
        let Some(rest) = line.trim().strip_prefix("Executed ") else { return };
        let words: Vec<_> = rest.split(' ').collect();
        let before = |word: &str| -> u64 {
            let at = words.iter().position(|found| found.trim_end_matches(',').starts_with(word));
            at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
        };
        let (run, failed) = (before("test"), before("failure"));
        let skipped = match rest.split_once(" with ") {
            Some((_, rest)) if rest.contains("skipped") => {
                rest.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
            }
            _ => 0,
        };
        self.0 = Count { passed: run.saturating_sub(failed + skipped), failed, skipped };
    }

    pub(crate) fn count(&self) -> Count {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(passed: u64, failed: u64, skipped: u64) -> Count {
        Count { passed, failed, skipped }
    }

    #[test]
    fn closing_lines_of_harnesses_are_added_up() {
        let mut all = Count::default();
        all.read("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        all.read("      Tests  3 failed | 40 passed (43)");
        all.read("test tests::passed ... ok");
        assert_eq!(all, count(52, 3, 1));
    }

    #[test]
    fn the_last_word_of_a_runner_counts() {
        let mut maven = Surefire::default();
        maven.read("[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1 s");
        maven.read("[ERROR] Tests run: 20, Failures: 1, Errors: 2, Skipped: 3");
        assert_eq!(maven.count(), count(14, 3, 3));
        let mut swift = XcTest::default();
        swift.read("\t Executed 1 test, with 0 failures (0 unexpected) in 0.1 (0.1) seconds");
        swift
            .read("\t Executed 23 tests, with 2 tests skipped and 1 failure (0 unexpected) in 9 s");
        assert_eq!(swift.count(), count(20, 1, 2));
    }
}
