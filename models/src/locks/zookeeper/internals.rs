//! Curator's retried operations and its lock recipe (LockInternals.java, CreateBuilderImpl.java).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::stream::Stream;
use fencepost_sim::{Either, race};

use super::ZookeeperParams;
use super::handle::{Handle, ZkError};
use super::state::Chore;
use crate::history::{GrantId, ResourceId};
use crate::locks::zookeeper::server::{Child, Path, Reply, Stat, ZkMessage};

/// Curator's framework and the lock's internals.
pub(super) struct Internals {
    pub zk: Rc<Handle>,
    pub params: ZookeeperParams,
    pub resource: ResourceId,
    delays: RefCell<Stream>,
}

/// The own node of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub path: Path,
    pub stat: Stat,
}

impl Internals {
    pub fn new(zk: Rc<Handle>, params: ZookeeperParams, resource: ResourceId) -> Self {
        let delays = RefCell::new(zk.ctx.stream("curator retries"));
        Internals { zk, params, resource, delays }
    }

    /// `attemptLock`: waits until the own node is the first. The caller decides about the node if it gives up.
    pub async fn attempt_lock(&self, attempt: GrantId, own: &Cell<Option<Node>>) -> Result<Node, ZkError> {
        for retry in 0.. {
            let node = match self.create(attempt).await {
                Ok(node) => node,
                Err(error) => {
                    self.zk.add_chore(Chore::Find(self.resource, attempt));
                    return Err(error);
                }
            };
            own.set(Some(node));
            match self.wait_for_turn(&node).await {
                Ok(()) => return Ok(node),
                Err(ZkError::NoNode) if retry < self.params.retries => self.back_off(retry).await,
                Err(error) => {
                    self.zk.add_chore(Chore::Delete(node.path));
                    return Err(error);
                }
            }
            own.set(None);
        }
        unreachable!("tries end before numbers do")
    }

    /// Creates the own node, protected: a later attempt looks for the node of an earlier one.
    async fn create(&self, attempt: GrantId) -> Result<Node, ZkError> {
        let tried = Cell::new(false);
        self.retrying(async || {
            if tried.replace(true)
                && let Some(node) = self.find_own(attempt).await?
            {
                return Ok(node);
            }
            let step = Some("acquire-sent");
            match self.zk.request(ZkMessage::Create { resource: self.resource, attempt }, step).await? {
                Reply::Created { sequence, stat } => Ok(Node { path: self.path(sequence), stat }),
                _ => Err(ZkError::Session),
            }
        })
        .await
    }

    /// Finds the node of an earlier attempt. A node of an older session is discarded, since it will not last
    /// (ProtectedMode.java, `validateFoundNode`).
    async fn find_own(&self, attempt: GrantId) -> Result<Option<Node>, ZkError> {
        for child in self.children().await?.into_iter().filter(|child| child.attempt == attempt) {
            let path = self.path(child.sequence);
            let stat = match self.zk.request(ZkMessage::GetData { path, watch: false }, None).await {
                Ok(Reply::Data(stat)) => stat,
                Err(ZkError::NoNode) | Ok(_) => continue,
                Err(error) => return Err(error),
            };
            if self.is_of_this_session(&stat) {
                return Ok(Some(Node { path, stat }));
            }
            self.zk.add_chore(Chore::Delete(path));
        }
        Ok(None)
    }

    /// `internalLockLoop` (Curator, LockInternals.java): the first child has the lock; each other one watches its
    /// predecessor. `getsTheLock` (StandardLockInternalsDriver.java) looks only at the index of the own node, not at the
    /// session that created it. CURATOR-604 is open.
    async fn wait_for_turn(&self, node: &Node) -> Result<(), ZkError> {
        loop {
            let events = self.zk.events();
            let mut children = self.retrying(async || self.children().await).await?;
            if !self.is_of_this_session(&node.stat) && !self.params.own_old_node {
                self.zk.add_chore(Chore::Delete(node.path));
                return Err(ZkError::NoNode);
            }
            children.sort_unstable_by_key(|child| child.sequence);
            let place = children.iter().position(|child| child.sequence == node.path.sequence);
            let Some(before) = place.ok_or(ZkError::NoNode)?.checked_sub(1) else { return Ok(()) };
            let path = self.path(children[before].sequence);
            let watch = ZkMessage::GetData { path, watch: true };
            match self.retrying(async || self.zk.request(watch.clone(), None).await).await {
                Ok(_) => self.zk.state.wait_until(|state| state.events != events).await,
                Err(ZkError::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn is_of_this_session(&self, stat: &Stat) -> bool {
        self.zk.session() == Some(stat.ephemeral_owner)
    }

    async fn children(&self) -> Result<Vec<Child>, ZkError> {
        match self.zk.request(ZkMessage::GetChildren { resource: self.resource }, None).await? {
            Reply::Children(children) => Ok(children),
            _ => Err(ZkError::NoNode),
        }
    }

    fn path(&self, sequence: u32) -> Path {
        Path { resource: self.resource, sequence }
    }

    /// Deletes a node, with retries. A node that no longer exists counts as deleted.
    pub async fn delete(&self, path: Path, step: Option<&'static str>) -> Result<(), ZkError> {
        let step = Cell::new(step);
        let deleted = self.retrying(async || self.zk.request(ZkMessage::Delete { path }, step.take()).await).await;
        deleted.map(drop).or_else(|error| if error == ZkError::NoNode { Ok(()) } else { Err(error) })
    }

    /// `RetryLoop.callWithRetry`: retries what failed with the connection or the session. Every attempt first waits for
    /// a connection, up to Curator's connection timeout.
    pub async fn retrying<T>(&self, operation: impl AsyncFn() -> Result<T, ZkError>) -> Result<T, ZkError> {
        let mut retry = 0;
        loop {
            let connected = self.zk.state.wait_until(|state| state.is_connected());
            let outcome = match race(connected, self.zk.ctx.sleep(self.params.connection_timeout.0)).await {
                Either::First(()) => operation().await,
                Either::Second(()) => Err(ZkError::Loss { sent: false }),
            };
            match outcome {
                Err(ZkError::Loss { .. } | ZkError::Session) if retry < self.params.retries => {
                    self.back_off(retry).await;
                    retry += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// `baseSleepTimeMs * Math.max(1, random.nextInt(1 << (retryCount + 1)))` (ExponentialBackoffRetry.java).
    async fn back_off(&self, retry: u32) {
        let most = (1_u64 << (retry + 1).min(30)) - 1;
        let factor = self.delays.borrow_mut().between(0, most).max(1);
        self.zk.ctx.sleep(self.params.retry_base.0 * factor as u32).await;
    }

    /// Runs the pending background deletions as long as the process lives.
    pub async fn run_chores(self: Rc<Self>) {
        loop {
            self.zk.state.wait_until(|state| state.is_connected() && !state.chores.is_empty()).await;
            let Some(chore) = self.zk.first_chore() else { continue };
            match self.perform(chore).await {
                Ok(()) | Err(ZkError::NoNode) => self.zk.finish_chore(),
                Err(_) => self.zk.ctx.sleep(self.params.retry_base.0.max(Duration::from_millis(1))).await,
            }
        }
    }

    async fn perform(&self, chore: Chore) -> Result<(), ZkError> {
        let (resource, attempt) = match chore {
            Chore::Delete(path) => return self.zk.request(ZkMessage::Delete { path }, None).await.map(drop),
            Chore::Find(resource, attempt) => (resource, attempt),
        };
        for child in self.children().await?.into_iter().filter(|child| child.attempt == attempt) {
            self.zk.request(ZkMessage::Delete { path: Path { resource, sequence: child.sequence } }, None).await?;
        }
        Ok(())
    }
}
