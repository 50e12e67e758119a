//! The history of a case as typed events: the actions and beliefs of clients, and the ground truth of the services and
//! the store. Checkers read only these events.

use fencepost_sim::NodeId;
use serde::Serialize;

/// The id of an outermost acquire attempt. Unique in the case across all clients, and never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub u32);

/// The number of a locked resource. Each resource has its own holder and waiters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ResourceId(pub u8);

impl ResourceId {
    /// Returns whether this is the first resource. Messages omit its number to keep traces with one resource short.
    pub(crate) fn is_first(&self) -> bool {
        self.0 == 0
    }
}

/// A fencing token, which must increase with every grant.
pub type Token = u64;

/// The number of an order, counted from 0 across all clients.
pub type OrderId = u32;

/// The version of the guarded row. It starts at 0 and increases by one with every accepted write.
pub type Version = u64;

/// Whether a request took effect, as seen by its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ack {
    /// The reply confirmed the request.
    Ok,
    /// The request certainly did not take effect.
    Failed,
    /// No reply arrived. The request may have taken effect, or may still do so.
    Unknown,
}

/// The reason why a Record ended at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The server applied a release that was invoked for this grant.
    Released(GrantId),
    /// The deadline passed on the clock that decides.
    Expired,
    /// The server revoked the grant: its session or connection ended, or its transaction was rolled back.
    Revoked,
}

/// The reason why the store refused an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The store has seen a higher fencing token.
    Fenced,
    /// The row's version is no longer the one that was read.
    StaleVersion,
    /// Another claim was placed in the meantime, or this claim was already used.
    NotClaimed,
    /// The condition `count >= quantity` does not hold.
    SoldOut,
}

/// The result of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderEnd {
    /// The store acknowledged its write.
    Acked,
    /// The count was too low.
    SoldOut,
    /// The lock was not acquired within `wait_at_most`, the check showed that it was lost, or the store refused the
    /// write.
    Abandoned,
    /// The write was sent, and its outcome is unknown.
    Unknown,
    /// The read showed that the event had already taken effect.
    DoneAlready,
}

/// One event of the history. `client` is a node; `grant` is the attempt that the event belongs to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the text of each variant explains the fields")]
pub enum Event {
    // Actions and beliefs of clients.
    /// A unit of work began.
    OrderStarted { client: NodeId, order: OrderId, units: u32 },
    /// An acquire attempt for this resource was invoked.
    AcquireInvoked {
        client: NodeId,
        grant: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
    },
    /// An acquire attempt returned a grant. The Belief begins, and also the Validity if `validity` (the lock advertises
    /// one).
    Acquired { client: NodeId, grant: GrantId, token: Option<Token>, validity: bool },
    /// An acquire attempt returned no grant (`Failed`), or its outcome is unknown (`Unknown`).
    NotAcquired { client: NodeId, grant: GrantId, ack: Ack },
    /// The holder's monotonic clock reached the `valid_until` of the grant: the Validity ends.
    ValidityEnded { client: NodeId, grant: GrantId },
    /// The holder's code observed the loss of the lock: the Belief ends.
    LossObserved { client: NodeId, grant: GrantId },
    /// The holder read the guarded row and saw `count` at `version`.
    ReadOk { client: NodeId, grant: GrantId, order: OrderId, count: i64, version: Version },
    /// The holder invoked its write.
    WriteInvoked { client: NodeId, grant: GrantId, order: OrderId },
    /// The write returned.
    WriteReturned { client: NodeId, grant: GrantId, order: OrderId, ack: Ack },
    /// The release was invoked: the Belief ends.
    ReleaseInvoked { client: NodeId, grant: GrantId },
    /// The release returned.
    ReleaseReturned { client: NodeId, grant: GrantId, ack: Ack },
    /// The order was resolved, as seen by its client.
    OrderResolved { client: NodeId, order: OrderId, units: u32, end: OrderEnd },
    /// The client's process crashed: all its Beliefs end.
    ClientCrashed { client: NodeId },
    /// The client has finished its work.
    ClientDone { client: NodeId },

    // Ground truth of the services.
    /// A server applied the grant. A lock that needs several servers has one such event per server.
    Granted { server: NodeId, grant: GrantId },
    /// A server's record of the grant ended.
    Ended { server: NodeId, grant: GrantId, cause: Cause },

    // Ground truth of the guarded store.
    /// The store accepted a read of the row at `version`, or a claim, which also reads.
    ReadAccepted { grant: GrantId, version: Version },
    /// The store accepted a write. `based_on` is the version from whose count the new count was computed. With
    /// `update = "target"` it is the version that the writer had read. If the database computes the count, it is the
    /// previous version.
    WriteAccepted { grant: GrantId, order: OrderId, units: u32, based_on: Version, version: Version, count: i64 },
    /// The store refused an operation.
    OperationRefused { grant: GrantId, order: OrderId, why: Refusal },
    /// The store lost its newest writes in a crash, and the first row is back at `version` with `count`.
    RolledBack { version: Version, count: i64 },

    // Faults, as far as liveness bounds depend on them.
    /// A fault began: on the clients in the bit set (bit i = the i-th client), on the lock's servers, or both.
    FaultBegan { clients: u64, servers: bool },
    /// A fault ended.
    FaultEnded { clients: u64, servers: bool },
    /// All faults were healed: probes begin.
    Healed,

    // New variants must be added at the end, because an event in a trace begins with the number of its variant.

    // Nested acquires. The Belief is the one of the outer `grant`, regardless of the result.
    /// The holder of `grant` invoked a nested acquire, the attempt `nested`.
    NestedInvoked { client: NodeId, grant: GrantId, nested: GrantId },
    /// The nested acquire returned. If `same`, its grant has the id of the outer grant.
    NestedReturned { client: NodeId, grant: GrantId, nested: GrantId, ack: Ack, same: bool },
    /// The release of a nested acquire was invoked.
    NestedReleaseInvoked { client: NodeId, grant: GrantId },
    /// The release of a nested acquire returned.
    NestedReleaseReturned { client: NodeId, grant: GrantId, ack: Ack },

    // The queue of a service that queues its waiters.
    /// The service put this waiter at the end of its queue.
    Enqueued { server: NodeId, grant: GrantId },
    /// The waiter left the queue without a grant, or the service lost it.
    Withdrawn { server: NodeId, grant: GrantId },

    /// The store lost the newest writes of a row other than the first in a crash, and that row is back at `version`.
    OtherRowRolledBack { resource: ResourceId, version: Version, count: i64 },
}

impl Event {
    /// Returns the client of the event, if any.
    pub fn client(&self) -> Option<NodeId> {
        match *self {
            Event::OrderStarted { client, .. }
            | Event::AcquireInvoked { client, .. }
            | Event::Acquired { client, .. }
            | Event::NotAcquired { client, .. }
            | Event::ValidityEnded { client, .. }
            | Event::LossObserved { client, .. }
            | Event::ReadOk { client, .. }
            | Event::WriteInvoked { client, .. }
            | Event::WriteReturned { client, .. }
            | Event::ReleaseInvoked { client, .. }
            | Event::ReleaseReturned { client, .. }
            | Event::OrderResolved { client, .. }
            | Event::ClientCrashed { client }
            | Event::ClientDone { client }
            | Event::NestedInvoked { client, .. }
            | Event::NestedReturned { client, .. }
            | Event::NestedReleaseInvoked { client, .. }
            | Event::NestedReleaseReturned { client, .. } => Some(client),
            _ => None,
        }
    }

    /// Returns the lock's server of the event, if any.
    pub fn server(&self) -> Option<NodeId> {
        match *self {
            Event::Granted { server, .. }
            | Event::Ended { server, .. }
            | Event::Enqueued { server, .. }
            | Event::Withdrawn { server, .. } => Some(server),
            _ => None,
        }
    }

    /// Returns whether the event happened at the guarded store.
    pub fn is_at_store(&self) -> bool {
        matches!(
            self,
            Event::ReadAccepted { .. }
                | Event::WriteAccepted { .. }
                | Event::OperationRefused { .. }
                | Event::RolledBack { .. }
                | Event::OtherRowRolledBack { .. }
        )
    }

    /// Returns the node at which the event happened, if any. `store` is the node of the guarded store.
    pub fn node(&self, store: NodeId) -> Option<NodeId> {
        self.client().or(self.server()).or(self.is_at_store().then_some(store))
    }

    /// Returns the grant of the event, if any. For a nested attempt, this is the outer grant.
    pub fn grant(&self) -> Option<GrantId> {
        match *self {
            Event::AcquireInvoked { grant, .. }
            | Event::Acquired { grant, .. }
            | Event::NotAcquired { grant, .. }
            | Event::ValidityEnded { grant, .. }
            | Event::LossObserved { grant, .. }
            | Event::ReadOk { grant, .. }
            | Event::WriteInvoked { grant, .. }
            | Event::WriteReturned { grant, .. }
            | Event::ReleaseInvoked { grant, .. }
            | Event::ReleaseReturned { grant, .. }
            | Event::Granted { grant, .. }
            | Event::Ended { grant, .. }
            | Event::ReadAccepted { grant, .. }
            | Event::WriteAccepted { grant, .. }
            | Event::OperationRefused { grant, .. }
            | Event::NestedInvoked { grant, .. }
            | Event::NestedReturned { grant, .. }
            | Event::NestedReleaseInvoked { grant, .. }
            | Event::NestedReleaseReturned { grant, .. }
            | Event::Enqueued { grant, .. }
            | Event::Withdrawn { grant, .. } => Some(grant),
            _ => None,
        }
    }
}
