//! Synchronisation, promotion and demotion of a server.

use fencepost_sim::NodeId;

use super::replication::{Follower, Following, ReplicationHistory, Role};
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
                self.replace(env, ReplicationHistory::synced(history, offset), &data);
            }
            (ReplicationMessage::Continue { history }, Some(_)) => {
                self.replication.history.switch_id(history);
                self.replication.owns_grants = false;
                self.set_link(env, true);
            }
            (ReplicationMessage::Stream { offset, records }, Some(following)) if following.up => {
                self.apply_stream(env, offset, records);
            }
            (ReplicationMessage::GetAck, Some(following)) if following.up => self.replication.report(env),
            (ReplicationMessage::Reset, Some(following)) if following.up => self.drop_link(env),
            _ => {}
        }
    }

    /// Handles `PSYNC` of a replica. Replicas of replicas are not supported.
    fn synchronise(&mut self, env: &mut Env<'_, RedisMessage>, from: NodeId, history: u64, offset: u64) {
        let continued = self.replication.is_master() && self.replication.continue_with(env, from, history, offset);
        let Role::Master(followers) = &mut self.replication.role else { return };
        let ReplicationHistory { id, offset: sent, .. } = self.replication.history;
        let acked = if continued { offset } else { 0 };
        followers.insert(from, Follower { acked, at: env.wall(), sent });
        if !continued {
            env.send(from, ReplicationMessage::Full { history: id, offset: sent, data: self.keys.records() });
        }
    }

    /// Replaces a replica's data set with that of its master.
    fn replace(&mut self, env: &mut Env<'_, RedisMessage>, history: ReplicationHistory, data: &[Record]) {
        let before = std::mem::take(&mut self.keys);
        data.iter().for_each(|record| self.keys.replay(record));
        self.aof.replace(&self.keys);
        if std::mem::take(&mut self.replication.owns_grants) {
            self.lost_grants.record_lost(env, &before, &self.keys);
        }
        self.replication.history = history;
        self.set_link(env, true);
        self.replication.report(env);
    }

    fn apply_stream(&mut self, env: &mut Env<'_, RedisMessage>, offset: u64, records: Vec<Record>) {
        let known = self.replication.history.offset;
        if offset > known + 1 {
            return self.drop_link(env);
        }
        self.set_link(env, true);
        if offset == known + 1 {
            records.iter().for_each(|record| self.keys.replay(record));
            self.aof.append(&records, &self.keys);
            self.replication.history.append(records);
        }
    }

    fn set_link(&mut self, env: &mut Env<'_, RedisMessage>, up: bool) {
        if let Role::Replica(following) = &mut self.replication.role {
            (following.up, following.since) = (up, env.wall());
        }
    }

    fn drop_link(&mut self, env: &mut Env<'_, RedisMessage>) {
        self.set_link(env, false);
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
        self.replication.change_role(env, master);
        self.schedule_expiry(env);
        self.replication.report(env);
    }

    fn kill_clients(&mut self, env: &mut Env<'_, RedisMessage>) {
        for session in std::mem::take(&mut self.clients) {
            self.channels.drop_session(session);
            env.close(session);
        }
    }

    /// Ends the grant of a release that found nothing. Another server may have granted it, unknown to this one; its
    /// holder no longer uses it. If it has already ended, it ends twice. See [`LostGrants`](super::LostGrants).
    pub(super) fn note_release(&self, env: &mut Env<'_, RedisMessage>, command: &RedisMessage) {
        if let Some(grant) = command.releases() {
            env.note(Event::Ended { server: env.node(), grant, cause: Cause::Released(grant) });
        }
    }
}
