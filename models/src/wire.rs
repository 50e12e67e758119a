//! The messages between the nodes of a case: messages of the lock and messages of the guarded store.

use std::cell::Cell;
use std::future::Future;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{CallError, ConnId, Message};
use serde::Serialize;

use crate::guarded::StoreMessage;
use crate::history::{Event, GrantId};

/// A message of a case. `L` is the message type of its lock.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wire<L> {
    /// A message to or from the lock's servers.
    Lock(L),
    /// A message to or from the guarded store.
    Store(StoreMessage),
}

impl<L> From<L> for Wire<L> {
    fn from(message: L) -> Self {
        Wire::Lock(message)
    }
}

/// A service's view of its node.
pub type Env<'a, L> = fencepost_sim::Env<'a, Wire<L>, Event>;

/// The view that a lock's client code has of its node: [`fencepost_sim::Ctx`] plus calls with the lock's message type.
pub struct Ctx<L: Message> {
    node: fencepost_sim::Ctx<Wire<L>, Event>,
    /// The grant that the process believes it holds.
    held: Rc<Cell<Option<GrantId>>>,
}

impl<L: Message> Clone for Ctx<L> {
    fn clone(&self) -> Self {
        Ctx { node: self.node.clone(), held: self.held.clone() }
    }
}

impl<L: Message> From<fencepost_sim::Ctx<Wire<L>, Event>> for Ctx<L> {
    fn from(node: fencepost_sim::Ctx<Wire<L>, Event>) -> Self {
        Ctx { node, held: Rc::default() }
    }
}

impl<L: Message> Deref for Ctx<L> {
    type Target = fencepost_sim::Ctx<Wire<L>, Event>;

    fn deref(&self) -> &Self::Target {
        &self.node
    }
}

impl<L: Message> Ctx<L> {
    /// Sends a request to a server of the lock at once, and returns a future for the reply.
    pub fn ask(
        &self,
        conn: ConnId,
        message: L,
        within: Duration,
    ) -> impl Future<Output = Result<L, CallError>> + use<L> {
        let call = self.node.call(conn, Wire::Lock(message), within);
        async move {
            match call.await? {
                Wire::Lock(reply) => Ok(reply),
                Wire::Store(_) => unreachable!("a lock's server must reply with the lock's message type"),
            }
        }
    }

    /// Waits for the next message that a server of the lock pushes on the connection.
    pub fn next(&self, conn: ConnId) -> impl Future<Output = Result<L, CallError>> + use<L> {
        let receive = self.node.receive(conn);
        async move {
            match receive.await? {
                Wire::Lock(message) => Ok(message),
                Wire::Store(_) => unreachable!("the store must not push messages"),
            }
        }
    }

    /// Sends a request to the guarded store at once, and returns a future for the reply.
    pub fn ask_store(
        &self,
        conn: ConnId,
        message: StoreMessage,
        within: Duration,
    ) -> impl Future<Output = Result<StoreMessage, CallError>> + use<L> {
        let call = self.node.call(conn, Wire::Store(message), within);
        async move {
            match call.await? {
                Wire::Store(reply) => Ok(reply),
                Wire::Lock(_) => unreachable!("the store must reply with its own message type"),
            }
        }
    }

    /// Marks the process as holder of the lock, for faults that target holders. The user of the lock must call this.
    pub fn set_held(&self, grant: GrantId) {
        self.held.set(Some(grant));
        self.node.set_holder(true);
    }

    /// Removes the mark set by [`Ctx::set_held`], if it is for this grant.
    pub fn clear_held(&self, grant: GrantId) {
        if self.held.get() == Some(grant) {
            self.held.set(None);
            self.node.set_holder(false);
        }
    }

    /// Reports to the user of the lock's library that the lock is lost, which ends the Belief (etcd's `Session.Done`,
    /// Consul's channel, Curator's `LOST`, Kubernetes' `OnStoppedLeading`). Reports may be repeated and late. An
    /// acquire that has not returned yet must fail with an error instead.
    pub fn report_lock_lost(&self, grant: GrantId) {
        self.node.note(Event::LossObserved { client: self.node.node(), grant });
        self.clear_held(grant);
    }
}
