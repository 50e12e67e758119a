//! A line of JSON.

use fencepost_models::history::Token;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Complaint;
use super::line::{Function, Line, Name, Phase};
use crate::file::values::whole;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    process: Name,
    #[serde(rename = "type")]
    phase: Phase,
    f: Function,
    lock: Option<Name>,
    owner: Option<Name>,
    token: Option<TokenNumber>,
    permits: Option<Permits>,
    #[serde(rename = "time")]
    _time: Option<IgnoredAny>,
    #[serde(rename = "index")]
    _index: Option<IgnoredAny>,
    #[serde(rename = "error")]
    _error: Option<IgnoredAny>,
    #[serde(rename = "note")]
    _note: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct TokenNumber(#[serde(deserialize_with = "whole::<_, _, 0, { u64::MAX }>")] Token);

#[derive(Deserialize)]
#[serde(transparent)]
struct Permits(#[serde(deserialize_with = "whole::<_, _, 0, { u32::MAX as u64 }>")] u32);

pub(super) fn line(text: &str) -> Result<Line, Complaint> {
    // A list of the fields' values would be read as well.
    if !text.trim_start().starts_with('{') {
        return Err(Complaint::new("this is no JSON object", ONE_A_LINE));
    }
    let fields: Fields = serde_json::from_str(text).map_err(|error| complaint(text, &error))?;
    let Fields { process, phase, f, lock, owner, token, permits, .. } = fields;
    let (lock, owner) = (lock.map(|name| name.0), owner.map(|name| name.0));
    let (token, permits) = (token.map(|token| token.0), permits.map(|permits| permits.0));
    Ok(Line { process: process.0, phase, f, lock, owner, token, permits })
}

const ONE_A_LINE: &str = "a history has one JSON object a line";

fn complaint(text: &str, error: &serde_json::Error) -> Complaint {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let (message, help) = match error.classify() {
        serde_json::error::Category::Data if message.starts_with("unknown field") => {
            (message.to_owned(), "what is not for the checker goes under `note`")
        }
        serde_json::error::Category::Data if message.ends_with("` is no `f`") => {
            (message.to_owned(), "it is `acquire`, `release` or `expire`")
        }
        serde_json::error::Category::Data if message.ends_with("` is no `type`") => {
            (message.to_owned(), "it is `invoke`, `ok`, `fail` or `info`")
        }
        serde_json::error::Category::Data => (in_words(message), "docs/histories.md says what each field is"),
        _ => (format!("this is no JSON object: {message}"), ONE_A_LINE),
    };
    Complaint { column: error.column().saturating_sub(1).min(text.len()), ..Complaint::new(message, help) }
}

/// What serde says of a value of the wrong kind, without its names of kinds.
fn in_words(message: &str) -> String {
    let wrong = ["invalid type: ", "invalid value: "];
    let wrong = wrong.iter().find_map(|prefix| message.strip_prefix(prefix)?.rsplit_once(", expected "));
    let Some((found, wanted)) = wrong else { return message.into() };
    let found = match found {
        "map" => "an object",
        "sequence" => "a list",
        other => other,
    };
    format!("{found} stands where {wanted} is wanted")
}
