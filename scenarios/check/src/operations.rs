//! The operations of a case on its lock, as input for a linearizability checker: acquires and releases by clients, and
//! expiries by the service.
//!
//! An owner is a client's process. The service knows sessions and connections, and a process has one of them at a time.
//! The service does not know this simulator's grants. Ground truth decides what clients cannot know: whether a release
//! ended a grant, and when a grant expired.

use fencepost_models::ResourceId;
use fencepost_models::history::{Ack, Cause, Event, GrantId, Token};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::table::Table;

/// A process of a client. A client that restarts after a crash is a new process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// The client.
    pub client: NodeId,
    /// The number of earlier crashes of the client.
    pub crashes: u32,
}

/// An operation on a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockOperation {
    /// The resource that the lock guards.
    pub resource: ResourceId,
    /// The grant that is acquired, released or expired.
    pub grant: GrantId,
    /// The process that acquires or releases. For an expiry, the process whose grant ends.
    pub process: Process,
    /// The action.
    pub action: Action,
    /// When the operation was invoked.
    pub invoked: Moment,
    /// When the operation returned, if it did.
    pub returned: Option<Moment>,
    /// The result.
    pub end: End,
}

/// The position of an event in the history, and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The unique number of the event, in the order of the history.
    pub number: u64,
    /// The true time.
    pub at: SimTime,
}

/// The action that an operation performs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A client acquires the lock.
    Acquire {
        /// The fencing token of the grant, if any.
        token: Option<Token>,
    },
    /// A client releases the lock.
    Release,
    /// The service ends the grant.
    Expire,
}

/// The result of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The operation took effect before it returned.
    Ok,
    /// The operation did not take effect, and never will.
    Fail,
    /// Unknown: the operation may have taken effect, or may still do so.
    Info,
}

/// Collects the operations of a case.
#[derive(Default)]
pub struct Operations {
    operations: Vec<LockOperation>,
    grants: Table<GrantId, Grant>,
    /// The number of crashes of each client.
    crashes: Vec<(NodeId, u32)>,
    now: Moment,
}

/// A grant: the indices of its operations, and the servers that have it on record.
#[derive(Default)]
struct Grant {
    resource: ResourceId,
    acquire: Option<usize>,
    release: Option<usize>,
    expire: Option<usize>,
    /// Whether a release invoked for this grant ended any grant.
    effective: bool,
    servers: Vec<NodeId>,
}

impl Operations {
    /// Handles an event. Events must be passed in the order in which they happened.
    pub fn observe(&mut self, at: SimTime, event: &Event) {
        self.now = Moment { number: self.now.number + 1, at };
        match *event {
            Event::AcquireInvoked { client, grant, resource } => {
                self.grants.row(grant).resource = resource;
                let index = self.begin(client, grant, Action::Acquire { token: None });
                self.grants.row(grant).acquire = Some(index);
            }
            Event::Acquired { grant, token, .. } => self.acquired(grant, token),
            Event::NotAcquired { grant, ack, .. } => self.end_acquire(grant, ack),
            Event::ReleaseInvoked { client, grant } => {
                let index = self.begin(client, grant, Action::Release);
                self.grants.row(grant).release = Some(index);
            }
            Event::ReleaseReturned { grant, ack, .. } => self.released(grant, ack),
            Event::ClientCrashed { client } => self.crash(client),
            Event::Granted { server, grant } => self.grants.row(grant).servers.push(server),
            Event::Ended { server, grant, cause } => self.grant_ended(server, grant, cause),
            _ => {}
        }
    }

    /// Returns all operations in the order of their invocations. A release that ended no grant gets [`End::Fail`].
    pub fn finish(mut self) -> Vec<LockOperation> {
        for grant in self.grants.values() {
            if let Some(release) = grant.release.filter(|_| !grant.effective) {
                self.operations[release].end = End::Fail;
            }
        }
        self.operations
    }

    fn begin(&mut self, client: NodeId, grant: GrantId, action: Action) -> usize {
        let process = Process { client, crashes: self.crashes_of(client) };
        let resource = self.grants.row(grant).resource;
        self.operations.push(LockOperation {
            resource,
            grant,
            process,
            action,
            invoked: self.now,
            returned: None,
            end: End::Info,
        });
        self.operations.len() - 1
    }

    fn crashes_of(&self, client: NodeId) -> u32 {
        self.crashes.iter().find(|(known, _)| *known == client).map_or(0, |(_, crashes)| *crashes)
    }

    fn acquired(&mut self, grant: GrantId, token: Option<Token>) {
        self.end_acquire(grant, Ack::Ok);
        if let Some(acquire) = self.grants.row(grant).acquire {
            self.operations[acquire].action = Action::Acquire { token };
        }
    }

    fn end_acquire(&mut self, grant: GrantId, ack: Ack) {
        if let Some(acquire) = self.grants.row(grant).acquire {
            self.end(acquire, ack);
        }
    }

    /// A release that the client sees as successful is `Ok` only if it has already ended a grant.
    fn released(&mut self, grant: GrantId, ack: Ack) {
        let row = self.grants.row(grant);
        let (effective, release) = (row.effective, row.release);
        if let Some(release) = release {
            self.end(release, if effective && ack == Ack::Ok { Ack::Ok } else { Ack::Unknown });
        }
    }

    fn end(&mut self, index: usize, ack: Ack) {
        let end = match ack {
            Ack::Ok => End::Ok,
            Ack::Failed => End::Fail,
            Ack::Unknown => End::Info,
        };
        (self.operations[index].returned, self.operations[index].end) = (Some(self.now), end);
    }

    fn crash(&mut self, client: NodeId) {
        match self.crashes.iter_mut().find(|(known, _)| *known == client) {
            Some((_, crashes)) => *crashes += 1,
            None => self.crashes.push((client, 1)),
        }
    }

    /// Handles the end of the grant at one server. A grant by several servers expires between the first end and the
    /// last.
    fn grant_ended(&mut self, server: NodeId, grant: GrantId, cause: Cause) {
        let row = self.grants.row(grant);
        match row.servers.iter().position(|known| *known == server) {
            Some(index) => drop(row.servers.swap_remove(index)),
            // A new leader ends a grant of the old one.
            None => row.servers.clear(),
        }
        let (acquire, expire, last) = (row.acquire, row.expire, row.servers.is_empty());
        if let Cause::Released(by) = cause {
            let released = self.grants.row(by);
            released.effective |= released.release.is_some();
            if released.release.is_some() {
                return;
            }
        }
        let Some(acquire) = acquire else { return };
        let expire = expire.unwrap_or_else(|| {
            let process = self.operations[acquire].process;
            let resource = self.grants.row(grant).resource;
            self.operations.push(LockOperation {
                resource,
                grant,
                process,
                action: Action::Expire,
                invoked: self.now,
                returned: None,
                end: End::Info,
            });
            self.operations.len() - 1
        });
        self.grants.row(grant).expire = Some(expire);
        if last {
            self.now.number += 1;
            self.end(expire, Ack::Ok);
            // A client that asks servers in rounds may be granted the lock again.
            self.grants.row(grant).expire = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const SERVER: NodeId = NodeId(9);

    fn operations(events: &[Event]) -> Vec<(u32, u32, Action, u64, Option<u64>, End)> {
        let mut collected = Operations::default();
        events.iter().for_each(|event| collected.observe(SimTime(0), event));
        let short = |operation: LockOperation| {
            let returned = operation.returned.map(|moment| moment.number);
            (
                operation.grant.0,
                operation.process.crashes,
                operation.action,
                operation.invoked.number,
                returned,
                operation.end,
            )
        };
        collected.finish().into_iter().map(short).collect()
    }

    fn requests(client: NodeId, grant: u32) -> Event {
        Event::AcquireInvoked { client, grant: GrantId(grant), resource: ResourceId(0) }
    }

    fn acquired(client: NodeId, grant: u32, token: Option<Token>) -> Event {
        Event::Acquired { client, grant: GrantId(grant), token, validity: false }
    }

    fn granted(server: NodeId, grant: u32) -> Event {
        Event::Granted { server, grant: GrantId(grant) }
    }

    fn ended(server: NodeId, grant: u32, cause: Cause) -> Event {
        Event::Ended { server, grant: GrantId(grant), cause }
    }

    fn releases(client: NodeId, grant: u32) -> Event {
        Event::ReleaseInvoked { client, grant: GrantId(grant) }
    }

    fn returns(client: NodeId, grant: u32, ack: Ack) -> Event {
        Event::ReleaseReturned { client, grant: GrantId(grant), ack }
    }

    const NO_TOKEN: Action = Action::Acquire { token: None };

    #[test]
    fn an_acquire_has_the_result_that_its_client_saw() {
        let ended = |ack| Event::NotAcquired { client: A, grant: GrantId(1), ack };
        let acquire = |event| operations(&[requests(A, 1), event])[0];
        assert_eq!(acquire(acquired(A, 1, Some(7))), (1, 0, Action::Acquire { token: Some(7) }, 1, Some(2), End::Ok));
        assert_eq!(acquire(ended(Ack::Failed)), (1, 0, NO_TOKEN, 1, Some(2), End::Fail));
        assert_eq!(acquire(ended(Ack::Unknown)), (1, 0, NO_TOKEN, 1, Some(2), End::Info));
        assert_eq!(operations(&[requests(A, 1)]), [(1, 0, NO_TOKEN, 1, None, End::Info)]);
    }

    /// The effect of the release comes before its return, after it, or never.
    #[test]
    fn a_release_takes_effect_if_it_ends_a_grant() {
        let begin = [requests(A, 1), granted(SERVER, 1), acquired(A, 1, None), releases(A, 1)];
        let effect = ended(SERVER, 1, Cause::Released(GrantId(1)));
        let release = |more: &[Event]| operations(&[&begin, more].concat())[1];
        for (ack, end) in [(Ack::Ok, End::Ok), (Ack::Failed, End::Info), (Ack::Unknown, End::Info)] {
            let (.., ended, how) = release(&[effect.clone(), returns(A, 1, ack)]);
            assert_eq!((ended, how), (Some(6), end), "{ack:?}");
            assert_eq!(release(&[returns(A, 1, ack), effect.clone()]).5, End::Info, "{ack:?}");
            assert_eq!(release(&[returns(A, 1, ack)]).5, End::Fail, "{ack:?}");
        }
        assert_eq!(release(std::slice::from_ref(&effect)).5, End::Info);
    }

    #[test]
    fn an_expiry_is_a_separate_operation() {
        let begin = [requests(A, 1), granted(SERVER, 1), acquired(A, 1, None)];
        for cause in [Cause::Expired, Cause::Revoked] {
            let operations = operations(&[&begin[..], &[ended(SERVER, 1, cause), requests(B, 2)]].concat());
            assert_eq!(operations[1], (1, 0, Action::Expire, 4, Some(5), End::Ok));
            assert_eq!(operations[2].3, 6, "an expiry begins and ends");
        }
    }

    #[test]
    fn a_grant_by_several_servers_expires_between_the_first_end_and_the_last() {
        let other = NodeId(8);
        let begin = [requests(A, 1), granted(SERVER, 1), granted(other, 1), acquired(A, 1, None)];
        let first = ended(SERVER, 1, Cause::Expired);
        assert_eq!(operations(&[&begin[..], std::slice::from_ref(&first)].concat())[1].5, End::Info);
        let all = operations(&[&begin[..], &[first, requests(B, 2), ended(other, 1, Cause::Expired)]].concat());
        assert_eq!(all[1], (1, 0, Action::Expire, 5, Some(8), End::Ok));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_new_leader_ends_a_grant_of_the_old_one() {
        let expired = |before: &[Event]| {
            let events =
                [&[requests(A, 1)], before, &[acquired(A, 1, None), ended(NodeId(8), 1, Cause::Expired)]].concat();
            operations(&events)[1].5
        };
        assert_eq!(expired(&[granted(SERVER, 1)]), End::Ok);
        assert_eq!(expired(&[granted(SERVER, 1), granted(NodeId(7), 1)]), End::Ok);
    }

    #[test]
    fn a_release_that_no_client_invoked_is_an_expiry() {
        let cleanup = ended(SERVER, 1, Cause::Released(GrantId(2)));
        let operations =
            operations(&[requests(A, 1), granted(SERVER, 1), acquired(A, 1, None), requests(A, 2), cleanup]);
        assert_eq!((operations[2].0, operations[2].2), (1, Action::Expire));
    }

    #[test]
    fn a_release_that_ends_another_grant_keeps_its_own_operation() {
        let begin = [
            requests(A, 1),
            acquired(A, 1, None),
            releases(A, 1),
            requests(B, 2),
            granted(SERVER, 2),
            acquired(B, 2, None),
        ];
        let operations = operations(
            &[&begin[..], &[ended(SERVER, 2, Cause::Released(GrantId(1))), returns(A, 1, Ack::Ok)]].concat(),
        );
        assert_eq!(operations.len(), 3);
        assert_eq!(operations[1], (1, 0, Action::Release, 3, Some(8), End::Ok));
    }

    #[test]
    fn a_client_is_a_new_process_after_a_crash() {
        let crash = Event::ClientCrashed { client: A };
        let operations =
            operations(&[requests(A, 1), crash.clone(), requests(A, 2), requests(B, 3), crash, requests(A, 4)]);
        assert_eq!(operations.iter().map(|operation| operation.1).collect::<Vec<_>>(), [0, 1, 0, 2]);
        assert_eq!(operations[0].5, End::Info);
    }
}
