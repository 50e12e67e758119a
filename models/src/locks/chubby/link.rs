//! A client's connections to the replicas of its cell, and its current guess of the master.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use fencepost_sim::{CallError, ConnId};

use crate::locks::chubby::server::ChubbyMessage;
use crate::wire::Ctx;

/// The pause between two attempts to find the master. The paper gives none.
const RETRY: Duration = Duration::from_millis(200);

/// The time for an answer from a possible master. The paper gives none.
pub(super) const PROBE: Duration = Duration::from_secs(2);

pub(super) struct Link {
    pub ctx: Ctx<ChubbyMessage>,
    conns: RefCell<Vec<ConnId>>,
    at: Cell<usize>,
    /// The number of consecutive redirections.
    hops: Cell<u32>,
}

impl Link {
    pub fn new(ctx: Ctx<ChubbyMessage>, replicas: &[String]) -> Self {
        let conns = replicas.iter().map(|name| ctx.connect(ctx.find(name))).collect();
        let at = ctx.stream("replica").between(0, replicas.len() as u64 - 1) as usize;
        Link { ctx, conns: RefCell::new(conns), at: Cell::new(at), hops: Cell::new(0) }
    }

    pub fn conn(&self) -> ConnId {
        self.conns.borrow()[self.at.get()]
    }

    /// Records that the replica answered as the master.
    pub fn on_master_found(&self) {
        self.hops.set(0);
    }

    pub async fn pause(&self) {
        self.ctx.sleep(RETRY).await;
    }

    /// Handles a replica that is not the master but may know it. Two replicas may redirect a client in turns for a
    /// while.
    pub async fn on_redirect(&self, master: Option<u8>) {
        match master {
            Some(master) if self.hops.get() < 2 => {
                self.hops.set(self.hops.get() + 1);
                self.at.set(usize::from(master));
            }
            _ => {
                self.hops.set(0);
                self.next();
                self.pause().await;
            }
        }
    }

    /// Handles a replica that did not answer. A silent connection is replaced.
    pub async fn on_failure(&self, error: CallError) {
        if error == CallError::TimedOut {
            let conn = &mut self.conns.borrow_mut()[self.at.get()];
            *conn = self.ctx.reopen(*conn);
        }
        self.next();
        self.pause().await;
    }

    fn next(&self) {
        self.at.set((self.at.get() + 1) % self.conns.borrow().len());
    }
}
