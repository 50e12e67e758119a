//! The guarded rows on a store of their own, and the client's side of it: the shop's inventory with its stock count, a
//! shared file or set whose count is that of its records, or two accounts with their balances.
//!
//! Case 1 (`update = "target"`): the program reads the count, subtracts and writes the target count back. Case 2
//! (`update = "decrement"`): the program reads the count, and the database subtracts.

use std::cell::Cell;
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::{CallError, Caller, ConnId, Message, NodeId, Service};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::row::{Change, Row};
use crate::history::{Event, GrantId, OrderId, Refusal, Token, Version};
use crate::info::BugInfo;
use crate::lock::{Grant, LockError, Reason, ResourceId};
use crate::wire::{Ctx, Env, Wire};

/// A client of the store waits so long for a reply before it calls the outcome unknown. Longer than any latency without
/// a fault and a few retransmissions; real drivers range from one second to forever.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// How the count is updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// Case 1: the program writes the target count.
    #[default]
    Target,
    /// Case 2: the database subtracts.
    Decrement,
    /// The database subtracts where enough is left: `… WHERE count >= quantity`.
    Conditional,
    /// The program writes the target count where nobody else wrote since: `… WHERE version = …`.
    Version,
}

/// What the store checks beside the update's own condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// Nothing.
    #[default]
    None,
    /// Writes carry the fencing token; a token below the highest seen is refused.
    FenceWrites,
    /// Reads and writes carry the fencing token.
    FenceReads,
    /// The reader lays a unique claim; a write needs its claim, and the version that was read, to be in place still.
    Claim,
    /// The data lives in the lock service, and the write is conditional on owning the lock.
    OwnerTxn,
}

/// What is there at the start, and how it is guarded.
#[derive(Clone, Copy, Debug)]
pub struct InventoryConfig {
    /// The count of every row at the start: units in stock, records, a balance.
    pub stock: u32,
    /// How the count is updated.
    pub update: Update,
    /// What the store checks.
    pub guard: Guard,
    /// What is wrong with its fence.
    pub fence: FenceBugs,
    /// How many rows there are, each guarded by the lock on the resource of its number.
    pub rows: u8,
}

/// Bugs of a store's fence that can be switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FenceBugs {
    /// A token that was seen before is refused, and with it a holder's second operation.
    pub refuses_equal: bool,
    /// The highest token seen is kept in memory only.
    pub not_durable: bool,
}

/// The bugs of the guarded store, whatever the lock.
pub const STORE_BUGS: &[BugInfo] = &[REFUSES_EQUAL, NOT_DURABLE];

const REFUSES_EQUAL: BugInfo = BugInfo {
    name: "fence-refuses-equal",
    about: "the store's fence refuses a token that it has seen already, and so the holder's own second operation",
    scenario: "bug-fence-refuses-equal",
    property: "fencing",
    source: "redisson/redisson, RedissonFencedLock.java, class comment: the service has to accept a token that is greater \
             or equal",
};

const NOT_DURABLE: BugInfo = BugInfo {
    name: "fence-not-durable",
    about: "the store's fence forgets the highest token when the store restarts, and lets an old holder in again",
    scenario: "bug-fence-not-durable",
    property: "effect-exclusion",
    source: "Kleppmann, How to do distributed locking, 2016: the storage has to remember that it has processed a higher \
             token",
};

impl FenceBugs {
    /// Those of the bugs that are the store's.
    pub fn among(bugs: &[String]) -> Self {
        let on = |bug: &BugInfo| bugs.iter().any(|name| name == bug.name);
        FenceBugs { refuses_equal: on(&REFUSES_EQUAL), not_durable: on(&NOT_DURABLE) }
    }
}

/// What one unit of work asks of the store.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// The order.
    pub order: OrderId,
    /// How many units it buys.
    pub units: u32,
    /// How the count is updated.
    pub update: Update,
    /// What the store checks. Under [`Guard::OwnerTxn`] the lock reads and writes in its own service.
    pub guard: Guard,
    /// The write carries the order's id, so that the store applies it once.
    pub with_id: bool,
    /// The units come to what is there; otherwise they are taken from it.
    pub adds: bool,
    /// The row, which is that of the resource that is locked.
    pub row: ResourceId,
}

/// The row as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReply {
    /// Units in stock.
    pub count: i64,
    /// The row's version.
    pub version: Version,
}

/// A write as it is sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Write {
    /// Whose it is. The store uses it for claims alone; checkers use it for the ground truth.
    pub grant: GrantId,
    /// The order.
    pub order: OrderId,
    /// How many units are bought.
    pub units: u32,
    /// How the count is updated.
    pub update: Update,
    /// What had been read.
    pub read: ReadReply,
    /// The fencing token.
    pub token: Option<Token>,
    /// The store shall apply this order once only.
    pub with_id: bool,
    /// The units come to what is there; otherwise they are taken from it.
    pub adds: bool,
    /// The row.
    pub row: ResourceId,
}

/// What the store and its clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum StoreMessage {
    /// Read a row, with the token if there is one.
    Read {
        grant: GrantId,
        order: OrderId,
        token: Option<Token>,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        row: ResourceId,
    },
    /// The row.
    Row(ReadReply),
    /// Write the row.
    Write(Write),
    /// It is written, and durable.
    Written,
    /// It is refused.
    Refused(Refusal),
}

/// The store's server.
pub struct InventoryStore {
    config: InventoryConfig,
    rows: Vec<Row>,
    disk: Disk<(ResourceId, Change)>,
}

impl InventoryStore {
    /// A store with everything in stock.
    pub fn new(config: InventoryConfig) -> Self {
        InventoryStore { rows: Self::first_rows(&config), config, disk: Disk::default() }
    }

    fn first_rows(config: &InventoryConfig) -> Vec<Row> {
        let row = || Row::new(config.stock.into()).with_strict_fence(config.fence.refuses_equal);
        (0..config.rows).map(|_| row()).collect()
    }

    fn row(&self, row: ResourceId) -> &Row {
        &self.rows[usize::from(row.0)]
    }

    /// Makes a change durable, then applies it: replies go out only after that.
    fn commit(&mut self, row: ResourceId, change: Change) {
        if !(self.config.fence.not_durable && matches!(change, Change::SawToken(_))) {
            self.disk.write((row, change));
            self.disk.sync();
        }
        self.rows[usize::from(row.0)].apply(change);
    }

    fn read<L: Message>(
        &mut self,
        env: &mut Env<'_, L>,
        grant: GrantId,
        order: OrderId,
        token: Option<Token>,
        row: ResourceId,
    ) -> StoreMessage {
        match self.row(row).read(self.config.guard, grant, token) {
            Ok(change) => {
                change.into_iter().for_each(|change| self.commit(row, change));
                env.note(Event::ReadAccepted { grant, version: self.row(row).version });
                StoreMessage::Row(self.row(row).reply())
            }
            Err(why) => {
                env.note(Event::OperationRefused { grant, order, why });
                StoreMessage::Refused(why)
            }
        }
    }

    fn write<L: Message>(&mut self, env: &mut Env<'_, L>, write: &Write) -> StoreMessage {
        if self.row(write.row).knows(write) {
            return StoreMessage::Written;
        }
        let Write { grant, order, units, .. } = *write;
        match self.row(write.row).write(self.config.guard, write) {
            Ok((accepted, changes)) => {
                changes.into_iter().flatten().for_each(|change| self.commit(write.row, change));
                let (based_on, version, count) = (accepted.based_on, accepted.version, accepted.count);
                env.note(Event::WriteAccepted { grant, order, units, based_on, version, count });
                StoreMessage::Written
            }
            Err(why) => {
                env.note(Event::OperationRefused { grant, order, why });
                StoreMessage::Refused(why)
            }
        }
    }
}

impl<L: Message> Service<Wire<L>, Event> for InventoryStore {
    fn on_message(&mut self, env: &mut Env<'_, L>, from: Caller, message: Wire<L>) {
        let reply = match message {
            Wire::Store(StoreMessage::Read { grant, order, token, row }) => self.read(env, grant, order, token, row),
            Wire::Store(StoreMessage::Write(write)) => self.write(env, &write),
            _ => return,
        };
        env.reply(from, Wire::Store(reply));
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        each(&mut self.disk);
    }

    fn on_crash(&mut self, env: &mut Env<'_, L>, disk: DiskFate) {
        self.disk.crash(disk);
        let before = std::mem::replace(&mut self.rows, Self::first_rows(&self.config));
        for (row, change) in self.disk.records() {
            self.rows[usize::from(row.0)].apply(*change);
        }
        for (number, (row, before)) in (0..).zip(self.rows.iter().zip(&before)) {
            let Row { version, count, .. } = *row;
            if version < before.version {
                env.note(match number {
                    0 => Event::RolledBack { version, count },
                    _ => Event::OtherRowRolledBack { resource: ResourceId(number), version, count },
                });
            }
        }
    }
}

/// A client's side of the store. As drivers do, it closes a connection on which an answer did not come in time, since
/// the next answer there would be taken for the missing one, and opens another: a late request can be overtaken.
pub struct StoreClient<L: Message> {
    ctx: Ctx<L>,
    conn: Cell<ConnId>,
}

impl<L: Message> StoreClient<L> {
    /// A client of the store on this node.
    pub fn new(ctx: Ctx<L>, store: NodeId) -> Self {
        let conn = Cell::new(ctx.connect(store));
        StoreClient { ctx, conn }
    }

    /// Reads the row.
    ///
    /// # Errors
    /// If the store refuses or does not answer in time.
    pub async fn read(&self, grant: &Grant, demand: &Demand) -> Result<ReadReply, LockError> {
        let request = StoreMessage::Read { grant: grant.id, order: demand.order, token: grant.token, row: demand.row };
        let reply = self.ctx.ask_store(self.conn.get(), request, STORE_TIMEOUT);
        match self.answer(reply).await? {
            StoreMessage::Row(row) => Ok(row),
            StoreMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
            _ => unreachable!("a read is answered with the row or a refusal"),
        }
    }

    /// Writes the row, passing `write-sent` once the request is out.
    ///
    /// # Errors
    /// If the store refuses, or does not answer in time and nobody knows whether it wrote.
    pub async fn write(&self, grant: &Grant, demand: &Demand, read: ReadReply) -> Result<(), LockError> {
        let write = demand.write(grant, read);
        let reply = self.ctx.ask_store(self.conn.get(), StoreMessage::Write(write), STORE_TIMEOUT);
        self.ctx.safepoint("write-sent").await;
        match self.answer(reply).await? {
            StoreMessage::Written => Ok(()),
            StoreMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
            _ => unreachable!("a write is answered with an ack or a refusal"),
        }
    }

    async fn answer<F>(&self, reply: F) -> Result<StoreMessage, CallError>
    where
        F: Future<Output = Result<StoreMessage, CallError>>,
    {
        let answer = reply.await;
        if let Err(CallError::TimedOut) = answer {
            self.conn.set(self.ctx.reopen(self.conn.get()));
        }
        answer
    }
}

impl Demand {
    /// The write that this demand comes to after a read.
    pub fn write(&self, grant: &Grant, read: ReadReply) -> Write {
        let Demand { order, units, update, with_id, adds, row, .. } = *self;
        Write { grant: grant.id, order, units, update, read, token: grant.token, with_id, adds, row }
    }
}
