//! Faults that begin when a client reaches a step.

use crate::node::NodeId;
use crate::schedule::InjectionId;
use crate::time::nanos;
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Triggers(Vec<Armed>);

pub(crate) struct Armed {
    pub injection: InjectionId,
    /// The client; `None` means any client.
    pub client: Option<NodeId>,
    pub step: String,
    /// How many more times the step must be reached.
    pub left: u32,
    pub after: Duration,
}

impl Triggers {
    pub fn add(&mut self, armed: Armed) {
        self.0.push(armed);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn disarm(&mut self) {
        self.0.clear();
    }

    /// Counts a step, and returns the injections that it triggers, each with its delay in nanoseconds.
    pub fn pass(&mut self, node: NodeId, step: &str) -> Vec<(InjectionId, u64)> {
        let mut fired = Vec::new();
        self.0.retain_mut(|armed| {
            if armed.step != step || armed.client.is_some_and(|client| client != node) {
                return true;
            }
            armed.left -= 1;
            if armed.left == 0 {
                fired.push((armed.injection, nanos(armed.after)));
            }
            armed.left > 0
        });
        fired
    }
}
