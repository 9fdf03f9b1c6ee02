//! What a publisher says of a release: notes for its users.
//!
//! Enters: the decoded bytes of the blob `info`, verified. Leaves: [`Info`]. Refuses: another schema,
//! more than [`limits::INFO`](crate::limits::INFO). Fields that this client does not know are none of
//! its business. Format: `docs/format.md`.

use serde::Deserialize;

use super::SCHEMA;
use crate::error::{Error, Result};
use crate::json;

/// The document `info`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Info {
    schema: u32,
    /// For the app's users, as the publisher wrote them.
    #[serde(default)]
    pub notes: Option<String>,
}

impl Info {
    /// Reads the document.
    ///
    /// # Errors
    /// [`Error::Document`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let info: Self =
            json::parse_as(bytes).map_err(|error| Error::document("info", error.to_string()))?;
        if info.schema != SCHEMA {
            return Err(Error::document("info", format!("schema {}", info.schema)));
        }
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_past_what_is_not_known() {
        let info = Info::parse(br#"{"schema":1,"notes":"Faster.","custom":{"a":1}}"#).unwrap();
        assert_eq!(info.notes.as_deref(), Some("Faster."));
        assert_eq!(Info::parse(br#"{"schema":1}"#).unwrap().notes, None);
    }

    #[test]
    fn what_is_no_info_is_refused() {
        for bytes in [&b"{}"[..], b"[]", br#"{"schema":2}"#, br#"{"schema":1,"notes":7}"#, b"{"] {
            assert!(Info::parse(bytes).is_err());
        }
    }
}
