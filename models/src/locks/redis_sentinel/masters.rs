//! A client's search for the master (redis.io, "Guidelines for Redis clients with support for Redis Sentinel").

use std::time::Duration;

use fencepost_sim::{ConnId, NodeId};

use crate::locks::timing::REQUEST_TIMEOUT;
use crate::servers::redis::RedisMessage;
use crate::servers::sentinel::SentinelMessage;
use crate::wire::Ctx;

/// A client's connections to the Sentinels and to the Redis servers that they named.
pub struct Masters {
    ctx: Ctx<RedisMessage>,
    /// The Sentinel that answered last comes first.
    sentinels: Vec<ConnId>,
    servers: Vec<(NodeId, ConnId)>,
}

/// The time for a Sentinel's answer: the guidelines ask for short timeouts, "in the order of a few hundreds of
/// milliseconds".
const SENTINEL_TIMEOUT: Duration = Duration::from_millis(300);

impl Masters {
    pub fn new(ctx: Ctx<RedisMessage>, sentinels: &[String]) -> Self {
        let sentinels = sentinels.iter().map(|name| ctx.connect(ctx.find(name))).collect();
        Masters { ctx, sentinels, servers: Vec::new() }
    }

    /// Connects to the master: asks one Sentinel after the other for its address, then the server for its role. If no
    /// master is found, the caller tries again later.
    pub async fn find(&mut self) -> Option<ConnId> {
        for place in 0..self.sentinels.len() {
            let ask = RedisMessage::Sentinel(SentinelMessage::GetMaster);
            match self.ctx.ask(self.sentinels[place], ask, SENTINEL_TIMEOUT).await {
                Ok(RedisMessage::Sentinel(SentinelMessage::Master { node })) => {
                    self.sentinels[..=place].rotate_right(1);
                    return self.check_role(node).await;
                }
                _ => self.sentinels[place] = self.ctx.reopen(self.sentinels[place]),
            }
        }
        None
    }

    async fn check_role(&mut self, node: NodeId) -> Option<ConnId> {
        let conn = match self.servers.iter().find(|(known, _)| *known == node) {
            Some((_, conn)) => *conn,
            None => {
                let conn = self.ctx.connect(node);
                self.servers.push((node, conn));
                conn
            }
        };
        match self.ctx.ask(conn, RedisMessage::Role, REQUEST_TIMEOUT).await {
            Ok(RedisMessage::RoleIs { master: true }) => Some(conn),
            Ok(_) => None,
            Err(_) => {
                self.drop_connection(conn);
                None
            }
        }
    }

    /// Closes a connection that brought no reply.
    pub fn drop_connection(&mut self, conn: ConnId) {
        let place = self.servers.iter().position(|(_, known)| *known == conn);
        if let Some(place) = place {
            self.servers[place].1 = self.ctx.reopen(conn);
        }
    }
}
