//! The membership of the cluster, which determines the primary and the backup.

use std::collections::BTreeMap;

use fencepost_sim::{Mono, NodeId};

use super::{BEAT, HEARTBEAT, MERGE, MERGE_EVERY, Peer, Replica, SILENCE, UnsafeMember, send_to_peer};
use crate::history::{Cause, Event};
use crate::locks::hazelcast::server::HazelcastMessage;
use crate::wire::Env;

impl UnsafeMember {
    pub(super) fn on_peer_message(&mut self, env: &mut Env<'_, HazelcastMessage>, from: NodeId, peer: Peer) {
        match peer {
            Peer::Heartbeat { cluster } => {
                // The sender has removed this member from its cluster: now there are two.
                if self.cluster.contains(&from) && !cluster.contains(&env.node()) {
                    self.remove_members(env, |member| member == from);
                }
                self.heard.insert(from, (env.mono(), cluster));
            }
            Peer::Join if self.cluster.is_empty() => {}
            Peer::Join => {
                self.heard.insert(from, (env.mono(), Vec::new()));
                self.cluster.retain(|member| *member != from);
                self.cluster.push(from);
                self.update_roles(env);
                // Only the master admits members (ClusterJoinManager.java).
                if self.leads(env) {
                    send_to_peer(env, from, Peer::Welcome { cluster: self.cluster.clone() });
                    self.publish_members(env);
                }
            }
            Peer::Members { version, cluster } => {
                let of_master = cluster.first() == Some(&from) && self.cluster.contains(&from) && !self.leads(env);
                if of_master && version > self.version && cluster.contains(&env.node()) {
                    (self.cluster, self.version) = (cluster, version);
                    let now = env.mono();
                    for member in &self.cluster {
                        self.heard.entry(*member).or_insert((now, Vec::new()));
                    }
                    self.update_roles(env);
                }
            }
            Peer::Welcome { cluster } if self.cluster.is_empty() => {
                (self.cluster, self.asked) = (cluster, None);
                self.heard = self.cluster.iter().map(|member| (*member, (env.mono(), Vec::new()))).collect();
                self.update_roles(env);
            }
            Peer::Welcome { .. } => {}
            Peer::Leave => self.leave_cluster(env),
            Peer::BackedUp { index } => {
                self.backed_up = self.backed_up.max(index);
                self.acknowledge(env, index);
            }
            Peer::Resend => self.send_all(env, from),
            Peer::Backup { .. } | Peer::State { .. } if self.cluster.first() != Some(&from) => {}
            Peer::Backup { index, .. } if index > self.replica.index + 1 => send_to_peer(env, from, Peer::Resend),
            Peer::Backup { index, op } => {
                if index == self.replica.index + 1 {
                    self.replica.run(env, &op);
                }
                send_to_peer(env, from, Peer::BackedUp { index });
            }
            Peer::State { index, group } => {
                (self.replica.index, self.replica.group) = (index, *group);
                self.replica.expiries.adopt(env, &self.replica.group);
                send_to_peer(env, from, Peer::BackedUp { index });
            }
        }
    }

    fn send_all(&mut self, env: &mut Env<'_, HazelcastMessage>, to: NodeId) {
        let (index, group) = (self.replica.index, Box::new(self.replica.group.clone()));
        send_to_peer(env, to, Peer::State { index, group });
    }

    pub(super) fn remove_members(&mut self, env: &mut Env<'_, HazelcastMessage>, who: impl Fn(NodeId) -> bool) {
        let before = self.cluster.len();
        self.cluster.retain(|member| !who(*member));
        self.update_roles(env);
        if self.cluster.len() < before {
            self.publish_members(env);
        }
    }

    /// The master sends the members to all others at each change (`MembershipManager.sendMemberListToOthers`).
    fn publish_members(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        if self.leads(env) {
            self.version += 1;
            self.send_to_all(env, &Peer::Members { version: self.version, cluster: self.cluster.clone() });
        }
    }

    /// Updates leadership and backup after a change of the cluster.
    pub(super) fn update_roles(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        let leads = self.leads(env);
        env.lead(leads);
        let backup = self.cluster.get(1).copied().filter(|_| leads);
        if backup != self.backup {
            (self.backup, self.backed_up) = (backup, 0);
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

    pub(super) fn send_heartbeats(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        if self.cluster.is_empty() {
            let now = env.mono();
            let since = *self.asked.get_or_insert(now);
            // A member with a cluster admits it. If none has one, the first member starts a cluster (TcpIpJoiner.java).
            let recent = self.heard.iter().filter(|(_, (at, _))| now - *at < 2 * HEARTBEAT);
            let other = recent.clone().any(|(member, (_, cluster))| !cluster.is_empty() || *member < env.node());
            if other && now - since < SILENCE {
                self.send_to_all(env, &Peer::Join);
            } else {
                // No cluster admitted it, so it is a cluster of its own.
                self.cluster = vec![env.node()];
            }
        }
        let (me, now) = (env.node(), env.mono());
        let silent = |heard: &BTreeMap<NodeId, (Mono, Vec<NodeId>)>, member| {
            member != me && heard.get(&member).is_none_or(|(at, _)| now - *at >= SILENCE)
        };
        let heard = std::mem::take(&mut self.heard);
        self.remove_members(env, |member| silent(&heard, member));
        self.heard = heard;
        self.send_to_all(env, &Peer::Heartbeat { cluster: self.cluster.clone() });
        env.set_timer(HEARTBEAT, BEAT);
    }

    pub(super) fn send_to_all(&self, env: &mut Env<'_, HazelcastMessage>, peer: &Peer) {
        for member in &self.all {
            if *member != env.node() {
                send_to_peer(env, *member, peer.clone());
            }
        }
    }

    /// Looks for another cluster, and joins it if it is larger, or as large with an older master.
    pub(super) fn merge_with_larger(&mut self, env: &mut Env<'_, HazelcastMessage>) {
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
                    send_to_peer(env, member, Peer::Leave);
                }
            }
            self.leave_cluster(env);
        }
    }

    fn leave_cluster(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        self.drop_state(env);
        self.cluster.clear();
        self.update_roles(env);
        self.send_to_all(env, &Peer::Join);
    }

    /// Drops the state. Grants unknown to other members last until their sessions would have expired.
    pub(super) fn drop_state(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        let alone = self.backup.is_none() || self.backed_up < self.replica.index;
        if self.leads(env) && alone {
            for (grant, session) in self.replica.group.holders() {
                let left = self.replica.expiries.left(env, session);
                env.note_after(left, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
            }
        }
        self.replica = Replica::new(&self.config);
    }
}
