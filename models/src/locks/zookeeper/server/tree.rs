//! The replicated state: the sessions, the lock nodes, and the guarded row.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Child, Path, Reply, SessionId, Stat};
use crate::guarded::{Guard, ReadReply, Row, Write};
use crate::history::{Cause, Event, GrantId, ResourceId};
use crate::servers::raft::{GroundTruthLog, Machine};

/// The state of all nodes and sessions.
#[derive(Clone, Debug, Serialize)]
pub struct Tree {
    sessions: BTreeMap<SessionId, SessionRecord>,
    parents: BTreeMap<ResourceId, Parent>,
    row: Row,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct SessionRecord {
    timeout: Duration,
    /// The member to which its client is connected.
    member: u16,
}

/// A resource's parent node. It stays when its last child is deleted. A container would be removed after a while and
/// its numbers would restart, so the numbers are no fencing tokens.
#[derive(Clone, Debug, Default, Serialize)]
struct Parent {
    /// "The counter used to store the next sequence number … is maintained by the parent node"
    /// (zookeeperProgrammers.md).
    next: u32,
    children: BTreeMap<u32, Node>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Node {
    attempt: GrantId,
    stat: Stat,
}

/// A change of the state. The member that requests it for a session is part of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum Change {
    /// Opens a session.
    Open { member: u16, timeout: Duration },
    /// Resumes a client's session at this member.
    Move { member: u16, session: SessionId },
    /// The session has expired.
    Close { session: SessionId },
    /// Creates an ephemeral sequential node.
    Create { by: Requester, resource: ResourceId, attempt: GrantId },
    /// Deletes a node.
    Delete { by: Requester, path: Path },
    /// Writes the row if the node exists.
    Write { by: Requester, path: Path, write: Write },
}

/// The requester of a change.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Requester {
    /// The session.
    pub session: SessionId,
    /// The member to which it is connected.
    pub member: u16,
}

/// The result of a change.
#[derive(Debug)]
pub struct Outcome {
    /// The reply to the requester.
    pub reply: Reply,
    /// The deleted nodes.
    pub deleted: Vec<Path>,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Outcome { reply, deleted: Vec::new() }
    }
}

impl Tree {
    /// A tree without locks and sessions, with this stock.
    pub fn new(stock: u32) -> Self {
        Tree { sessions: BTreeMap::new(), parents: BTreeMap::new(), row: Row::new(stock.into()) }
    }

    /// All sessions and their timeouts.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, Duration)> {
        self.sessions.iter().map(|(id, session)| (*id, session.timeout))
    }

    /// The timeout of an open session.
    pub fn timeout(&self, session: SessionId) -> Option<Duration> {
        self.sessions.get(&session).map(|session| session.timeout)
    }

    /// The children of a resource's parent.
    pub fn children(&self, resource: ResourceId) -> Vec<Child> {
        let children = self.parents.get(&resource).into_iter().flat_map(|parent| &parent.children);
        children.map(|(sequence, node)| Child { sequence: *sequence, attempt: node.attempt }).collect()
    }

    /// The metadata of a node.
    pub fn stat(&self, path: Path) -> Option<Stat> {
        Some(self.parents.get(&path.resource)?.children.get(&path.sequence)?.stat)
    }

    /// The guarded row.
    pub fn row(&self) -> ReadReply {
        self.row.reply()
    }

    /// The reason why the requester may not change anything, if any: `checkSession` (SessionTrackerImpl.java).
    fn check_session(&self, by: Requester) -> Option<Reply> {
        match self.sessions.get(&by.session) {
            None => Some(Reply::Expired),
            Some(session) if session.member != by.member => Some(Reply::Moved),
            Some(_) => None,
        }
    }

    fn move_session(&mut self, id: SessionId, member: u16) -> Reply {
        let Some(session) = self.sessions.get_mut(&id) else { return Reply::Expired };
        session.member = member;
        Reply::Session { id, timeout: session.timeout }
    }

    fn create(
        &mut self,
        truth: &mut GroundTruthLog,
        czxid: u64,
        owner: SessionId,
        resource: ResourceId,
        attempt: GrantId,
    ) -> Reply {
        let parent = self.parents.entry(resource).or_default();
        let (sequence, stat) = (parent.next, Stat { czxid, ephemeral_owner: owner });
        parent.next += 1;
        let server = truth.server();
        // A late create makes a second node for an attempt, which keeps the position of the first.
        let waits_already = parent.children.values().any(|node| node.attempt == attempt);
        match parent.children.is_empty() {
            true => truth.note(Event::Granted { server, grant: attempt }),
            false if waits_already => {}
            false => truth.note(Event::Enqueued { server, grant: attempt }),
        }
        parent.children.insert(sequence, Node { attempt, stat });
        Reply::Created { sequence, stat }
    }

    /// Removes a node. The first of all children has the lock.
    fn remove(&mut self, truth: &mut GroundTruthLog, path: Path, cause: impl FnOnce(GrantId) -> Cause) -> bool {
        let Some(parent) = self.parents.get_mut(&path.resource) else { return false };
        let first = parent.children.keys().next() == Some(&path.sequence);
        let Some(Node { attempt: grant, .. }) = parent.children.remove(&path.sequence) else { return false };
        let server = truth.server();
        if first {
            truth.note(Event::Ended { server, grant, cause: cause(grant) });
        } else {
            truth.note(Event::Withdrawn { server, grant });
        }
        let mut left = parent.children.values().map(|node| node.attempt);
        let holder = left.next();
        if first && let Some(grant) = holder {
            truth.note(Event::Granted { server, grant });
        }
        // An attempt that lost its session meanwhile has a second node, so the queue is reported again.
        if left.clone().any(|waiter| waiter == grant) {
            left.for_each(|grant| truth.note(Event::Enqueued { server, grant }));
        }
        true
    }

    fn delete(&mut self, truth: &mut GroundTruthLog, path: Path) -> Outcome {
        match self.remove(truth, path, Cause::Released) {
            true => Outcome { reply: Reply::Done, deleted: vec![path] },
            false => Reply::NoNode.into(),
        }
    }

    fn close(&mut self, truth: &mut GroundTruthLog, session: SessionId) -> Outcome {
        if self.sessions.remove(&session).is_none() {
            return Reply::Expired.into();
        }
        let own = self.parents.iter().flat_map(|(resource, parent)| {
            let own = parent.children.iter().filter(|(_, node)| node.stat.ephemeral_owner == session);
            own.map(|(sequence, _)| Path { resource: *resource, sequence: *sequence })
        });
        // In reverse order, so that none of them gets the lock in between.
        let mut deleted: Vec<Path> = own.collect();
        deleted.reverse();
        for path in &deleted {
            self.remove(truth, *path, |_| Cause::Expired);
        }
        Outcome { reply: Reply::Done, deleted }
    }

    /// `Op.check` of the owner's node, and `setData` of the row, both or none (zookeeperProgrammers.md, `multi`).
    fn write(&mut self, truth: &mut GroundTruthLog, path: Path, write: &Write) -> Reply {
        if self.stat(path).is_none() {
            return Reply::NoNode;
        }
        if self.row.knows(write) {
            return Reply::Done;
        }
        let Write { grant, order, units, .. } = *write;
        match self.row.write(Guard::OwnerTxn, write) {
            Ok((accepted, changes)) => {
                changes.into_iter().flatten().for_each(|change| self.row.apply(change));
                let (based_on, version, count) = (accepted.based_on, accepted.version, accepted.count);
                truth.note(Event::WriteAccepted { grant, order, units, based_on, version, count });
                Reply::Done
            }
            Err(why) => {
                truth.note(Event::OperationRefused { grant, order, why });
                Reply::Refused(why)
            }
        }
    }
}

impl Machine for Tree {
    type Command = Change;
    type Answer = Outcome;

    fn apply(&mut self, truth: &mut GroundTruthLog, zxid: u64, change: &Change) -> Outcome {
        let by = match *change {
            Change::Open { member, timeout } => {
                self.sessions.insert(zxid, SessionRecord { timeout, member });
                return Reply::Session { id: zxid, timeout }.into();
            }
            Change::Move { member, session } => return self.move_session(session, member).into(),
            Change::Close { session } => return self.close(truth, session),
            Change::Create { by, .. } | Change::Delete { by, .. } | Change::Write { by, .. } => by,
        };
        if let Some(refused) = self.check_session(by) {
            return refused.into();
        }
        match *change {
            Change::Create { resource, attempt, .. } => self.create(truth, zxid, by.session, resource, attempt).into(),
            Change::Delete { path, .. } => self.delete(truth, path),
            Change::Write { path, ref write, .. } => self.write(truth, path, write).into(),
            Change::Open { .. } | Change::Move { .. } | Change::Close { .. } => unreachable!("handled above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use fencepost_sim::NodeId;

    use super::*;

    const SERVER: NodeId = NodeId(9);
    const LOCK: ResourceId = ResourceId(0);
    const SESSION: Requester = Requester { session: 1, member: 0 };

    /// A tree with one session, in which these attempts each created a node.
    fn queue(attempts: &[u32]) -> (Tree, GroundTruthLog) {
        let (mut tree, mut truth) = (Tree::new(1), GroundTruthLog::first_applier(SERVER));
        tree.apply(&mut truth, 1, &Change::Open { member: 0, timeout: Duration::from_secs(1) });
        for (zxid, attempt) in (2..).zip(attempts) {
            tree.apply(&mut truth, zxid, &Change::Create { by: SESSION, resource: LOCK, attempt: GrantId(*attempt) });
        }
        (tree, truth)
    }

    fn delete(tree: &mut Tree, truth: &mut GroundTruthLog, sequence: u32) {
        tree.apply(truth, 99, &Change::Delete { by: SESSION, path: Path { resource: LOCK, sequence } });
    }

    fn granted(grant: u32) -> Event {
        Event::Granted { server: SERVER, grant: GrantId(grant) }
    }

    fn enqueued(grant: u32) -> Event {
        Event::Enqueued { server: SERVER, grant: GrantId(grant) }
    }

    fn ended(grant: u32) -> Event {
        let grant = GrantId(grant);
        Event::Ended { server: SERVER, grant, cause: Cause::Released(grant) }
    }

    #[test]
    fn nodes_get_the_lock_in_the_order_of_their_numbers() {
        let (mut tree, mut truth) = queue(&[0, 1, 2]);
        delete(&mut tree, &mut truth, 0);
        assert_eq!(truth.notes(), [granted(0), enqueued(1), enqueued(2), ended(0), granted(1)]);
    }

    #[test]
    fn an_attempt_with_two_nodes_keeps_the_position_of_the_first_until_its_deletion() {
        let (mut tree, mut truth) = queue(&[0, 1, 2, 1]);
        assert_eq!(truth.notes(), [granted(0), enqueued(1), enqueued(2)]);
        delete(&mut tree, &mut truth, 0);
        delete(&mut tree, &mut truth, 1);
        assert_eq!(truth.notes()[3..], [ended(0), granted(1), ended(1), granted(2), enqueued(1)]);
    }
}
