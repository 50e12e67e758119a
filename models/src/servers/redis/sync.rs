//! How a server's data set and role follow from what other servers tell it: synchronisation, promotion and demotion.

use fencepost_sim::NodeId;

use super::replication::{Follower, Following, Lineage, Role};
use super::server::Redis;
use super::{Record, RedisMessage, ReplicationMessage};
use crate::history::{Cause, Event};
use crate::servers::sentinel::SentinelMessage;
use crate::wire::Env;

impl Redis {
    pub(super) fn on_replication(
        &mut self,
        env: &mut Env<'_, RedisMessage>,
        from: NodeId,
        message: ReplicationMessage,
    ) {
        let following = match self.replication.role {
            Role::Master(_) => None,
            Role::Replica(following) => Some(following).filter(|following| following.master == from),
        };
        match (message, following) {
            (ReplicationMessage::Psync { history, offset }, _) => self.synchronise(env, from, history, offset),
            (ReplicationMessage::Ack { offset }, _) => self.replication.on_ack(env, from, offset),
            (ReplicationMessage::Full { history, offset, data }, Some(_)) => {
                self.replace(env, Lineage::joined(history, offset), &data);
            }
            (ReplicationMessage::Continue { history }, Some(_)) => {
                self.replication.lineage.rename(history);
                self.replication.granted_these = false;
                self.heard(env, true);
            }
            (ReplicationMessage::Stream { offset, records }, Some(following)) if following.up => {
                self.follow(env, offset, records);
            }
            (ReplicationMessage::GetAck, Some(following)) if following.up => self.replication.report(env),
            (ReplicationMessage::Reset, Some(following)) if following.up => self.lose_link(env),
            _ => {}
        }
    }

    /// A replica asks for what it misses (`PSYNC`). A replica of a replica is not served.
    fn synchronise(&mut self, env: &mut Env<'_, RedisMessage>, from: NodeId, history: u64, offset: u64) {
        let continued = self.replication.is_master() && self.replication.continue_with(env, from, history, offset);
        let Role::Master(followers) = &mut self.replication.role else { return };
        let Lineage { id, offset: sent, .. } = self.replication.lineage;
        let acked = if continued { offset } else { 0 };
        followers.insert(from, Follower { acked, at: env.wall(), sent });
        if !continued {
            env.send(from, ReplicationMessage::Full { history: id, offset: sent, data: self.keys.records() });
        }
    }

    /// A replica gets all of its master's data, and loses its own.
    fn replace(&mut self, env: &mut Env<'_, RedisMessage>, lineage: Lineage, data: &[Record]) {
        let before = std::mem::take(&mut self.keys);
        data.iter().for_each(|record| self.keys.replay(record));
        self.aof.replace(&self.keys);
        if std::mem::take(&mut self.replication.granted_these) {
            self.forgotten.compare(env, &before, &self.keys);
        }
        self.replication.lineage = lineage;
        self.heard(env, true);
        self.replication.report(env);
    }

    fn follow(&mut self, env: &mut Env<'_, RedisMessage>, offset: u64, records: Vec<Record>) {
        let known = self.replication.lineage.offset;
        if offset > known + 1 {
            return self.lose_link(env);
        }
        self.heard(env, true);
        if offset == known + 1 {
            records.iter().for_each(|record| self.keys.replay(record));
            self.aof.append(&records, &self.keys);
            self.replication.lineage.append(records);
        }
    }

    fn heard(&mut self, env: &mut Env<'_, RedisMessage>, up: bool) {
        if let Role::Replica(following) = &mut self.replication.role {
            (following.up, following.since) = (up, env.wall());
        }
    }

    fn lose_link(&mut self, env: &mut Env<'_, RedisMessage>) {
        self.heard(env, false);
        self.replication.report(env);
    }

    pub(super) fn on_sentinel(&mut self, env: &mut Env<'_, RedisMessage>, from: NodeId, message: &SentinelMessage) {
        match *message {
            SentinelMessage::Ping => env.send(from, SentinelMessage::Pong),
            SentinelMessage::Info => env.send(from, SentinelMessage::InfoIs(self.replication.info(env.wall()))),
            SentinelMessage::ReplicaOf { master } => {
                self.replica_of(env, master);
                self.replication.conf.compact(master);
                self.kill_clients(env);
            }
            _ => {}
        }
    }

    fn replica_of(&mut self, env: &mut Env<'_, RedisMessage>, master: Option<NodeId>) {
        let same = match &self.replication.role {
            Role::Master(_) => master.is_none(),
            Role::Replica(Following { master: of, .. }) => master == Some(*of),
        };
        if same {
            return;
        }
        self.replication.take_role(env, master);
        self.watch_expiry(env);
        self.replication.report(env);
    }

    fn kill_clients(&mut self, env: &mut Env<'_, RedisMessage>) {
        for session in std::mem::take(&mut self.clients) {
            self.channels.drop_session(session);
            env.close(session);
        }
    }

    /// A release found nothing. If another server granted, and this one never heard of it, then the holder wants no more
    /// of it all the same; if it had ended, it ends once more. See [`Forgotten`](super::Forgotten).
    pub(super) fn settle_elsewhere(&self, env: &mut Env<'_, RedisMessage>, command: &RedisMessage) {
        if let Some(grant) = command.releases() {
            env.note(Event::Ended { server: env.node(), grant, cause: Cause::Released(grant) });
        }
    }
}
