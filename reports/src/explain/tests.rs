//! Tests chains for violations that no lock shows reliably, with handwritten histories and the real checkers.

use std::sync::Arc;
use std::time::Duration;

use fencepost_models::history::{Ack, Cause as End, Event, GrantId, OrderEnd};
use fencepost_models::{Reentrancy, ResourceId};
use fencepost_scenarios::check::{CaseSpec, Checkers};
use fencepost_scenarios::workload::{Inventory, Workload};
use fencepost_scenarios::{file, registry::Registry, run::cell::Cell};
use fencepost_sim::{NodeId, SimTime};

use super::*;

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const SERVER: NodeId = NodeId(3);

const SCENARIO: &str = "name = \"made-up\"\nrun_for = \"1s\"\n[clients]\ncount = 3\n[workload.inventory]\n";

fn spec() -> CaseSpec {
    CaseSpec {
        grants: true,
        validity: true,
        tokens: true,
        releases: true,
        reentrancy: Reentrancy::Counted,
        nested_wait: Duration::from_secs(2),
        fifo: true,
        quorum: 1,
        consensus: false,
        rank_by_return: false,
        clients: vec![A, B, NodeId(2)],
        orders: 10,
        workload: Some(Workload::new(&Inventory { stock: 1, ..Inventory::default() }).spec()),
        takeover_bound: Duration::from_secs(10),
        progress_bound: Duration::from_secs(10),
        deadlock_bound: Duration::from_secs(10),
    }
}

fn acquire(client: NodeId, grant: u32) -> Event {
    Event::AcquireInvoked { client, grant: GrantId(grant), resource: ResourceId::default() }
}

fn granted(grant: u32) -> Event {
    Event::Granted { server: SERVER, grant: GrantId(grant) }
}

fn acquired(client: NodeId, grant: u32) -> Event {
    Event::Acquired { client, grant: GrantId(grant), token: Some(u64::from(grant)), validity: false }
}

/// Returns the chain of a property in a history whose times are whole seconds.
fn explained(property: Property, events: &[(u64, Event)], ended: u64) -> Chain {
    let registry = Registry::standard();
    let scenario = file::scenario(&registry, "made-up.toml", SCENARIO).expect("the scenario is valid");
    let cell = Cell::new(&Arc::new(scenario), registry.lock("lease-server").expect("the lock exists"), &[]);
    let mut record = CaseRecord::watch(&cell, 0);
    let at = |seconds: u64| SimTime(seconds * 1_000_000_000);
    let mut checkers = Checkers::new(&spec());
    events.iter().for_each(|(seconds, event)| checkers.observe(at(*seconds), event));
    record.report.evidence = checkers.finish(at(ended)).evidence;
    record.report.ended = at(ended);
    record.set_history(events.iter().map(|(seconds, event)| (at(*seconds), event.clone())));
    let chains = chains(&record);
    let named = chains.iter().find(|chain| chain.property == property);
    let chain = named.unwrap_or_else(|| panic!("{property:?} is not violated: {chains:?}")).clone();
    assert!(crate::timeline::themed(&record, Some(property), Default::default()).ends_with("</svg>"));
    chain
}

fn assert_causes(chain: &Chain, parts: &[&str]) {
    let texts: Vec<&str> = chain.causes.iter().map(|cause| cause.text.as_str()).collect();
    let mut rest = texts.iter();
    for part in parts {
        assert!(rest.any(|text| text.contains(part)), "`{part}` is missing or out of order in {texts:#?}");
    }
    assert!((2..=9).contains(&texts.len()) && chain.causes.is_sorted_by_key(|cause| cause.at), "{texts:#?}");
    assert_eq!(chain.causes.iter().filter(|cause| cause.violates == [chain.property]).count(), 1);
}

#[test]
fn takeover_names_the_holder_and_the_waiter() {
    let crash = Event::ClientCrashed { client: A };
    let events = [(1, acquire(A, 1)), (1, granted(1)), (1, acquired(A, 1)), (2, acquire(B, 2)), (3, crash)];
    let chain = explained(Property::Takeover, &events, 60);
    let parts =
        ["still had it on record", "client-1 acquired the lock", "client-2 tried to acquire the lock", "bound passed"];
    assert_causes(&chain, &parts);
}

#[test]
fn fifo_names_both_waiters() {
    let enqueued = |grant: u32| Event::Enqueued { server: SERVER, grant: GrantId(grant) };
    let over = Event::Ended { server: SERVER, grant: GrantId(1), cause: End::Released(GrantId(1)) };
    let events = [
        (1, acquire(A, 1)),
        (1, granted(1)),
        (2, acquire(B, 2)),
        (3, enqueued(2)),
        (4, acquire(NodeId(2), 3)),
        (5, enqueued(3)),
        (6, over),
        (7, granted(3)),
        (8, acquired(NodeId(2), 3)),
    ];
    let chain = explained(Property::Fifo, &events, 9);
    let parts = [
        "enqueued client-2",
        "enqueued client-3",
        "applied client-1's release",
        "granted the lock to client-3, although",
    ];
    assert_causes(&chain, &parts);
}

#[test]
fn reentrancy_names_each_step() {
    let (client, grant, nested) = (A, GrantId(1), GrantId(2));
    let events = [
        (1, acquire(A, 1)),
        (1, granted(1)),
        (1, acquired(A, 1)),
        (2, Event::NestedInvoked { client, grant, nested }),
        (3, Event::NestedReturned { client, grant, nested, ack: Ack::Ok, same: true }),
        (4, Event::NestedReleaseInvoked { client, grant }),
        (5, Event::Ended { server: SERVER, grant, cause: End::Released(grant) }),
        (6, Event::NestedReleaseReturned { client, grant, ack: Ack::Ok }),
    ];
    let chain = explained(Property::Reentrancy, &events, 7);
    assert_causes(
        &chain,
        &["acquired the lock", "tried to acquire the lock that it held", "released the second acquire"],
    );
}

#[test]
fn duplicates_name_both_writes() {
    let (client, grant, order) = (A, GrantId(1), 7);
    let write = |version: u64| Event::WriteAccepted {
        grant,
        order,
        units: 1,
        based_on: version - 1,
        version,
        count: 1 - version as i64,
    };
    let sent = Event::WriteInvoked { client, grant, order };
    let unknown = Event::WriteReturned { client, grant, order, ack: Ack::Unknown };
    let events = [
        (1, acquire(A, 1)),
        (1, granted(1)),
        (1, acquired(A, 1)),
        (1, Event::OrderStarted { client, order, units: 1 }),
        (2, sent.clone()),
        (3, write(1)),
        (4, unknown),
        (5, sent),
        (6, write(2)),
    ];
    let chain = explained(Property::NoDuplicate, &events, 7);
    assert_causes(&chain, &["sent the write", "accepted order 7", "did not know", "again", "again"]);
}

#[test]
fn an_oversell_without_another_violation_names_the_last_sales() {
    let mut events = Vec::new();
    for (grant, client) in [(1, A), (2, B)] {
        let at = u64::from(grant);
        let end = OrderEnd::Acked;
        events.push((at, Event::OrderStarted { client, order: grant, units: 1 }));
        events.push((at, Event::OrderResolved { client, order: grant, units: 1, end }));
    }
    let chain = explained(Property::NoOversell, &events, 7);
    assert_causes(&chain, &["order 1 of client-1", "order 2 of client-2 was acknowledged (1 unit): more units"]);
}

#[test]
fn the_later_of_two_simultaneous_writes_violates_no_lost_update() {
    let write = |grant: u32, version: u64| Event::WriteAccepted {
        grant: GrantId(grant),
        order: grant,
        units: 1,
        based_on: 0,
        version,
        count: 0,
    };
    let read = |grant: u32| Event::ReadAccepted { grant: GrantId(grant), version: 0 };
    let mut events = Vec::new();
    for (grant, client) in [(1, A), (2, B)] {
        let at = u64::from(grant);
        events.push((at, Event::OrderStarted { client, order: grant, units: 1 }));
        events.extend([acquire(client, grant), granted(grant), acquired(client, grant)].map(|event| (at, event)));
    }
    events.extend([read(1), read(2), write(1, 1), write(2, 2)].map(|event| (3, event)));
    for (grant, client) in [(1, A), (2, B)] {
        let order = grant;
        let grant = GrantId(grant);
        events.push((4, Event::WriteReturned { client, grant, order, ack: Ack::Ok }));
        events.push((4, Event::OrderResolved { client, order, units: 1, end: OrderEnd::Acked }));
    }
    let chain = explained(Property::NoLostUpdate, &events, 5);
    let steps = ["client-1 read", "client-2 read", "accepted client-1's write", "accepted client-2's write"];
    assert_causes(&chain, &steps);
    let broken = chain.causes.iter().find(|cause| !cause.violates.is_empty()).expect("one cause is the violation");
    assert!(broken.text.contains("client-2's write"), "{broken:?}");
}
