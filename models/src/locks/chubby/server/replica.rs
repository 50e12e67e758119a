//! A replica of a Chubby cell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fencepost_sim::{Caller, Mono, MonoDeadline, Session, TimerId};

use super::ChubbyMessage;
use super::machine::{Database, Outcome, Update};
use crate::history::{GrantId, ResourceId};
use crate::servers::raft::{Applied, Core, RaftApp, RequestError};
use crate::wire::Env;

/// The timings of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The lease of a session.
    pub lease: Duration,
    /// The master's own lease.
    pub master_lease: Duration,
    /// The interval between renewals of the master's lease.
    pub master_renewal: Duration,
}

/// A replica. All but `timing` is in the memory of the master only.
pub struct Chubby {
    pub(super) timing: Timing,
    pub(super) master_until: Option<MonoDeadline>,
    /// The timer of the next renewal of the master's lease.
    pub(super) renewal: Option<TimerId>,
    pub(super) leases: BTreeMap<GrantId, Lease>,
    /// Sessions that have not acknowledged the fail-over.
    pub(super) unaware: BTreeSet<GrantId>,
    /// Calls that wait until all sessions have acknowledged it.
    pub(super) postponed: Vec<(Caller, ChubbyMessage)>,
    pub(super) waiting: Vec<Waiter>,
    pub(super) delays: BTreeMap<ResourceId, MonoDeadline>,
}

/// A session's lease.
pub(super) struct Lease {
    pub(super) ends: MonoDeadline,
    pub(super) timer: TimerId,
    /// The delayed KeepAlive, and the time of its arrival.
    pub(super) held_back: Option<(Caller, Mono)>,
    /// The number of extensions by an answer.
    pub(super) number: u64,
    /// Whether it has expired and the replicas are asked to end the session.
    pub(super) ending: bool,
}

/// An unanswered `Acquire`.
pub struct Waiter {
    pub(super) from: Caller,
    pub(super) resource: ResourceId,
    pub(super) session: GrantId,
    pub(super) handle: GrantId,
    pub(super) lock_delay: Duration,
}

/// The purpose of a proposal or a read.
pub enum Ticket {
    /// A client that creates a session.
    Create(Caller, GrantId),
    /// The master, which ends a session.
    End(GrantId),
    /// A client that waits for a lock.
    Acquire(Waiter),
    /// A client that releases a lock.
    Release(Caller),
    /// The master, whose lease extends to this time if a majority confirms it.
    Renewal(MonoDeadline),
}

/// The purpose of a timer: the low byte of its tag. The rest is a number.
pub(super) mod tag {
    pub const SESSION: u64 = 0;
    pub const MASTER: u64 = 1;
    pub const DELAY: u64 = 2;
    pub const END: u64 = 3;
}

/// The delay before the next attempt to end a session, if the replicas did not agree.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl Timing {
    /// The rest of a lease at which it is extended: the paper says "close". A sixth of it: 2 s of 12 s.
    pub(super) fn margin(&self) -> Duration {
        self.lease / 6
    }

    pub(super) fn is_close(&self, now: Mono, ends: MonoDeadline) -> bool {
        ends.at - now <= self.margin()
    }
}

impl Chubby {
    /// A new replica.
    pub fn new(timing: Timing) -> Self {
        Chubby {
            timing,
            master_until: None,
            renewal: None,
            leases: BTreeMap::new(),
            unaware: BTreeSet::new(),
            postponed: Vec::new(),
            waiting: Vec::new(),
            delays: BTreeMap::new(),
        }
    }

    /// Handles a client's message.
    pub(super) fn on_client_message(
        &mut self,
        env: &mut Env<'_, ChubbyMessage>,
        core: &mut Core<Self>,
        from: Caller,
        message: ChubbyMessage,
    ) {
        if !self.is_master(env, core) {
            return env.reply(from, not_master(core));
        }
        match message {
            ChubbyMessage::KeepAlive { epoch, .. } | ChubbyMessage::Call { epoch, .. } if epoch != core.term() => {
                env.reply(from, ChubbyMessage::NewEpoch { epoch: core.term() });
            }
            ChubbyMessage::KeepAlive { session, seen, .. } => self.keep_alive(env, core, from, session, seen),
            message if !self.unaware.is_empty() => self.postponed.push((from, message)),
            ChubbyMessage::Create { session } => {
                core.propose(&Update::Create { session }, Ticket::Create(from, session));
            }
            ChubbyMessage::Call { session, call, .. } => self.call(env, core, from, session, call),
            _ => {}
        }
    }

    fn created(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &Core<Self>, from: Caller, session: GrantId) {
        self.begin_lease(env, session);
        env.reply(from, ChubbyMessage::Created { epoch: core.term(), left: self.timing.lease });
    }

    /// Answers everything that waits on an ended session.
    fn ended(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, session: GrantId) {
        if let Some(lease) = self.leases.remove(&session)
            && let Some(from) = self.stop_lease(env, lease)
        {
            env.reply(from, ChubbyMessage::Gone);
        }
        for waiter in self.waiting.extract_if(.., |waiter| waiter.session == session) {
            env.reply(waiter.from, ChubbyMessage::Gone);
        }
        if self.unaware.remove(&session) {
            self.finish_failover(env, core);
        }
    }

    /// Drops the state of the master.
    fn clear(&mut self) {
        *self = Chubby::new(self.timing);
    }
}

fn not_master(core: &Core<Chubby>) -> ChubbyMessage {
    let elsewhere = core.leader().filter(|_| !core.leads());
    let index = elsewhere.and_then(|leader| core.members().iter().position(|member| *member == leader));
    ChubbyMessage::NotMaster { master: index.map(|index| index as u8) }
}

impl RaftApp for Chubby {
    type Machine = Database;
    type Message = ChubbyMessage;
    type Ticket = Ticket;

    fn on_request(
        &mut self,
        env: &mut Env<'_, ChubbyMessage>,
        core: &mut Core<Self>,
        from: Caller,
        message: ChubbyMessage,
    ) {
        self.on_client_message(env, core, from, message);
    }

    fn on_applied(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, applied: Applied<Self>) {
        match (applied.ticket, &applied.answer) {
            (Some(Ticket::Create(from, session)), _) if core.leads() => self.created(env, core, from, session),
            (Some(Ticket::Acquire(waiter)), Outcome::Acquired(generation)) => {
                env.reply(waiter.from, ChubbyMessage::Acquired { generation: *generation });
            }
            (Some(Ticket::Acquire(waiter)), Outcome::Busy) => self.waiting.insert(0, waiter),
            (Some(Ticket::Acquire(waiter)), _) => {
                env.reply(waiter.from, ChubbyMessage::Gone);
                self.offer(env, core, waiter.resource);
            }
            (Some(Ticket::Release(from)), Outcome::Released(held)) => {
                env.reply(from, ChubbyMessage::Released { held: *held });
            }
            (Some(Ticket::Release(from)), _) => env.reply(from, ChubbyMessage::Gone),
            _ => {}
        }
        if !core.leads() {
            return;
        }
        match (applied.command, applied.answer) {
            (Update::Release { resource, .. }, Outcome::Released(true)) => self.offer(env, core, resource),
            (Update::End { session }, Outcome::Ended(freed)) => {
                for (resource, delay) in core.machine().delays().filter(|(freed_now, _)| freed.contains(freed_now)) {
                    self.delay(env, resource, delay);
                }
                self.ended(env, core, session);
            }
            _ => {}
        }
    }

    fn on_read(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, ticket: Ticket) {
        if let Ticket::Renewal(until) = ticket {
            self.renewed(env, core, until);
        }
    }

    fn on_failed(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, ticket: Ticket, _: RequestError) {
        match ticket {
            Ticket::Create(from, _) | Ticket::Acquire(Waiter { from, .. }) | Ticket::Release(from) => {
                env.reply(from, not_master(core));
            }
            Ticket::End(session) => {
                env.set_timer(TRY_AGAIN, tag::END | u64::from(session.0) << 8);
            }
            Ticket::Renewal(_) => {}
        }
    }

    /// Section 2.9: the sessions come from the database. Each gets the longest lease and must acknowledge the
    /// fail-over.
    fn on_leader(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>) {
        for session in core.machine().sessions() {
            self.begin_lease(env, session);
            self.unaware.insert(session);
        }
        for (resource, delay) in core.machine().delays() {
            self.delay(env, resource, delay);
        }
        self.renew(env, core);
    }

    fn on_deposed(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>) {
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|waiter| waiter.from);
        let mut callers: Vec<Caller> = waiting.collect();
        callers.extend(std::mem::take(&mut self.postponed).into_iter().map(|(from, _)| from));
        for lease in std::mem::take(&mut self.leases).into_values() {
            callers.extend(self.stop_lease(env, lease));
        }
        for ticket in core.take_pending() {
            match ticket {
                Ticket::Create(from, _) | Ticket::Acquire(Waiter { from, .. }) | Ticket::Release(from) => {
                    callers.push(from);
                }
                Ticket::End(_) | Ticket::Renewal(_) => {}
            }
        }
        callers.into_iter().for_each(|from| env.reply(from, not_master(core)));
        if let Some(renewal) = self.renewal {
            env.cancel_timer(renewal);
        }
        self.clear();
    }

    fn on_timer(&mut self, env: &mut Env<'_, ChubbyMessage>, core: &mut Core<Self>, tag: u64) {
        if !core.leads() {
            return;
        }
        let number = tag >> 8;
        match tag & 0xff {
            tag::MASTER => self.renew(env, core),
            tag::DELAY => self.offer(env, core, ResourceId(number as u8)),
            tag::END => self.retry_end(env, core, GrantId(number as u32)),
            _ => self.check_lease(env, core, GrantId(number as u32)),
        }
    }

    /// Drops what a closed connection waits for.
    fn on_disconnect(&mut self, env: &mut Env<'_, ChubbyMessage>, _: &mut Core<Self>, session: Session) {
        self.waiting.retain(|waiter| waiter.from.session() != session);
        self.postponed.retain(|(from, _)| from.session() != session);
        self.drop_delayed(env, session);
    }

    fn on_crash(&mut self, _: &mut Env<'_, ChubbyMessage>) {
        self.clear();
    }
}
