//! The process of one client of any lock. It performs the steps of its workload for each order in turn, and probes the
//! lock once all faults are healed.

mod nested;
mod one_lock;
mod ops;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::guarded::{ReadReply, StoreAccess, StoreClient};
use fencepost_models::history::{Ack, Event, GrantId, OrderEnd};
use fencepost_models::{Attempt, Ctx, Grant, Lock, LockError, Reason, ResourceId};
use fencepost_sim::{Either, Mono, NodeId, race};

pub(crate) use self::nested::nested_wait;
pub use self::ops::{AttemptResult, ClientOps, OpFuture, Steps, StepsFuture};
use crate::file::{Clients, OnUnknown};
use crate::workload::Workload;
use crate::workload::demand::{ClientOrders, Order};

/// The state that all clients of a case share.
pub(crate) struct Shared {
    pub clients: Clients,
    pub workload: Workload,
    pub store: NodeId,
    /// Whether the data lives in the lock's own service.
    pub in_service: bool,
    /// How long the probe after healing waits for the lock.
    pub probe_timeout: Duration,
    pub next_grant: Cell<u32>,
}

/// The state that survives a crash of the client: its progress with its orders.
pub(crate) struct DurableState {
    pub orders: ClientOrders,
    /// The current order, and its progress.
    pub current: Option<(Order, Progress)>,
    pub probed: bool,
}

/// The progress of an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The client is still thinking.
    Taken,
    Begun,
    WriteSent,
}

/// The process of one client.
pub(crate) struct Client<L: Lock> {
    ctx: Ctx<L::Message>,
    lock: L,
    /// The lock on the second resource, if the workload locks two.
    second: Option<L>,
    store: StoreClient<L::Message>,
    shared: Rc<Shared>,
    state: Rc<RefCell<DurableState>>,
}

/// The shortest delay between two attempts. It ensures that time advances whatever a lock replies.
const SHORTEST_DELAY: Duration = Duration::from_millis(1);

/// The only resource, or the first of two.
pub(super) const FIRST: ResourceId = ResourceId(0);

/// The second of two resources.
pub(super) const SECOND: ResourceId = ResourceId(1);

impl<L: Lock> Client<L> {
    pub fn new(params: &L::Params, ctx: Ctx<L::Message>, shared: Rc<Shared>, state: Rc<RefCell<DurableState>>) -> Self {
        let lock = L::connect(params, ctx.clone(), FIRST);
        let two = shared.workload.work.resources > 1;
        let second = two.then(|| L::connect(params, ctx.clone(), SECOND));
        let store = StoreClient::new(ctx.clone(), shared.store);
        Client { ctx, lock, second, store, shared, state }
    }

    pub async fn run(mut self) {
        self.resolve_after_crash();
        while !self.ctx.healed() {
            let Some(order) = self.take_order() else { break };
            if let Either::First(()) = race(self.ctx.healing(), self.ctx.sleep(self.delay_before(&order))).await {
                break;
            }
            self.process(&order).await;
        }
        self.ctx.healing().await;
        self.probe().await;
        self.ctx.note(Event::ClientDone { client: self.ctx.node() });
    }

    /// Returns the delay before the order begins: the wait for its event, then the think time.
    fn delay_before(&self, order: &Order) -> Duration {
        order.not_before.map_or(Duration::ZERO, |due| due - self.ctx.wall()) + order.think
    }

    /// Returns the lock on a resource.
    fn lock(&mut self, resource: ResourceId) -> &mut L {
        match &mut self.second {
            Some(second) if resource == SECOND => second,
            _ => &mut self.lock,
        }
    }

    /// Takes the next order. An order that was taken but not begun before a crash comes first.
    fn take_order(&mut self) -> Option<Order> {
        let state = &mut *self.state.borrow_mut();
        let order = state.current.map(|(order, _)| order).or_else(|| state.orders.next())?;
        state.current = Some((order, Progress::Taken));
        Some(order)
    }

    /// Resolves an order that a crash interrupted: the restarted process does not know its outcome.
    fn resolve_after_crash(&mut self) {
        let interrupted = self.state.borrow_mut().current.take_if(|(_, progress)| *progress != Progress::Taken);
        let Some((order, progress)) = interrupted else { return };
        let unknown = progress == Progress::WriteSent;
        self.note_resolved(&order, if unknown { OrderEnd::Unknown } else { OrderEnd::Abandoned });
    }

    fn note_resolved(&self, order: &Order, end: OrderEnd) {
        let (client, units) = (self.ctx.node(), order.units);
        self.ctx.note(Event::OrderResolved { client, order: order.id, units, end });
    }

    /// Performs one unit of work, and repeats it if another client wrote since the read.
    async fn process(&mut self, order: &Order) {
        self.state.borrow_mut().current = Some((*order, Progress::Begun));
        self.ctx.note(Event::OrderStarted { client: self.ctx.node(), order: order.id, units: order.units });
        let begun = self.ctx.mono();
        let (steps, wait_at_most) = (self.shared.workload.work.steps, self.shared.clients.wait_at_most);
        let end = loop {
            let give_up = self.ctx.mono() + wait_at_most;
            match (steps.run)(self, order, give_up).await {
                AttemptResult::Resolved(end) => break end,
                AttemptResult::Retry if self.ctx.mono() - begun < wait_at_most => {}
                AttemptResult::Retry => break OrderEnd::Abandoned,
            }
        };
        self.state.borrow_mut().current = None;
        self.note_resolved(order, end);
    }

    /// Returns an id that no other attempt of the case has.
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

    async fn read_once(&mut self, grant: &Grant, access: &StoreAccess) -> Result<ReadReply, LockError> {
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

    /// Acquires and releases each lock after healing, which the checkers require to succeed.
    async fn probe(&mut self) {
        if std::mem::replace(&mut self.state.borrow_mut().probed, true) {
            return;
        }
        for resource in (0..self.shared.workload.work.resources).map(ResourceId) {
            let give_up = self.ctx.mono() + self.shared.probe_timeout;
            if let Some(grant) = self.acquire(resource, give_up).await {
                self.release(resource, &grant).await.ok();
            }
        }
    }
}

impl<L: Lock> ClientOps for Client<L> {
    fn node(&self) -> NodeId {
        self.ctx.node()
    }

    fn clients(&self) -> &Clients {
        &self.shared.clients
    }

    fn commits_at_release(&self) -> bool {
        L::INFO.commits_at_release
    }

    fn access(&self, order: &Order) -> StoreAccess {
        let workload = &self.shared.workload;
        StoreAccess {
            order: order.id,
            units: order.units,
            update: workload.update(),
            with_id: self.shared.clients.on_unknown == OnUnknown::RetryWithId,
            adds: workload.work.adds,
            row: FIRST,
        }
    }

    fn nothing_to_do(&self, access: &StoreAccess, read: ReadReply) -> Option<OrderEnd> {
        (self.shared.workload.info.nothing_to_do)(access, read)
    }

    fn note_loss(&self, grant: &Grant) {
        self.ctx.note(Event::LossObserved { client: self.ctx.node(), grant: grant.id });
    }

    fn acquire(&mut self, resource: ResourceId, give_up: Mono) -> OpFuture<'_, Option<Grant>> {
        Box::pin(async move {
            let client = self.ctx.node();
            loop {
                let id = self.next_attempt();
                self.ctx.note(Event::AcquireInvoked { client, grant: id, resource });
                match self.lock(resource).acquire(Attempt { id, give_up }).await {
                    Ok(grant) => {
                        self.enter(&grant).await;
                        return Some(grant);
                    }
                    Err(error) => {
                        self.ctx.note(Event::NotAcquired { client, grant: id, ack: ack(&Err::<(), _>(error)) });
                        if error == LockError::Failed(Reason::Deadlock) {
                            return None;
                        }
                    }
                }
                let least = self.shared.clients.retry_delay.max(SHORTEST_DELAY);
                let delay = self.lock(resource).retry_delay().max(least);
                if self.ctx.mono() + delay >= give_up {
                    return None;
                }
                self.ctx.sleep(delay).await;
            }
        })
    }

    fn read<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess) -> OpFuture<'a, Result<ReadReply, LockError>> {
        Box::pin(async {
            let row = self.read_once(grant, access).await?;
            let (client, grant, order) = (self.ctx.node(), grant.id, access.order);
            self.ctx.note(Event::ReadOk { client, grant, order, count: row.count, version: row.version });
            Ok(row)
        })
    }

    fn hold<'a>(&'a mut self, grant: &'a Grant, time: Duration) -> OpFuture<'a, ()> {
        Box::pin(async move {
            let inner = self.acquire_nested(grant).await;
            self.ctx.sleep(time).await;
            self.release_nested(inner).await;
        })
    }

    fn check<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, Result<(), LockError>> {
        Box::pin(async move {
            let held = self.lock(resource).check(grant).await?;
            if held { Ok(()) } else { Err(LockError::Failed(Reason::NotHeld)) }
        })
    }

    fn write<'a>(
        &'a mut self,
        grant: &'a Grant,
        access: &'a StoreAccess,
        read: ReadReply,
    ) -> OpFuture<'a, Result<(), LockError>> {
        Box::pin(async move {
            let (client, order) = (self.ctx.node(), access.order);
            let deadline = self.ctx.mono() + self.shared.clients.wait_at_most;
            if let Some((_, progress)) = &mut self.state.borrow_mut().current {
                *progress = Progress::WriteSent;
            }
            loop {
                self.ctx.note(Event::WriteInvoked { client, grant: grant.id, order });
                let written = self.write_once(grant, access, read).await;
                self.ctx.note(Event::WriteReturned { client, grant: grant.id, order, ack: ack(&written) });
                let unknown = matches!(written, Err(LockError::Unknown(_)));
                let retries = self.shared.clients.on_unknown != OnUnknown::GiveUp;
                // A transaction ends with its connection, so a write within it cannot be retried.
                if !unknown || !retries || L::INFO.commits_at_release || self.ctx.mono() >= deadline {
                    if written.is_ok() {
                        self.ctx.reach_step("written").await;
                    }
                    return written;
                }
                self.ctx.sleep(SHORTEST_DELAY).await;
            }
        })
    }

    fn release<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, Result<(), LockError>> {
        Box::pin(async move {
            let client = self.ctx.node();
            self.ctx.clear_held(grant.id);
            self.ctx.note(Event::ReleaseInvoked { client, grant: grant.id });
            let released = self.lock(resource).release(grant).await;
            self.ctx.note(Event::ReleaseReturned { client, grant: grant.id, ack: ack(&released) });
            self.ctx.reach_step("released").await;
            released
        })
    }

    fn keep_until_expiry<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, bool> {
        Box::pin(async move {
            let Some(until) = grant.valid_until else { return false };
            self.lock(resource).abandon(grant);
            self.ctx.sleep_until(until.at).await;
            self.ctx.clear_held(grant.id);
            self.note_loss(grant);
            true
        })
    }

    fn sleep(&mut self, time: Duration) -> OpFuture<'_, ()> {
        Box::pin(self.ctx.sleep(time))
    }

    fn step(&mut self, label: &'static str) -> OpFuture<'_, ()> {
        Box::pin(self.ctx.reach_step(label))
    }
}

fn ack<T>(result: &Result<T, LockError>) -> Ack {
    match result {
        Ok(_) => Ack::Ok,
        Err(LockError::Failed(_)) => Ack::Failed,
        Err(LockError::Unknown(_)) => Ack::Unknown,
    }
}
