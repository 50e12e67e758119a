//! What the steps of a workload can do with a client, whatever its lock.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use fencepost_models::guarded::{ReadReply, StoreAccess};
use fencepost_models::history::OrderEnd;
use fencepost_models::{Grant, LockError, ResourceId};
use fencepost_sim::{Mono, NodeId};

use super::one_lock;
use crate::file::Clients;
use crate::workload::Order;

/// The result of an operation, when it is complete.
pub type OpFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The result of the steps of one unit of work, when they are complete.
pub type StepsFuture<'a> = OpFuture<'a, AttemptResult>;

/// The steps of one unit of work, from the acquire to the release. They give up acquiring at the given time.
#[derive(Clone, Copy)]
pub struct Steps {
    /// What tells them from others.
    pub name: &'static str,
    /// Performs them once.
    pub run: for<'a> fn(&'a mut dyn ClientOps, &'a Order, Mono) -> StepsFuture<'a>,
}

/// The result of one attempt at a unit of work.
pub enum AttemptResult {
    /// The order is resolved.
    Resolved(OrderEnd),
    /// Another client wrote since the read: start again.
    Retry,
}

/// The operations of a client. They record what the checkers need to know, and pass the steps that faults can aim at.
pub trait ClientOps {
    /// The client's node.
    fn node(&self) -> NodeId;

    /// What the scenario says about clients.
    fn clients(&self) -> &Clients;

    /// Whether a write takes effect only with the release, which commits it.
    fn commits_at_release(&self) -> bool;

    /// How the order accesses the row of the first resource.
    fn access(&self, order: &Order) -> StoreAccess;

    /// How the order ends if this read shows that there is nothing to write.
    fn nothing_to_do(&self, access: &StoreAccess, read: ReadReply) -> Option<OrderEnd>;

    /// Records that the client knows that it lost the lock.
    fn note_loss(&self, grant: &Grant);

    /// Acquires the lock on a resource, attempt after attempt, until it has it or `give_up` has come.
    fn acquire(&mut self, resource: ResourceId, give_up: Mono) -> OpFuture<'_, Option<Grant>>;

    /// Reads the row of this access.
    fn read<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess) -> OpFuture<'a, Result<ReadReply, LockError>>;

    /// Works for this long under the lock, and acquires it again as often as the scenario says.
    fn hold<'a>(&'a mut self, grant: &'a Grant, time: Duration) -> OpFuture<'a, ()>;

    /// The library's own check, whether the client still holds the grant.
    fn check<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, bool>;

    /// Writes. If the outcome is unknown and the scenario says so, it writes again, for as long as a client waits for a
    /// lock.
    fn write<'a>(
        &'a mut self,
        grant: &'a Grant,
        access: &'a StoreAccess,
        read: ReadReply,
    ) -> OpFuture<'a, Result<(), LockError>>;

    /// Releases the lock on a resource.
    fn release<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, Result<(), LockError>>;

    /// Keeps the lock until its validity ends, without a release. Returns false at once if it has no validity.
    fn keep_until_expiry<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, bool>;

    /// Waits.
    fn sleep(&mut self, time: Duration) -> OpFuture<'_, ()>;

    /// Passes a step that a fault can aim at.
    fn step(&mut self, label: &'static str) -> OpFuture<'_, ()>;
}

impl Steps {
    /// Acquire, read, hold, check, prepare, write, release, all on one resource.
    pub const ONE_LOCK: Steps =
        Steps { name: "one-lock", run: |client, order, give_up| Box::pin(one_lock::run(client, order, give_up)) };
}

/// Steps are shown and compared by name: the address of the function says nothing.
impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
