//! Chromium's DevTools protocol over a pair of streams, one JSON object after another.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

type Answered = Box<dyn FnOnce(Value) + Send>;

/// One connection.
pub struct Devtools {
    out: Mutex<Box<dyn Write + Send>>,
    /// What ends each object.
    end: u8,
    next: AtomicU64,
    waiting: Mutex<BTreeMap<u64, Answered>>,
}

impl Devtools {
    /// Speaks over `out` and `input`. Whatever is no answer goes to `other`, in order, from one
    /// thread; null is the end.
    pub fn connect(
        input: impl Read + Send + 'static,
        out: impl Write + Send + 'static,
        end: u8,
        other: impl Fn(Value) + Send + 'static,
    ) -> Arc<Self> {
        let devtools = Arc::new(Self {
            out: Mutex::new(Box::new(out)),
            end,
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
        });
        let reading = Arc::clone(&devtools);
        thread::spawn(move || {
            let mut input = BufReader::new(input);
            let mut bytes = Vec::new();
            while input.read_until(end, &mut bytes).is_ok_and(|read| read > 0) {
                if bytes.last() == Some(&end) {
                    bytes.pop();
                }
                if let Ok(message) = serde_json::from_slice::<Value>(&bytes) {
                    reading.received(message, &other);
                }
                bytes.clear();
            }
            // Nobody answers any more: drop the callers' channels.
            reading.waiting.lock().unwrap().clear();
            other(Value::Null);
        });
        devtools
    }

    fn received(&self, message: Value, other: &impl Fn(Value)) {
        let answers = message.get("method").is_none();
        let id = message.get("id").and_then(Value::as_u64).filter(|_| answers);
        match id.and_then(|id| self.waiting.lock().unwrap().remove(&id)) {
            Some(answered) => answered(message),
            None => other(message),
        }
    }

    /// Calls a method and waits for its answer.
    ///
    /// # Errors
    /// What the browser said, or that it said nothing.
    pub fn call(&self, session: &str, method: &str, params: &Value) -> Result<Value, String> {
        self.call_within(PATIENCE, session, method, params)
    }

    /// The same, with less patience.
    ///
    /// # Errors
    /// As [`Devtools::call`].
    pub fn call_within(
        &self,
        patience: Duration,
        session: &str,
        method: &str,
        params: &Value,
    ) -> Result<Value, String> {
        let (sender, receiver) = channel();
        self.begin(session, method, params, move |answer| drop(sender.send(answer)));
        // Pages that die take their answers with them.
        let answer = receiver.recv_timeout(patience);
        let mut answer = answer.map_err(|error| format!("{method}: no answer ({error})"))?;
        match answer.get_mut("error") {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].take()),
        }
    }

    /// Calls a method; `answered` is told the whole answer, from the reading thread.
    pub fn begin(
        &self,
        session: &str,
        method: &str,
        params: &Value,
        answered: impl FnOnce(Value) + Send + 'static,
    ) {
        let mut message = json!({ "method": method, "params": params });
        if !session.is_empty() {
            message["sessionId"] = session.into();
        }
        self.forward(message, answered);
    }

    /// Passes somebody else's call on under an id of this connection.
    pub fn forward(&self, mut message: Value, answered: impl FnOnce(Value) + Send + 'static) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        message["id"] = id.into();
        self.waiting.lock().unwrap().insert(id, Box::new(answered));
        self.send(&message);
    }

    /// Sends an object as it is.
    pub fn send(&self, message: &Value) {
        let mut bytes = message.to_string().into_bytes();
        bytes.push(self.end);
        let mut out = self.out.lock().unwrap();
        // Who is gone needs no answer; whoever waits for one sees the end of the input.
        let _ = out.write_all(&bytes).and_then(|()| out.flush());
    }
}
