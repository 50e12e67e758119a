//! A line of JSON.

use fencepost_models::history::Token;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Complaint;
use super::line::{Function, Line, Name, Phase};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    process: Name,
    #[serde(rename = "type")]
    phase: Phase,
    f: Function,
    lock: Option<Name>,
    owner: Option<Name>,
    token: Option<Token>,
    permits: Option<u32>,
    #[serde(rename = "time")]
    _time: Option<IgnoredAny>,
    #[serde(rename = "index")]
    _index: Option<IgnoredAny>,
    #[serde(rename = "error")]
    _error: Option<IgnoredAny>,
    #[serde(rename = "note")]
    _note: Option<IgnoredAny>,
}

pub(super) fn line(text: &str) -> Result<Line, Complaint> {
    let fields: Fields = serde_json::from_str(text).map_err(|error| complaint(text, &error))?;
    let Fields { process, phase, f, lock, owner, token, permits, .. } = fields;
    let (lock, owner) = (lock.map(|name| name.0), owner.map(|name| name.0));
    Ok(Line { process: process.0, phase, f, lock, owner, token, permits })
}

fn complaint(text: &str, error: &serde_json::Error) -> Complaint {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let (message, help) = match error.classify() {
        serde_json::error::Category::Data if message.starts_with("unknown field") => {
            (message.to_owned(), "what is not for the checker goes under `note`")
        }
        serde_json::error::Category::Data if message.starts_with("unknown variant") => {
            (message.to_owned(), "`f` is `acquire`, `release` or `expire`; `type` is `invoke`, `ok`, `fail` or `info`")
        }
        serde_json::error::Category::Data => (message.to_owned(), "docs/histories.md says what each field is"),
        _ => (format!("this is no JSON object: {message}"), "a history has one JSON object a line"),
    };
    Complaint { column: error.column().saturating_sub(1).min(text.len()), ..Complaint::new(message, help) }
}
