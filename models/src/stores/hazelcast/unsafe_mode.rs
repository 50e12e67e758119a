//! Members of a cluster without CP members, the default: the same API on a partition of the cluster.
//!
//! "When CP Subsystem is not enabled ... CP data structures operate in the unsafe mode": "even though you receive a
//! success response, the write operation (... acquire of FencedLock) can be lost", and "split-brain protection is not
//! supported" (docs.hazelcast.com, IMDG, "CP Subsystem Unsafe Mode").
//!
//! - The partition's primary carries out what clients ask and sends it to one backup (cp/internal/operation/unsafe/
//!   UnsafeRaftReplicateOp.java: `getSyncBackupCount`, 1). The answer waits for the backup, but not for long: after
//!   `hazelcast.operation.backup.timeout.millis` (5 s) it is a success all the same.
//! - The number of the operation, which becomes the fence, is counted by each replica for itself
//!   (cp/internal/UnsafeModePartitionState.java): two primaries give out the same ones.
//! - A member that was not heard of for `hazelcast.max.no.heartbeat.seconds` is out; the next in line is primary then, with
//!   what it has. Both sides of a split do so, and both go on.
//! - Split clusters look for each other after 5 minutes first and each 2 minutes then; the smaller one throws away what it
//!   has and joins the larger ("Split-Brain Recovery": data structures without merge policy).
//!
//! In reality members also notice when another's connections close; here only its silence, or its return.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::DiskFate;
use fencepost_sim::{Caller, Mono, NodeId, Service};
use serde::Serialize;

use super::stamps::{CHECK_SESSIONS, CHECK_WAITS, Stamps};
use super::{CpConfig, Effects, Group, HazelcastMessage, Op, Reply};
use crate::history::{Cause, Event, Token};
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

/// Tags of timers; from `BACKUP` on they are those of answers that wait for a backup.
const BEAT: u64 = 0;
const SESSIONS: u64 = 1;
const WAITS: u64 = 2;
const MERGE: u64 = 3;
const BACKUP: u64 = 16;

/// What members say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Peer {
    /// "I am here", and who is in my cluster.
    Heartbeat { cluster: Vec<NodeId> },
    /// "Take me into your cluster": from a process that has just started, or that left another cluster.
    Join,
    /// The cluster that took it in.
    Welcome { cluster: Vec<NodeId> },
    /// To the members of a cluster: leave it for another.
    Leave,
    /// An operation for the backup.
    Backup { index: Token, op: Op },
    /// The backup has it.
    BackedUp { index: Token },
    /// The backup has missed something.
    Resend,
    /// All there is.
    State { index: Token, group: Box<Group> },
}

/// A member of a cluster without CP members.
pub struct UnsafeMember {
    config: CpConfig,
    names: Vec<String>,
    /// All that might be in the cluster.
    all: Vec<NodeId>,
    /// Those that are, as far as this one knows, in the order in which they came: first the primary, then its backup.
    cluster: Vec<NodeId>,
    /// When others were last heard of, and with whom they were.
    heard: BTreeMap<NodeId, (Mono, Vec<NodeId>)>,
    replica: Replica,
    callers: BTreeMap<Token, Caller>,
    /// Answers that wait for the backup.
    unacked: BTreeMap<Token, (Caller, Reply)>,
    backup: Option<NodeId>,
    restarted: bool,
}

struct Replica {
    group: Group,
    index: Token,
    stamps: Stamps,
}

impl Replica {
    fn new(config: &CpConfig) -> Self {
        let group = Group::new(config.limit, config.ttl, config.heartbeat);
        Replica { group, index: 0, stamps: Stamps::new(config.ttl) }
    }

    fn run(&mut self, env: &Env<'_, HazelcastMessage>, op: &Op) -> Effects {
        self.index += 1;
        let effects = self.group.run(self.index, op);
        self.stamps.applied(env, &self.group, op, effects.alive);
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
                restarted: false,
            };
            site.server(name, member);
        }
    }

    fn leads(&self, env: &Env<'_, HazelcastMessage>) -> bool {
        self.cluster.first() == Some(&env.node())
    }

    /// Carries out an operation as the primary.
    fn execute(&mut self, env: &mut Env<'_, HazelcastMessage>, op: Op, from: Option<Caller>) {
        let effects = self.replica.run(env, &op);
        let (index, server) = (self.replica.index, env.node());
        effects.notes.iter().for_each(|note| env.note(note.at(server)));
        for (index, reply) in effects.others {
            if let Some(caller) = self.callers.remove(&index) {
                env.reply(caller, HazelcastMessage::Reply(reply));
            }
        }
        if let Some(backup) = self.backup {
            say(env, backup, Peer::Backup { index, op });
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

    fn hear(&mut self, env: &mut Env<'_, HazelcastMessage>, from: NodeId, peer: Peer) {
        match peer {
            Peer::Heartbeat { cluster } => {
                // It has put this one out of its cluster: then they are two.
                if self.cluster.contains(&from) && !cluster.contains(&env.node()) {
                    self.put_out(env, |member| member == from);
                }
                self.heard.insert(from, (env.mono(), cluster));
            }
            Peer::Join if self.cluster.is_empty() => {}
            Peer::Join => {
                self.heard.insert(from, (env.mono(), Vec::new()));
                self.cluster.retain(|member| *member != from);
                self.cluster.push(from);
                say(env, from, Peer::Welcome { cluster: self.cluster.clone() });
                self.settle(env);
            }
            Peer::Welcome { cluster } if self.cluster.is_empty() => {
                self.cluster = cluster;
                self.heard = self.cluster.iter().map(|member| (*member, (env.mono(), Vec::new()))).collect();
                self.settle(env);
            }
            Peer::Welcome { .. } => {}
            Peer::Leave => self.leave(env),
            Peer::BackedUp { index } => self.acknowledge(env, index),
            Peer::Resend => self.send_all(env, from),
            Peer::Backup { .. } | Peer::State { .. } if self.cluster.first() != Some(&from) => {}
            Peer::Backup { index, .. } if index > self.replica.index + 1 => say(env, from, Peer::Resend),
            Peer::Backup { index, op } => {
                if index == self.replica.index + 1 {
                    self.replica.run(env, &op);
                }
                say(env, from, Peer::BackedUp { index });
            }
            Peer::State { index, group } => {
                (self.replica.index, self.replica.group) = (index, *group);
                self.replica.stamps.adopt(env, &self.replica.group);
            }
        }
    }

    fn send_all(&mut self, env: &mut Env<'_, HazelcastMessage>, to: NodeId) {
        let (index, group) = (self.replica.index, Box::new(self.replica.group.clone()));
        say(env, to, Peer::State { index, group });
    }

    fn put_out(&mut self, env: &mut Env<'_, HazelcastMessage>, who: impl Fn(NodeId) -> bool) {
        self.cluster.retain(|member| !who(*member));
        self.settle(env);
    }

    /// The cluster may have changed: who leads, and who has the backup?
    fn settle(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        let leads = self.leads(env);
        env.lead(leads);
        let backup = self.cluster.get(1).copied().filter(|_| leads);
        if backup != self.backup {
            self.backup = backup;
            // Answers no longer wait for a backup that has left.
            let unacked: Vec<_> = self.unacked.keys().copied().collect();
            unacked.into_iter().for_each(|index| self.acknowledge(env, index));
            if let Some(backup) = backup {
                self.send_all(env, backup);
            }
        }
        if !leads {
            for caller in std::mem::take(&mut self.callers).into_values() {
                env.reply(caller, HazelcastMessage::NotLeader { leader: None });
            }
        }
    }

    fn beat(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        if self.cluster.is_empty() {
            // Nobody took it in: it is a cluster of its own.
            self.cluster = vec![env.node()];
        }
        let (me, now) = (env.node(), env.mono());
        let silent = |heard: &BTreeMap<NodeId, (Mono, Vec<NodeId>)>, member| {
            member != me && heard.get(&member).is_none_or(|(at, _)| now - *at >= SILENCE)
        };
        let heard = std::mem::take(&mut self.heard);
        self.put_out(env, |member| silent(&heard, member));
        self.heard = heard;
        self.tell_all(env, &Peer::Heartbeat { cluster: self.cluster.clone() });
        env.set_timer(HEARTBEAT, BEAT);
    }

    fn tell_all(&self, env: &mut Env<'_, HazelcastMessage>, peer: &Peer) {
        for member in &self.all {
            if *member != env.node() {
                say(env, *member, peer.clone());
            }
        }
    }

    /// Looks for another cluster, and gives this one up for it if it is the larger, or as large and with the older master.
    fn look_for_others(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        env.set_timer(MERGE_EVERY, MERGE);
        let now = env.mono();
        let rank = |cluster: &[NodeId]| (cluster.len(), std::cmp::Reverse(cluster.first().copied()));
        let better = self.heard.values().any(|(at, cluster)| {
            let apart = !cluster.is_empty() && !cluster.iter().any(|member| self.cluster.contains(member));
            apart && now - *at < 2 * HEARTBEAT && rank(cluster) > rank(&self.cluster)
        });
        if better && self.leads(env) {
            for member in self.cluster.clone() {
                if member != env.node() {
                    say(env, member, Peer::Leave);
                }
            }
            self.leave(env);
        }
    }

    fn leave(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        self.forget(env);
        self.cluster.clear();
        self.settle(env);
        self.tell_all(env, &Peer::Join);
    }

    /// Its state is gone. Grants that no other member knows of were given until their sessions would have expired.
    fn forget(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        let alone = self.backup.is_none() || !self.unacked.is_empty();
        if self.leads(env) && alone {
            for (grant, session) in self.replica.group.holders() {
                let left = self.replica.stamps.left(env, session);
                env.note_after(left, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
            }
        }
        self.replica = Replica::new(&self.config);
    }
}

fn say(env: &mut Env<'_, HazelcastMessage>, to: NodeId, peer: Peer) {
    env.send(to, HazelcastMessage::Unsafe(peer));
}

impl Service<Wire<HazelcastMessage>, Event> for UnsafeMember {
    fn on_start(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        self.all = self.names.iter().map(|name| env.find(name)).collect();
        if self.restarted {
            self.tell_all(env, &Peer::Join);
        } else {
            self.cluster = self.all.clone();
            self.heard = self.all.iter().map(|member| (*member, (env.mono(), Vec::new()))).collect();
            self.settle(env);
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
        if let Wire::Lock(HazelcastMessage::Unsafe(peer)) = message {
            self.hear(env, from, peer);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, tag: u64) {
        match tag {
            BEAT => self.beat(env),
            MERGE => self.look_for_others(env),
            SESSIONS | WAITS => {
                env.set_timer(if tag == SESSIONS { CHECK_SESSIONS } else { CHECK_WAITS }, tag);
                if self.leads(env) {
                    let Replica { stamps, group, .. } = &mut self.replica;
                    let ops = match tag {
                        SESSIONS => stamps.look_at_sessions(env, group),
                        _ => stamps.look_at_waits(env, group).into_iter().collect(),
                    };
                    ops.into_iter().for_each(|op| self.execute(env, op, None));
                }
            }
            unacked => self.acknowledge(env, unacked - BACKUP),
        }
    }

    fn on_crash(&mut self, env: &mut Env<'_, HazelcastMessage>, _: DiskFate) {
        self.forget(env);
        self.cluster.clear();
        self.heard.clear();
        self.callers.clear();
        self.unacked.clear();
        self.backup = None;
        self.restarted = true;
        env.lead(false);
    }
}
