//! The history of a case, as typed events: what the clients did and believed, and what the services and the store really
//! did (the ground truth). Checkers read these events and nothing else.

use fencepost_sim::NodeId;
use serde::Serialize;

/// One outermost acquire attempt. Unique in its case across all clients, and never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub u32);

/// A locked resource, by number. Each has its own holder and waiters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ResourceId(pub u8);

impl ResourceId {
    /// Whether it is the first. Messages leave out its number, so that traces of scenarios with one resource stay short.
    pub(crate) fn is_first(&self) -> bool {
        self.0 == 0
    }
}

/// A fencing token: a number that must grow with every grant.
pub type Token = u64;

/// One order of the demand, numbered from 0 across all clients.
pub type OrderId = u32;

/// The version of the guarded row: 0 at the start, one more with every accepted write, never reused.
pub type Version = u64;

/// Whether a request took effect, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ack {
    /// The reply confirmed it.
    Ok,
    /// It certainly did not take effect.
    Failed,
    /// No reply arrived: it may have taken effect, or may do so later.
    Unknown,
}

/// Why a Record ended at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A release was applied that had been invoked for this grant.
    Released(GrantId),
    /// Its deadline passed on the clock that decides.
    Expired,
    /// The server revoked it: its session or connection ended, or its transaction was rolled back.
    Revoked,
}

/// Why the store refused an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A higher fencing token was seen before.
    Fenced,
    /// The row's version is no longer the one that was read.
    StaleVersion,
    /// Another claim was placed since, or this one was used before.
    NotClaimed,
    /// The condition `count >= quantity` does not hold.
    SoldOut,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderEnd {
    /// The store acknowledged its write.
    Acked,
    /// The count was too low.
    SoldOut,
    /// There was no lock within `wait_at_most`, the check found the lock lost, or the store refused the write.
    Abandoned,
    /// The write was sent and its outcome is unknown.
    Unknown,
    /// The read showed that the event had already taken effect.
    DoneAlready,
}

/// One event of the history. `client` is a node; `grant` is the attempt that the event belongs to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Event {
    // What clients do and believe.
    /// A unit of work began.
    OrderStarted { client: NodeId, order: OrderId, units: u32 },
    /// An acquire attempt was invoked, for this resource.
    AcquireInvoked {
        client: NodeId,
        grant: GrantId,
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
    },
    /// An acquire attempt returned a grant: its Belief begins, and its Validity if `validity` (the lock advertises one).
    Acquired { client: NodeId, grant: GrantId, token: Option<Token>, validity: bool },
    /// An acquire attempt returned no grant (`Failed`), or its outcome is unknown (`Unknown`).
    NotAcquired { client: NodeId, grant: GrantId, ack: Ack },
    /// The holder's monotonic clock reached the grant's `valid_until`: its Validity ends.
    ValidityEnded { client: NodeId, grant: GrantId },
    /// The holder's code observed the loss of the lock: its Belief ends.
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
    /// The order is resolved, as its client sees it.
    OrderResolved { client: NodeId, order: OrderId, units: u32, end: OrderEnd },
    /// The client's process crashed: its Beliefs end.
    ClientCrashed { client: NodeId },
    /// The client has finished its work.
    ClientDone { client: NodeId },

    // What services really did.
    /// A server applied the grant. A lock that needs several servers has one such event from each.
    Granted { server: NodeId, grant: GrantId },
    /// A server's record of the grant ended.
    Ended { server: NodeId, grant: GrantId, cause: Cause },

    // What the guarded store really did.
    /// The store accepted a read (or a claim, which reads too) of the row at `version`.
    ReadAccepted { grant: GrantId, version: Version },
    /// The store accepted a write. `based_on` is the version whose count the new count was computed from: what the
    /// writer had read for `update = "target"`, the version just before it where the database computes it itself.
    WriteAccepted { grant: GrantId, order: OrderId, units: u32, based_on: Version, version: Version, count: i64 },
    /// The store refused an operation.
    OperationRefused { grant: GrantId, order: OrderId, why: Refusal },
    /// The store lost its newest writes in a crash and is back at `version` with `count`.
    RolledBack { version: Version, count: i64 },

    // What the faults did, as far as liveness bounds depend on it.
    /// A fault began: on the clients in the bit set (bit i = the i-th client), on the lock's servers, or both.
    FaultBegan { clients: u64, servers: bool },
    /// A fault ended.
    FaultEnded { clients: u64, servers: bool },
    /// All faults were healed: probes begin.
    Healed,

    // New variants come last: a trace is the bytes of its events, which begin with the number of the variant.

    // A holder acquires again. Its Belief is that of the outer `grant`, whatever the result.
    /// A holder acquires again, by the attempt `nested`.
    NestedInvoked { client: NodeId, grant: GrantId, nested: GrantId },
    /// The nested acquire returned. `same`: the grant carries the id of the outer one.
    NestedReturned { client: NodeId, grant: GrantId, nested: GrantId, ack: Ack, same: bool },
    /// The release of a nested acquire was invoked.
    NestedReleaseInvoked { client: NodeId, grant: GrantId },
    /// The release of a nested acquire returned.
    NestedReleaseReturned { client: NodeId, grant: GrantId, ack: Ack },

    // The order of a service that queues its waiters.
    /// The service put this waiter at the end of its queue.
    Enqueued { server: NodeId, grant: GrantId },
    /// The waiter left the queue without a grant, or the service lost it.
    Withdrawn { server: NodeId, grant: GrantId },

    /// The store lost the newest writes of a row other than the first in a crash: that row is back at `version`.
    OtherRowRolledBack { resource: ResourceId, version: Version, count: i64 },
}

impl Event {
    /// The client that the event names.
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

    /// The lock's server that the event names.
    pub fn server(&self) -> Option<NodeId> {
        match *self {
            Event::Granted { server, .. }
            | Event::Ended { server, .. }
            | Event::Enqueued { server, .. }
            | Event::Withdrawn { server, .. } => Some(server),
            _ => None,
        }
    }

    /// Whether the event happened at the guarded store.
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

    /// The node at which the event happened, given the node of the guarded store.
    pub fn node(&self, store: NodeId) -> Option<NodeId> {
        self.client().or(self.server()).or(self.is_at_store().then_some(store))
    }

    /// The grant that the event belongs to: of a nested attempt, the outer one.
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
