//! What a CP member does beside the log: its callers, and its table of times.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::Caller;

use super::cluster::Cluster;
use super::stamps::{CHECK_SESSIONS, CHECK_WAITS, Stamps};
use super::{CpConfig, Effects, Group, HazelcastMessage};
use crate::history::Token;
use crate::servers::raft::{Applied, Core, RaftApp, RequestError};
use crate::wire::Env;

const SESSIONS: u64 = 0;
const WAITS: u64 = 1;

/// What a member does beside the log.
pub(super) struct CpDuties {
    cluster: Rc<Cluster>,
    heartbeat: Duration,
    stamps: Stamps,
    /// The term that the stamps know of.
    term: u64,
    /// Callers whose operations wait, by their places in the log. Only the leader has any.
    callers: BTreeMap<Token, Caller>,
    /// Whether the timer for waits runs.
    watching: bool,
}

impl CpDuties {
    pub fn new(config: &CpConfig, cluster: Rc<Cluster>) -> Self {
        let (stamps, callers) = (Stamps::new(config.ttl), BTreeMap::new());
        CpDuties { cluster, heartbeat: config.heartbeat, stamps, term: 0, callers, watching: false }
    }

    /// Every replica shifts its table when it sees that a term has begun.
    fn see_term(&mut self, env: &Env<'_, HazelcastMessage>, term: u64) {
        if self.term != term {
            self.term = term;
            self.stamps.shift(env, self.heartbeat);
        }
    }

    fn watch_waits(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        if !self.watching && self.stamps.waits() {
            self.watching = true;
            env.set_timer(CHECK_WAITS, WAITS);
        }
    }
}

impl RaftApp for CpDuties {
    type Machine = Group;
    type Message = HazelcastMessage;
    type Ticket = Caller;

    fn on_start(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.stamps.adopt(env, core.machine());
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
        self.see_term(env, core.term());
        let Effects { reply, others, alive, notes } = applied.answer;
        self.cluster.applied(applied.index, &notes);
        self.stamps.applied(env, core.machine(), &applied.command, alive);
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

    fn on_failed(&mut self, env: &mut Env<'_, HazelcastMessage>, _: &mut Core<Self>, from: Caller, loss: RequestError) {
        if loss == RequestError::NoLeader {
            env.reply(from, HazelcastMessage::NotLeader { leader: None });
        }
    }

    fn on_leader(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.see_term(env, core.term());
        self.watch_waits(env);
    }

    fn on_deposed(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        let waiting = std::mem::take(&mut self.callers).into_values();
        for caller in waiting.chain(core.take_pending()) {
            env.reply(caller, HazelcastMessage::NotLeader { leader: None });
        }
    }

    fn on_restored(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.stamps.adopt(env, core.machine());
    }

    /// All members look, but only what the leader proposes gets anywhere.
    fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>, tag: u64) {
        let leads = core.leads();
        match tag {
            SESSIONS => {
                env.set_timer(CHECK_SESSIONS, SESSIONS);
                if leads {
                    let ops = self.stamps.look_at_sessions(env, core.machine());
                    ops.iter().for_each(|op| core.submit(op));
                }
            }
            _ => {
                self.watching = false;
                if leads {
                    let op = self.stamps.look_at_waits(env, core.machine());
                    op.iter().for_each(|op| core.submit(op));
                    self.watch_waits(env);
                }
            }
        }
    }

    fn on_crash(&mut self, _: &mut Env<'_, HazelcastMessage>) {
        self.stamps.clear();
        self.callers.clear();
        (self.term, self.watching) = (0, false);
    }
}
