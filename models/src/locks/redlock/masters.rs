//! The masters as a client sees them.

use std::time::Duration;

use fencepost_sim::ConnId;

use super::RedlockParams;
use crate::history::ResourceId;
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// The masters.
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

    /// Asks all at once and counts who agrees, waiting for none longer than the node timeout.
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

    pub fn quorum(&self) -> usize {
        self.conns.len() / 2 + 1
    }
}
