//! One line of a history, in any format.

use fencepost_models::history::Token;
use serde::Serialize;

/// An event of a history: the beginning or the end of an operation.
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
    /// The operation took effect.
    Ok,
    /// The operation did not take effect, and never will.
    Fail,
    /// The outcome of the operation is unknown.
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
    /// Returns the phase of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let known = [("invoke", Phase::Invoke), ("ok", Phase::Ok), ("fail", Phase::Fail), ("info", Phase::Info)];
        known.into_iter().find(|(known, _)| *known == name).map(|(_, phase)| phase)
    }
}

impl Function {
    /// Returns the function of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Function::Acquire, Function::Release, Function::Expire].into_iter().find(|function| function.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Acquire => "acquire",
            Function::Release => "release",
            Function::Expire => "expire",
        }
    }
}
