//! What travels between the nodes of a case: a lock's own messages, and those of the guarded store.

use std::cell::Cell;
use std::future::Future;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{CallError, ConnId, Message};
use serde::Serialize;

use crate::guarded::inventory::StoreMessage;
use crate::history::{Event, GrantId};

/// A message of a case whose lock speaks `L`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wire<L> {
    /// To or from the lock's servers.
    Lock(L),
    /// To or from the guarded store.
    Store(StoreMessage),
}

impl<L> From<L> for Wire<L> {
    fn from(message: L) -> Self {
        Wire::Lock(message)
    }
}

/// What a service sees of its node.
pub type Env<'a, L> = fencepost_sim::Env<'a, Wire<L>, Event>;

/// What a lock's client code sees of its node: all that [`fencepost_sim::Ctx`] gives, and calls in the lock's own words.
pub struct Ctx<L: Message> {
    node: fencepost_sim::Ctx<Wire<L>, Event>,
    /// What the process believes to hold.
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
    /// Sends a request to a server of the lock now, and gives a future of its reply.
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
                Wire::Store(_) => unreachable!("a lock's server answers in the lock's own words"),
            }
        }
    }

    /// Waits for the next message that a server of the lock pushes on the connection.
    pub fn next(&self, conn: ConnId) -> impl Future<Output = Result<L, CallError>> + use<L> {
        let receive = self.node.receive(conn);
        async move {
            match receive.await? {
                Wire::Lock(message) => Ok(message),
                Wire::Store(_) => unreachable!("the store pushes nothing"),
            }
        }
    }

    /// Sends a request to the guarded store now, and gives a future of its reply.
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
                Wire::Lock(_) => unreachable!("the store answers in its own words"),
            }
        }
    }

    /// The process holds the lock from now on, as far as faults aim at holders. Said by whoever works under the lock.
    pub fn hold(&self, grant: GrantId) {
        self.held.set(Some(grant));
        self.node.set_holder(true);
    }

    /// The process no longer holds this grant, if it was this one.
    pub fn let_go(&self, grant: GrantId) {
        if self.held.get() == Some(grant) {
            self.held.set(None);
            self.node.set_holder(false);
        }
    }

    /// The lock's library tells its user that the lock is lost (etcd's `Session.Done`, Consul's channel, Curator's
    /// `LOST`, Kubernetes' `OnStoppedLeading`): the Belief ends. It may be told repeatedly and late; a grant that was not
    /// returned yet is not lost this way, but by an error of the acquire.
    pub fn lose(&self, grant: GrantId) {
        self.node.note(Event::LossObserved { client: self.node.node(), grant });
        self.let_go(grant);
    }
}
