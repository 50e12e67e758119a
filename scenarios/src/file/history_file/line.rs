//! One line of a history, in whatever format it was written.

use fencepost_models::history::Token;
use serde::Serialize;

use super::LineError;
use crate::file::quoted;

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

/// The phase of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Invoke,
    /// It took effect.
    Ok,
    /// It did not take effect, and will not.
    Fail,
    /// Its outcome is unknown.
    Info,
}

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Function {
    Acquire,
    Release,
    Expire,
}

impl Phase {
    /// The phase of this name.
    pub(super) fn from_name(name: &str) -> Result<Self, LineError> {
        match name {
            "invoke" => Ok(Phase::Invoke),
            "ok" => Ok(Phase::Ok),
            "fail" => Ok(Phase::Fail),
            "info" => Ok(Phase::Info),
            other => Err(LineError::new(
                format!("{} is not a `type`", quoted(other)),
                "it is `invoke`, `ok`, `fail` or `info`",
            )),
        }
    }
}

impl Function {
    /// The function of this name.
    pub(super) fn from_name(name: &str) -> Result<Self, LineError> {
        let known = [Function::Acquire, Function::Release, Function::Expire].into_iter();
        known.into_iter().find(|function| function.name() == name).ok_or_else(|| {
            LineError::new(format!("{} is not an `f`", quoted(name)), "it is `acquire`, `release` or `expire`")
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Acquire => "acquire",
            Function::Release => "release",
            Function::Expire => "expire",
        }
    }
}
