//! The textbook lease: one server grants the lock for a term and numbers the grants.
//!
//! After Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency"
//! (SOSP 1989). The term runs on the server's clock; the client counts it from before its request, so that it gives up
//! first. A server that lost its memory waits for the longest term before it grants again. The number is the fencing
//! token of Kleppmann, "How to do distributed locking" (2016): durable before the reply.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::{Caller, MonoDeadline, Service, TimerId};
use serde::Serialize;

use crate::history::{Cause, Event, GrantId, ResourceId, Token};
use crate::wire::{Env, Wire};

/// A request or a reply of the lease server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum LeaseMessage {
    /// Requests the lease of this resource.
    Acquire {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        attempt: GrantId,
    },
    /// Releases the lease; the token identifies the grant.
    Release {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        token: Token,
        on_behalf: GrantId,
    },
    /// The lease is granted for the term.
    Granted { token: Token },
    /// Another client has the lease, or the server does not grant yet.
    Busy,
    /// The lease was released.
    Released,
    /// The client no longer had the lease.
    NotYours,
}

/// The lease server.
pub struct LeaseServer {
    term: Duration,
    leases: BTreeMap<ResourceId, Lease>,
    /// The newest token of all resources: tokens never repeat.
    last_token: Token,
    /// After a restart: no grants before this, since an old lease may still be valid.
    waits_until: Option<MonoDeadline>,
    log: Disk<Token>,
}

#[derive(Clone, Copy)]
struct Lease {
    holder: GrantId,
    token: Token,
    ends: MonoDeadline,
    timer: TimerId,
}

impl LeaseServer {
    /// A server that grants leases of this term.
    pub fn new(term: Duration) -> Self {
        LeaseServer { term, leases: BTreeMap::new(), last_token: 0, waits_until: None, log: Disk::default() }
    }

    fn acquire(&mut self, env: &mut Env<'_, LeaseMessage>, resource: ResourceId, attempt: GrantId) -> LeaseMessage {
        self.expire(env, resource);
        let waiting = self.waits_until.is_some_and(|until| !env.mono_passed(until));
        if self.leases.contains_key(&resource) || waiting {
            return LeaseMessage::Busy;
        }
        let token = self.last_token + 1;
        self.last_token = token;
        self.log.compact(token);
        let ends = env.mono_deadline(self.term);
        let timer = env.set_timer(self.term, resource.0.into());
        self.leases.insert(resource, Lease { holder: attempt, token, ends, timer });
        env.note(Event::Granted { server: env.node(), grant: attempt });
        LeaseMessage::Granted { token }
    }

    fn release(
        &mut self,
        env: &mut Env<'_, LeaseMessage>,
        resource: ResourceId,
        token: Token,
        by: GrantId,
    ) -> LeaseMessage {
        self.expire(env, resource);
        match self.leases.get(&resource) {
            Some(lease) if lease.token == token => {
                self.end(env, resource, Cause::Released(by));
                LeaseMessage::Released
            }
            _ => LeaseMessage::NotYours,
        }
    }

    fn expire(&mut self, env: &mut Env<'_, LeaseMessage>, resource: ResourceId) {
        if self.leases.get(&resource).is_some_and(|lease| env.mono_passed(lease.ends)) {
            self.end(env, resource, Cause::Expired);
        }
    }

    fn end(&mut self, env: &mut Env<'_, LeaseMessage>, resource: ResourceId, cause: Cause) {
        if let Some(lease) = self.leases.remove(&resource) {
            env.note(Event::Ended { server: env.node(), grant: lease.holder, cause });
            env.cancel_timer(lease.timer);
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
        let Wire::Lock(message) = message else { return };
        let reply = match message {
            LeaseMessage::Acquire { resource, attempt } => self.acquire(env, resource, attempt),
            LeaseMessage::Release { resource, token, on_behalf } => self.release(env, resource, token, on_behalf),
            _ => return,
        };
        env.reply(from, reply);
    }

    /// The lease of the resource in the tag has expired.
    fn on_timer(&mut self, env: &mut Env<'_, LeaseMessage>, tag: u64) {
        if let Ok(resource) = u8::try_from(tag) {
            self.expire(env, ResourceId(resource));
        }
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        each(&mut self.log);
    }

    fn on_crash(&mut self, env: &mut Env<'_, LeaseMessage>, disk: DiskFate) {
        self.log.crash(disk);
        for lost in std::mem::take(&mut self.leases).into_values() {
            let left = lost.ends.at - env.mono();
            env.note_after(left, Event::Ended { server: env.node(), grant: lost.holder, cause: Cause::Expired });
        }
        (self.last_token, self.waits_until) = (0, None);
    }
}
