//! Renewals of leases at a member that does not lead. They do not go through Raft: the member passes them on to the leader
//! itself, again and again until it has an answer (server/etcdserver/v3_server.go, `LeaseRenew`; lease/leasehttp).

use std::time::Duration;

use fencepost_sim::{Caller, Mono, NodeId, Session};

use super::message::{EtcdMessage, LeaseId};
use crate::wire::Env;

/// The pause between two tries to pass a renewal on.
pub(super) const RETRY: Duration = Duration::from_millis(50);

/// The leader has this long to answer before it is asked again (leasehttp, `applyTimeout`).
const ANSWER: Duration = Duration::from_secs(1);

/// Who asks for a renewal.
#[derive(Clone, Copy)]
pub(super) enum Asker {
    Client(Caller),
    /// A member that passes a client's on, and its number for it.
    Member(NodeId, u64),
}

/// Renewals that wait for the leader's word.
#[derive(Default)]
pub(super) struct Renewals {
    waiting: Vec<Waiting>,
    last_number: u64,
}

pub(super) struct Waiting {
    pub from: Caller,
    pub lease: LeaseId,
    number: u64,
    asked: Mono,
    /// When it was last passed on, unless an answer came that does not help.
    passed_on: Option<Mono>,
}

impl Asker {
    /// The lease lives for so many seconds; none: it is gone.
    pub fn answer(self, env: &mut Env<'_, EtcdMessage>, seconds: u64) {
        match self {
            Asker::Client(from) => env.reply(from, EtcdMessage::Alive { seconds }),
            Asker::Member(member, number) => {
                env.send(member, EtcdMessage::Renewed { number, seconds: Some(seconds) });
            }
        }
    }
}

impl Renewals {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn add(&mut self, from: Caller, lease: LeaseId, asked: Mono) {
        self.last_number += 1;
        self.waiting.push(Waiting { from, lease, number: self.last_number, asked, passed_on: None });
    }

    /// Passes on what is due. What has waited for too long is given up.
    pub fn pass_on(&mut self, env: &mut Env<'_, EtcdMessage>, leader: Option<NodeId>, give_up: Duration) {
        let now = env.mono();
        self.waiting.retain_mut(|waiting| {
            let over = now - waiting.asked >= give_up;
            if over {
                env.reply(waiting.from, EtcdMessage::Unavailable);
            } else if let Some(leader) = leader.filter(|leader| *leader != env.node())
                && waiting.passed_on.is_none_or(|passed_on| now - passed_on >= ANSWER)
            {
                waiting.passed_on = Some(now);
                env.send(leader, EtcdMessage::Renew { lease: waiting.lease, number: waiting.number });
            }
            !over
        });
    }

    /// The word of a member that was taken for the leader.
    pub fn hear(&mut self, env: &mut Env<'_, EtcdMessage>, number: u64, seconds: Option<u64>) {
        let Some(place) = self.waiting.iter().position(|waiting| waiting.number == number) else { return };
        match seconds {
            Some(seconds) => Asker::Client(self.waiting.remove(place).from).answer(env, seconds),
            None => self.waiting[place].passed_on = None,
        }
    }

    pub fn take(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    pub fn forget(&mut self, session: Session) {
        self.waiting.retain(|waiting| waiting.from.session() != session);
    }
}
