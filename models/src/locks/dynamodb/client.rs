//! The lock client's memory and its heartbeats.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{CallError, ConnId, Mono, MonoDeadline, NodeId, Signal};
use serde::Serialize;

use super::DynamoDbParams;
use super::acquire::Seen;
use crate::history::{GrantId, ResourceId};
use crate::servers::conditional::{Item, ItemMessage, Version};
use crate::wire::Ctx;

/// The messages of DynamoDB and its clients.
pub type DynamoDbMessage = ItemMessage<LockRow>;

/// The item of a lock.
#[derive(Clone, Debug, Serialize)]
pub struct LockRow {
    /// `ownerName`.
    pub owner: NodeId,
    /// `leaseDuration`, in milliseconds.
    pub lease_ms: u64,
    /// `recordVersionNumber`.
    pub number: RecordNumber,
    /// `isReleased`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// The grant, as ground truth.
    pub grant: GrantId,
}

/// A record version number: a GUID in the real client. Here it is unique because attempts are. Like a GUID it has no
/// order, since it is only compared for equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RecordNumber(GrantId, u32);

/// The conditions of the lock client's writes. Those that also name the owner add nothing to the record version number:
/// no two owners share one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// `attribute_not_exists(key)`.
    Absent,
    /// `attribute_exists(key) AND isReleased = 1`.
    Released,
    /// `attribute_exists(key) AND recordVersionNumber = …`.
    Number(RecordNumber),
}

impl Item for LockRow {
    type Condition = Condition;

    fn meets(stored: Option<&Self>, _: Version, condition: &Condition) -> bool {
        match (condition, stored) {
            (Condition::Absent, stored) => stored.is_none(),
            (Condition::Released, Some(row)) => row.released,
            (Condition::Number(number), Some(row)) => row.number == *number,
            (_, None) => false,
        }
    }

    fn holder(&self) -> Option<GrantId> {
        (!self.released).then_some(self.grant)
    }

    fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

/// The `LockItem` of the client's lock.
#[derive(Clone, Copy)]
pub(super) struct LockItem {
    pub grant: GrantId,
    pub number: RecordNumber,
    /// The time just before the last heartbeat or put was sent.
    pub looked_up: Mono,
    pub expires: MonoDeadline,
    /// Whether it is in the client's map of locks, and so gets heartbeats.
    pub beating: bool,
}

/// The lock client: the state that the user's thread and the heartbeat thread share.
pub(super) struct Client {
    pub ctx: Ctx<DynamoDbMessage>,
    pub params: DynamoDbParams,
    pub resource: ResourceId,
    pub item: RefCell<Option<LockItem>>,
    numbers: Cell<u32>,
    /// The item of another owner that an earlier acquire has seen (`notMyLocks`).
    pub observed: Cell<Option<Seen>>,
    /// A heartbeat is in progress. The real client synchronizes on the `LockItem`: a release waits for it.
    sending: Cell<bool>,
    sent: Signal,
    /// Signals that a lock needs heartbeats.
    pub woken: Signal,
    /// The connections of the two threads: the SDK's pool gives each call its own.
    calls: Cell<ConnId>,
    beats: Cell<ConnId>,
}

impl Client {
    pub fn new(params: DynamoDbParams, ctx: Ctx<DynamoDbMessage>, resource: ResourceId) -> Rc<Self> {
        let server = ctx.find("dynamodb");
        let (calls, beats) = (Cell::new(ctx.connect(server)), Cell::new(ctx.connect(server)));
        Rc::new(Client {
            ctx,
            params,
            resource,
            item: RefCell::default(),
            observed: Cell::default(),
            numbers: Cell::new(0),
            sending: Cell::new(false),
            sent: Signal::default(),
            woken: Signal::default(),
            calls,
            beats,
        })
    }

    /// Sends a request from the user's thread, and reaches the step once it is sent.
    pub async fn ask(
        &self,
        message: DynamoDbMessage,
        within: Duration,
        step: Option<&'static str>,
    ) -> Result<DynamoDbMessage, CallError> {
        self.ask_on(&self.calls, message, within, step).await
    }

    /// A timed-out call also closes its connection.
    async fn ask_on(
        &self,
        conn: &Cell<ConnId>,
        message: DynamoDbMessage,
        within: Duration,
        step: Option<&'static str>,
    ) -> Result<DynamoDbMessage, CallError> {
        let call = self.ctx.ask(conn.get(), message, within);
        if let Some(step) = step {
            self.ctx.reach_step(step).await;
        }
        let reply = call.await;
        if matches!(reply, Err(CallError::TimedOut)) {
            conn.set(self.ctx.reopen(conn.get()));
        }
        reply
    }

    /// A row of this client with a new number.
    pub fn new_row(&self, grant: GrantId) -> LockRow {
        self.numbers.set(self.numbers.get() + 1);
        self.row(grant, RecordNumber(grant, self.numbers.get()), false)
    }

    /// A row of this client.
    pub fn row(&self, grant: GrantId, number: RecordNumber, released: bool) -> LockRow {
        let lease_ms = self.params.lease_duration.0.as_millis() as u64;
        LockRow { owner: self.ctx.node(), lease_ms, number, released, grant }
    }

    /// The client's lock, unless it has expired by the client's clock: `hasLock` of the real client.
    pub fn has_lock(&self) -> Option<LockItem> {
        self.item.borrow().filter(|item| item.beating && !self.ctx.passed(item.expires))
    }

    /// The item of this grant, expired or not.
    pub fn item_of(&self, grant: GrantId) -> Option<LockItem> {
        self.item.borrow().filter(|item| item.grant == grant)
    }

    /// Waits until no heartbeat is in progress.
    pub async fn wait_for_heartbeat(&self) {
        while self.sending.get() {
            self.sent.raised().await;
        }
    }

    /// The background thread: a round every period from the client's start, or at once after a heartbeat that took
    /// longer. Rounds without a lock do nothing and are skipped.
    pub async fn run_heartbeats(self: Rc<Self>) {
        let period = self.params.heartbeat_period.0;
        let mut round = self.ctx.mono();
        loop {
            while !self.beating() {
                self.woken.raised().await;
                round = next_round(round, self.ctx.mono(), period);
            }
            self.ctx.sleep_until(round).await;
            let started = self.ctx.mono();
            self.heartbeat().await;
            round = (started + period).max(self.ctx.mono());
        }
    }

    fn beating(&self) -> bool {
        self.item.borrow().is_some_and(|item| item.beating)
    }

    /// `sendHeartbeat`. The user does not learn its result.
    async fn heartbeat(&self) {
        let Some(item) = self.has_lock() else { return self.stop_beating() };
        let row = self.new_row(item.grant);
        let (looked_up, number) = (self.ctx.mono(), row.number);
        let expires = self.ctx.deadline(looked_up, self.params.lease_duration.0);
        let condition = Condition::Number(item.number);
        let update = ItemMessage::Put { resource: self.resource, condition, item: row, on_behalf: item.grant };
        self.sending.set(true);
        let reply = self.ask_on(&self.beats, update, self.params.request_timeout.0, None).await;
        self.sending.set(false);
        match reply {
            Ok(ItemMessage::Written { .. }) => {
                self.change(item.grant, |item| *item = LockItem { number, looked_up, expires, ..*item });
            }
            Ok(ItemMessage::Unavailable) if self.params.hold_lock_on_service_unavailable => {
                self.restart_lease(item.grant)
            }
            Ok(ItemMessage::ConditionFailed) => self.stop_beating(),
            // The error is logged; the next round tries again.
            _ => {}
        }
        self.sent.raise();
    }

    /// Treats "unavailable" as a success: the lease restarts now.
    fn restart_lease(&self, grant: GrantId) {
        let looked_up = self.ctx.mono();
        let expires = self.ctx.deadline(looked_up, self.params.lease_duration.0);
        self.change(grant, |item| *item = LockItem { looked_up, expires, ..*item });
    }

    fn change(&self, grant: GrantId, change: impl FnOnce(&mut LockItem)) {
        if let Some(item) = self.item.borrow_mut().as_mut().filter(|item| item.grant == grant) {
            change(item);
        }
    }

    /// Removes the lock from the client's map. The user's `LockItem` stays unchanged.
    pub fn stop_beating(&self) {
        if let Some(item) = self.item.borrow_mut().as_mut() {
            item.beating = false;
        }
    }
}

/// The first round after `now`, counted from `next`.
fn next_round(next: Mono, now: Mono, period: Duration) -> Mono {
    if next > now {
        return next;
    }
    let missed = (now - next).as_nanos() / period.as_nanos().max(1) + 1;
    next + period * u32::try_from(missed).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_keep_their_period_while_no_lock_is_held() {
        let period = Duration::from_nanos(5);
        let rounds = [(0, 0, 5), (0, 4, 5), (0, 5, 10), (5, 23, 25), (9, 8, 9)];
        for (due, now, next) in rounds {
            assert_eq!(next_round(Mono(due), Mono(now), period), Mono(next), "due at {due}, now {now}");
        }
    }
}
