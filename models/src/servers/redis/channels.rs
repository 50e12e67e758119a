//! Publish and subscribe: whoever is connected and subscribed gets the message, nobody else ever does.

use std::collections::BTreeSet;

use fencepost_sim::Session;

use super::RedisMessage;
use crate::history::ResourceId;
use crate::wire::Env;

/// Who subscribed to which lock's channel.
#[derive(Debug, Default)]
pub struct Channels {
    subscribers: BTreeSet<(ResourceId, Session)>,
}

impl Channels {
    /// Adds a subscriber.
    pub fn subscribe(&mut self, key: ResourceId, session: Session) {
        self.subscribers.insert((key, session));
    }

    /// Takes a subscriber out.
    pub fn unsubscribe(&mut self, key: ResourceId, session: Session) {
        self.subscribers.remove(&(key, session));
    }

    /// Takes a connection that is gone out of all channels.
    pub fn drop_session(&mut self, session: Session) {
        self.subscribers.retain(|(_, of)| *of != session);
    }

    /// Tells all subscribers that the lock was released.
    pub fn publish(&self, env: &mut Env<'_, RedisMessage>, key: ResourceId) {
        for (_, session) in self.subscribers.iter().filter(|(of, _)| *of == key) {
            env.push(*session, RedisMessage::Published { key });
        }
    }
}
