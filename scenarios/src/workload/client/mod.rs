//! What a client does, whatever its lock: think, acquire, read, hold, check, prepare, write, release, order after order;
//! and one probe of the lock once all faults are healed.

mod nested;
mod transfer;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::guarded::{ReadReply, StoreAccess, StoreClient, Update};
use fencepost_models::history::{Ack, Event, GrantId, OrderEnd, Refusal};
use fencepost_models::{Attempt, Ctx, Grant, Lock, LockError, Reason, ResourceId};
use fencepost_sim::{Either, Mono, NodeId, race};

pub(crate) use self::nested::nested_wait;
use crate::file::{AfterUnknown, Clients, OnUnknown};
use crate::workload::demand::{Order, OrderBook};
use crate::workload::{Guarded, Workload};

/// What all clients of a case share.
pub(crate) struct Shared {
    pub clients: Clients,
    pub workload: Workload,
    pub store: NodeId,
    /// The data lives in the lock's own service.
    pub in_service: bool,
    /// The probe after healing waits this long.
    pub probe_patience: Duration,
    pub next_grant: Cell<u32>,
}

/// What survives a crash of the client: where it stands with its orders.
pub(crate) struct Desk {
    pub orders: OrderBook,
    /// The order that was taken up, and how far it has come.
    pub current: Option<(Order, Progress)>,
    pub probed: bool,
}

/// How far an order has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The client is still thinking about it.
    Taken,
    Begun,
    WriteSent,
}

/// The process of one client.
pub(crate) struct Client<L: Lock> {
    ctx: Ctx<L::Message>,
    lock: L,
    /// The lock on the second resource, where the work takes two.
    second: Option<L>,
    store: StoreClient<L::Message>,
    shared: Rc<Shared>,
    desk: Rc<RefCell<Desk>>,
}

/// How one pass through the critical section came out.
enum Pass {
    Over(OrderEnd),
    /// Somebody else wrote since the read: start again.
    Again,
}

/// No attempt follows another faster than this, so that time passes whatever a lock answers.
const SHORTEST_DELAY: Duration = Duration::from_millis(1);

/// The resource of work that takes only one.
const FIRST: ResourceId = ResourceId(0);

/// The other resource of work that takes two.
const SECOND: ResourceId = ResourceId(1);

impl<L: Lock> Client<L> {
    pub fn new(params: &L::Params, ctx: Ctx<L::Message>, shared: Rc<Shared>, desk: Rc<RefCell<Desk>>) -> Self {
        let lock = L::connect(params, ctx.clone(), FIRST);
        let two = shared.workload.work.guarded.resources() > 1;
        let second = two.then(|| L::connect(params, ctx.clone(), SECOND));
        let store = StoreClient::new(ctx.clone(), shared.store);
        Client { ctx, lock, second, store, shared, desk }
    }

    /// The whole life of the process.
    pub async fn live(mut self) {
        self.resolve_after_crash();
        while !self.ctx.healed() {
            let Some(order) = self.take_order() else { break };
            if let Either::First(()) = race(self.ctx.healing(), self.ctx.sleep(self.until(&order))).await {
                break;
            }
            self.unit(&order).await;
        }
        self.ctx.healing().await;
        self.probe().await;
        self.ctx.note(Event::ClientDone { client: self.ctx.node() });
    }

    /// How long until the client turns to the order: until its event, and for as long as it thinks.
    fn until(&self, order: &Order) -> Duration {
        order.not_before.map_or(Duration::ZERO, |due| due - self.ctx.wall()) + order.think
    }

    /// The lock on a resource.
    fn lock(&mut self, resource: ResourceId) -> &mut L {
        match &mut self.second {
            Some(second) if resource == SECOND => second,
            _ => &mut self.lock,
        }
    }

    /// The next order; one that a crash interrupted before it was begun comes first.
    fn take_order(&mut self) -> Option<Order> {
        let desk = &mut *self.desk.borrow_mut();
        let order = desk.current.map(|(order, _)| order).or_else(|| desk.orders.next())?;
        desk.current = Some((order, Progress::Taken));
        Some(order)
    }

    /// An order that a crash interrupted has no one left who knows how it went.
    fn resolve_after_crash(&mut self) {
        let interrupted = self.desk.borrow_mut().current.take_if(|(_, progress)| *progress != Progress::Taken);
        let Some((order, progress)) = interrupted else { return };
        let unknown = progress == Progress::WriteSent;
        self.note_resolved(&order, if unknown { OrderEnd::Unknown } else { OrderEnd::Abandoned });
    }

    fn note_resolved(&self, order: &Order, end: OrderEnd) {
        let (client, units) = (self.ctx.node(), order.units);
        self.ctx.note(Event::OrderResolved { client, order: order.id, units, end });
    }

    /// One unit of work.
    async fn unit(&mut self, order: &Order) {
        self.desk.borrow_mut().current = Some((*order, Progress::Begun));
        self.ctx.note(Event::OrderStarted { client: self.ctx.node(), order: order.id, units: order.units });
        let begun = self.ctx.mono();
        let end = loop {
            let give_up = self.ctx.mono() + self.shared.clients.wait_at_most;
            let pass = match self.shared.workload.work.guarded {
                Guarded::Accounts { .. } => self.transfer(order, give_up).await,
                _ => self.under_the_lock(order, give_up).await,
            };
            match pass {
                Pass::Over(end) => break end,
                Pass::Again if self.ctx.mono() - begun < self.shared.clients.wait_at_most => {}
                Pass::Again => break OrderEnd::Abandoned,
            }
        };
        self.desk.borrow_mut().current = None;
        self.note_resolved(order, end);
    }

    async fn under_the_lock(&mut self, order: &Order, give_up: Mono) -> Pass {
        match self.acquire(FIRST, give_up).await {
            Some(grant) => self.work(&grant, order).await,
            None => Pass::Over(OrderEnd::Abandoned),
        }
    }

    /// Tries until it has the lock or its patience ends.
    async fn acquire(&mut self, resource: ResourceId, give_up: Mono) -> Option<Grant> {
        let client = self.ctx.node();
        loop {
            let id = self.next_attempt();
            self.ctx.note(Event::AcquireInvoked { client, grant: id, resource });
            match self.lock(resource).acquire(Attempt { id, give_up }).await {
                Ok(grant) => {
                    self.enter(&grant).await;
                    return Some(grant);
                }
                Err(error) => self.ctx.note(Event::NotAcquired { client, grant: id, ack: ack(&Err::<(), _>(error)) }),
            }
            let least = self.shared.clients.retry_delay.max(SHORTEST_DELAY);
            let delay = self.lock(resource).retry_delay().max(least);
            if self.ctx.mono() + delay >= give_up {
                return None;
            }
            self.ctx.sleep(delay).await;
        }
    }

    /// An id that no other attempt of the case has.
    fn next_attempt(&self) -> GrantId {
        let id = self.shared.next_grant.get();
        self.shared.next_grant.set(id + 1);
        GrantId(id)
    }

    async fn enter(&mut self, grant: &Grant) {
        let client = self.ctx.node();
        self.ctx.set_held(grant.id);
        let validity = grant.valid_until.is_some();
        self.ctx.note(Event::Acquired { client, grant: grant.id, token: grant.token, validity });
        if let Some(until) = grant.valid_until {
            self.ctx.note_at(until.at, Event::ValidityEnded { client, grant: grant.id });
        }
        self.ctx.reach_step("acquired").await;
    }

    /// The critical section, up to and including the release.
    async fn work(&mut self, grant: &Grant, order: &Order) -> Pass {
        let access = self.access(order);
        let row = match self.read(grant, &access).await {
            Ok(row) => row,
            Err(error) => return self.abort(grant, error).await,
        };
        self.note_read(grant, order, row);
        self.ctx.reach_step("read").await;
        if let Some(end) = self.needless(&access, row) {
            self.release(FIRST, grant).await.ok();
            return Pass::Over(end);
        }
        let inner = self.nest(grant).await;
        self.ctx.sleep(order.hold).await;
        self.unnest(inner).await;
        if self.shared.clients.check_before_write {
            let held = self.lock.check(grant).await;
            self.ctx.reach_step("checked").await;
            if !held {
                return self.abort(grant, LockError::Failed(Reason::NotHeld)).await;
            }
        }
        self.ctx.sleep(order.prepare).await;
        let written = self.write(grant, &access, row).await;
        self.conclude(grant, written).await
    }

    /// What the read may have shown: that there is nothing to write.
    fn needless(&self, access: &StoreAccess, row: ReadReply) -> Option<OrderEnd> {
        match self.shared.workload.work.guarded {
            // Under `conditional` it is the database that decides whether enough is left.
            Guarded::Stock(_) if access.update == Update::Conditional => None,
            Guarded::Stock(_) | Guarded::Accounts { .. } => {
                (row.count < i64::from(access.units)).then_some(OrderEnd::SoldOut)
            }
            Guarded::Effects { .. } => (row.count > 0).then_some(OrderEnd::DoneAlready),
            Guarded::Records(_) => None,
        }
    }

    fn access(&self, order: &Order) -> StoreAccess {
        let with_id = self.shared.clients.on_unknown == OnUnknown::RetryWithId;
        let workload = &self.shared.workload;
        let update = workload.update();
        let adds = matches!(workload.work.guarded, Guarded::Records(_));
        StoreAccess { order: order.id, units: order.units, update, with_id, adds, row: FIRST }
    }

    fn note_read(&self, grant: &Grant, order: &Order, row: ReadReply) {
        let (client, grant, order) = (self.ctx.node(), grant.id, order.id);
        self.ctx.note(Event::ReadOk { client, grant, order, count: row.count, version: row.version });
    }

    /// Leaves the critical section without having written.
    async fn abort(&mut self, grant: &Grant, error: LockError) -> Pass {
        if matches!(error, LockError::Failed(Reason::NotHeld | Reason::Refused(_))) {
            self.ctx.note(Event::LossObserved { client: self.ctx.node(), grant: grant.id });
        }
        self.release(FIRST, grant).await.ok();
        Pass::Over(OrderEnd::Abandoned)
    }

    /// Writes, again if the outcome is unknown and the scenario says so, for as long as a client waits for a lock.
    async fn write(&mut self, grant: &Grant, access: &StoreAccess, row: ReadReply) -> Result<(), LockError> {
        let (client, order) = (self.ctx.node(), access.order);
        let patience = self.ctx.mono() + self.shared.clients.wait_at_most;
        if let Some((_, progress)) = &mut self.desk.borrow_mut().current {
            *progress = Progress::WriteSent;
        }
        loop {
            self.ctx.note(Event::WriteInvoked { client, grant: grant.id, order });
            let written = self.write_once(grant, access, row).await;
            self.ctx.note(Event::WriteReturned { client, grant: grant.id, order, ack: ack(&written) });
            let unknown = matches!(written, Err(LockError::Unknown(_)));
            // A transaction whose connection broke is gone: there is nothing to repeat within it.
            if !unknown || !self.retries_unknown() || L::INFO.commits_at_release || self.ctx.mono() >= patience {
                if written.is_ok() {
                    self.ctx.reach_step("written").await;
                }
                return written;
            }
            self.ctx.sleep(SHORTEST_DELAY).await;
        }
    }

    async fn read(&mut self, grant: &Grant, access: &StoreAccess) -> Result<ReadReply, LockError> {
        if self.shared.in_service
            && let Some(data) = self.lock(access.row).in_store()
        {
            return data.read(grant, access).await;
        }
        self.store.read(grant, access).await
    }

    async fn write_once(&mut self, grant: &Grant, access: &StoreAccess, row: ReadReply) -> Result<(), LockError> {
        if self.shared.in_service
            && let Some(data) = self.lock(access.row).in_store()
        {
            return data.write(grant, access, row).await;
        }
        self.store.write(grant, access, row).await
    }

    fn retries_unknown(&self) -> bool {
        self.shared.clients.on_unknown != OnUnknown::GiveUp
    }

    /// Releases after the write, and judges the order.
    async fn conclude(&mut self, grant: &Grant, written: Result<(), LockError>) -> Pass {
        if matches!(written, Err(LockError::Failed(Reason::Refused(Refusal::Fenced | Refusal::NotClaimed)))) {
            self.ctx.note(Event::LossObserved { client: self.ctx.node(), grant: grant.id });
        }
        let unknown = matches!(written, Err(LockError::Unknown(_)));
        if unknown && self.shared.clients.after_unknown == AfterUnknown::Keep && self.outlive(FIRST, grant).await {
            return Pass::Over(OrderEnd::Unknown);
        }
        let released = self.release(FIRST, grant).await;
        let decisive = if L::INFO.commits_at_release && written.is_ok() { released } else { written };
        match decisive {
            Ok(()) => Pass::Over(OrderEnd::Acked),
            Err(LockError::Failed(Reason::Refused(Refusal::SoldOut))) => Pass::Over(OrderEnd::SoldOut),
            Err(LockError::Failed(Reason::Refused(Refusal::StaleVersion))) => Pass::Again,
            Err(LockError::Failed(_)) => Pass::Over(OrderEnd::Abandoned),
            Err(LockError::Unknown(_)) if L::INFO.commits_at_release && self.retries_unknown() => Pass::Again,
            Err(LockError::Unknown(_)) => Pass::Over(OrderEnd::Unknown),
        }
    }

    /// Keeps the lock until its own validity ends. Says whether it has one.
    async fn outlive(&mut self, resource: ResourceId, grant: &Grant) -> bool {
        let Some(until) = grant.valid_until else { return false };
        self.lock(resource).abandon(grant);
        self.ctx.sleep_until(until.at).await;
        self.ctx.clear_held(grant.id);
        self.ctx.note(Event::LossObserved { client: self.ctx.node(), grant: grant.id });
        true
    }

    async fn release(&mut self, resource: ResourceId, grant: &Grant) -> Result<(), LockError> {
        let client = self.ctx.node();
        self.ctx.clear_held(grant.id);
        self.ctx.note(Event::ReleaseInvoked { client, grant: grant.id });
        let released = self.lock(resource).release(grant).await;
        self.ctx.note(Event::ReleaseReturned { client, grant: grant.id, ack: ack(&released) });
        self.ctx.reach_step("released").await;
        released
    }

    /// After healing, shows that the lock can be had again, or each of two.
    async fn probe(&mut self) {
        if std::mem::replace(&mut self.desk.borrow_mut().probed, true) {
            return;
        }
        for resource in (0..self.shared.workload.work.guarded.resources()).map(ResourceId) {
            let give_up = self.ctx.mono() + self.shared.probe_patience;
            if let Some(grant) = self.acquire(resource, give_up).await {
                self.release(resource, &grant).await.ok();
            }
        }
    }
}

fn ack<T>(result: &Result<T, LockError>) -> Ack {
    match result {
        Ok(_) => Ack::Ok,
        Err(LockError::Failed(_)) => Ack::Failed,
        Err(LockError::Unknown(_)) => Ack::Unknown,
    }
}
