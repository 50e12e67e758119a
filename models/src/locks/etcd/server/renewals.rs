//! Renewals of leases at a member that does not lead. They do not go through Raft: the member forwards them to the
//! leader until it has an answer (server/etcdserver/v3_server.go, `LeaseRenew`; lease/leasehttp).

use std::time::Duration;

use fencepost_sim::{Caller, Mono, NodeId, Session};

use super::keyspace::LeaseId;
use super::message::EtcdMessage;
use crate::wire::Env;

/// The pause between two attempts to forward a renewal.
pub(super) const RETRY: Duration = Duration::from_millis(50);

/// The time after which a renewal is sent to the leader again (leasehttp, `applyTimeout`).
const ANSWER: Duration = Duration::from_secs(1);

/// The requester of a renewal.
#[derive(Clone, Copy)]
pub(super) enum Requester {
    Client(Caller),
    /// A member that forwards a client's renewal, and its number for it.
    Member(NodeId, u64),
}

/// Renewals that wait for the leader's answer.
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
    /// The time when it was last forwarded; `None` after an answer that does not help.
    forwarded_at: Option<Mono>,
}

impl Requester {
    /// Answers with the remaining seconds; 0 if the lease is gone.
    pub fn answer(self, env: &mut Env<'_, EtcdMessage>, seconds: u64) {
        match self {
            Requester::Client(from) => env.reply(from, EtcdMessage::Alive { seconds }),
            Requester::Member(member, number) => {
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
        self.waiting.push(Waiting { from, lease, number: self.last_number, asked, forwarded_at: None });
    }

    /// Forwards the renewals that are due, and fails those that have waited too long.
    pub fn forward(&mut self, env: &mut Env<'_, EtcdMessage>, leader: Option<NodeId>, give_up: Duration) {
        let now = env.mono();
        self.waiting.retain_mut(|waiting| {
            let over = now - waiting.asked >= give_up;
            if over {
                env.reply(waiting.from, EtcdMessage::Unavailable);
            } else if let Some(leader) = leader.filter(|leader| *leader != env.node())
                && waiting.forwarded_at.is_none_or(|forwarded_at| now - forwarded_at >= ANSWER)
            {
                waiting.forwarded_at = Some(now);
                env.send(leader, EtcdMessage::Renew { lease: waiting.lease, number: waiting.number });
            }
            !over
        });
    }

    /// Handles the answer of a member that was taken for the leader.
    pub fn on_answer(&mut self, env: &mut Env<'_, EtcdMessage>, number: u64, seconds: Option<u64>) {
        let Some(index) = self.waiting.iter().position(|waiting| waiting.number == number) else { return };
        match seconds {
            Some(seconds) => Requester::Client(self.waiting.remove(index).from).answer(env, seconds),
            None => self.waiting[index].forwarded_at = None,
        }
    }

    pub fn take_all(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    pub fn remove(&mut self, session: Session) {
        self.waiting.retain(|waiting| waiting.from.session() != session);
    }
}
