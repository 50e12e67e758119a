//! The masters of Redlock and its quorum rule.

use std::time::Duration;

use fencepost_sim::ConnId;

use super::RedlockParams;
use crate::history::ResourceId;
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// The quorum rule: the number of masters that must agree for the client to hold the lock, a majority of them ("at
/// least 3" of 5; redis.io, "The Redlock Algorithm", step 3).
pub(super) fn quorum(masters: usize) -> usize {
    masters / 2 + 1
}

/// A client's connections to the masters.
#[derive(Clone)]
pub(super) struct Masters {
    pub ctx: Ctx<RedisMessage>,
    pub key: ResourceId,
    conns: Vec<ConnId>,
    timeout: Duration,
}

impl Masters {
    pub fn new(params: &RedlockParams, names: &[String], ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let conns = names.iter().map(|name| ctx.connect(ctx.find(name))).collect();
        Masters { ctx, key, conns, timeout: params.node_timeout.0 }
    }

    /// Sends the message to all masters at once. Returns whether a quorum agreed within the node timeout.
    pub async fn ask_quorum(&self, message: &RedisMessage, step: Option<&'static str>) -> bool {
        self.ask_all(message, step).await >= quorum(self.conns.len())
    }

    /// Sends the message to all masters at once, and returns how many agreed within the node timeout.
    pub async fn ask_all(&self, message: &RedisMessage, step: Option<&'static str>) -> usize {
        let calls: Vec<_> = self.conns.iter().map(|conn| self.ctx.ask(*conn, message.clone(), self.timeout)).collect();
        if let Some(step) = step {
            self.ctx.reach_step(step).await;
        }
        let mut agreed = 0;
        for call in calls {
            agreed += usize::from(matches!(call.await, Ok(RedisMessage::Done)));
        }
        agreed
    }
}
