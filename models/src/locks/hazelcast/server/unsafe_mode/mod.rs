//! Members of a cluster without CP members, the default: the same API on a partition of the cluster.
//!
//! "When CP Subsystem is not enabled ... CP data structures operate in the unsafe mode": "even though you receive a
//! success response, the write operation (... acquire of FencedLock) can be lost", and "split-brain protection is not
//! supported" (docs.hazelcast.com, IMDG, "CP Subsystem Unsafe Mode").
//!
//! - The partition's primary executes the operations of clients and sends them to one backup
//!   (cp/internal/operation/unsafe/UnsafeRaftReplicateOp.java: `getSyncBackupCount`, 1). The answer waits for the
//!   backup, but counts as a success after `hazelcast.operation.backup.timeout.millis` (5 s) in any case.
//! - Each replica counts the number of the operation, which becomes the fence, for itself
//!   (cp/internal/UnsafeModePartitionState.java): two primaries hand out the same ones.
//! - A member that was silent for `hazelcast.max.no.heartbeat.seconds` is removed; the next in line becomes primary
//!   with its own state. Both sides of a split do so, and both continue.
//! - Split clusters look for each other after 5 minutes and then every 2 minutes; the smaller one drops its state and
//!   joins the larger ("Split-Brain Recovery": data structures without merge policy).
//!
//! - A member whose process ended is removed after four failed attempts to connect, 100 ms apart.

mod membership;

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::DiskFate;
use fencepost_sim::{Caller, Mono, NodeId, Service};
use serde::Serialize;

use super::connections::Connections;
use super::expiries::{CHECK_SESSIONS, CHECK_WAITS, Expiries};
use super::{CpConfig, Effects, Group, HazelcastMessage, Op, Reply};
use crate::history::{Event, Token};
use crate::site::Site;
use crate::wire::{Env, Wire};

/// `hazelcast.heartbeat.interval.seconds`.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// `hazelcast.max.no.heartbeat.seconds`.
const SILENCE: Duration = Duration::from_secs(60);

/// `hazelcast.operation.backup.timeout.millis`.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// `hazelcast.merge.first.run.delay.seconds`.
const MERGE_FIRST: Duration = Duration::from_secs(300);

/// `hazelcast.merge.next.run.delay.seconds`.
pub(crate) const MERGE_EVERY: Duration = Duration::from_secs(120);

/// Timer tags; from `BACKUP` on they belong to answers that wait for a backup.
const BEAT: u64 = 0;
const SESSIONS: u64 = 1;
const WAITS: u64 = 2;
const MERGE: u64 = 3;
const BACKUP: u64 = 16;

/// The messages between members.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Peer {
    /// A heartbeat, with the sender's cluster.
    Heartbeat { cluster: Vec<NodeId> },
    /// A request to join, from a process that has just started or left another cluster.
    Join,
    /// The cluster that admitted the sender.
    Welcome { cluster: Vec<NodeId> },
    /// The members, from their master (`MembersUpdateOp`). An older version is ignored.
    Members { version: u64, cluster: Vec<NodeId> },
    /// Tells a member to leave its cluster for another.
    Leave,
    /// An operation for the backup.
    Backup { index: Token, op: Op },
    /// The backup has received the operation.
    BackedUp { index: Token },
    /// The backup has missed an operation.
    Resend,
    /// The whole state.
    State { index: Token, group: Box<Group> },
}

/// A member of a cluster without CP members.
pub struct UnsafeMember {
    config: CpConfig,
    names: Vec<String>,
    /// All possible members of the cluster.
    all: Vec<NodeId>,
    /// The known members in order of arrival: first the primary, then its backup.
    cluster: Vec<NodeId>,
    /// The time of each member's last heartbeat, and its cluster then.
    heard: BTreeMap<NodeId, (Mono, Vec<NodeId>)>,
    replica: Replica,
    callers: BTreeMap<Token, Caller>,
    /// Answers that wait for the backup.
    unacked: BTreeMap<Token, (Caller, Reply)>,
    backup: Option<NodeId>,
    /// The operation up to which the backup has everything.
    backed_up: Token,
    connections: Connections,
    /// The version of the list of members.
    version: u64,
    /// When this process asked to join for the first time.
    asked: Option<Mono>,
    restarted: bool,
}

struct Replica {
    group: Group,
    index: Token,
    expiries: Expiries,
}

impl Replica {
    fn new(config: &CpConfig) -> Self {
        let group = Group::new(config.limit, config.ttl, config.heartbeat);
        Replica { group, index: 0, expiries: Expiries::new(config.ttl) }
    }

    fn run(&mut self, env: &Env<'_, HazelcastMessage>, op: &Op) -> Effects {
        self.index += 1;
        let effects = self.group.run(self.index, op);
        self.expiries.applied(env, &self.group, op, effects.alive);
        effects
    }
}

impl UnsafeMember {
    /// Deploys the members of a cluster.
    pub fn deploy(site: &mut Site<'_, HazelcastMessage>, names: &[String], config: CpConfig) {
        for name in names {
            let member = UnsafeMember {
                config,
                names: names.to_vec(),
                all: Vec::new(),
                cluster: Vec::new(),
                heard: BTreeMap::new(),
                replica: Replica::new(&config),
                callers: BTreeMap::new(),
                unacked: BTreeMap::new(),
                backup: None,
                backed_up: 0,
                connections: Connections::default(),
                version: 0,
                asked: None,
                restarted: false,
            };
            site.server(name, member);
        }
    }

    fn leads(&self, env: &Env<'_, HazelcastMessage>) -> bool {
        self.cluster.first() == Some(&env.node())
    }

    /// Executes an operation as the primary.
    fn execute(&mut self, env: &mut Env<'_, HazelcastMessage>, op: Op, from: Option<Caller>) {
        let effects = self.replica.run(env, &op);
        let (index, server) = (self.replica.index, env.node());
        effects.notes.iter().for_each(|note| env.note(note.to_event(server)));
        for (index, reply) in effects.others {
            if let Some(caller) = self.callers.remove(&index) {
                env.reply(caller, HazelcastMessage::Reply(reply));
            }
        }
        if let Some(backup) = self.backup {
            send_to_peer(env, backup, Peer::Backup { index, op });
        }
        match (from, effects.reply) {
            (Some(caller), Some(reply)) if self.backup.is_some() => {
                self.unacked.insert(index, (caller, reply));
                env.set_timer(BACKUP_TIMEOUT, BACKUP + index);
            }
            (Some(caller), Some(reply)) => env.reply(caller, HazelcastMessage::Reply(reply)),
            (Some(caller), None) => {
                self.callers.insert(index, caller);
            }
            (None, _) => {}
        }
    }

    fn acknowledge(&mut self, env: &mut Env<'_, HazelcastMessage>, index: Token) {
        if let Some((caller, reply)) = self.unacked.remove(&index) {
            env.reply(caller, HazelcastMessage::Reply(reply));
        }
    }
}

fn send_to_peer(env: &mut Env<'_, HazelcastMessage>, to: NodeId, peer: Peer) {
    env.send(to, HazelcastMessage::Unsafe(peer));
}

impl Service<Wire<HazelcastMessage>, Event> for UnsafeMember {
    fn on_start(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        self.all = self.names.iter().map(|name| env.find(name)).collect();
        if self.restarted {
            self.send_to_all(env, &Peer::Join);
        } else {
            self.cluster = self.all.clone();
            self.heard = self.all.iter().map(|member| (*member, (env.mono(), Vec::new()))).collect();
            self.update_roles(env);
        }
        env.set_timer(HEARTBEAT, BEAT);
        env.set_timer(CHECK_SESSIONS, SESSIONS);
        env.set_timer(CHECK_WAITS, WAITS);
        env.set_timer(MERGE_FIRST, MERGE);
    }

    fn on_message(&mut self, env: &mut Env<'_, HazelcastMessage>, from: Caller, message: Wire<HazelcastMessage>) {
        let Wire::Lock(HazelcastMessage::Op(op)) = message else { return };
        if !self.leads(env) {
            let leader = self.cluster.first().copied();
            return env.reply(from, HazelcastMessage::NotLeader { leader });
        }
        self.execute(env, op, Some(from));
    }

    fn on_peer(&mut self, env: &mut Env<'_, HazelcastMessage>, from: NodeId, message: Wire<HazelcastMessage>) {
        self.connections.heard(from);
        if let Wire::Lock(HazelcastMessage::Unsafe(peer)) = message {
            self.on_peer_message(env, from, peer);
        }
    }

    fn on_peer_lost(&mut self, env: &mut Env<'_, HazelcastMessage>, peer: NodeId) {
        if self.connections.fault(env, peer) {
            self.remove_members(env, |member| member == peer);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, tag: u64) {
        if self.connections.on_timer(env, tag) {
            return;
        }
        match tag {
            BEAT => self.send_heartbeats(env),
            MERGE => self.merge_with_larger(env),
            SESSIONS | WAITS => {
                env.set_timer(if tag == SESSIONS { CHECK_SESSIONS } else { CHECK_WAITS }, tag);
                if self.leads(env) {
                    let Replica { expiries, group, .. } = &mut self.replica;
                    let ops = match tag {
                        SESSIONS => expiries.check_sessions(env, group),
                        _ => expiries.check_waits(env, group).into_iter().collect(),
                    };
                    ops.into_iter().for_each(|op| self.execute(env, op, None));
                }
            }
            unacked => self.acknowledge(env, unacked - BACKUP),
        }
    }

    fn on_crash(&mut self, env: &mut Env<'_, HazelcastMessage>, _: DiskFate) {
        self.drop_state(env);
        self.cluster.clear();
        self.heard.clear();
        self.callers.clear();
        self.unacked.clear();
        self.connections.clear();
        (self.backup, self.backed_up, self.version, self.asked) = (None, 0, 0, None);
        self.restarted = true;
        env.lead(false);
    }
}
