//! A CP member beside the log: its callers and its expiry times.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::Caller;

use super::cluster::Cluster;
use super::expiries::{CHECK_SESSIONS, CHECK_WAITS, Expiries};
use super::{CpConfig, Effects, Group, HazelcastMessage};
use crate::history::Token;
use crate::servers::raft::{Applied, Core, RaftApp, RequestError};
use crate::wire::Env;

const SESSIONS: u64 = 0;
const WAITS: u64 = 1;

/// The part of a CP member beside the log.
pub(super) struct CpApp {
    cluster: Rc<Cluster>,
    heartbeat: Duration,
    expiries: Expiries,
    /// The term in which the expiry times were last shifted.
    term: u64,
    /// Callers of waiting operations, by log index. Only the leader has any.
    callers: BTreeMap<Token, Caller>,
    /// Whether the timer for waits is set.
    watching: bool,
}

impl CpApp {
    pub fn new(config: &CpConfig, cluster: Rc<Cluster>) -> Self {
        let (expiries, callers) = (Expiries::new(config.ttl), BTreeMap::new());
        CpApp { cluster, heartbeat: config.heartbeat, expiries, term: 0, callers, watching: false }
    }

    /// Shifts the expiry times of this replica if a new term has started.
    fn update_term(&mut self, env: &Env<'_, HazelcastMessage>, term: u64) {
        if self.term != term {
            self.term = term;
            self.expiries.shift(env, self.heartbeat);
        }
    }

    fn watch_waits(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        if !self.watching && self.expiries.waits() {
            self.watching = true;
            env.set_timer(CHECK_WAITS, WAITS);
        }
    }
}

impl RaftApp for CpApp {
    type Machine = Group;
    type Message = HazelcastMessage;
    type Ticket = Caller;

    fn on_start(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.expiries.adopt(env, core.machine());
        env.set_timer(CHECK_SESSIONS, SESSIONS);
    }

    fn on_request(
        &mut self,
        env: &mut Env<'_, HazelcastMessage>,
        core: &mut Core<Self>,
        from: Caller,
        message: HazelcastMessage,
    ) {
        let HazelcastMessage::Op(op) = message else { return };
        if !core.leads() {
            let leader = core.leader().filter(|leader| *leader != env.node());
            return env.reply(from, HazelcastMessage::NotLeader { leader });
        }
        core.propose(&op, from);
    }

    fn on_applied(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>, applied: Applied<Self>) {
        self.update_term(env, core.term());
        let Effects { reply, others, alive, notes } = applied.answer;
        self.cluster.applied(applied.index, &notes);
        self.expiries.applied(env, core.machine(), &applied.command, alive);
        for (index, reply) in others {
            if let Some(caller) = self.callers.remove(&index) {
                env.reply(caller, HazelcastMessage::Reply(reply));
            }
        }
        match (applied.ticket, reply) {
            (Some(caller), Some(reply)) => env.reply(caller, HazelcastMessage::Reply(reply)),
            (Some(caller), None) => {
                self.callers.insert(applied.index, caller);
            }
            (None, _) => {}
        }
        if core.leads() {
            self.watch_waits(env);
        }
    }

    fn on_failed(
        &mut self,
        env: &mut Env<'_, HazelcastMessage>,
        _: &mut Core<Self>,
        from: Caller,
        error: RequestError,
    ) {
        if error == RequestError::NoLeader {
            env.reply(from, HazelcastMessage::NotLeader { leader: None });
        }
    }

    fn on_leader(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.update_term(env, core.term());
        self.watch_waits(env);
    }

    fn on_deposed(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        let waiting = std::mem::take(&mut self.callers).into_values();
        for caller in waiting.chain(core.take_pending()) {
            env.reply(caller, HazelcastMessage::NotLeader { leader: None });
        }
    }

    fn on_restored(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.expiries.adopt(env, core.machine());
    }

    /// All members check, but only the leader's proposals are accepted.
    fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>, tag: u64) {
        let leads = core.leads();
        match tag {
            SESSIONS => {
                env.set_timer(CHECK_SESSIONS, SESSIONS);
                if leads {
                    let ops = self.expiries.check_sessions(env, core.machine());
                    ops.iter().for_each(|op| core.submit(op));
                }
            }
            _ => {
                self.watching = false;
                if leads {
                    let op = self.expiries.check_waits(env, core.machine());
                    op.iter().for_each(|op| core.submit(op));
                    self.watch_waits(env);
                }
            }
        }
    }

    fn on_crash(&mut self, _: &mut Env<'_, HazelcastMessage>) {
        self.expiries.clear();
        self.callers.clear();
        (self.term, self.watching) = (0, false);
    }
}
