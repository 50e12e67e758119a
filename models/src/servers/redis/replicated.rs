//! Replication, as a master and as a replica (replication.c of Redis).
//!
//! A real connection between servers breaks as a whole, and the replica then synchronises again. A simulated one drops
//! messages after a long silence. So a replica looks for gaps and a master for late acknowledgements; the missing part
//! is then sent as after a reconnection.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate};
use fencepost_sim::stream::Stream;
use fencepost_sim::{Caller, NodeId, TimerId, Wall};

use super::replication::{REPL_TIMEOUT, ReplicationHistory, Role};

use super::{Record, RedisMessage, ReplicationConfig, ReplicationMessage};
use crate::servers::sentinel::Info;
use crate::wire::Env;

/// The replication state of a server. Without a configuration it is a master without replicas.
pub struct Replication {
    config: Option<ReplicationConfig>,
    pub(super) role: Role,
    pub(super) history: ReplicationHistory,
    run_id: u64,
    ids: Option<Stream>,
    /// `replicaof` in redis.conf, as `CONFIG REWRITE` saved it.
    pub(super) conf: Disk<Option<NodeId>>,
    /// Whether this server granted the grants in its data set: it is a master, or was one until another data set
    /// replaces its own.
    pub(super) owns_grants: bool,
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

/// The timer tag of `replicationCron`, and the first of the tags that each belong to a client in `WAIT`.
pub(super) const CRON: u64 = 2;
pub(super) const WAIT: u64 = 3;

/// The period of `replicationCron`: replicas acknowledge then, and try to connect.
const CRON_PERIOD: Duration = Duration::from_secs(1);

/// The seconds between a master's pings of its replicas (`repl-ping-replica-period 10` in redis.conf).
const PING_EVERY: u64 = 10;

impl Default for Replication {
    fn default() -> Self {
        Replication {
            config: None,
            role: Role::Master(BTreeMap::new()),
            history: ReplicationHistory::default(),
            run_id: 0,
            ids: None,
            conf: Disk::default(),
            owns_grants: true,
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

    pub(super) fn accepts_writes(&self, now: Wall) -> bool {
        self.config.as_ref().is_none_or(|config| self.role.accepts_writes(config, now))
    }

    /// Starts the process with the role in its configuration and a new history: only an orderly shutdown saves the old
    /// one.
    pub(super) fn start(&mut self, env: &mut Env<'_, RedisMessage>) {
        let Some(config) = &self.config else { return };
        let first = config.replica_of.as_deref().map(|master| env.find(master));
        let master = self.conf.records().last().copied().unwrap_or(first);
        let ids = self.ids.get_or_insert_with(|| env.stream("replication"));
        self.run_id = ids.number();
        self.history = ReplicationHistory::new(ids.number());
        self.role = Role::with_master(master, env.wall());
        self.owns_grants = self.is_master();
        env.lead(self.is_master());
        self.cron(env);
    }

    pub(super) fn crash(&mut self, env: &mut Env<'_, RedisMessage>, disk: DiskFate) {
        self.waiting.clear();
        self.conf.crash(disk);
        self.role = Role::with_master(None, env.wall());
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

    /// Acknowledges the offset as a replica, or asks for a link if there is none.
    pub(super) fn report(&self, env: &mut Env<'_, RedisMessage>) {
        let Role::Replica(following) = self.role else { return };
        let ReplicationHistory { id, offset, .. } = self.history;
        env.send(
            following.master,
            match following.up {
                true => ReplicationMessage::Ack { offset },
                false => ReplicationMessage::Psync { history: id, offset },
            },
        );
    }

    /// Sends a transaction to the replicas, as a master.
    pub(super) fn stream(&mut self, env: &mut Env<'_, RedisMessage>, records: &[Record]) {
        if !self.is_on() {
            return;
        }
        self.history.append(records.to_vec());
        for (node, _) in self.role.followers() {
            env.send(node, ReplicationMessage::Stream { offset: self.history.offset, records: records.to_vec() });
        }
    }

    /// Sends a replica the missing transactions. Returns whether that is possible.
    pub(super) fn continue_with(&self, env: &mut Env<'_, RedisMessage>, to: NodeId, history: u64, offset: u64) -> bool {
        let Some(missing) = self.history.missing(history, offset) else { return false };
        env.send(to, ReplicationMessage::Continue { history: self.history.id });
        for (offset, records) in missing {
            env.send(to, ReplicationMessage::Stream { offset, records: records.clone() });
        }
        true
    }

    pub(super) fn on_ack(&mut self, env: &mut Env<'_, RedisMessage>, from: NodeId, offset: u64) {
        let Role::Master(followers) = &mut self.role else { return env.send(from, ReplicationMessage::Reset) };
        let Some(follower) = followers.get_mut(&from) else { return env.send(from, ReplicationMessage::Reset) };
        let behind = offset < follower.sent;
        (follower.acked, follower.at, follower.sent) = (offset, env.wall(), self.history.offset);
        if behind {
            self.continue_with(env, from, self.history.id, offset);
        }
        self.answer_waiting(env);
    }

    /// `WAIT` covers the writes of this client. Here it also covers others' writes until now, which makes no difference
    /// if a client waits right after its write.
    pub(super) fn wait(&mut self, env: &mut Env<'_, RedisMessage>, caller: Caller, replicas: u32, timeout_ms: u64) {
        let offset = self.history.offset;
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
            offset: self.history.offset,
        }
    }

    /// `REPLICAOF`. A promoted server continues the history under a new ID.
    pub(super) fn change_role(&mut self, env: &mut Env<'_, RedisMessage>, master: Option<NodeId>) {
        self.role = Role::with_master(master, env.wall());
        self.waiting.clear();
        if let (None, Some(ids)) = (master, &mut self.ids) {
            self.history.switch_id(ids.number());
            self.owns_grants = true;
        }
        env.lead(self.is_master());
    }
}
