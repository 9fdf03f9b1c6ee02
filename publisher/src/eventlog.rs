//! Where devices' events go while somebody tries things: a file of lines.
//!
//! Enters: batches as `docs/events.md` describes them. Leaves: a line of JSON for each event, once,
//! however often it is sent, and the ids that stand in the file. Refuses: what is too long or no
//! batch. Nothing is acknowledged before it is durable.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use farad::id::{AppId, EventId};
use farad::{json, limits};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::failure::{Failure, Result};

/// Events by lines of a file.
#[derive(Debug)]
pub(crate) struct EventLog {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    known: BTreeSet<EventId>,
}

/// Why a batch is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    TooLong,
    NoBatch,
    Storage,
}

#[derive(Deserialize)]
struct Batch {
    schema: u32,
    app: AppId,
    events: Vec<Sent>,
}

#[derive(Deserialize)]
struct Sent {
    id: EventId,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl EventLog {
    /// Longest batch, bytes.
    pub(crate) const LONGEST: u64 = 64 << 10;

    /// The log in `path`, which is made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::file("opening the events", path, &error);
        let mut file =
            File::options().read(true).append(true).create(true).open(path).map_err(failed)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        if !text.is_empty() && !text.ends_with(b"\n") {
            // A line that was cut short stays alone.
            file.write_all(b"\n").map_err(failed)?;
        }
        let lines = text.split(|byte| *byte == b'\n');
        let known = lines.filter_map(|line| Some(json::parse_as::<Sent>(line).ok()?.id)).collect();
        Ok(Self { state: Mutex::new(State { file, known }) })
    }

    /// Takes a batch and says which events are durable.
    pub(crate) fn take(&self, batch: &[u8]) -> Result<Value, Refused> {
        if batch.len() as u64 > Self::LONGEST {
            return Err(Refused::TooLong);
        }
        let batch: Batch = json::parse_as(batch).map_err(|_| Refused::NoBatch)?;
        if batch.schema != 1 || batch.events.len() > limits::BATCH {
            return Err(Refused::NoBatch);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut lines, mut fresh) = (Vec::new(), Vec::new());
        for Sent { id, more } in &batch.events {
            if !state.known.insert(id.clone()) {
                continue;
            }
            fresh.push(id);
            let mut line = more.clone();
            line.insert("id".to_owned(), id.as_str().into());
            line.insert("app".to_owned(), batch.app.as_str().into());
            lines.extend(Value::Object(line).to_string().into_bytes());
            lines.push(b'\n');
        }
        let before = state.file.stream_position().ok();
        let written = state.file.write_all(&lines).and_then(|()| state.file.sync_data());
        if written.is_err() {
            // What was not kept must be taken when it comes again.
            for id in fresh {
                state.known.remove(id);
            }
            if let Some(before) = before {
                let _ = state.file.set_len(before);
            }
            return Err(Refused::Storage);
        }
        let acknowledged: Vec<_> = batch.events.iter().map(|sent| sent.id.as_str()).collect();
        Ok(serde_json::json!({ "acknowledged": acknowledged }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch(ids: &[u64]) -> Vec<u8> {
        let events: Vec<_> =
            ids.iter().map(|id| json!({ "id": format!("{id:032x}"), "event": "trial" })).collect();
        json!({ "schema": 1, "app": "com.example.shop", "events": events }).to_string().into()
    }

    #[test]
    fn an_event_that_comes_twice_is_kept_once_and_acknowledged_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let log = EventLog::open(&path).unwrap();
        let answer = log.take(&batch(&[1, 2])).unwrap();
        assert_eq!(answer["acknowledged"].as_array().unwrap().len(), 2);
        drop(log);
        // Another process, after a line that was cut short.
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"{\"id\":\"00").unwrap();
        let log = EventLog::open(&path).unwrap();
        let answer = log.take(&batch(&[2, 3])).unwrap();
        assert_eq!(answer["acknowledged"].as_array().unwrap().len(), 2);
        let text = std::fs::read_to_string(&path).unwrap();
        let kept: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ids: Vec<_> = kept.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [1, 2, 3].map(|id| format!("{id:032x}")));
        assert!(kept.iter().all(|event| event["app"] == "com.example.shop"));
    }

    #[test]
    fn what_is_no_batch_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let log = EventLog::open(&path).unwrap();
        let ids: Vec<u64> = (0..51).collect();
        for bad in [
            b"".to_vec(),
            b"[]".to_vec(),
            batch(&ids),
            json!({ "schema": 2, "app": "com.example.shop", "events": [] }).to_string().into(),
            json!({ "schema": 1, "app": "com.example.shop", "events": [{ "id": "x" }] })
                .to_string()
                .into(),
        ] {
            assert_eq!(log.take(&bad), Err(Refused::NoBatch));
        }
        assert_eq!(log.take(&vec![b' '; (64 << 10) + 1]), Err(Refused::TooLong));
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }
}
