//! A lock on ZooKeeper, as Curator's InterProcessMutex takes it. [`crate::locks::zookeeper::server`] describes the
//! servers, and why the model uses Raft in place of Zab.
//!
//! From Curator's source (apache/curator; InterProcessMutex.java, LockInternals.java) and documentation:
//! - Each client creates an ephemeral sequential node; the first has the lock, the others watch their predecessor.
//! - A holder may acquire again: its thread counts, without a request to the servers.
//! - Curator does not interrupt a holder whose connection or session is gone (CURATOR-206, issue #727). It notifies
//!   listeners; the program decides what to do then: here `stop_on`.
//! - The raw Curator takes a node of an ended session for its own (bug `curator-own-old-node`); the model's does not.

mod handle;
mod info;
mod internals;
mod params;
pub mod server;
mod state;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, Either, Task, race};

pub use self::params::{StopOn, ZookeeperParams};

use self::handle::{Handle, ZkError};
use self::internals::{Internals, Node};
use self::state::Chore;
use super::timing::REQUEST_TIMEOUT;
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::guarded::{InStore, ReadReply, StoreAccess, StoreFuture};
use crate::history::{GrantId, ResourceId};
use crate::info::LockInfo;
use crate::lock::Lock;
use crate::locks::zookeeper::server::{Member, Reply, Tree, ZkMessage};
use crate::servers::raft;
use crate::site::Site;
use crate::wire::Ctx;

/// A client of the ensemble.
pub struct Zookeeper {
    internals: Rc<Internals>,
    /// The entry in Curator's `threadData`.
    held: Option<Held>,
    _background: [Task; 3],
}

#[derive(Clone, Copy)]
struct Held {
    grant: GrantId,
    node: Node,
    count: u32,
}

/// The maximal time of a change by the majority, the event of a watch and a listing, including packets that are sent
/// again.
const HAND_OVER: Duration = Duration::from_secs(4);

impl Held {
    fn grant(&self) -> Grant {
        Grant { id: self.grant, token: Some(self.node.stat.czxid), valid_until: None }
    }
}

fn names(params: &ZookeeperParams) -> Vec<String> {
    (1..=params.servers).map(|n| format!("zk-{n}")).collect()
}

impl Zookeeper {
    fn zk(&self) -> &Handle {
        &self.internals.zk
    }

    /// Deletes the own node after the deadline. If that fails, or if the node may not exist, the background does it.
    async fn abandon_attempt(&self, attempt: GrantId, own: Option<Node>) -> LockError {
        let Some(node) = own else {
            self.zk().add_chore(Chore::Find(self.internals.resource, attempt));
            return LockError::Unknown(Reason::Busy);
        };
        let deleted = self.zk().request(ZkMessage::Delete { path: node.path }, None);
        match race(deleted, self.zk().ctx.sleep(REQUEST_TIMEOUT)).await {
            Either::First(Ok(_) | Err(ZkError::NoNode)) => LockError::Failed(Reason::Busy),
            _ => {
                self.zk().add_chore(Chore::Delete(node.path));
                LockError::Unknown(Reason::Busy)
            }
        }
    }

    /// Reads the data, which is a node of the same tree. The member that reported the lock as free has applied all
    /// earlier writes, so no `sync` is needed.
    async fn read_row(&self, grant: &Grant, access: &StoreAccess) -> Result<ReadReply, ZkError> {
        let read = ZkMessage::ReadRow { grant: grant.id, order: access.order };
        match self.internals.retrying(async || self.zk().request(read.clone(), None).await).await? {
            Reply::Row(row) => Ok(row),
            _ => Err(ZkError::NoNode),
        }
    }
}

impl From<ZkError> for LockError {
    fn from(error: ZkError) -> Self {
        match error {
            ZkError::Loss { sent: true } => LockError::Unknown(Reason::Call(CallError::Reset)),
            ZkError::Loss { sent: false } => LockError::Failed(Reason::Call(CallError::Refused)),
            ZkError::Session | ZkError::NoNode => LockError::Failed(Reason::NotHeld),
            ZkError::Refused(why) => LockError::Failed(Reason::Refused(why)),
        }
    }
}

impl Lock for Zookeeper {
    const INFO: LockInfo = info::INFO;
    type Params = ZookeeperParams;
    type Message = ZkMessage;

    fn deploy(params: &ZookeeperParams, site: &mut Site<'_, ZkMessage>) {
        let timing = params.timing();
        raft::deploy(site, &names(params), params.raft(), Tree::new(site.data().initial_count), |_| {
            Member::new(timing)
        });
    }

    fn connect(params: &ZookeeperParams, ctx: Ctx<ZkMessage>, resource: ResourceId) -> Self {
        let zk = Handle::new(ctx.clone(), params.clone());
        let internals = Rc::new(Internals::new(zk.clone(), params.clone(), resource));
        let tidy = ctx.spawn(internals.clone().run_chores());
        let background = [ctx.spawn(zk.clone().run()), ctx.spawn(zk.watch_over()), tidy];
        Zookeeper { internals, held: None, _background: background }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        if let Some(held) = &mut self.held {
            held.count += 1;
            return Ok(held.grant());
        }
        let own = Cell::new(None);
        let locked = self.internals.attempt_lock(attempt.id, &own);
        match race(locked, self.zk().ctx.sleep_until(attempt.give_up)).await {
            Either::First(Ok(node)) => {
                let held = Held { grant: attempt.id, node, count: 1 };
                self.held = Some(held);
                self.zk().hold(Some(attempt.id));
                Ok(held.grant())
            }
            // The created node may stay for a while.
            Either::First(Err(_)) => Err(LockError::Unknown(Reason::Call(CallError::Reset))),
            Either::Second(()) => Err(self.abandon_attempt(attempt.id, own.get()).await),
        }
    }

    /// Removes the entry in any case. A node that cannot be deleted now is deleted in the background, except with the
    /// bug `curator-release-forgets`.
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let Some(held) = self.held.as_mut().filter(|held| held.grant == grant.id) else {
            return Err(LockError::Failed(Reason::NotHeld));
        };
        held.count -= 1;
        if held.count > 0 {
            return Ok(());
        }
        let path = held.node.path;
        self.held = None;
        self.zk().hold(None);
        let deleted = self.internals.delete(path, Some("release-sent")).await;
        if deleted.is_err() && !self.internals.params.release_forgets {
            self.zk().add_chore(Chore::Delete(path));
        }
        deleted.map_err(|_| LockError::Unknown(Reason::Call(CallError::Reset)))
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(self.zk().holds(grant.id))
    }

    fn retry_delay(&mut self) -> Duration {
        Duration::ZERO
    }

    /// A session is closed its timeout and at most a tick after its last activity, of which the leader may learn half a
    /// tick late (ExpiryQueue.java, LearnerSessionTracker.java). The timeouts run on the leader's monotonic clock: slow
    /// rates and stopped machines lengthen them, clock steps do not. Other faults may change the leader, and a new one
    /// restarts the timeouts (SessionTrackerImpl.java): elections add their own time and one more timeout. A waiter
    /// that lost its connection then tries all members, each for its share of the timeout, and its operation once more.
    ///
    /// Progress has the same bound: what a client leaves behind is deleted with its session.
    fn takeover_bound(params: &ZookeeperParams, allowance: &BoundAllowance) -> Duration {
        let (timeout, tick) = (params.negotiated(), params.tick.0);
        let term = allowance.stretch_mono(timeout + tick + tick / 2);
        if *allowance == BoundAllowance::default() {
            return term + HAND_OVER;
        }
        let elections = 2 * params.raft().max_failover_time();
        let connect = timeout + u32::from(params.servers) * Duration::from_secs(1);
        let retry = params.retry_base.0 * (1 << params.retries.min(20));
        2 * term + HAND_OVER + elections + connect + retry + allowance.reconnect
    }

    fn in_store(&mut self) -> Option<&mut dyn InStore> {
        Some(self)
    }
}

/// The data under the guard `owner-txn`.
impl InStore for Zookeeper {
    fn read<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess) -> StoreFuture<'a, ReadReply> {
        Box::pin(async { self.read_row(grant, access).await.map_err(LockError::from) })
    }

    /// A `multi` that checks that the own node exists and sets the data. It is sent once: the scenario decides whether
    /// a client tries again after an unknown outcome.
    fn write<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess, read: ReadReply) -> StoreFuture<'a, ()> {
        let write = access.write(grant, read);
        Box::pin(async move {
            let Some(held) = self.held else { return Err(LockError::Failed(Reason::NotHeld)) };
            let request = ZkMessage::WriteRow { path: held.node.path, write };
            self.zk().request(request, Some("write-sent")).await.map(drop).map_err(LockError::from)
        })
    }
}
