//! The traits that a lock declares decide how it is run and checked. Each test changes one trait of a shipped lock.

use std::time::Duration;

use fencepost_models::guarded::InStore;
use fencepost_models::locks::{LeaseServerLock, SqlForUpdate};
use fencepost_models::{Attempt, Ctx, Grant, Lock, LockError, LockInfo, Reentrancy, ResourceId, Site};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::CellResult;
use fencepost_sim::NodeId;
use fencepost_sim::faults::BoundAllowance;
use fencepost_testkit::{Cases, parse_with};

/// A shipped lock with a changed trait.
trait Variant: 'static {
    type Inner: Lock;
    const INFO: LockInfo;

    /// Returns the resource that a client locks.
    fn resource(_: NodeId) -> ResourceId {
        ResourceId(0)
    }
}

struct VariantLock<T: Variant>(T::Inner);

impl<T: Variant> Lock for VariantLock<T> {
    const INFO: LockInfo = T::INFO;
    type Params = <T::Inner as Lock>::Params;
    type Message = <T::Inner as Lock>::Message;

    fn deploy(params: &Self::Params, site: &mut Site<'_, Self::Message>) {
        T::Inner::deploy(params, site);
    }

    fn connect(params: &Self::Params, ctx: Ctx<Self::Message>, _: ResourceId) -> Self {
        let resource = T::resource(ctx.node());
        VariantLock(T::Inner::connect(params, ctx, resource))
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        self.0.acquire(attempt).await
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.0.release(grant).await
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        self.0.check(grant).await
    }

    fn retry_delay(&mut self) -> Duration {
        self.0.retry_delay()
    }

    fn takeover_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration {
        T::Inner::takeover_bound(params, allowance)
    }

    fn progress_bound(params: &Self::Params, allowance: &BoundAllowance) -> Duration {
        T::Inner::progress_bound(params, allowance)
    }

    fn in_store(&mut self) -> Option<&mut dyn InStore> {
        self.0.in_store()
    }
}

fn cell<T: Variant>(text: &str) -> Cell {
    let registry = Registry::standard().with::<VariantLock<T>>();
    Cell::new(&parse_with(&registry, text), registry.lock(T::INFO.name).expect("the lock is registered"), &[])
}

/// Runs ten cases.
fn run(cell: Cell) -> CellResult {
    assert!(cell.header.applicable, "{:?}", cell.header.reason);
    Cases::new(cell, 10).sum().clone()
}

fn total(result: &CellResult, metric: &str) -> u128 {
    result.metric(metric).map_or(0, |tally| tally.total())
}

/// A lease for each client.
struct OneLeaseEach;

impl Variant for OneLeaseEach {
    type Inner = LeaseServerLock;
    const INFO: LockInfo = LockInfo { name: "one-lease-each", ..LeaseServerLock::INFO };

    fn resource(node: NodeId) -> ResourceId {
        ResourceId(node.0 as u8)
    }
}

#[test]
fn clients_of_different_resources_do_not_interfere() {
    let result =
        run(cell::<OneLeaseEach>("run_for = '60s'\n[clients]\nhold = '1s'\n[workload.inventory]\nstock = 20\n"));
    assert_eq!(total(&result, "attempts"), total(&result, "grants"), "no client ever waits");
    assert!(total(&result, "belief_overlaps") > 0, "several clients work at once");
    assert_eq!(result.property(Property::OwnerRelease).violated, 0);
}

/// The lease server, wrongly declared as counting.
struct DeclaredCounting;

impl Variant for DeclaredCounting {
    type Inner = LeaseServerLock;
    const INFO: LockInfo =
        LockInfo { name: "declared-counting", reentrancy: Reentrancy::Counted, ..LeaseServerLock::INFO };
}

#[test]
fn a_lock_that_is_not_as_reentrant_as_declared_violates_reentrancy() {
    let nested_acquires =
        |nested: u8| format!("run_for = '60s'\n[clients]\nnested = {nested}\n[workload.inventory]\nstock = 5\n");
    assert_eq!(run(cell::<DeclaredCounting>(&nested_acquires(1))).property(Property::Reentrancy).violated, 10);
    assert_eq!(run(cell::<DeclaredCounting>(&nested_acquires(0))).property(Property::Reentrancy).decided(), 0);
}

/// A database lock that can hold the data, but need not.
struct OwnersWrite;

impl Variant for OwnersWrite {
    type Inner = SqlForUpdate;
    const INFO: LockInfo = LockInfo { name: "owners-write", in_store: false, owner_txn: true, ..SqlForUpdate::INFO };
}

#[test]
fn data_can_live_in_the_service_of_a_lock_that_can_hold_it() {
    let scenario = |guard: &str| {
        format!("run_for = '60s'\n[clients]\nhold = '100ms'\n[workload.inventory]\nstock = 20\n{guard}\n")
    };
    let owned = cell::<OwnersWrite>(&scenario("guard = 'owner-txn'"));
    assert_eq!(owned.nodes().last().map(String::as_str), Some("sql"), "there is no other store");
    assert_eq!(owned.nodes()[owned.store().index()], "sql");
    let result = run(owned);
    assert_eq!(total(&result, "acked_units"), 200);
    assert_eq!(result.property(Property::NoLostUpdate).violated, 0);
    let elsewhere = cell::<OwnersWrite>(&scenario(""));
    assert_eq!(elsewhere.nodes()[elsewhere.store().index()], "store");
    let refused = cell::<OneLeaseEach>(&scenario("guard = 'owner-txn'"));
    assert!(!refused.header.applicable, "its service cannot hold data");
}

#[test]
fn a_lock_is_replicated_if_it_deploys_several_servers_by_default() {
    for lock in Registry::standard().locks() {
        let servers = (lock.servers)(&lock.default_params());
        assert_eq!(lock.info.replicated, servers.len() > 1, "{} deploys {servers:?}", lock.name());
    }
}
