//! Histories for tests: `history().at(1).granted(A, 1).at(2).expired(1).ends_at(3)`.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_models::guarded::{Slot, StoreKind};
use fencepost_models::history::{Ack, Cause, Event, GrantId, OrderEnd, OrderId, Refusal, Token, Version};
use fencepost_models::{Reentrancy, ResourceId};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, Checkers, Findings};
pub(crate) use crate::property::Property;
use crate::property::Verdict;
use crate::workload::{Oracle, WorkloadSpec};

/// `client-1`.
pub(crate) const A: NodeId = NodeId(1);
/// `client-2`.
pub(crate) const B: NodeId = NodeId(2);
/// `client-3`.
pub(crate) const C: NodeId = NodeId(3);

/// The node of `server-1`. Server nodes come after client nodes.
const FIRST_SERVER: u16 = 10;

/// Returns the spec of a lock with every feature, one server, ten units in stock, and bounds of 10 s.
pub(crate) fn case_spec() -> CaseSpec {
    CaseSpec {
        grants: true,
        validity: true,
        tokens: true,
        releases: true,
        reentrancy: Reentrancy::Counted,
        nested_wait: Duration::from_secs(2),
        fifo: true,
        quorum: 1,
        consensus: true,
        rank_by_return: false,
        clients: vec![A, B, C],
        orders: 10,
        workload: Some(stock(10)),
        takeover_bound: Duration::from_secs(10),
        progress_bound: Duration::from_secs(10),
        deadlock_bound: Duration::from_secs(10),
    }
}

/// Returns a workload on rows, one for each resource.
fn rows(initial_count: u32, resources: u8, oracle: &'static Oracle) -> WorkloadSpec {
    WorkloadSpec { store: StoreKind::Rows, initial_count, resources, cost_cents: None, oracle }
}

/// Returns an inventory workload with this many units in stock.
pub(crate) fn stock(units: u32) -> WorkloadSpec {
    static STOCK: Oracle = Oracle {
        sells_stock: true,
        conserves_sum: false,
        metrics: &[
            "acked_units",
            "oversold_units",
            "sold_out_orders",
            "lost_updates",
            "lost_units",
            "overwritten_unacked",
            "applied_units",
            "negative_stock_units",
            "conservation_gap_units",
            "harm",
        ],
        harm: &["oversold_units", "lost_units"],
    };
    rows(units, 1, &STOCK)
}

/// Returns the spec of the same lock that guards effects, each of which must happen once.
pub(crate) fn effects(cost_cents: Option<u32>) -> CaseSpec {
    static EFFECTS: Oracle = Oracle {
        sells_stock: false,
        conserves_sum: false,
        metrics: &["missed_effects", "done_already_orders", "harm_cents", "harm"],
        harm: &["duplicate_effects"],
    };
    let store = StoreKind::Effects(Slot::Order);
    let workload = WorkloadSpec { store, initial_count: 0, resources: 1, cost_cents, oracle: &EFFECTS };
    CaseSpec { workload: Some(workload), ..case_spec() }
}

/// The oracle for a file of records.
pub(crate) static FILE: Oracle = Oracle {
    sells_stock: false,
    conserves_sum: false,
    metrics: &["lost_updates", "overwritten_unacked", "corrupted_writes", "lost_records", "harm"],
    harm: &["lost_updates"],
};

/// The oracle for a set of elements.
pub(crate) static SET: Oracle =
    Oracle { metrics: &["lost_updates", "overwritten_unacked", "lost_elements", "recovered_elements", "harm"], ..FILE };

/// Returns the spec of the same lock that guards an object made of records.
pub(crate) fn records(oracle: &'static Oracle) -> CaseSpec {
    CaseSpec { workload: Some(rows(0, 1, oracle)), ..case_spec() }
}

/// Returns the spec of two such locks, each guarding an account with a balance of 10.
pub(crate) fn accounts() -> CaseSpec {
    static ACCOUNTS: Oracle = Oracle {
        sells_stock: false,
        conserves_sum: true,
        metrics: &["lost_updates", "imbalance", "deadlocks", "deadlock_longest_ns", "harm"],
        harm: &["imbalance"],
    };
    CaseSpec { workload: Some(rows(10, 2, &ACCOUNTS)), ..case_spec() }
}

/// Starts an empty history of [`case_spec`], at 0 s.
pub(crate) fn history() -> History {
    history_of(case_spec())
}

/// Starts an empty history, at 0 s.
pub(crate) fn history_of(case: CaseSpec) -> History {
    let counts = BTreeMap::from([(0, case.workload.map_or(0, |workload| workload.initial_count.into()))]);
    History { checkers: Checkers::new(&case), at: SimTime(0), version: 0, counts }
}

/// A history under construction. Every order has 1 unit.
pub(crate) struct History {
    checkers: Checkers,
    at: SimTime,
    version: Version,
    counts: BTreeMap<Version, i64>,
}

impl History {
    /// Moves to this second.
    pub(crate) fn at(mut self, second: u64) -> Self {
        self.at = SimTime(second * 1_000_000_000);
        self
    }

    /// Moves forward by this many nanoseconds.
    pub(crate) fn after_ns(mut self, ns: u64) -> Self {
        self.at.0 += ns;
        self
    }

    pub(crate) fn open_until(&self) -> Option<SimTime> {
        self.checkers.open_until()
    }

    pub(crate) fn ends_at(self, second: u64) -> Findings {
        self.checkers.finish(SimTime(second * 1_000_000_000))
    }

    pub(crate) fn starts(self, client: NodeId, order: OrderId) -> Self {
        self.event(Event::OrderStarted { client, order, units: 1 })
    }

    pub(crate) fn requests(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::AcquireInvoked { client, grant: GrantId(grant), resource: ResourceId(0) })
    }

    /// The client requests the second of two locks.
    pub(crate) fn requests_second(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::AcquireInvoked { client, grant: GrantId(grant), resource: ResourceId(1) })
    }

    /// The client requests the second lock, and the first server grants it at once.
    pub(crate) fn granted_second(self, client: NodeId, grant: u32) -> Self {
        self.requests_second(client, grant).applied(0, grant)
    }

    /// The store accepts a write with these versions and this count.
    pub(crate) fn sets(self, grant: u32, order: OrderId, based_on: Version, version: Version, count: i64) -> Self {
        self.event(Event::WriteAccepted { grant: GrantId(grant), order, units: 1, based_on, version, count })
    }

    pub(crate) fn write_sent(self, client: NodeId, grant: u32, order: OrderId) -> Self {
        self.event(Event::WriteInvoked { client, grant: GrantId(grant), order })
    }

    /// The client finds that the event had already taken effect.
    pub(crate) fn finds_done(self, client: NodeId, order: OrderId) -> Self {
        self.resolved(client, order, OrderEnd::DoneAlready)
    }

    /// The client requests the lock, and the first server grants it at once.
    pub(crate) fn granted(self, client: NodeId, grant: u32) -> Self {
        self.granted_by(client, grant, &[0])
    }

    /// The client requests the lock, and these servers grant it at once.
    pub(crate) fn granted_by(self, client: NodeId, grant: u32, servers: &[u16]) -> Self {
        servers.iter().fold(self.requests(client, grant), |history, server| history.applied(*server, grant))
    }

    /// The first server applies a grant that was requested earlier.
    pub(crate) fn granted_later(self, grant: u32) -> Self {
        self.applied(0, grant)
    }

    /// The given server applies a grant that was requested earlier.
    pub(crate) fn applied_at(self, server: u16, grant: u32) -> Self {
        self.applied(server, grant)
    }

    pub(crate) fn expired(self, grant: u32) -> Self {
        self.expired_at(0, grant)
    }

    pub(crate) fn expired_at(self, server: u16, grant: u32) -> Self {
        self.event(Event::Ended { server: node(server), grant: GrantId(grant), cause: Cause::Expired })
    }

    /// A release invoked for grant `by` ends `grant` at the first server.
    pub(crate) fn released(self, grant: u32, by: u32) -> Self {
        self.event(Event::Ended { server: node(0), grant: GrantId(grant), cause: Cause::Released(GrantId(by)) })
    }

    pub(crate) fn acquired(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::Acquired { client, grant: GrantId(grant), token: None, validity: true })
    }

    pub(crate) fn acquired_without_validity(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::Acquired { client, grant: GrantId(grant), token: None, validity: false })
    }

    /// The acquire returns a grant with this token.
    pub(crate) fn token(self, client: NodeId, grant: u32, token: Token) -> Self {
        self.event(Event::Acquired { client, grant: GrantId(grant), token: Some(token), validity: true })
    }

    pub(crate) fn fails(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::NotAcquired { client, grant: GrantId(grant), ack: Ack::Failed })
    }

    /// The acquire times out without a reply.
    pub(crate) fn gives_up(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::NotAcquired { client, grant: GrantId(grant), ack: Ack::Unknown })
    }

    pub(crate) fn validity_ends(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::ValidityEnded { client, grant: GrantId(grant) })
    }

    pub(crate) fn loses(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::LossObserved { client, grant: GrantId(grant) })
    }

    pub(crate) fn releases(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::ReleaseInvoked { client, grant: GrantId(grant) })
    }

    pub(crate) fn release_returns(self, client: NodeId, grant: u32, ack: Ack) -> Self {
        self.event(Event::ReleaseReturned { client, grant: GrantId(grant), ack })
    }

    /// The holder of `grant` invokes a nested acquire.
    pub(crate) fn acquires_again(self, client: NodeId, grant: u32, nested: u32) -> Self {
        self.event(Event::NestedInvoked { client, grant: GrantId(grant), nested: GrantId(nested) })
    }

    /// The nested acquire returns.
    pub(crate) fn acquired_again(self, client: NodeId, grant: u32, nested: u32, ack: Ack, same: bool) -> Self {
        let (grant, nested) = (GrantId(grant), GrantId(nested));
        self.event(Event::NestedReturned { client, grant, nested, ack, same })
    }

    /// The holder invokes the release of a nested acquire.
    pub(crate) fn releases_nested(self, client: NodeId, grant: u32) -> Self {
        self.event(Event::NestedReleaseInvoked { client, grant: GrantId(grant) })
    }

    /// The nested release returns.
    pub(crate) fn nested_released(self, client: NodeId, grant: u32, ack: Ack) -> Self {
        self.event(Event::NestedReleaseReturned { client, grant: GrantId(grant), ack })
    }

    /// The first server puts a waiter at the end of its queue.
    pub(crate) fn enqueued(self, grant: u32) -> Self {
        self.event(Event::Enqueued { server: node(0), grant: GrantId(grant) })
    }

    pub(crate) fn withdrawn(self, grant: u32) -> Self {
        self.event(Event::Withdrawn { server: node(0), grant: GrantId(grant) })
    }

    pub(crate) fn crashes(self, client: NodeId) -> Self {
        self.event(Event::ClientCrashed { client })
    }

    pub(crate) fn read_ok(self, client: NodeId, grant: u32, order: OrderId) -> Self {
        let (count, version) = (self.counts[&self.version], self.version);
        self.event(Event::ReadOk { client, grant: GrantId(grant), order, count, version })
    }

    pub(crate) fn write_ok(self, client: NodeId, grant: u32, order: OrderId) -> Self {
        self.event(Event::WriteReturned { client, grant: GrantId(grant), order, ack: Ack::Ok })
    }

    pub(crate) fn write_unknown(self, client: NodeId, grant: u32, order: OrderId) -> Self {
        self.event(Event::WriteReturned { client, grant: GrantId(grant), order, ack: Ack::Unknown })
    }

    /// The store accepts a read.
    pub(crate) fn reads(self, grant: u32, version: Version) -> Self {
        self.event(Event::ReadAccepted { grant: GrantId(grant), version })
    }

    /// The store accepts a write of one unit, computed from the count at version `based_on`.
    pub(crate) fn writes(mut self, grant: u32, order: OrderId, based_on: Version) -> Self {
        self.version += 1;
        let (version, count) = (self.version, self.counts[&based_on] - 1);
        self.counts.insert(version, count);
        self.event(Event::WriteAccepted { grant: GrantId(grant), order, units: 1, based_on, version, count })
    }

    pub(crate) fn refused(self, grant: u32, why: Refusal) -> Self {
        self.event(Event::OperationRefused { grant: GrantId(grant), order: 0, why })
    }

    pub(crate) fn rolls_back_to(self, version: Version) -> Self {
        let count = self.counts[&version];
        self.event(Event::RolledBack { version, count })
    }

    /// The store rolls the second row back to this version.
    pub(crate) fn rolls_back_second(self, version: Version, count: i64) -> Self {
        self.event(Event::OtherRowRolledBack { resource: ResourceId(1), version, count })
    }

    pub(crate) fn acks(self, client: NodeId, order: OrderId) -> Self {
        self.resolved(client, order, OrderEnd::Acked)
    }

    pub(crate) fn sells_out(self, client: NodeId, order: OrderId) -> Self {
        self.resolved(client, order, OrderEnd::SoldOut)
    }

    pub(crate) fn abandons(self, client: NodeId, order: OrderId) -> Self {
        self.resolved(client, order, OrderEnd::Abandoned)
    }

    pub(crate) fn unknown(self, client: NodeId, order: OrderId) -> Self {
        self.resolved(client, order, OrderEnd::Unknown)
    }

    pub(crate) fn fault_begins(self, clients: u64, servers: bool) -> Self {
        self.event(Event::FaultBegan { clients, servers })
    }

    pub(crate) fn fault_ends(self, clients: u64, servers: bool) -> Self {
        self.event(Event::FaultEnded { clients, servers })
    }

    pub(crate) fn healed(self) -> Self {
        self.event(Event::Healed)
    }

    fn applied(self, server: u16, grant: u32) -> Self {
        self.event(Event::Granted { server: node(server), grant: GrantId(grant) })
    }

    fn resolved(self, client: NodeId, order: OrderId, end: OrderEnd) -> Self {
        self.event(Event::OrderResolved { client, order, units: 1, end })
    }

    fn event(mut self, event: Event) -> Self {
        self.checkers.observe(self.at, &event);
        self
    }
}

impl Findings {
    pub(crate) fn metric(&self, name: &str) -> i64 {
        self.metrics.iter().find(|(n, _)| n == name).expect("a metric with this name").1
    }

    /// Returns the evidence against a property as a sentence.
    pub(crate) fn sentence(&self, property: Property) -> String {
        let evidence = self.evidence.iter().find(|e| e.property == property).expect("evidence against the property");
        evidence.render(&name_of)
    }

    /// Returns the grants and clients that the evidence against a property names, both in ascending order.
    pub(crate) fn named(&self, property: Property) -> (Vec<u32>, Vec<NodeId>) {
        let evidence = self.evidence.iter().find(|e| e.property == property).expect("evidence against the property");
        let mut grants: Vec<u32> = evidence.grants().iter().map(|grant| grant.0).collect();
        let mut clients = evidence.clients();
        grants.sort_unstable();
        clients.sort_unstable();
        (grants, clients)
    }

    #[track_caller]
    pub(crate) fn assert_holds(&self, property: Property) {
        assert_eq!(self.verdict(property), Verdict::Holds, "{:?}", self.evidence);
        assert!(self.evidence.iter().all(|evidence| evidence.property != property));
    }

    #[track_caller]
    pub(crate) fn assert_violated(&self, property: Property) {
        assert_eq!(self.verdict(property), Verdict::Violated);
        assert_eq!(self.evidence.iter().filter(|evidence| evidence.property == property).count(), 1);
    }

    #[track_caller]
    pub(crate) fn assert_unknown(&self, property: Property) {
        assert_eq!(self.verdict(property), Verdict::Unknown, "{:?}", self.evidence);
    }

    #[track_caller]
    pub(crate) fn assert_not_applicable(&self, property: Property) {
        assert_eq!(self.verdict(property), Verdict::NotApplicable);
    }
}

fn node(server: u16) -> NodeId {
    NodeId(FIRST_SERVER + server)
}

fn name_of(node: NodeId) -> String {
    if node.0 < FIRST_SERVER { format!("client-{}", node.0) } else { format!("server-{}", node.0 - FIRST_SERVER + 1) }
}
