//! What serde says about a table, turned into words for people.

use super::words::{listed, quoted, remedy};

/// The keys or values that would have been right.
pub(super) type Fields = Vec<String>;

/// The kinds of message that serde gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    UnknownKey { key: String, expected: Fields },
    UnknownValue { value: String, expected: Fields },
    MissingKey(String),
    Unexpected { found: String, expected: String },
    Other(String),
}

impl Complaint {
    pub(super) fn of(message: &str) -> Self {
        if let Some((key, expected)) = unknown(message, "unknown field `") {
            return Complaint::UnknownKey { key, expected };
        }
        if let Some((value, expected)) = unknown(message, "unknown variant `") {
            return Complaint::UnknownValue { value, expected };
        }
        if let Some(key) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            return Complaint::MissingKey(key.into());
        }
        if message.starts_with("wanted exactly 1 element") {
            return Complaint::Unexpected { found: "a table".into(), expected: TEXT.into() };
        }
        let wrong = ["invalid type: ", "invalid value: ", "invalid length "];
        let unexpected = wrong.iter().find_map(|prefix| message.strip_prefix(prefix)?.rsplit_once(", expected "));
        match unexpected {
            Some((found, expected)) => {
                Complaint::Unexpected { found: found_in_words(found), expected: expected_in_words(expected) }
            }
            None => Complaint::Other(message.into()),
        }
    }

    /// Message and help, for a value of this key in this table.
    pub(super) fn words(&self, key: Option<&str>, table: &str) -> (String, Option<String>) {
        let subject = key.map_or_else(|| table.to_string(), quoted);
        match self {
            Complaint::UnknownKey { key, expected } => {
                (format!("unknown key {} in {subject}", quoted(key)), Some(remedy(key, &borrowed(expected))))
            }
            Complaint::UnknownValue { value, expected } => {
                (format!("{} is no value of {subject}", quoted(value)), Some(remedy(value, &borrowed(expected))))
            }
            Complaint::MissingKey(missing) => {
                (format!("{subject} has no `{missing}`"), Some(format!("add `{missing} = …`: it has no default")))
            }
            Complaint::Unexpected { found, expected } => (
                format!("{subject} must be {expected}, not {found}"),
                quote_it(found, expected).then(|| "put it in quotes; if it is a duration, add a unit: \"5s\"".into()),
            ),
            Complaint::Other(message) => match message.rsplit_once(": ") {
                Some((reason, mend)) => (reason.into(), Some(mend.into())),
                None => (message.clone(), None),
            },
        }
    }
}

fn borrowed(words: &Fields) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Takes "unknown field `x`, expected one of `a`, `b`" apart.
fn unknown(message: &str, prefix: &str) -> Option<(String, Fields)> {
    let rest = message.strip_prefix(prefix)?;
    let (word, expected) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
    // Backticks stand around every second piece.
    let expected = expected.split('`').skip(1).step_by(2).map(String::from).collect();
    Some((word.into(), expected))
}

fn quote_it(found: &str, expected: &str) -> bool {
    expected == TEXT && found.starts_with("the number")
}

const TEXT: &str = "text in quotes";

fn found_in_words(found: &str) -> String {
    let number = |rest: &str| format!("the number {}", quoted(rest.trim_matches('`')));
    if let Some(rest) = found.strip_prefix("integer ").or_else(|| found.strip_prefix("floating point ")) {
        return number(rest);
    }
    if let Some(rest) = found.strip_prefix("boolean ") {
        return rest.into();
    }
    if let Some(rest) = found.strip_prefix("string ") {
        return format!("the text {}", quoted(rest.trim_matches('"')));
    }
    match found {
        "sequence" => "a list".into(),
        "map" => "a table".into(),
        other => other.into(),
    }
}

fn expected_in_words(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, zero or more".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => listed(&["true", "false"]).replace(", ", " or "),
        "a string" | "string or table" | "borrowed string" => TEXT.into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        other if other.starts_with("struct ") => "a table".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_serde_are_understood() {
        let fields = |message: &str| match Complaint::of(message) {
            Complaint::UnknownKey { key, expected } => (key, expected.join(" ")),
            other => panic!("{other:?}"),
        };
        assert_eq!(fields("unknown field `x`, expected one of `a`, `b`, `c`"), ("x".into(), "a b c".into()));
        assert_eq!(fields("unknown field `x`, expected `a` or `b`"), ("x".into(), "a b".into()));
        assert_eq!(fields("unknown field `x`, there are no fields"), ("x".into(), String::new()));
        assert_eq!(Complaint::of("missing field `by`"), Complaint::MissingKey("by".into()));
    }

    #[test]
    fn a_remedy_after_a_colon_becomes_the_help() {
        let (message, help) =
            Complaint::of("`9 parsecs` is not a duration: write a number and a unit").words(None, "x");
        assert_eq!(message, "`9 parsecs` is not a duration");
        assert_eq!(help.as_deref(), Some("write a number and a unit"));
    }
}
