//! The work of the master: leases, fail-over, and waiting calls.

use std::time::Duration;

use fencepost_sim::{Caller, MonoDeadline, Session};

use super::machine::Update;
use super::replica::{Chubby, Lease, Ticket, Waiter, tag};
use super::{Call, ChubbyMessage};
use crate::history::{GrantId, ResourceId};
use crate::servers::raft::Core;
use crate::wire::Env;

/// The longest lock-delay: "currently one minute" (2.4).
const MAX_LOCK_DELAY: Duration = Duration::from_secs(60);

impl Chubby {
    /// Whether this replica is certainly the master: it leads, and a majority has promised not to elect another one.
    pub(super) fn is_master(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &Core<Self>) -> bool {
        core.leads() && self.master_until.is_some_and(|until| !env.mono_passed(until))
    }

    /// Starts a renewal of the master's lease.
    pub(super) fn renew(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>) {
        let until = env.mono_deadline(self.timing.master_lease);
        core.read(Ticket::Renewal(until));
        self.renewal = Some(env.set_timer(self.timing.master_renewal, tag::MASTER));
    }

    /// Handles the confirmation by a majority, and answers the sessions whose time has come.
    pub(super) fn renewed(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, until: MonoDeadline) {
        self.master_until = Some(until);
        let due = |lease: &Lease| lease.held_back.is_some() && self.timing.is_close(env.mono(), lease.ends);
        let overdue: Vec<GrantId> = self.leases.iter().filter(|(_, lease)| due(lease)).map(|(id, _)| *id).collect();
        for session in overdue {
            self.check_lease(env, core, session);
        }
    }

    /// Starts the longest lease for the session.
    pub(super) fn begin_lease(&mut self, env: &mut Env<'_, ChubbyMessage>, session: GrantId) {
        let lease = self.timing.lease;
        let timer = env.set_timer(lease, tag::SESSION | u64::from(session.0) << 8);
        let new = Lease { ends: env.mono_deadline(lease), timer, held_back: None, number: 0, ending: false };
        if let Some(old) = self.leases.insert(session, new) {
            env.cancel_timer(old.timer);
        }
    }

    /// Handles a KeepAlive.
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
        // A repeated answer, or the news of the fail-over, is not delayed.
        if ignorant || self.unaware.contains(&session) {
            self.extend(env, session);
        } else {
            self.check_lease(env, core, session);
        }
    }

    /// Extends the lease if its end is close and a KeepAlive waits; ends the session if it expired without one.
    pub(super) fn check_lease(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, session: GrantId) {
        let certain = self.is_master(env, core);
        let Some(lease) = self.leases.get_mut(&session).filter(|lease| !lease.ending) else { return };
        let close = self.timing.is_close(env.mono(), lease.ends);
        match lease.held_back {
            Some(_) if close && certain => self.extend(env, session),
            // The next renewal of the master's lease handles it.
            Some(_) if close => {}
            None if env.mono_passed(lease.ends) => {
                lease.ending = true;
                core.propose(&Update::End { session }, Ticket::End(session));
            }
            _ => self.set_alarm(env, session),
        }
    }

    /// Returns the caller of a delayed KeepAlive.
    pub(super) fn stop_lease(&mut self, env: &mut Env<'_, ChubbyMessage>, lease: Lease) -> Option<Caller> {
        env.cancel_timer(lease.timer);
        lease.held_back.map(|(from, _)| from)
    }

    /// Drops the delayed KeepAlives of a closed connection.
    pub(super) fn drop_delayed(&mut self, env: &mut Env<'_, ChubbyMessage>, conn: Session) {
        let mine = |lease: &Lease| lease.held_back.is_some_and(|(from, _)| from.session() == conn);
        let found: Vec<GrantId> = self.leases.iter().filter(|(_, lease)| mine(lease)).map(|(id, _)| *id).collect();
        for session in found {
            if let Some(lease) = self.leases.get_mut(&session) {
                lease.held_back = None;
            }
            self.set_alarm(env, session);
        }
    }

    /// Retries to end a session, on which the replicas did not agree in time.
    pub(super) fn retry_end(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, session: GrantId) {
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

    /// Extends the lease before the answer announces it.
    fn extend(&mut self, env: &mut Env<'_, ChubbyMessage>, session: GrantId) {
        let Some(lease) = self.leases.get_mut(&session) else { return };
        let Some((from, since)) = lease.held_back.take() else { return };
        let left = self.timing.lease;
        (lease.ends, lease.number) = (env.mono_deadline(left), lease.number + 1);
        let (number, held_back) = (lease.number, env.mono() - since);
        env.reply(from, ChubbyMessage::Lease { number, held_back, left });
        self.set_alarm(env, session);
    }

    /// Handles the postponed calls once every session has_session of the fail-over or has ended.
    pub(super) fn finish_failover(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>) {
        if self.unaware.is_empty() {
            for (from, message) in std::mem::take(&mut self.postponed) {
                self.on_client_message(env, core, from, message);
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
            Call::Check { resource, handle } => {
                let reply = if self.is_master(env, core) {
                    ChubbyMessage::Checked { valid: core.machine().holds(resource, handle) }
                } else {
                    ChubbyMessage::NotMaster { master: None }
                };
                env.reply(from, reply);
            }
            Call::Release { resource, handle } => {
                self.waiting.retain(|waiter| waiter.handle != handle);
                core.propose(&Update::Release { resource, session, handle }, Ticket::Release(from));
            }
        }
    }

    fn acquire(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, waiter: Waiter) {
        let delayed = self.delays.get(&waiter.resource).is_some_and(|until| !env.mono_passed(*until));
        if delayed || !core.machine().is_free(waiter.resource) && !self.holds_already(core, &waiter) {
            return self.waiting.push(waiter);
        }
        let Waiter { resource, session, handle, lock_delay, .. } = waiter;
        core.propose(&Update::Acquire { resource, session, handle, lock_delay }, Ticket::Acquire(waiter));
    }

    /// Whether the handle already holds the lock: its client missed the answer.
    fn holds_already(&self, core: &Core<Self>, waiter: &Waiter) -> bool {
        core.machine().holds(waiter.resource, waiter.handle)
    }

    /// Grants a free lock to the longest waiter.
    pub(super) fn offer(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, resource: ResourceId) {
        if let Some(first) = self.waiting.iter().position(|waiter| waiter.resource == resource) {
            let waiter = self.waiting.remove(first);
            self.acquire(env, core, waiter);
        }
    }

    /// Starts the lock-delay of a failed holder.
    pub(super) fn delay(&mut self, env: &mut Env<'_, ChubbyMessage>, resource: ResourceId, delay: Duration) {
        self.delays.insert(resource, env.mono_deadline(delay));
        env.set_timer(delay, tag::DELAY | u64::from(resource.0) << 8);
    }
}
