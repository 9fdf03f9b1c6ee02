//! What became of a change: published, only tried, or waiting for signatures.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Report;
use crate::change::Wait;

/// What became of a change.
#[must_use = "a change that waits has to be told of"]
pub(crate) enum Outcome {
    /// Phones can reach it.
    Published,
    /// It could be published.
    Tried,
    /// It lacks signatures, and waits in a file.
    Waits {
        /// Nothing if it was only tried.
        file: Option<PathBuf>,
        waits: Vec<Wait>,
        /// Keys as people know them, by id.
        labels: Vec<(String, String)>,
    },
}

impl Outcome {
    pub(crate) fn is_published(&self) -> bool {
        matches!(self, Self::Published)
    }

    /// A report: what was done or is prepared, and what it waits for.
    pub(crate) fn report(&self, text: impl Into<String>, json: Value) -> Report {
        let (mut text, mut json) = (text.into(), json);
        let mut note = |name: &str, value: Value| {
            if let Some(fields) = json.as_object_mut() {
                fields.insert(name.to_owned(), value);
            }
        };
        note("published", json!(self.is_published()));
        if let Self::Waits { file, waits, labels } = self {
            text = format!("Not published yet; prepared: {text}");
            for line in lines(waits, labels) {
                let _ = write!(text, "\n  {line}");
            }
            if let Some(file) = file {
                let file = file.display();
                let _ = write!(text, "\nIt waits in {file}. Each of them runs: farad sign {file}");
            }
            note("pending", json!({ "file": file, "waits": waits }));
        }
        Report::new(text, json)
    }
}

/// One line for each role that waits.
pub(crate) fn lines(waits: &[Wait], labels: &[(String, String)]) -> Vec<String> {
    let label = |id: &String| {
        let found = labels.iter().find(|(known, _)| known == id);
        found.map_or_else(|| id.clone(), |(_, label)| label.clone())
    };
    let line = |wait: &Wait| {
        let who: Vec<_> = wait.keys.iter().map(label).collect();
        let Wait { role, have, need, .. } = wait;
        format!("{role} has {have} of {need} signatures; missing: {}", who.join(", "))
    };
    waits.iter().map(line).collect()
}
