//! What a line of a history says, in whatever format it was written.

use std::fmt;

use crate::file::quoted;
use fencepost_models::history::Token;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// An event of a history: an operation begins or ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) process: String,
    pub(super) phase: Phase,
    pub(super) f: Function,
    pub(super) lock: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) token: Option<Token>,
    pub(super) permits: Option<u32>,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum Phase {
    Invoke,
    /// It took effect.
    Ok,
    /// It did not and will not.
    Fail,
    /// Nobody knows.
    Info,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum Function {
    Acquire,
    Release,
    Expire,
}

impl TryFrom<String> for Phase {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        match word.as_str() {
            "invoke" => Ok(Phase::Invoke),
            "ok" => Ok(Phase::Ok),
            "fail" => Ok(Phase::Fail),
            "info" => Ok(Phase::Info),
            other => Err(format!("{} is no `type`", quoted(other))),
        }
    }
}

impl TryFrom<String> for Function {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let all = [Function::Acquire, Function::Release, Function::Expire];
        let known = all.into_iter().find(|function| function.name() == word);
        known.ok_or_else(|| format!("{} is no `f`", quoted(&word)))
    }
}

impl Function {
    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Acquire => "acquire",
            Function::Release => "release",
            Function::Expire => "expire",
        }
    }
}

/// A name, which may be written as a number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name(pub(super) String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;
        impl Visitor<'_> for Named {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a whole number")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.to_owned()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Name, E> {
                Ok(Name(number.to_string()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Name, E> {
                Ok(Name(number.to_string()))
            }
        }
        deserializer.deserialize_any(Named)
    }
}
