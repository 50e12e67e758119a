//! The textbook lease: one server grants the lock for a term and numbers the grants.
//!
//! After Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency" (SOSP
//! 1989): the term runs on the server's own clock; the client counts it from before it asked, so that it gives up first;
//! and a server that lost its memory waits out the longest term before it grants again. The number is the fencing token
//! of Kleppmann, "How to do distributed locking" (2016): durable before the reply.

use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate};
use fencepost_sim::{Caller, MonoDeadline, Service, TimerId};
use serde::Serialize;

use crate::history::{Cause, Event, GrantId, Token};
use crate::wire::{Env, Wire};

/// What the lease server and its clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum LeaseMessage {
    /// Grant me the lease.
    Acquire { attempt: GrantId },
    /// I give it back; the token says which grant.
    Release { token: Token, on_behalf: GrantId },
    /// It is yours for the term.
    Granted { token: Token },
    /// It is somebody else's, or not to be had yet.
    Busy,
    /// It is given back.
    Released,
    /// It was no longer yours.
    NotYours,
}

/// The lease server.
pub struct LeaseServer {
    term: Duration,
    lease: Option<Lease>,
    expiry_timer: Option<TimerId>,
    last_token: Token,
    /// No grants before this, after a restart: an old lease may still be out.
    waits_until: Option<MonoDeadline>,
    log: Disk<Token>,
}

#[derive(Clone, Copy)]
struct Lease {
    holder: GrantId,
    token: Token,
    ends: MonoDeadline,
}

const EXPIRE: u64 = 0;

impl LeaseServer {
    /// A server that grants for this term.
    pub fn new(term: Duration) -> Self {
        LeaseServer { term, lease: None, expiry_timer: None, last_token: 0, waits_until: None, log: Disk::default() }
    }

    fn acquire(&mut self, env: &mut Env<'_, LeaseMessage>, attempt: GrantId) -> LeaseMessage {
        self.expire(env);
        let waiting = self.waits_until.is_some_and(|until| !env.mono_passed(until));
        if self.lease.is_some() || waiting {
            return LeaseMessage::Busy;
        }
        let token = self.last_token + 1;
        self.last_token = token;
        self.log.compact(token);
        self.lease = Some(Lease { holder: attempt, token, ends: env.mono_deadline(self.term) });
        self.expiry_timer = Some(env.set_timer(self.term, EXPIRE));
        env.note(Event::Granted { server: env.node(), grant: attempt });
        LeaseMessage::Granted { token }
    }

    fn release(&mut self, env: &mut Env<'_, LeaseMessage>, token: Token, by: GrantId) -> LeaseMessage {
        self.expire(env);
        match self.lease {
            Some(lease) if lease.token == token => {
                self.end(env, Cause::Released(by));
                LeaseMessage::Released
            }
            _ => LeaseMessage::NotYours,
        }
    }

    fn expire(&mut self, env: &mut Env<'_, LeaseMessage>) {
        if let Some(lease) = self.lease
            && env.mono_passed(lease.ends)
        {
            self.end(env, Cause::Expired);
        }
    }

    fn end(&mut self, env: &mut Env<'_, LeaseMessage>, cause: Cause) {
        if let Some(lease) = self.lease.take() {
            env.note(Event::Ended { server: env.node(), grant: lease.holder, cause });
        }
        if let Some(timer) = self.expiry_timer.take() {
            env.cancel_timer(timer);
        }
    }
}

impl Service<Wire<LeaseMessage>, Event> for LeaseServer {
    fn on_start(&mut self, env: &mut Env<'_, LeaseMessage>) {
        let Some(token) = self.log.records().last() else { return };
        self.last_token = *token;
        self.waits_until = Some(env.mono_deadline(self.term));
    }

    fn on_message(&mut self, env: &mut Env<'_, LeaseMessage>, from: Caller, message: Wire<LeaseMessage>) {
        let reply = match message {
            Wire::Lock(LeaseMessage::Acquire { attempt }) => self.acquire(env, attempt),
            Wire::Lock(LeaseMessage::Release { token, on_behalf }) => self.release(env, token, on_behalf),
            _ => return,
        };
        env.reply(from, reply);
    }

    fn on_timer(&mut self, env: &mut Env<'_, LeaseMessage>, _: u64) {
        self.expire(env);
    }

    fn on_crash(&mut self, env: &mut Env<'_, LeaseMessage>, disk: DiskFate) {
        self.log.crash(disk);
        if let Some(lost) = self.lease.take() {
            let left = lost.ends.at - env.mono();
            env.note_after(left, Event::Ended { server: env.node(), grant: lost.holder, cause: Cause::Expired });
        }
        (self.expiry_timer, self.last_token, self.waits_until) = (None, 0, None);
    }
}
