use fencepost_models::history::{Ack, GrantId, OrderEnd};

use super::*;
use crate::testing::*;

const FIRST: ResourceId = ResourceId(0);
const SECOND: ResourceId = ResourceId(1);

/// A history, with the ledger and waiters that process it.
struct WaitHistory {
    at: SimTime,
    ledger: Ledger,
    waiters: Waiters,
    next: u32,
}

fn history() -> WaitHistory {
    let case = accounts();
    WaitHistory { at: SimTime(0), ledger: Ledger::new(&case), waiters: Waiters::new(case.clients), next: 0 }
}

impl WaitHistory {
    fn at(mut self, at: u64) -> Self {
        self.at = SimTime(at);
        self
    }

    fn event(mut self, event: Event) -> Self {
        self.ledger.observe(&event);
        self.waiters.observe(self.at, &event, &self.ledger);
        self
    }

    fn starts(self, client: NodeId) -> Self {
        self.event(Event::OrderStarted { client, order: 0, units: 1 })
    }

    fn requests(mut self, client: NodeId, resource: ResourceId) -> Self {
        self.next += 1;
        let grant = GrantId(self.next);
        self.event(Event::AcquireInvoked { client, grant, resource })
    }

    fn fails(self, client: NodeId) -> Self {
        let grant = GrantId(self.next);
        self.event(Event::NotAcquired { client, grant, ack: Ack::Failed })
    }

    /// The latest attempt is granted.
    fn granted(self) -> Self {
        let grant = GrantId(self.next);
        self.event(Event::Granted { server: NodeId(10), grant })
    }

    fn acquires(self, client: NodeId) -> Self {
        let grant = GrantId(self.next);
        self.event(Event::Acquired { client, grant, token: None, validity: false })
    }

    fn resolves(self, client: NodeId) -> Self {
        self.event(Event::OrderResolved { client, order: 0, units: 1, end: OrderEnd::Abandoned })
    }

    fn crashes(self, client: NodeId) -> Self {
        self.event(Event::ClientCrashed { client })
    }

    fn fault(self, clients: u64, servers: bool) -> Self {
        self.event(Event::FaultBegan { clients, servers })
    }

    fn over(self, clients: u64, servers: bool) -> Self {
        self.event(Event::FaultEnded { clients, servers })
    }

    fn heals(self) -> Self {
        self.event(Event::Healed)
    }

    /// Returns when each of the three clients began to wait for this resource.
    fn waits(&self, resource: ResourceId) -> [Option<u64>; 3] {
        [A, B, C].map(|client| self.waiters.waits_for(client, resource).map(|since| since.0))
    }

    fn qualified(&self) -> Option<u64> {
        self.waiters.qualified_since(FIRST).map(|since| since.0)
    }

    fn affected(&self) -> [bool; 3] {
        [A, B, C].map(|client| self.waiters.is_affected(client))
    }

    /// Returns the wait that the latest event ended: its start, whether it was in an order, how often it was overtaken,
    /// and whether it was excused.
    fn ended(&self) -> Option<(u64, bool, u32, bool)> {
        self.waiters.just_ended().map(|wait| (wait.since.0, wait.in_order, wait.overtaken, wait.excused))
    }
}

#[test]
fn bits_are_in_ascending_order() {
    assert_eq!(bits(0b1010_0001 | 1 << 63).collect::<Vec<_>>(), [0, 5, 7, 63]);
    assert_eq!(bits(0).count(), 0);
}

#[test]
fn a_client_waits_from_its_first_attempt_until_it_acquires() {
    let asked = || history().at(1).requests(A, FIRST).at(2).requests(C, FIRST).at(3);
    assert_eq!(asked().waits(FIRST), [Some(1), None, Some(2)]);
    assert_eq!(asked().waits(SECOND), [None; 3]);
    assert_eq!(asked().acquires(C).waits(FIRST), [Some(1), None, None]);
    assert_eq!(asked().event(Event::ClientDone { client: A }).waits(FIRST), [None, None, Some(2)]);
    assert_eq!(asked().acquires(C).requests(C, SECOND).waits(SECOND), [None, None, Some(3)]);
}

#[test]
fn a_client_waits_between_attempts_only_within_an_order() {
    for (client, since) in [(A, [Some(1), None, None]), (B, [None, Some(1), None]), (C, [None, None, Some(1)])] {
        let probe = history().at(1).requests(client, FIRST).at(2).fails(client);
        assert_eq!(probe.waits(FIRST), [None; 3]);
        let others = [A, B, C].into_iter().filter(|other| *other != client);
        let others = others.fold(history(), WaitHistory::starts);
        assert_eq!(others.at(1).requests(client, FIRST).fails(client).waits(FIRST), [None; 3]);
        let order = || history().starts(client).at(1).requests(client, FIRST).at(2).fails(client).at(3);
        assert_eq!(order().waits(FIRST), since);
        assert_eq!(order().requests(client, FIRST).waits(FIRST), since);
        for over in [order().resolves(client), order().crashes(client)] {
            assert_eq!(over.waits(FIRST), [None; 3]);
            assert_eq!(over.requests(client, FIRST).fails(client).waits(FIRST), [None; 3]);
        }
    }
}

#[test]
fn orders_end_independently() {
    for over in [|history: WaitHistory| history.resolves(B), |history: WaitHistory| history.crashes(B)] {
        let history = over(history().starts(A).starts(B).starts(C));
        assert_eq!(
            history.at(1).requests(A, FIRST).fails(A).requests(C, FIRST).fails(C).waits(FIRST),
            [Some(1), None, Some(1)]
        );
    }
}

#[test]
fn the_event_that_ends_a_wait_describes_it() {
    assert_eq!(history().at(1).requests(A, FIRST).ended(), None);
    assert_eq!(history().at(1).requests(A, FIRST).acquires(A).ended(), Some((1, false, 0, false)));
    assert_eq!(history().at(1).requests(A, FIRST).acquires(A).acquires(A).ended(), None);
    for client in [A, B, C] {
        let order = history().starts(client).at(1).requests(client, FIRST).at(2);
        assert_eq!(order.acquires(client).ended(), Some((1, true, 0, false)));
    }
}

#[test]
fn a_grant_of_the_same_resource_overtakes() {
    let overtaken = |get: fn(WaitHistory) -> WaitHistory| {
        get(history().requests(C, FIRST)).at(9).event(Event::ClientDone { client: C })
    };
    assert_eq!(overtaken(|history| history.requests(A, FIRST).granted()).ended(), Some((0, false, 1, false)));
    assert_eq!(overtaken(|history| history.requests(A, SECOND).granted()).ended(), Some((0, false, 0, false)));
    assert_eq!(overtaken(|history| history.granted()).ended(), Some((0, false, 0, false)));
    let twice = overtaken(|history| history.requests(A, FIRST).granted().requests(B, FIRST).granted());
    assert_eq!(twice.ended(), Some((0, false, 2, false)));
    let again = history().requests(C, FIRST).requests(A, FIRST).granted().fails(C).requests(C, FIRST).fails(C);
    assert_eq!(again.ended(), Some((0, false, 0, false)));
}

#[test]
fn a_fault_on_a_client_excuses_its_current_wait() {
    let ended = |history: WaitHistory| history.fails(B).ended().map(|(.., excused)| excused);
    assert_eq!(ended(history().requests(B, FIRST).fault(0b010, false).over(0b010, false)), Some(true));
    assert_eq!(ended(history().fault(0b010, false).requests(B, FIRST).over(0b010, false)), Some(true));
    assert_eq!(ended(history().fault(0b010, false).over(0b010, false).requests(B, FIRST)), Some(false));
    assert_eq!(ended(history().requests(B, FIRST).fault(0b101, false)), Some(false));
    let excused = || history().requests(B, FIRST).fault(0b010, false);
    assert_eq!(ended(excused().fails(B).over(0b010, false).requests(B, FIRST)), Some(false));
    assert_eq!(ended(excused().over(0b010, false).fault(0b001, false)), Some(true));
}

#[test]
fn each_resource_has_its_own_longest_wait() {
    let history = history().at(1).requests(C, FIRST).at(2).requests(B, SECOND).at(3).requests(A, FIRST);
    let longest = |resource| history.waiters.longest_waiting_for(resource).map(|since| since.0);
    assert_eq!([FIRST, SECOND].map(longest), [Some(1), Some(2)]);
    assert_eq!(history.waiters.open_waits().count(), 3);
    assert_eq!(history.waiters.clients(), 3);
    let faulty = history.at(4).fault(0b101, false);
    assert_eq!([FIRST, SECOND].map(|resource| faulty.waiters.is_wanted(resource)), [false, true]);
    let longest = |resource| faulty.waiters.longest_waiting_for(resource).map(|since| since.0);
    assert_eq!([FIRST, SECOND].map(longest), [Some(1), Some(2)], "faults do not change the longest wait");
}

#[test]
fn a_client_affected_by_a_fault_is_not_qualified() {
    let waiting = || history().at(1).requests(A, FIRST).at(2).requests(C, FIRST).at(3);
    assert_eq!(waiting().qualified(), Some(1));
    assert_eq!(history().qualified(), None);
    assert!(!history().waiters.any_qualified() && !history().fault(0b111, false).waiters.any_qualified());
    let faults = [(0b010, false, Some(1)), (0b001, false, Some(3)), (0b101, false, None), (0, true, None)];
    for (clients, servers, since) in faults {
        let history = waiting().fault(clients, servers);
        assert_eq!((history.qualified(), history.waiters.any_qualified()), (since, since.is_some()));
        let calm = if clients == 0b010 { 1 } else { 5 };
        assert_eq!(history.at(5).over(clients, servers).qualified(), Some(calm));
    }
    assert_eq!(waiting().fault(u64::MAX, false).at(5).over(u64::MAX, false).qualified(), Some(5));
}

#[test]
fn nested_faults_end_with_the_outer_one() {
    for (clients, servers, affected) in [(0b010, false, [false, true, false]), (0, true, [true; 3])] {
        let nested = history().requests(B, FIRST).at(1).fault(clients, servers).fault(clients, servers);
        let once = nested.at(2).over(clients, servers);
        assert_eq!((once.affected(), once.qualified()), (affected, None));
        let over = once.at(3).over(clients, servers);
        assert_eq!((over.affected(), over.qualified()), ([false; 3], Some(3)));
        let again = over.at(4).fault(clients, servers);
        assert_eq!((again.affected(), again.qualified()), (affected, None));
    }
}

#[test]
fn healing_ends_every_fault_permanently() {
    let healed = history().requests(B, FIRST).at(1).fault(0b010, true).fault(0b010, true).at(2).heals();
    assert_eq!((healed.affected(), healed.qualified()), ([false; 3], Some(2)));
    let late = healed.at(3).over(0b010, true);
    assert_eq!((late.affected(), late.qualified()), ([false; 3], Some(3)));
}

#[test]
fn only_the_crash_of_a_waiter_disturbs_the_others() {
    let queue = || history().at(1).requests(A, FIRST).requests(B, FIRST).at(2);
    assert_eq!(queue().crashes(B).qualified(), Some(2));
    assert_eq!(queue().crashes(C).qualified(), Some(1));
    assert_eq!(queue().crashes(B).waiters.calm_since(), SimTime(2));
}

#[test]
fn an_unknown_node_is_not_a_client() {
    let stranger = NodeId(9);
    let history = history().starts(stranger).requests(stranger, FIRST).crashes(stranger);
    assert_eq!((history.waits(FIRST), history.qualified(), history.affected()), ([None; 3], None, [false; 3]));
    assert!(!history.waiters.is_affected(stranger));
}
