//! The server of one Redis instance: a master or a replica.

use std::collections::BTreeSet;
use std::time::Duration;

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::{Caller, MonoDeadline, NodeId, Service, Session, TimerId};

use super::replicated::{CRON, Replication};
use super::{Aof, Applied, Channels, GrantChange, Keyspace, LostGrants, Persistence, RedisMessage, ReplicationConfig};
use crate::history::Event;
use crate::wire::{Env, Wire};

/// A Redis server.
pub struct Redis {
    pub(super) keys: Keyspace,
    pub(super) aof: Aof,
    pub(super) channels: Channels,
    pub(super) lost_grants: LostGrants,
    pub(super) replication: Replication,
    pub(super) clients: BTreeSet<Session>,
    expiry_timer: Option<TimerId>,
    started: bool,
    restart_delay: Option<Duration>,
    refuses_until: Option<MonoDeadline>,
}

/// Timer tags, beside those of [`super::replicated`].
const EXPIRE: u64 = 0;
const SYNC: u64 = 1;

impl Redis {
    /// An empty server.
    pub fn new(persistence: Persistence) -> Self {
        Redis {
            keys: Keyspace::default(),
            aof: Aof::new(persistence),
            channels: Channels::default(),
            lost_grants: LostGrants::default(),
            replication: Replication::default(),
            clients: BTreeSet::new(),
            expiry_timer: None,
            started: false,
            restart_delay: None,
            refuses_until: None,
        }
    }

    /// Refuses clients for `delay` after a crash (redis.io, "Distributed Locks with Redis", "Performance, crash
    /// recovery and fsync": delayed restarts).
    pub fn with_delayed_restart(self, delay: Option<Duration>) -> Self {
        Redis { restart_delay: delay, ..self }
    }

    /// Takes part in replication, as a master or a replica.
    pub fn replicated(self, config: ReplicationConfig) -> Self {
        Redis { replication: Replication::new(config), ..self }
    }

    fn handle(&mut self, env: &mut Env<'_, RedisMessage>, from: Caller, message: RedisMessage) {
        let reply = match message {
            RedisMessage::Subscribe { key } => {
                self.channels.subscribe(key, from.session());
                RedisMessage::Done
            }
            RedisMessage::Unsubscribe { key } => {
                self.channels.unsubscribe(key, from.session());
                RedisMessage::Done
            }
            RedisMessage::Wait { replicas, timeout_ms } => {
                return self.replication.wait(env, from, replicas, timeout_ms);
            }
            RedisMessage::Role => RedisMessage::RoleIs { master: self.replication.is_master() },
            _ if !self.replication.is_master() => RedisMessage::ReadOnly,
            _ if !self.replication.accepts_writes(env.wall()) => RedisMessage::NoReplicas,
            command => self.command(env, &command),
        };
        env.reply(from, reply);
    }

    fn command(&mut self, env: &mut Env<'_, RedisMessage>, command: &RedisMessage) -> RedisMessage {
        let applied = self.keys.apply(command, env);
        self.apply_effects(env, &applied);
        self.lost_grants.on_command(env, command, &applied.grant_changes);
        if self.replication.is_on() && applied.grant_changes.is_empty() {
            self.note_release(env, command);
        }
        applied.reply
    }

    /// Applies the consequences of a change: file, replicas, ground truth, subscribers, timer.
    fn apply_effects(&mut self, env: &mut Env<'_, RedisMessage>, applied: &Applied) {
        if applied.records.is_empty() {
            return;
        }
        self.aof.append(&applied.records, &self.keys);
        self.replication.stream(env, &applied.records);
        for change in &applied.grant_changes {
            env.note(match *change {
                GrantChange::Granted(grant) => Event::Granted { server: env.node(), grant },
                GrantChange::Ended(grant, cause) => Event::Ended { server: env.node(), grant, cause },
            });
        }
        if let Some(key) = applied.publish {
            self.channels.publish(env, key);
        }
        self.schedule_expiry(env);
    }

    /// Sets a timer for the next expiry, as a master. A clock step may make it early.
    pub(super) fn schedule_expiry(&mut self, env: &mut Env<'_, RedisMessage>) {
        if let Some(timer) = self.expiry_timer.take() {
            env.cancel_timer(timer);
        }
        if !self.replication.is_master() {
            return;
        }
        self.expiry_timer = self.keys.next_expiry().map(|deadline| env.set_timer(deadline.at - env.wall(), EXPIRE));
    }
}

impl Service<Wire<RedisMessage>, Event> for Redis {
    fn on_start(&mut self, env: &mut Env<'_, RedisMessage>) {
        if std::mem::replace(&mut self.started, true) {
            self.refuses_until = self.restart_delay.map(|delay| env.mono_deadline(delay));
        }
        self.keys = self.aof.load();
        self.replication.start(env);
        self.schedule_expiry(env);
        if self.aof.syncs_every_second() {
            env.set_timer(Duration::from_secs(1), SYNC);
        }
    }

    fn on_message(&mut self, env: &mut Env<'_, RedisMessage>, from: Caller, message: Wire<RedisMessage>) {
        let Wire::Lock(message) = message else { return };
        if self.refuses_until.is_some_and(|until| !env.mono_passed(until)) {
            return env.close(from.session());
        }
        self.refuses_until = None;
        self.handle(env, from, message);
    }

    fn on_timer(&mut self, env: &mut Env<'_, RedisMessage>, tag: u64) {
        match tag {
            EXPIRE => {
                self.expiry_timer = None;
                let applied = self.keys.expire(env);
                self.apply_effects(env, &applied);
                // If the clock stepped back, some keys have time left.
                self.schedule_expiry(env);
            }
            SYNC => {
                self.aof.sync(&self.keys);
                env.set_timer(Duration::from_secs(1), SYNC);
            }
            CRON => self.replication.cron(env),
            wait => self.replication.stop_waiting(env, wait),
        }
    }

    fn on_peer(&mut self, env: &mut Env<'_, RedisMessage>, from: NodeId, message: Wire<RedisMessage>) {
        match message {
            Wire::Lock(RedisMessage::Replication(message)) => self.on_replication(env, from, message),
            Wire::Lock(RedisMessage::Sentinel(message)) => self.on_sentinel(env, from, &message),
            _ => {}
        }
    }

    fn on_connect(&mut self, _: &mut Env<'_, RedisMessage>, session: Session) {
        self.clients.insert(session);
    }

    fn on_disconnect(&mut self, _: &mut Env<'_, RedisMessage>, session: Session) {
        self.channels.drop_session(session);
        self.clients.remove(&session);
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        self.aof.disks(each);
        each(&mut self.replication.conf);
    }

    fn on_crash(&mut self, env: &mut Env<'_, RedisMessage>, disk: DiskFate) {
        self.aof.crash(disk);
        let lost = std::mem::take(&mut self.keys);
        if self.replication.owns_grants {
            self.lost_grants.record_lost(env, &lost, &self.aof.load());
        }
        self.replication.crash(env, disk);
        (self.channels, self.expiry_timer, self.refuses_until) = (Channels::default(), None, None);
        self.clients.clear();
    }
}
