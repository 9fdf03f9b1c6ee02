//! JSON as TUF wants it: read strictly, written canonically.
//!
//! Enters: bytes from outside. Leaves: a [`Value`] that every other implementation reads the same
//! way. Refuses: invalid UTF-8, duplicate keys, fractions, integers beyond i64, nesting deeper
//! than [`limits::JSON_DEPTH`], anything after the value. Canonical form is that of
//! securesystemslib (OLPC canonical JSON): keys sorted by code point, no white space, only `"` and
//! `\` escaped, control characters raw, no Unicode normalisation.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::limits;

/// Why text is not acceptable JSON, for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadJson(String);

/// Reads one JSON value.
///
/// # Errors
/// See the module's list of what is refused.
pub fn parse(bytes: &[u8]) -> Result<Value, BadJson> {
    // Checked as a whole: serde_json looks inside strings only.
    let text = std::str::from_utf8(bytes).map_err(|_| BadJson("not UTF-8".to_owned()))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| BadJson(error.to_string()))
}

/// Reads one JSON value into a typed document. Unknown fields are left alone: `requires` says
/// what must be understood.
///
/// # Errors
/// As [`parse`], and where a field is missing or of another type.
pub fn parse_as<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, BadJson> {
    serde_json::from_value(parse(bytes)?).map_err(|error| BadJson(error.to_string()))
}

/// The bytes that a signature of `value` covers. They are not always JSON: control characters stand
/// raw.
///
/// # Errors
/// Where it holds a fraction, which canonical JSON cannot say.
pub fn canonical(value: &Value) -> Result<Vec<u8>, BadJson> {
    let mut bytes = Vec::new();
    write(value, &mut bytes, write_raw)?;
    Ok(bytes)
}

/// The bytes to write a document with: canonical form but for control characters, which are
/// escaped as JSON wants it.
///
/// # Errors
/// As [`canonical`].
pub fn compact<T: serde::Serialize>(document: &T) -> Result<Vec<u8>, BadJson> {
    let value = serde_json::to_value(document).map_err(|error| BadJson(error.to_string()))?;
    let mut bytes = Vec::new();
    write(&value, &mut bytes, write_escaped)?;
    Ok(bytes)
}

/// How a string is written.
type WriteText = fn(&str, &mut Vec<u8>);

fn write(value: &Value, out: &mut Vec<u8>, text: WriteText) -> Result<(), BadJson> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Number(number) => return Err(BadJson(format!("{number} is not an integer"))),
        Value::String(string) => text(string, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out, text)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            // Sorted here and not by trust in the map's type: a feature flag of serde_json in
            // somebody else's build would otherwise change what we sign.
            let mut keys: Vec<_> = fields.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            out.push(b'{');
            for (i, (key, item)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                text(key, out);
                out.push(b':');
                write(item, out, text)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_escaped(text: &str, out: &mut Vec<u8>) {
    // Strings always serialise.
    out.extend_from_slice(serde_json::to_string(text).unwrap_or_default().as_bytes());
}

fn write_raw(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// A reader of one value at `depth`.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= limits::JSON_DEPTH {
            return Err(E::custom("nested too deeply"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without fractions or duplicate keys")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value)
            .map(Value::from)
            .map_err(|_| E::custom("integer beyond 64 bits with sign"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("numbers must be integers"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if fields.contains_key(&key) {
                return Err(A::Error::custom("an object names one key twice"));
            }
            let value = access.next_value_seed(inner)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_securesystemslib_writes() {
        // Checked against securesystemslib 1.4.0, formats.encode_canonical.
        let value =
            parse("{\"b\":[1,-2,true,null],\"a\":\"q\\\"\\\\\\n\u{e9}\",\"\":{}}".as_bytes());
        let expected = "{\"\":{},\"a\":\"q\\\"\\\\\n\u{e9}\",\"b\":[1,-2,true,null]}";
        assert_eq!(canonical(&value.unwrap()).unwrap(), expected.as_bytes());
    }

    #[test]
    fn a_written_document_is_read_back_control_characters_included() {
        let value = serde_json::json!({ "b": "line\nline\u{1}\u{e9}", "a": [1, null, true] });
        let bytes = compact(&value).unwrap();
        assert!(bytes.starts_with(b"{\"a\":[1,null,true],\"b\":\"line\\nline"));
        assert_eq!(parse(&bytes), Ok(value));
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        for bad in [
            &br#"{"a":1,"a":2}"#[..],
            br#"{"a":1,"\u0061":2}"#,
            b"1.0",
            b"1e3",
            b"-0.5",
            b"9223372036854775808",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            b"{} {}",
            b"{\"a\":1,}",
            b"NaN",
            b"",
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        assert!(parse(b"9223372036854775807").is_ok());
    }

    #[test]
    fn refuses_deep_nesting_before_the_stack_does() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(limits::JSON_DEPTH + 1).as_bytes()).is_err());
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
