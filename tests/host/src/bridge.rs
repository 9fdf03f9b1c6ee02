//! Capacitor's messages and listeners, as `MessageHandler` and `Plugin` of `@capacitor/android` (and
//! their like on iOS) handle them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

/// A call of a page.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The page's number for it.
    pub callback_id: String,
    /// The plugin.
    pub plugin_id: String,
    /// The method.
    pub method_name: String,
    /// An object.
    #[serde(default)]
    pub options: Value,
}

/// What a call is answered with: data, or an error.
pub type Answer = Result<Value, Value>;

/// Calls that wait for an answer, and listeners of the plugin.
#[derive(Debug, Default)]
pub struct Bridge {
    waiting: BTreeMap<String, Call>,
    listeners: BTreeMap<String, Vec<Call>>,
    retained: BTreeMap<String, Vec<Value>>,
}

impl Bridge {
    /// A page begins: listeners go, what is kept for them stays.
    pub fn reset(&mut self) {
        self.listeners.clear();
    }

    /// Remembers a call until it is answered.
    pub fn begin(&mut self, call: Call) {
        self.waiting.insert(call.callback_id.clone(), call);
    }

    /// The message that answers a call; none where nobody waits for it.
    pub fn answer(&mut self, callback: &str, answer: Answer) -> Option<Value> {
        let call = self.waiting.remove(callback)?;
        Some(message(&call, answer, false))
    }

    /// Adds a listener; returns the messages that were kept for it.
    pub fn listen(&mut self, call: Call) -> Vec<Value> {
        let event = call.options["eventName"].as_str().unwrap_or_default().to_owned();
        let listeners = self.listeners.entry(event.clone()).or_default();
        listeners.push(call);
        if listeners.len() > 1 {
            return Vec::new();
        }
        let kept = self.retained.remove(&event).unwrap_or_default();
        kept.into_iter().flat_map(|data| self.notify(&event, data, false)).collect()
    }

    /// Removes the listener that `call` names.
    pub fn unlisten(&mut self, call: &Call) {
        let event = call.options["eventName"].as_str().unwrap_or_default();
        let callback = &call.options["callbackId"];
        if let Some(listeners) = self.listeners.get_mut(event) {
            listeners.retain(|listener| listener.callback_id != *callback);
        }
    }

    /// Removes all listeners.
    pub fn unlisten_all(&mut self) {
        self.listeners.clear();
    }

    /// The messages that tell the listeners of `event`; where there are none, the event is kept if
    /// it is to be.
    pub fn notify(&mut self, event: &str, data: Value, retain: bool) -> Vec<Value> {
        let listeners = self.listeners.get(event).map(Vec::as_slice).unwrap_or_default();
        if listeners.is_empty() && retain {
            self.retained.entry(event.to_owned()).or_default().push(data);
            return Vec::new();
        }
        listeners.iter().map(|listener| message(listener, Ok(data.clone()), true)).collect()
    }
}

fn message(call: &Call, answer: Answer, save: bool) -> Value {
    let mut message = json!({
        "save": save,
        "callbackId": call.callback_id,
        "pluginId": call.plugin_id,
        "methodName": call.method_name,
        "success": answer.is_ok(),
    });
    match answer {
        Ok(Value::Null) => {}
        Ok(data) => message["data"] = data,
        Err(error) => message["error"] = error,
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str, method: &str, options: Value) -> Call {
        Call {
            callback_id: id.to_owned(),
            plugin_id: "Farad".to_owned(),
            method_name: method.to_owned(),
            options,
        }
    }

    #[test]
    fn a_call_is_answered_once() {
        let mut bridge = Bridge::default();
        bridge.begin(call("7", "sync", json!({})));
        let answer = bridge.answer("7", Err(json!({ "code": "network" }))).unwrap();
        assert_eq!((&answer["success"], &answer["save"]), (&json!(false), &json!(false)));
        assert_eq!(bridge.answer("7", Ok(Value::Null)), None);
    }

    #[test]
    fn what_is_kept_goes_to_the_first_listener_and_survives_a_page() {
        let mut bridge = Bridge::default();
        let listen = |id| call(id, "addListener", json!({ "eventName": "rolledBack" }));
        assert!(bridge.notify("rolledBack", json!(1), true).is_empty());
        assert!(bridge.notify("stateChanged", json!(2), false).is_empty());
        bridge.reset();
        let told = bridge.listen(listen("1"));
        assert_eq!((told.len(), &told[0]["data"]), (1, &json!(1)));
        assert!(bridge.listen(listen("2")).is_empty());
        assert_eq!(bridge.notify("rolledBack", json!(3), true).len(), 2);
        bridge.unlisten(&call("", "", json!({ "eventName": "rolledBack", "callbackId": "1" })));
        assert_eq!(bridge.notify("rolledBack", json!(4), true).len(), 1);
        bridge.reset();
        assert!(bridge.notify("rolledBack", json!(5), false).is_empty());
    }
}
