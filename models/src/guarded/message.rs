//! The messages between the guarded store and its clients.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grant::Grant;
use crate::history::{GrantId, OrderId, Refusal, ResourceId, Token, Version};

/// The time for which a client of the store waits for a reply before it treats the outcome as unknown. The value
/// exceeds any fault-free latency plus a few retransmissions. Timeouts of real drivers range from one second to
/// infinity.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// How the count is updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// Case 1: the client writes the target count.
    #[default]
    Target,
    /// Case 2: the database subtracts.
    Decrement,
    /// The database subtracts if enough units are left: `… WHERE count >= quantity`.
    Conditional,
    /// The client writes the target count if the row has not changed since the read: `… WHERE version = …`.
    Version,
}

/// The store's check in addition to the condition of the update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// No check.
    #[default]
    None,
    /// Writes carry the fencing token. The store refuses a token below the highest one seen.
    FenceWrites,
    /// Reads and writes carry the fencing token.
    FenceReads,
    /// A read places a unique claim. The store refuses a write unless its claim and the version read are still current.
    Claim,
    /// The data lives in the lock service, and the write is conditional on owning the lock.
    OwnerTxn,
}

/// How one order reads and writes the store.
#[derive(Clone, Copy, Debug)]
pub struct StoreAccess {
    /// The order.
    pub order: OrderId,
    /// The number of units by which the count changes.
    pub units: u32,
    /// How the count is updated.
    pub update: Update,
    /// Whether the write carries the order's id, so that the store applies it only once.
    pub with_id: bool,
    /// Whether the units are added to the count. Otherwise they are subtracted.
    pub adds: bool,
    /// The row, identified by the number of the locked resource.
    pub row: ResourceId,
}

impl StoreAccess {
    /// Returns the write of this order, computed from the row that it read.
    pub fn write(&self, grant: &Grant, read: ReadReply) -> Write {
        let StoreAccess { order, units, update, with_id, adds, row } = *self;
        Write { grant: grant.id, order, units, update, read, token: grant.token, with_id, adds, row }
    }
}

/// The row as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReply {
    /// The count: units in stock, records, a balance.
    pub count: i64,
    /// The row's version.
    pub version: Version,
}

/// A write as it is sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Write {
    /// The grant under which the write is sent. The store uses it only for claims; checkers use it as ground truth.
    pub grant: GrantId,
    /// The order.
    pub order: OrderId,
    /// The number of units by which the count changes.
    pub units: u32,
    /// How the count is updated.
    pub update: Update,
    /// The row as it was read before the write.
    pub read: ReadReply,
    /// The fencing token.
    pub token: Option<Token>,
    /// Whether the store must apply this order only once.
    pub with_id: bool,
    /// Whether the units are added to the count. Otherwise they are subtracted.
    pub adds: bool,
    /// The row.
    pub row: ResourceId,
}

/// A message between the store and a client.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the text of each variant explains the fields")]
pub enum StoreMessage {
    /// Read a row. Carries the token if there is one.
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
    /// The write is durable.
    Written,
    /// The operation was refused.
    Refused(Refusal),
}
