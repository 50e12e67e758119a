//! The steps of a failover, one at each tick of the timer (`sentinelFailoverStateMachine`).

use std::time::Duration;

use fencepost_sim::{NodeId, Wall};

use super::instance::{Instance, Reconf};
use super::server::{Env, Known};
use super::{ELECTION_TIMEOUT, SentinelConfig, SentinelMessage};

/// A failover that this Sentinel tries to lead, or leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failover {
    epoch: u64,
    began: Wall,
    step: Step,
    /// When this step began.
    since: Wall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Until it is elected (`WAIT_START`).
    Elect,
    Select,
    Promote(NodeId),
    WaitPromotion(NodeId),
    /// The other replicas are given their new master.
    Reconfigure(NodeId),
    /// `UPDATE_CONFIG`.
    Switch(NodeId),
}

impl Failover {
    /// The replica that is promoted, or was.
    pub fn promoted(&self) -> Option<NodeId> {
        match self.step {
            Step::Elect | Step::Select => None,
            Step::Promote(node) | Step::WaitPromotion(node) | Step::Reconfigure(node) | Step::Switch(node) => {
                Some(node)
            }
        }
    }

    /// The replica that is known to be the new master.
    pub fn done_for(&self) -> Option<NodeId> {
        self.promoted().filter(|_| matches!(self.step, Step::Reconfigure(_) | Step::Switch(_)))
    }
}

impl Known {
    /// `sentinelStartFailoverIfNeeded`. Whoever tried, or saw another try, waits for twice the failover's timeout.
    pub fn start_failover_if_needed(&mut self, config: &SentinelConfig, now: Wall) -> bool {
        let lately = self.tried.is_some_and(|at| now - at < 2 * config.failover_timeout);
        if !self.o_down || self.failover.is_some() || lately {
            return false;
        }
        let began = now + self.desync();
        self.failover = Some(Failover { epoch: self.election.begin(), began, step: Step::Elect, since: now });
        self.tried = Some(began);
        true
    }

    pub fn fail_over(&mut self, env: &mut Env<'_>, config: &SentinelConfig, now: Wall) {
        let Some(failover) = self.failover else { return };
        let late = now - failover.since > config.failover_timeout;
        match failover.step {
            Step::Elect if self.elected(env, config, &failover) => self.enter(Step::Select, now),
            Step::Elect if now - failover.began > ELECTION_TIMEOUT.min(config.failover_timeout) => self.failover = None,
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

    fn elected(&mut self, env: &Env<'_>, config: &SentinelConfig, failover: &Failover) -> bool {
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

    /// The promoted replica says that it is a master: the others may learn of it.
    pub fn promotion_seen(&mut self, env: &mut Env<'_>, now: Wall) {
        let Some(Failover { epoch, step: Step::WaitPromotion(node), .. }) = self.failover else { return };
        self.election.conf.config_epoch = epoch;
        self.election.save();
        self.enter(Step::Reconfigure(node), now);
        self.say_hello(env, now);
    }

    /// Gives the other replicas their new master, so many at a time (`sentinelFailoverReconfNextSlave`), until all of
    /// them have it or time is up; then all that are left are told without waiting for them.
    fn reconfigure(&mut self, env: &mut Env<'_>, config: &SentinelConfig, promoted: NodeId, late: bool, now: Wall) {
        let master = self.election.conf.master;
        let mut others: Vec<&mut Instance> =
            self.instances.iter_mut().filter(|instance| ![master, promoted].contains(&instance.node)).collect();
        let busy = |other: &Instance| matches!(other.reconf, Reconf::Sent(_) | Reconf::InProgress);
        let mut in_progress = others.iter().filter(|other| busy(other)).count();
        for other in &mut others {
            other.give_up_late(now);
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
