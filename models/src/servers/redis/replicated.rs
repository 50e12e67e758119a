//! What a server does as a master with replicas, and as a replica (replication.c of Redis).
//!
//! Real connections between servers break as a whole, and replicas then synchronise again. The simulated ones drop
//! messages when they have been silent for too long, so that a replica looks for gaps, and a master for
//! acknowledgements that stay behind; what is missing is then sent as after a reconnection.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate};
use fencepost_sim::stream::Stream;
use fencepost_sim::{Caller, NodeId, TimerId, Wall};

use super::replication::{Lineage, REPL_TIMEOUT, Role};
use super::server::{CRON, WAIT};
use super::{Record, RedisMessage, ReplicationConfig, ReplicationMessage};
use crate::servers::sentinel::Info;
use crate::wire::Env;

/// A server's part in replication. Without a configuration it is a master that has no replicas.
pub struct Replication {
    config: Option<ReplicationConfig>,
    pub(super) role: Role,
    pub(super) lineage: Lineage,
    run_id: u64,
    ids: Option<Stream>,
    /// `replicaof`, as `CONFIG REWRITE` left it in redis.conf.
    pub(super) conf: Disk<Option<NodeId>>,
    /// This server granted what is in its data set, as far as the ground truth is concerned: it is a master, or was one
    /// until the data set of another replaces its own.
    pub(super) granted_these: bool,
    crons: u64,
    waiting: BTreeMap<u64, Waiting>,
    next_wait: u64,
}

/// A client in `WAIT`.
struct Waiting {
    caller: Caller,
    replicas: u32,
    offset: u64,
    timer: Option<TimerId>,
}

/// `replicationCron` runs once a second: replicas acknowledge then, and try to connect.
const CRON_PERIOD: Duration = Duration::from_secs(1);

/// A master pings its replicas every so many seconds (`repl-ping-replica-period 10` in redis.conf).
const PING_EVERY: u64 = 10;

impl Default for Replication {
    fn default() -> Self {
        Replication {
            config: None,
            role: Role::Master(BTreeMap::new()),
            lineage: Lineage::default(),
            run_id: 0,
            ids: None,
            conf: Disk::default(),
            granted_these: true,
            crons: 0,
            waiting: BTreeMap::new(),
            next_wait: WAIT,
        }
    }
}

impl Replication {
    pub(super) fn new(config: ReplicationConfig) -> Self {
        Replication { config: Some(config), ..Replication::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.config.is_some()
    }

    pub(super) fn is_master(&self) -> bool {
        self.role.is_master()
    }

    pub(super) fn may_write(&self, now: Wall) -> bool {
        self.config.as_ref().is_none_or(|config| self.role.may_write(config, now))
    }

    /// A process starts with the role in its configuration, and with a history of its own: what it had goes with its
    /// memory, as it is kept only by an orderly shutdown.
    pub(super) fn start(&mut self, env: &mut Env<'_, RedisMessage>) {
        let Some(config) = &self.config else { return };
        let first = config.replica_of.as_deref().map(|master| env.find(master));
        let master = self.conf.records().last().copied().unwrap_or(first);
        let ids = self.ids.get_or_insert_with(|| env.stream("replication"));
        self.run_id = ids.number();
        self.lineage = Lineage::new(ids.number());
        self.role = Role::following(master, env.wall());
        self.granted_these = self.is_master();
        env.lead(self.is_master());
        self.cron(env);
    }

    pub(super) fn crash(&mut self, env: &mut Env<'_, RedisMessage>, disk: DiskFate) {
        self.waiting.clear();
        self.conf.crash(disk);
        self.role = Role::following(None, env.wall());
        if self.is_on() {
            env.lead(false);
        }
    }

    pub(super) fn cron(&mut self, env: &mut Env<'_, RedisMessage>) {
        env.set_timer(CRON_PERIOD, CRON);
        self.crons += 1;
        let now = env.wall();
        match &mut self.role {
            Role::Master(followers) => {
                followers.retain(|_, follower| now - follower.at <= REPL_TIMEOUT);
                if self.crons.is_multiple_of(PING_EVERY) && !followers.is_empty() {
                    self.stream(env, &[]);
                }
            }
            Role::Replica(following) => {
                if following.up && now - following.since > REPL_TIMEOUT {
                    (following.up, following.since) = (false, now);
                }
                self.report(env);
            }
        }
    }

    /// A replica acknowledges what it has; without a link it asks for one.
    pub(super) fn report(&self, env: &mut Env<'_, RedisMessage>) {
        let Role::Replica(following) = self.role else { return };
        let Lineage { id, offset, .. } = self.lineage;
        env.send(
            following.master,
            match following.up {
                true => ReplicationMessage::Ack { offset },
                false => ReplicationMessage::Psync { history: id, offset },
            },
        );
    }

    /// A master sends a transaction to its replicas.
    pub(super) fn stream(&mut self, env: &mut Env<'_, RedisMessage>, records: &[Record]) {
        if !self.is_on() {
            return;
        }
        self.lineage.append(records.to_vec());
        for (node, _) in self.role.followers() {
            env.send(node, ReplicationMessage::Stream { offset: self.lineage.offset, records: records.to_vec() });
        }
    }

    /// Sends a replica what it misses. Says whether that is possible.
    pub(super) fn continue_with(&self, env: &mut Env<'_, RedisMessage>, to: NodeId, history: u64, offset: u64) -> bool {
        let Some(missing) = self.lineage.missing(history, offset) else { return false };
        env.send(to, ReplicationMessage::Continue { history: self.lineage.id });
        for (offset, records) in missing {
            env.send(to, ReplicationMessage::Stream { offset, records: records.clone() });
        }
        true
    }

    pub(super) fn on_ack(&mut self, env: &mut Env<'_, RedisMessage>, from: NodeId, offset: u64) {
        let Role::Master(followers) = &mut self.role else { return env.send(from, ReplicationMessage::Reset) };
        let Some(follower) = followers.get_mut(&from) else { return env.send(from, ReplicationMessage::Reset) };
        let behind = offset < follower.sent;
        (follower.acked, follower.at, follower.sent) = (offset, env.wall(), self.lineage.offset);
        if behind {
            self.continue_with(env, from, self.lineage.id, offset);
        }
        self.answer_waiting(env);
    }

    /// `WAIT` is for what this client wrote; what others wrote until now counts too here, as nothing comes in between
    /// where a client waits at once.
    pub(super) fn wait(&mut self, env: &mut Env<'_, RedisMessage>, caller: Caller, replicas: u32, timeout_ms: u64) {
        let offset = self.lineage.offset;
        let acked = self.role.acked(offset);
        if acked >= replicas {
            return env.reply(caller, RedisMessage::Number(acked.into()));
        }
        for (node, _) in self.role.followers() {
            env.send(node, ReplicationMessage::GetAck);
        }
        let timer = (timeout_ms > 0).then(|| env.set_timer(Duration::from_millis(timeout_ms), self.next_wait));
        self.waiting.insert(self.next_wait, Waiting { caller, replicas, offset, timer });
        self.next_wait += 1;
    }

    fn answer_waiting(&mut self, env: &mut Env<'_, RedisMessage>) {
        let role = &self.role;
        let done = self.waiting.extract_if(.., |_, waiting| role.acked(waiting.offset) >= waiting.replicas);
        for (_, waiting) in done {
            env.reply(waiting.caller, RedisMessage::Number(role.acked(waiting.offset).into()));
            if let Some(timer) = waiting.timer {
                env.cancel_timer(timer);
            }
        }
    }

    pub(super) fn stop_waiting(&mut self, env: &mut Env<'_, RedisMessage>, tag: u64) {
        if let Some(waiting) = self.waiting.remove(&tag) {
            env.reply(waiting.caller, RedisMessage::Number(self.role.acked(waiting.offset).into()));
        }
    }

    pub(super) fn info(&self, now: Wall) -> Info {
        let following = match &self.role {
            Role::Master(_) => None,
            Role::Replica(following) => Some(following),
        };
        Info {
            run_id: self.run_id,
            replica_of: following.map(|following| following.master),
            link_down_for: following.filter(|following| !following.up).map(|following| now - following.since),
            offset: self.lineage.offset,
        }
    }

    /// `REPLICAOF`. Whoever is promoted goes on with the history under a new id.
    pub(super) fn take_role(&mut self, env: &mut Env<'_, RedisMessage>, master: Option<NodeId>) {
        self.role = Role::following(master, env.wall());
        self.waiting.clear();
        if let (None, Some(ids)) = (master, &mut self.ids) {
            self.lineage.rename(ids.number());
            self.granted_these = true;
        }
        env.lead(self.is_master());
    }
}
