//! The operations of a case on its lock, as a linearizability checker wants them: what clients asked for and what came
//! back, with the service's own ends of grants between them.
//!
//! An owner is a client's process: the service knows sessions and connections, which one process has at a time, and not
//! the grants of this simulator. What no client can know is taken from what the service really did: whether a release
//! ended anything, and when a grant expired.

use fencepost_models::ResourceId;
use fencepost_models::history::{Ack, Cause, Event, GrantId, Token};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::table::Table;

/// A client's process: the client, and how often it had crashed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// The client.
    pub client: NodeId,
    /// How often it had crashed before.
    pub crashes: u32,
}

/// An operation, as far as it has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockOperation {
    /// Of which lock.
    pub resource: ResourceId,
    /// The grant it is about.
    pub grant: GrantId,
    /// Whose it is.
    pub process: Process,
    /// What it does.
    pub what: What,
    /// When it began.
    pub invoked: Moment,
    /// When it returned, if it did.
    pub returned: Option<Moment>,
    /// How it came out.
    pub end: End,
}

/// When something happened: the time, and a number that no other event has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The number.
    pub number: u64,
    /// The time.
    pub at: SimTime,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A client asks for the lock.
    Acquire {
        /// What it was handed.
        token: Option<Token>,
    },
    /// A client gives it back.
    Release,
    /// The service ends the grant.
    Expire,
}

/// How an operation came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It took effect before it ended.
    Ok,
    /// It has no effect.
    Fail,
    /// It may have taken effect, or still take effect.
    Info,
}

/// Gathers them.
#[derive(Default)]
pub struct Operations {
    operations: Vec<LockOperation>,
    grants: Table<GrantId, Grant>,
    /// How often each client has crashed.
    crashes: Vec<(NodeId, u32)>,
    now: Moment,
}

/// What is known of a grant: the places of its operations, and where it is on record.
#[derive(Default)]
struct Grant {
    resource: ResourceId,
    acquire: Option<usize>,
    release: Option<usize>,
    expire: Option<usize>,
    /// A release that was invoked for it has ended something.
    effective: bool,
    servers: Vec<NodeId>,
}

impl Operations {
    /// Takes note of an event. Events come in the order in which they happened.
    pub fn observe(&mut self, at: SimTime, event: &Event) {
        self.now = Moment { number: self.now.number + 1, at };
        match *event {
            Event::AcquireInvoked { client, grant, resource } => {
                self.grants.row(grant).resource = resource;
                let place = self.begin(client, grant, What::Acquire { token: None });
                self.grants.row(grant).acquire = Some(place);
            }
            Event::Acquired { grant, token, .. } => self.acquired(grant, token),
            Event::NotAcquired { grant, ack, .. } => self.end_acquire(grant, ack),
            Event::ReleaseInvoked { client, grant } => {
                let place = self.begin(client, grant, What::Release);
                self.grants.row(grant).release = Some(place);
            }
            Event::ReleaseReturned { grant, ack, .. } => self.released(grant, ack),
            Event::ClientCrashed { client } => self.crash(client),
            Event::Granted { server, grant } => self.grants.row(grant).servers.push(server),
            Event::Ended { server, grant, cause } => self.grant_ended(server, grant, cause),
            _ => {}
        }
    }

    /// All operations in the order in which they began. A release that ended nothing has no effect.
    pub fn finish(mut self) -> Vec<LockOperation> {
        for grant in self.grants.values() {
            if let Some(release) = grant.release.filter(|_| !grant.effective) {
                self.operations[release].end = End::Fail;
            }
        }
        self.operations
    }

    fn begin(&mut self, client: NodeId, grant: GrantId, what: What) -> usize {
        let process = Process { client, crashes: self.crashes_of(client) };
        let resource = self.grants.row(grant).resource;
        self.operations.push(LockOperation {
            resource,
            grant,
            process,
            what,
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
            self.operations[acquire].what = What::Acquire { token };
        }
    }

    fn end_acquire(&mut self, grant: GrantId, ack: Ack) {
        if let Some(acquire) = self.grants.row(grant).acquire {
            self.end(acquire, ack);
        }
    }

    /// A release that the client knows to be done is so only if it has ended something by now.
    fn released(&mut self, grant: GrantId, ack: Ack) {
        let row = self.grants.row(grant);
        let (effective, release) = (row.effective, row.release);
        if let Some(release) = release {
            self.end(release, if effective && ack == Ack::Ok { Ack::Ok } else { Ack::Unknown });
        }
    }

    fn end(&mut self, place: usize, ack: Ack) {
        let end = match ack {
            Ack::Ok => End::Ok,
            Ack::Failed => End::Fail,
            Ack::Unknown => End::Info,
        };
        (self.operations[place].returned, self.operations[place].end) = (Some(self.now), end);
    }

    fn crash(&mut self, client: NodeId) {
        match self.crashes.iter_mut().find(|(known, _)| *known == client) {
            Some((_, crashes)) => *crashes += 1,
            None => self.crashes.push((client, 1)),
        }
    }

    /// A server ended its record. Where several hold the grant, it ends somewhere between the first and the last.
    fn grant_ended(&mut self, server: NodeId, grant: GrantId, cause: Cause) {
        let row = self.grants.row(grant);
        match row.servers.iter().position(|known| *known == server) {
            Some(place) => drop(row.servers.swap_remove(place)),
            // A new leader ends what the old one granted.
            None => row.servers.clear(),
        }
        let (acquire, expire, last) = (row.acquire, row.expire, row.servers.is_empty());
        if let Cause::Released(by) = cause {
            let of = self.grants.row(by);
            of.effective |= of.release.is_some();
            if of.release.is_some() {
                return;
            }
        }
        let Some(acquire) = acquire else { return };
        let expire = expire.unwrap_or_else(|| {
            let process = self.operations[acquire].process;
            let what = What::Expire;
            let resource = self.grants.row(grant).resource;
            self.operations.push(LockOperation {
                resource,
                grant,
                process,
                what,
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
            // It may be granted again, as by servers that are asked in rounds.
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

    fn made(events: &[Event]) -> Vec<(u32, u32, What, u64, Option<u64>, End)> {
        let mut operations = Operations::default();
        events.iter().for_each(|event| operations.observe(SimTime(0), event));
        let short = |made: LockOperation| {
            let ended = made.returned.map(|moment| moment.number);
            (made.grant.0, made.process.crashes, made.what, made.invoked.number, ended, made.end)
        };
        operations.finish().into_iter().map(short).collect()
    }

    fn asks(client: NodeId, grant: u32) -> Event {
        Event::AcquireInvoked { client, grant: GrantId(grant), resource: ResourceId(0) }
    }

    fn has(client: NodeId, grant: u32, token: Option<Token>) -> Event {
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

    const NO_TOKEN: What = What::Acquire { token: None };

    #[test]
    fn an_acquire_ends_as_its_client_was_told() {
        let ended = |ack| Event::NotAcquired { client: A, grant: GrantId(1), ack };
        let told = |event| made(&[asks(A, 1), event])[0];
        assert_eq!(told(has(A, 1, Some(7))), (1, 0, What::Acquire { token: Some(7) }, 1, Some(2), End::Ok));
        assert_eq!(told(ended(Ack::Failed)), (1, 0, NO_TOKEN, 1, Some(2), End::Fail));
        assert_eq!(told(ended(Ack::Unknown)), (1, 0, NO_TOKEN, 1, Some(2), End::Info));
        assert_eq!(made(&[asks(A, 1)]), [(1, 0, NO_TOKEN, 1, None, End::Info)]);
    }

    /// How a release ended whose effect came before its return, after it, or not at all.
    #[test]
    fn a_release_has_taken_effect_if_it_ended_something() {
        let begin = [asks(A, 1), granted(SERVER, 1), has(A, 1, None), releases(A, 1)];
        let effect = ended(SERVER, 1, Cause::Released(GrantId(1)));
        let release = |more: &[Event]| made(&[&begin, more].concat())[1];
        for (ack, end) in [(Ack::Ok, End::Ok), (Ack::Failed, End::Info), (Ack::Unknown, End::Info)] {
            let (.., ended, how) = release(&[effect.clone(), returns(A, 1, ack)]);
            assert_eq!((ended, how), (Some(6), end), "{ack:?}");
            assert_eq!(release(&[returns(A, 1, ack), effect.clone()]).5, End::Info, "{ack:?}");
            assert_eq!(release(&[returns(A, 1, ack)]).5, End::Fail, "{ack:?}");
        }
        assert_eq!(release(std::slice::from_ref(&effect)).5, End::Info);
    }

    #[test]
    fn an_expiry_is_an_operation_of_its_own() {
        let begin = [asks(A, 1), granted(SERVER, 1), has(A, 1, None)];
        for cause in [Cause::Expired, Cause::Revoked] {
            let made = made(&[&begin[..], &[ended(SERVER, 1, cause), asks(B, 2)]].concat());
            assert_eq!(made[1], (1, 0, What::Expire, 4, Some(5), End::Ok));
            assert_eq!(made[2].3, 6, "an expiry begins and ends");
        }
    }

    #[test]
    fn what_several_servers_hold_expires_between_the_first_and_the_last() {
        let other = NodeId(8);
        let begin = [asks(A, 1), granted(SERVER, 1), granted(other, 1), has(A, 1, None)];
        let first = ended(SERVER, 1, Cause::Expired);
        assert_eq!(made(&[&begin[..], std::slice::from_ref(&first)].concat())[1].5, End::Info);
        let all = made(&[&begin[..], &[first, asks(B, 2), ended(other, 1, Cause::Expired)]].concat());
        assert_eq!(all[1], (1, 0, What::Expire, 5, Some(8), End::Ok));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_new_leader_ends_what_the_old_one_granted() {
        let expired = |before: &[Event]| {
            let events = [&[asks(A, 1)], before, &[has(A, 1, None), ended(NodeId(8), 1, Cause::Expired)]].concat();
            made(&events)[1].5
        };
        assert_eq!(expired(&[granted(SERVER, 1)]), End::Ok);
        assert_eq!(expired(&[granted(SERVER, 1), granted(NodeId(7), 1)]), End::Ok);
    }

    #[test]
    fn a_release_that_nobody_invoked_is_the_services_own() {
        let cleanup = ended(SERVER, 1, Cause::Released(GrantId(2)));
        let made = made(&[asks(A, 1), granted(SERVER, 1), has(A, 1, None), asks(A, 2), cleanup]);
        assert_eq!((made[2].0, made[2].2), (1, What::Expire));
    }

    #[test]
    fn a_release_that_ends_anothers_grant_is_the_one_that_was_invoked() {
        let begin = [asks(A, 1), has(A, 1, None), releases(A, 1), asks(B, 2), granted(SERVER, 2), has(B, 2, None)];
        let made =
            made(&[&begin[..], &[ended(SERVER, 2, Cause::Released(GrantId(1))), returns(A, 1, Ack::Ok)]].concat());
        assert_eq!(made.len(), 3);
        assert_eq!(made[1], (1, 0, What::Release, 3, Some(8), End::Ok));
    }

    #[test]
    fn what_a_client_does_after_a_crash_another_process_does() {
        let crash = Event::ClientCrashed { client: A };
        let made = made(&[asks(A, 1), crash.clone(), asks(A, 2), asks(B, 3), crash, asks(A, 4)]);
        assert_eq!(made.iter().map(|made| made.1).collect::<Vec<_>>(), [0, 1, 0, 2]);
        assert_eq!(made[0].5, End::Info);
    }
}
