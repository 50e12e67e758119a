//! The steps of a failover, one at each tick of the timer (`sentinelFailoverStateMachine`).

use std::time::Duration;

use fencepost_sim::{NodeId, Wall};

use super::instance::{Instance, Reconf};
use super::server::{Env, Known};
use super::{ELECTION_TIMEOUT, SentinelConfig, SentinelMessage};

/// A failover that this Sentinel leads or tries to lead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failover {
    epoch: u64,
    started: Wall,
    step: Step,
    /// The start of this step.
    since: Wall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Until it is elected (`WAIT_START`).
    Elect,
    Select,
    Promote(NodeId),
    WaitPromotion(NodeId),
    /// The other replicas get their new master.
    Reconfigure(NodeId),
    /// `UPDATE_CONFIG`.
    Switch(NodeId),
}

impl Failover {
    /// The replica being promoted.
    pub fn promoted(&self) -> Option<NodeId> {
        match self.step {
            Step::Elect | Step::Select => None,
            Step::Promote(node) | Step::WaitPromotion(node) | Step::Reconfigure(node) | Step::Switch(node) => {
                Some(node)
            }
        }
    }

    /// The new master, once its promotion is confirmed.
    pub fn done_for(&self) -> Option<NodeId> {
        self.promoted().filter(|_| matches!(self.step, Step::Reconfigure(_) | Step::Switch(_)))
    }
}

impl Known {
    /// `sentinelStartFailoverIfNeeded`. A Sentinel that tried, or saw another try, waits for twice the failover timeout.
    pub fn start_failover_if_needed(&mut self, config: &SentinelConfig, now: Wall) -> bool {
        let lately = self.tried.is_some_and(|at| now - at < 2 * config.failover_timeout);
        if !self.o_down || self.failover.is_some() || lately {
            return false;
        }
        let started = now + self.desync();
        self.failover = Some(Failover { epoch: self.election.start_epoch(), started, step: Step::Elect, since: now });
        self.tried = Some(started);
        true
    }

    pub fn fail_over(&mut self, env: &mut Env<'_>, config: &SentinelConfig, now: Wall) {
        let Some(failover) = self.failover else { return };
        let late = now - failover.since > config.failover_timeout;
        match failover.step {
            Step::Elect if self.is_elected(env, config, &failover) => self.enter(Step::Select, now),
            Step::Elect if now - failover.started > ELECTION_TIMEOUT.min(config.failover_timeout) => {
                self.failover = None;
            }
            Step::Elect => {}
            Step::Select => match self.best_replica(config.down_after, now) {
                Some(node) => self.enter(Step::Promote(node), now),
                None => self.failover = None,
            },
            Step::Promote(node) => {
                env.send(node, SentinelMessage::ReplicaOf { master: None });
                self.enter(Step::WaitPromotion(node), now);
            }
            Step::WaitPromotion(_) if late => self.failover = None,
            Step::WaitPromotion(_) => {}
            Step::Reconfigure(node) => self.reconfigure(env, config, node, late, now),
            Step::Switch(node) => self.switch_master(node, now),
        }
    }

    fn enter(&mut self, step: Step, now: Wall) {
        if let Some(failover) = &mut self.failover {
            (failover.step, failover.since) = (step, now);
        }
    }

    fn is_elected(&mut self, env: &Env<'_>, config: &SentinelConfig, failover: &Failover) -> bool {
        self.election.leader(failover.epoch, config.quorum) == Some(env.node())
    }

    fn best_replica(&self, down_after: Duration, now: Wall) -> Option<NodeId> {
        let master = self.master();
        let replicas = self.instances.iter().filter(|instance| instance.node != master.node);
        replicas
            .filter_map(|replica| Some((replica.candidate(now, master, down_after)?, replica.node)))
            .min()
            .map(|(_, node)| node)
    }

    /// Handles the promoted replica's confirmation that it is a master.
    pub fn on_promotion(&mut self, env: &mut Env<'_>, now: Wall) {
        let Some(Failover { epoch, step: Step::WaitPromotion(node), .. }) = self.failover else { return };
        self.election.conf.config_epoch = epoch;
        self.election.save();
        self.enter(Step::Reconfigure(node), now);
        self.say_hello(env, now);
    }

    /// Gives the other replicas their new master, a few at a time (`sentinelFailoverReconfNextSlave`), until all have it or
    /// time is up. Then the rest are informed without waiting for them.
    fn reconfigure(&mut self, env: &mut Env<'_>, config: &SentinelConfig, promoted: NodeId, late: bool, now: Wall) {
        let master = self.election.conf.master;
        let mut others: Vec<&mut Instance> =
            self.instances.iter_mut().filter(|instance| ![master, promoted].contains(&instance.node)).collect();
        let busy = |other: &Instance| matches!(other.reconf, Reconf::Sent(_) | Reconf::InProgress);
        let mut in_progress = others.iter().filter(|other| busy(other)).count();
        for other in &mut others {
            other.time_out_reconf(now);
            let next = in_progress < config.parallel_syncs as usize && other.answers(now);
            if other.reconf == Reconf::No && (next || late) {
                env.send(other.node, SentinelMessage::ReplicaOf { master: Some(promoted) });
                other.reconf = Reconf::Sent(now);
                in_progress += 1;
            }
        }
        if late || others.iter().all(|other| other.reconf == Reconf::Done || other.down) {
            self.enter(Step::Switch(promoted), now);
        }
    }
}
