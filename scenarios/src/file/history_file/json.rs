//! Reads a line of JSON.

use std::fmt;

use fencepost_models::history::Token;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::LineError;
use super::line::{Function, Line, Phase};
use crate::file::{quoted, suggestion};

const ONE_PER_LINE: &str = "a history has one JSON object per line";
const PAGE: &str = "docs/histories.md describes each field";

/// The fields that the checker reads.
const FIELDS: [&str; 7] = ["process", "type", "f", "lock", "owner", "token", "permits"];

/// Fields for other readers.
const OTHERS: [&str; 4] = ["time", "index", "error", "note"];

pub(super) fn line(text: &str) -> Result<Line, LineError> {
    let object: Object = serde_json::from_str(text).map_err(|error| {
        let column = error.column().saturating_sub(1).min(text.len());
        LineError { column, ..LineError::new("this is not a JSON object", ONE_PER_LINE) }
    })?;
    let at = |key: &str, mut error: LineError| {
        error.column = text.find(&format!("\"{key}\"")).unwrap_or(0);
        error
    };
    for (index, (key, _)) in object.0.iter().enumerate() {
        if object.0[..index].iter().any(|(earlier, _)| earlier == key) {
            return Err(LineError::new(format!("{} is in this line twice", quoted(key)), "remove one of the two"));
        }
        if !FIELDS.contains(&key.as_str()) && !OTHERS.contains(&key.as_str()) {
            let known: Vec<&str> = FIELDS.iter().chain(&OTHERS).copied().collect();
            let help = format!("{}; data for other readers belongs in `note`", suggestion(key, &known));
            return Err(at(key, LineError::new(format!("unknown field {}", quoted(key)), help)));
        }
    }
    let word = |key: &str| {
        let value = object.get(key).ok_or_else(|| LineError::new(format!("missing field `{key}`"), PAGE))?;
        value.as_str().ok_or_else(|| at(key, wrong(key, value, "a string")))
    };
    let number = |key: &str, most: u64| match object.get(key).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_u64().filter(|number| *number <= most) {
            Some(number) => Ok(Some(number)),
            None => Err(at(key, wrong(key, value, &format!("a whole number from 0 to {most}")))),
        },
    };
    let name = |key: &str| match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(Value::Number(number)) if number.is_u64() || number.is_i64() => Ok(Some(number.to_string())),
        Some(value) => Err(at(key, wrong(key, value, "a name or a whole number"))),
    };
    let unknown = |key: &str, what: &str, word: &str, choices: &str| {
        at(key, LineError::new(format!("{} is not {what}", quoted(word)), format!("use {choices}")))
    };
    let process = name("process")?.ok_or_else(|| LineError::new("missing field `process`", PAGE))?;
    let (phase, f) = (word("type")?, word("f")?);
    Ok(Line {
        process,
        phase: Phase::from_name(phase)
            .ok_or_else(|| unknown("type", "a `type`", phase, "`invoke`, `ok`, `fail` or `info`"))?,
        f: Function::from_name(f).ok_or_else(|| unknown("f", "an `f`", f, "`acquire`, `release` or `expire`"))?,
        lock: name("lock")?,
        owner: name("owner")?,
        token: number("token", Token::MAX)?,
        permits: number("permits", u32::MAX.into())?.map(|permits| permits as u32),
    })
}

fn wrong(key: &str, value: &Value, wanted: &str) -> LineError {
    let found = match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "a list".into(),
        other => quoted(&other.to_string()),
    };
    LineError::new(format!("`{key}` must be {wanted}, not {found}"), PAGE)
}

/// The fields of an object in order, including duplicates.
struct Object(Vec<(String, Value)>);

impl Object {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
