//! The messages between the guarded store and its clients.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grant::Grant;
use crate::history::{GrantId, OrderId, Refusal, ResourceId, Token, Version};

/// How long a client of the store waits for a reply before it treats the outcome as unknown. It exceeds any latency
/// without a fault plus a few retransmissions; real drivers range from one second to forever.
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
    /// The reader places a unique claim; a write is refused unless its claim and the version that was read are current.
    Claim,
    /// The data lives in the lock service, and the write is conditional on owning the lock.
    OwnerTxn,
}

/// How one order reads and writes the store.
#[derive(Clone, Copy, Debug)]
pub struct StoreAccess {
    /// The order.
    pub order: OrderId,
    /// How many units it changes.
    pub units: u32,
    /// How the count is updated.
    pub update: Update,
    /// The write carries the order's id, so that the store applies it once.
    pub with_id: bool,
    /// The units are added to the count; otherwise they are subtracted.
    pub adds: bool,
    /// The row, which has the number of the locked resource.
    pub row: ResourceId,
}

impl StoreAccess {
    /// The write of this order, computed from what it read.
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
    /// The grant under which it is sent. The store uses it for claims alone; checkers use it for the ground truth.
    pub grant: GrantId,
    /// The order.
    pub order: OrderId,
    /// How many units it changes.
    pub units: u32,
    /// How the count is updated.
    pub update: Update,
    /// What was read before.
    pub read: ReadReply,
    /// The fencing token.
    pub token: Option<Token>,
    /// The store shall apply this order once only.
    pub with_id: bool,
    /// The units are added to the count; otherwise they are subtracted.
    pub adds: bool,
    /// The row.
    pub row: ResourceId,
}

/// A message between the store and a client.
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
    /// The write is durable.
    Written,
    /// The operation is refused.
    Refused(Refusal),
}
