//! The client of the guarded store.

use std::cell::Cell;

use fencepost_sim::{CallError, ConnId, Message, NodeId};

use super::message::{ReadReply, STORE_TIMEOUT, StoreAccess, StoreMessage};
use crate::grant::{Grant, LockError, Reason};
use crate::wire::Ctx;

/// The store's client. Like real drivers, it replaces a connection on which a reply is overdue, because the next reply
/// on it would be mistaken for the missing one. A later request can therefore overtake the late one.
pub struct StoreClient<L: Message> {
    ctx: Ctx<L>,
    conn: Cell<ConnId>,
}

impl<L: Message> StoreClient<L> {
    /// Creates a client of the store on this node.
    pub fn new(ctx: Ctx<L>, store: NodeId) -> Self {
        let conn = Cell::new(ctx.connect(store));
        StoreClient { ctx, conn }
    }

    /// Reads the row.
    ///
    /// # Errors
    /// Returns an error if the store refuses the read, or if no reply arrives in time.
    pub async fn read(&self, grant: &Grant, access: &StoreAccess) -> Result<ReadReply, LockError> {
        let request = StoreMessage::Read { grant: grant.id, order: access.order, token: grant.token, row: access.row };
        let reply = self.ctx.ask_store(self.conn.get(), request, STORE_TIMEOUT);
        match self.await_reply(reply).await? {
            StoreMessage::Row(row) => Ok(row),
            StoreMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
            _ => unreachable!("the reply to a read is the row or a refusal"),
        }
    }

    /// Writes the row, and reaches the step `write-sent` once the request is sent.
    ///
    /// # Errors
    /// Returns an error if the store refuses the write. If no reply arrives in time, the outcome is unknown.
    pub async fn write(&self, grant: &Grant, access: &StoreAccess, read: ReadReply) -> Result<(), LockError> {
        let write = access.write(grant, read);
        let reply = self.ctx.ask_store(self.conn.get(), StoreMessage::Write(write), STORE_TIMEOUT);
        self.ctx.reach_step("write-sent").await;
        match self.await_reply(reply).await? {
            StoreMessage::Written => Ok(()),
            StoreMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
            _ => unreachable!("the reply to a write is an ack or a refusal"),
        }
    }

    async fn await_reply<F>(&self, reply: F) -> Result<StoreMessage, CallError>
    where
        F: Future<Output = Result<StoreMessage, CallError>>,
    {
        let received = reply.await;
        if let Err(CallError::TimedOut) = received {
            self.conn.set(self.ctx.reopen(self.conn.get()));
        }
        received
    }
}
