//! Publish and subscribe: only connected subscribers receive a message.

use std::collections::BTreeSet;

use fencepost_sim::Session;

use super::RedisMessage;
use crate::history::ResourceId;
use crate::wire::Env;

/// The subscribers of each lock's channel.
#[derive(Debug, Default)]
pub struct Channels {
    subscribers: BTreeSet<(ResourceId, Session)>,
}

impl Channels {
    /// Adds a subscriber.
    pub fn subscribe(&mut self, key: ResourceId, session: Session) {
        self.subscribers.insert((key, session));
    }

    /// Removes a subscriber.
    pub fn unsubscribe(&mut self, key: ResourceId, session: Session) {
        self.subscribers.remove(&(key, session));
    }

    /// Removes a closed connection from all channels.
    pub fn drop_session(&mut self, session: Session) {
        self.subscribers.retain(|(_, subscriber)| *subscriber != session);
    }

    /// Sends all subscribers the message that the lock was released.
    pub fn publish(&self, env: &mut Env<'_, RedisMessage>, key: ResourceId) {
        for (_, session) in self.subscribers.iter().filter(|(channel, _)| *channel == key) {
            env.push(*session, RedisMessage::Published { key });
        }
    }
}
