//! Waits of clients: for replies, timers, the end of a pause, or healing.

use std::fmt;

use crate::clock::timers::TimerId;
use crate::net::ConnId;
use crate::node::{NodeId, WaitKey};

pub(crate) struct Wait<M> {
    pub node: NodeId,
    pub serial: u32,
    pub kind: WaitKind,
    pub state: WaitState<M>,
    pub timer: Option<TimerId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitKind {
    Sleep,
    Call(ConnId),
    /// For a message that the server pushes.
    Receive(ConnId),
    Step,
    Healing,
}

pub(crate) enum WaitState<M> {
    Pending,
    Over,
    Reply(M),
    Failed(CallError),
}

impl<M> Wait<M> {
    pub fn pending(&self, key: WaitKey) -> bool {
        self.serial == key.serial && matches!(self.state, WaitState::Pending)
    }
}

/// Why a call returned no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The request was never sent: the connection was refused, or was already broken.
    Refused,
    /// The connection was reset after the request was sent.
    Reset,
    /// No reply arrived in time.
    TimedOut,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallError::Refused => "connection refused",
            CallError::Reset => "connection reset",
            CallError::TimedOut => "timed out",
        })
    }
}

impl std::error::Error for CallError {}
