//! What only the master does: leases, fail-over, and the calls that wait.

use std::time::Duration;

use fencepost_sim::{Caller, Mono, MonoDeadline, Session, TimerId};

use super::machine::Update;
use super::server::{Chubby, Ticket, tag};
use super::{Call, ChubbyMessage};
use crate::history::GrantId;
use crate::history::ResourceId;
use crate::servers::raft::Core;
use crate::wire::Env;

/// The longest lock-delay: "currently one minute" (2.4).
const MAX_LOCK_DELAY: Duration = Duration::from_secs(60);

/// A session's lease.
pub(super) struct Lease {
    ends: MonoDeadline,
    timer: TimerId,
    /// The KeepAlive that is held back, and since when.
    held_back: Option<(Caller, Mono)>,
    /// How often it was extended by an answer.
    number: u64,
    /// It is over, and the replicas are asked to agree on that.
    ending: bool,
}

/// An `Acquire` that is not answered yet.
pub struct Waiter {
    pub(super) from: Caller,
    pub(super) resource: ResourceId,
    pub(super) session: GrantId,
    pub(super) handle: GrantId,
    lock_delay: Duration,
}

impl Chubby {
    /// Whether this replica is the master for certain: it leads, and a majority has promised not to elect another one.
    pub(super) fn is_master(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &Core<Self>) -> bool {
        core.leads() && self.master_until.is_some_and(|until| !env.mono_passed(until))
    }

    /// Has the master's lease renewed, from now on.
    pub(super) fn renew(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>) {
        let until = env.mono_deadline(self.timing.master_lease);
        core.read(Ticket::Renewal(until));
        self.renewal = Some(env.set_timer(self.timing.master_renewal, tag::MASTER));
    }

    /// A majority has confirmed the master. Those whose time had come meanwhile are answered.
    pub(super) fn renewed(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, until: MonoDeadline) {
        self.master_until = Some(until);
        let due = |lease: &Lease| lease.held_back.is_some() && self.timing.is_close(env.mono(), lease.ends);
        let overdue: Vec<GrantId> = self.leases.iter().filter(|(_, lease)| due(lease)).map(|(id, _)| *id).collect();
        for session in overdue {
            self.check_lease(env, core, session);
        }
    }

    /// Gives the session the longest lease.
    pub(super) fn begin_lease(&mut self, env: &mut Env<'_, ChubbyMessage>, session: GrantId) {
        let lease = self.timing.lease;
        let timer = env.set_timer(lease, tag::SESSION | u64::from(session.0) << 8);
        let new = Lease { ends: env.mono_deadline(lease), timer, held_back: None, number: 0, ending: false };
        if let Some(old) = self.leases.insert(session, new) {
            env.cancel_timer(old.timer);
        }
    }

    /// A session's client is alive.
    pub(super) fn keep_alive(
        &mut self,
        env: &mut Env<'_, ChubbyMessage>,
        core: &mut Core<Self>,
        from: Caller,
        session: GrantId,
        seen: u64,
    ) {
        let now = env.mono();
        let Some(lease) = self.leases.get_mut(&session) else {
            return env.reply(from, ChubbyMessage::Gone);
        };
        lease.held_back = Some((from, now));
        let (ignorant, lease_is_ending) = (seen < lease.number, lease.ending);
        if seen > 0 && self.unaware.remove(&session) {
            self.finish_failover(env, core);
        }
        if lease_is_ending {
            return;
        }
        // An answer that got lost, or the news of the fail-over, is not held back.
        if ignorant || self.unaware.contains(&session) {
            self.extend(env, session);
        } else {
            self.check_lease(env, core, session);
        }
    }

    /// Extends the lease if its end is close and a KeepAlive waits for that, or ends the session if none does and it is
    /// over.
    pub(super) fn check_lease(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, session: GrantId) {
        let certain = self.is_master(env, core);
        let Some(lease) = self.leases.get_mut(&session).filter(|lease| !lease.ending) else { return };
        let close = self.timing.is_close(env.mono(), lease.ends);
        match lease.held_back {
            Some(_) if close && certain => self.extend(env, session),
            // The next renewal of the master's lease sees to it.
            Some(_) if close => {}
            None if env.mono_passed(lease.ends) => {
                lease.ending = true;
                core.propose(&Update::End { session }, Ticket::End(session));
            }
            _ => self.set_alarm(env, session),
        }
    }

    /// Says who waits for the answer to a KeepAlive that was held back.
    pub(super) fn stop_lease(&mut self, env: &mut Env<'_, ChubbyMessage>, lease: Lease) -> Option<Caller> {
        env.cancel_timer(lease.timer);
        lease.held_back.map(|(from, _)| from)
    }

    /// The KeepAlives of a connection that was closed.
    pub(super) fn forget_held_back(&mut self, env: &mut Env<'_, ChubbyMessage>, conn: Session) {
        let mine = |lease: &Lease| lease.held_back.is_some_and(|(from, _)| from.session() == conn);
        let found: Vec<GrantId> = self.leases.iter().filter(|(_, lease)| mine(lease)).map(|(id, _)| *id).collect();
        for session in found {
            if let Some(lease) = self.leases.get_mut(&session) {
                lease.held_back = None;
            }
            self.set_alarm(env, session);
        }
    }

    /// The replicas did not agree on the end of a session, or not in time.
    pub(super) fn end_again(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, session: GrantId) {
        if let Some(lease) = self.leases.get_mut(&session) {
            lease.ending = false;
            self.check_lease(env, core, session);
        }
    }

    fn set_alarm(&mut self, env: &mut Env<'_, ChubbyMessage>, session: GrantId) {
        let Some(lease) = self.leases.get_mut(&session) else { return };
        let margin = if lease.held_back.is_some() { self.timing.margin() } else { Duration::ZERO };
        let left = (lease.ends.at - env.mono()).saturating_sub(margin);
        env.cancel_timer(lease.timer);
        lease.timer = env.set_timer(left, tag::SESSION | u64::from(session.0) << 8);
    }

    /// The master commits to the lease before it says so.
    fn extend(&mut self, env: &mut Env<'_, ChubbyMessage>, session: GrantId) {
        let Some(lease) = self.leases.get_mut(&session) else { return };
        let Some((from, since)) = lease.held_back.take() else { return };
        let left = self.timing.lease;
        (lease.ends, lease.number) = (env.mono_deadline(left), lease.number + 1);
        let (number, held_back) = (lease.number, env.mono() - since);
        env.reply(from, ChubbyMessage::Lease { number, held_back, left });
        self.set_alarm(env, session);
    }

    /// Once every session knows of the fail-over or is gone, the calls that came meanwhile are dealt with.
    pub(super) fn finish_failover(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>) {
        if self.unaware.is_empty() {
            for (from, message) in std::mem::take(&mut self.postponed) {
                self.take(env, core, from, message);
            }
        }
    }

    pub(super) fn call(
        &mut self,
        env: &mut Env<'_, ChubbyMessage>,
        core: &mut Core<Self>,
        from: Caller,
        session: GrantId,
        call: Call,
    ) {
        match call {
            Call::Acquire { resource, handle, lock_delay } => {
                self.waiting.retain(|waiter| waiter.handle != handle);
                let lock_delay = lock_delay.min(MAX_LOCK_DELAY);
                self.acquire(env, core, Waiter { from, resource, session, handle, lock_delay });
            }
            Call::Release { resource, handle } => {
                self.waiting.retain(|waiter| waiter.handle != handle);
                core.propose(&Update::Release { resource, session, handle }, Ticket::Release(from));
            }
        }
    }

    fn acquire(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, waiter: Waiter) {
        let delayed = self.delays.get(&waiter.resource).is_some_and(|until| !env.mono_passed(*until));
        if delayed || !core.machine().is_free(waiter.resource) && !self.asks_again(core, &waiter) {
            return self.waiting.push(waiter);
        }
        let Waiter { resource, session, handle, lock_delay, .. } = waiter;
        core.propose(&Update::Acquire { resource, session, handle, lock_delay }, Ticket::Acquire(waiter));
    }

    /// Whether the handle holds the lock already: its client did not get the answer.
    fn asks_again(&self, core: &Core<Self>, waiter: &Waiter) -> bool {
        core.machine().holds(waiter.resource, waiter.handle)
    }

    /// The lock may be had: by the one that has waited longest.
    pub(super) fn offer(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, resource: ResourceId) {
        if let Some(first) = self.waiting.iter().position(|waiter| waiter.resource == resource) {
            let waiter = self.waiting.remove(first);
            self.acquire(env, core, waiter);
        }
    }

    /// A lock cannot be had for the lock-delay of the holder that failed.
    pub(super) fn delay(&mut self, env: &mut Env<'_, ChubbyMessage>, resource: ResourceId, delay: Duration) {
        self.delays.insert(resource, env.mono_deadline(delay));
        env.set_timer(delay, tag::DELAY | u64::from(resource.0) << 8);
    }
}
