//! The operations of a client that the steps of a workload can use with any lock.

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

/// A future that returns the result of an operation.
pub type OpFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A future that returns the result of the steps of one unit of work.
pub type StepsFuture<'a> = OpFuture<'a, AttemptResult>;

/// The steps of one unit of work, from the acquire to the release.
#[derive(Clone, Copy)]
pub struct Steps {
    /// A unique name.
    pub name: &'static str,
    /// Performs the steps once. Acquires give up at the given time.
    pub run: for<'a> fn(&'a mut dyn ClientOps, &'a Order, Mono) -> StepsFuture<'a>,
}

/// The result of one attempt at a unit of work.
pub enum AttemptResult {
    /// The order is resolved.
    Resolved(OrderEnd),
    /// Another client wrote since the read, so the steps start again.
    Retry,
}

/// The operations of a client. They record what the checkers need, and reach the steps that can trigger faults.
pub trait ClientOps {
    /// Returns the client's node.
    fn node(&self) -> NodeId;

    /// Returns the scenario's client settings.
    fn clients(&self) -> &Clients;

    /// Returns whether a write takes effect only at the release, which commits it.
    fn commits_at_release(&self) -> bool;

    /// Returns how the order accesses the row of the first resource.
    fn access(&self, order: &Order) -> StoreAccess;

    /// Returns how the order ends if this read shows that there is nothing to write.
    fn nothing_to_do(&self, access: &StoreAccess, read: ReadReply) -> Option<OrderEnd>;

    /// Records that the client has noticed the loss of the lock.
    fn note_loss(&self, grant: &Grant);

    /// Tries to acquire the lock on a resource, until an attempt succeeds or the time is `give_up`.
    fn acquire(&mut self, resource: ResourceId, give_up: Mono) -> OpFuture<'_, Option<Grant>>;

    /// Reads the row of this access.
    fn read<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess) -> OpFuture<'a, Result<ReadReply, LockError>>;

    /// Works under the lock for this time, with as many nested acquires as the scenario sets.
    fn hold<'a>(&'a mut self, grant: &'a Grant, time: Duration) -> OpFuture<'a, ()>;

    /// Asks the library whether the client still holds the grant.
    ///
    /// # Errors
    /// `Failed` if the client no longer holds it, and `Unknown` if the server did not answer.
    fn check<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, Result<(), LockError>>;

    /// Writes the row. If the outcome is unknown and the scenario allows retries, retries for as long as a client waits
    /// for a lock.
    fn write<'a>(
        &'a mut self,
        grant: &'a Grant,
        access: &'a StoreAccess,
        read: ReadReply,
    ) -> OpFuture<'a, Result<(), LockError>>;

    /// Releases the lock on a resource.
    fn release<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, Result<(), LockError>>;

    /// Keeps the lock until the validity of the grant ends, without a release. Returns false immediately if the grant has
    /// no validity.
    fn keep_until_expiry<'a>(&'a mut self, resource: ResourceId, grant: &'a Grant) -> OpFuture<'a, bool>;

    /// Sleeps for this time.
    fn sleep(&mut self, time: Duration) -> OpFuture<'_, ()>;

    /// Reaches a step that can trigger a fault.
    fn step(&mut self, label: &'static str) -> OpFuture<'_, ()>;
}

impl Steps {
    /// Acquire, read, hold, check, prepare, write, release, all on one resource.
    pub const ONE_LOCK: Steps =
        Steps { name: "one-lock", run: |client, order, give_up| Box::pin(one_lock::run(client, order, give_up)) };
}

/// Steps are displayed and compared by name, because function addresses are meaningless.
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
