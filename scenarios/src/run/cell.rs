//! Cells: one scenario with one lock, ready to run cases.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use fencepost_models::guarded::{FenceBugs, Guard, StoreConfig, Update};
use fencepost_models::{Expiry, Family, LockInfo};
use fencepost_sim::faults::{Stops, Topology};
use fencepost_sim::schedule::Trigger;
use fencepost_sim::units::Dist;
use fencepost_sim::{NetworkConfig, NodeId, STORE, Transport};

use crate::file::{Clients, LockParams, Scenario};
use crate::run::registry::{LockEntry, Registry};
use crate::run::results::{CellHeader, FaultLabel};
use crate::run::swarm::Choice;
use crate::workload::{StoreKind, Work, Workload};

/// A scenario with a lock, ready to run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The lock.
    pub lock: LockEntry,
    /// The lock's parameters, with the scenario's timing and the enabled bugs.
    pub params: LockParams,
    /// The names of the servers that the lock deploys with these parameters.
    pub servers: Vec<String>,
    /// The enabled bugs of the guarded store.
    pub fence: FenceBugs,
    /// The cell's header in results.
    pub header: CellHeader,
    /// What the case drew, if this is the cell of a single case of a swarm.
    pub choice: Option<Choice>,
}

impl Cell {
    /// Prepares the cell of a scenario and a lock, with these bugs of the lock or of the store enabled.
    pub fn new(scenario: &Arc<Scenario>, lock: &LockEntry, bugs: &[String]) -> Self {
        let params = lock_params(scenario, lock, bugs);
        let lock = &lock.with_info(&params);
        let servers = (lock.servers)(&params);
        let reason = inapplicable(scenario, lock, &servers);
        let header = header(scenario, lock, &params, reason);
        Cell {
            scenario: scenario.clone(),
            lock: *lock,
            params,
            servers,
            fence: FenceBugs::among(bugs),
            header,
            choice: None,
        }
    }

    /// Returns the cells of a scenario, one for each of its locks, or of those in `only`. Without either list, these
    /// are the default variants of all locks.
    pub fn all(registry: &Registry, scenario: &Arc<Scenario>, only: Option<&[String]>, bugs: &[String]) -> Vec<Cell> {
        let listed = only.or(scenario.locks.as_deref());
        let is_listed = |lock: &&LockEntry| match listed {
            Some(list) => list.iter().any(|name| name == lock.name()) && scenario.permits(lock),
            None => lock.variant.is_none(),
        };
        (registry.locks().iter().chain(registry.variants()))
            .filter(is_listed)
            .map(|lock| Cell::new(scenario, lock, bugs))
            .collect()
    }

    /// Returns the cell of a single case: in a swarm, a cell with the choice of this seed; otherwise this cell.
    pub fn drawn(&self, seed: u64) -> Cow<'_, Cell> {
        let Some(mut cell) = self.drawn_to_run(seed) else { return Cow::Borrowed(self) };
        if let Some(choice) = &cell.choice {
            let source = choice.written(&self.scenario);
            cell.scenario = Arc::new(Scenario { source, ..(*cell.scenario).clone() });
        }
        Cow::Owned(cell)
    }

    /// Returns [`Cell::drawn`] without the scenario's text, or `None` if the scenario is not a swarm.
    pub(crate) fn drawn_to_run(&self, seed: u64) -> Option<Cell> {
        let choice = self.scenario.swarm.then(|| Choice::draw(&self.scenario, seed))?;
        let scenario = choice.applied(&self.scenario);
        let labels = self.header.faults.iter().zip(&choice.faults).filter(|(_, has)| **has);
        let header = CellHeader { faults: labels.map(|(label, _)| label.clone()).collect(), ..self.header.clone() };
        Some(Cell { scenario: Arc::new(scenario), header, choice: Some(choice), ..self.clone() })
    }

    /// Returns the name of a case: `SCENARIO/LOCK/SEED`.
    pub fn case_name(&self, seed: u64) -> String {
        format!("{}/{}/{seed}", self.header.scenario, self.header.lock)
    }

    /// Returns the names of the nodes in order of deployment.
    pub fn nodes(&self) -> Vec<String> {
        self.deployment().names
    }

    /// Returns the node that the lock guards.
    pub fn store(&self) -> NodeId {
        self.deployment().store
    }

    fn deployment(&self) -> Deployment {
        let in_service = data_in_service(&self.lock.info, self.workload().guard());
        Deployment::new(self.scenario.clients.count, self.servers.clone(), in_service)
    }

    pub(crate) fn workload(&self) -> &Workload {
        Workload::of_scenario(&self.scenario)
    }

    pub(crate) fn data(&self) -> StoreConfig {
        let workload = self.workload();
        let work = &workload.work;
        StoreConfig {
            kind: work.store,
            initial_count: work.initial_count,
            guard: workload.guard(),
            fence: self.fence,
            rows: work.resources,
        }
    }

    pub(crate) fn network(&self) -> NetworkConfig {
        let network = &self.scenario.network;
        NetworkConfig {
            latency: network.latency,
            loss_per_million: network.loss_per_million,
            transport: network.transport,
        }
    }
}

fn lock_params(scenario: &Scenario, lock: &LockEntry, bugs: &[String]) -> LockParams {
    let own = scenario.lock.params.get(lock.lock).cloned();
    lock.configure(own, scenario.lock.timing, bugs)
}

/// Returns why the lock cannot run in the scenario, or `None` if it can.
fn inapplicable(scenario: &Scenario, lock: &LockEntry, servers: &[String]) -> Option<String> {
    let workload = Workload::of_scenario(scenario);
    let in_service = data_in_service(&lock.info, workload.guard());
    let topology = Deployment::new(scenario.clients.count, servers.to_vec(), in_service);
    let no_check = scenario.clients.check_before_write && lock.info.offers.check.is_none();
    (no_check.then(|| "its library offers no check".to_owned()))
        .or_else(|| data_problem(&lock.info, workload))
        .or_else(|| guard_problem(&lock.info, workload))
        .or_else(|| transport_problem(&lock.info, scenario.network.transport))
        .or_else(|| scenario.faults.iter().find_map(|plan| plan.applicable(&topology).err()))
}

/// Returns whether the lock's own service holds the guarded data. The name `store` then means its first server.
pub(crate) fn data_in_service(info: &LockInfo, guard: Guard) -> bool {
    info.in_store || guard == Guard::OwnerTxn
}

/// Returns why the data cannot live where this lock or this guard keeps it, or `None` if it can.
fn data_problem(info: &LockInfo, workload: &Workload) -> Option<String> {
    let Work { store, resources, .. } = workload.work;
    if info.in_store && matches!(store, StoreKind::Effects(_)) {
        return Some("an effect on the outside world is not part of a transaction".into());
    }
    if info.in_store && resources > 1 {
        return Some("one transaction would change both rows: there are no two locks to acquire".into());
    }
    let owner_txn = workload.guard() == Guard::OwnerTxn;
    (owner_txn && resources > 1).then(|| "the lock service holds one row, and this workload needs two".into())
}

fn guard_problem(info: &LockInfo, workload: &Workload) -> Option<String> {
    let computed = matches!(workload.update(), Update::Decrement | Update::Conditional);
    if !info.grants && computed {
        return Some("the version check needs a value that the program writes".into());
    }
    match workload.guard() {
        Guard::None => None,
        Guard::OwnerTxn if info.owner_txn => None,
        Guard::OwnerTxn => Some("the data does not live in this lock's service".into()),
        _ if info.in_store => Some("lock and data share one transaction: there is nothing to guard".into()),
        Guard::FenceWrites | Guard::FenceReads if !info.tokens() => Some("this lock has no fencing tokens".into()),
        Guard::FenceWrites | Guard::FenceReads | Guard::Claim => None,
    }
}

fn transport_problem(info: &LockInfo, transport: Transport) -> Option<String> {
    // Clients of consensus services rely on getting either a reply or a reset.
    let sessions = info.expiry == Expiry::Connection || info.family == Family::Consensus;
    let needs_connections = info.in_store || sessions;
    (needs_connections && transport == Transport::Datagram)
        .then(|| "transactions and sessions live on connections, which datagrams do not have".into())
}

fn header(scenario: &Scenario, lock: &LockEntry, params: &LockParams, reason: Option<String>) -> CellHeader {
    let workload = Workload::of_scenario(scenario);
    let effective_expiry = (lock.effective_expiry)(params);
    CellHeader {
        scenario: scenario.name.clone(),
        about: about(scenario),
        family: family(scenario),
        lock: lock.name().into(),
        applicable: reason.is_none(),
        reason,
        effective_expiry,
        faults: (scenario.faults.iter())
            .map(|plan| FaultLabel { name: plan.name.clone(), kind: plan.kind.name.into() })
            .collect(),
        workload: workload.info.name.into(),
        use_case: workload.info.use_case.name().into(),
        harm_unit: workload.info.unit.into(),
        update: workload.work.update.map(kebab),
        guard: workload.work.guard.map(kebab),
        clients: scenario.clients.count,
        takeover_bound: lock.info.grants.then(|| (lock.takeover_bound)(params)),
        setting: setting(scenario),
        load: load(scenario),
        swarm: scenario.swarm,
        dose: effective_expiry.filter(|_| !scenario.swarm).and_then(|expiry| dose(scenario, expiry)),
    }
}

/// Returns the scenario's `about` text, marked if the scenario is a swarm.
fn about(scenario: &Scenario) -> String {
    if scenario.swarm { format!("A swarm. {}", scenario.about) } else { scenario.about.clone() }
}

/// Returns a hash of everything in a scenario except text, guard, update and number of clients.
fn setting(scenario: &Scenario) -> String {
    let Scenario { run_for, lock, network, faults, .. } = scenario;
    let workload = Workload::of_scenario(scenario);
    let clients = Clients { count: 0, orders: None, ..scenario.clients.clone() };
    let (kind, work) = (workload.info.name, Work { update: None, guard: None, ..workload.work.clone() });
    hash(&format!("{run_for:?} {clients:?} {lock:?} {network:?} {faults:?} {kind} {work:?}"))
}

/// Returns a hash of everything in a scenario except faults, `run_for` and text.
fn load(scenario: &Scenario) -> String {
    let Scenario { clients, lock, network, .. } = scenario;
    let workload = Workload::of_scenario(scenario);
    hash(&format!("{clients:?} {lock:?} {network:?} {workload:?}"))
}

fn hash(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

fn kebab(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(String::from)).unwrap_or_default()
}

/// Returns the kinds of a scenario's faults.
fn family(scenario: &Scenario) -> String {
    if scenario.swarm {
        return "swarm".into();
    }
    let mut kinds: Vec<&str> = scenario.faults.iter().map(|plan| plan.kind.name).collect();
    kinds.sort_unstable();
    kinds.dedup();
    match kinds.as_slice() {
        [] => "no fault".into(),
        [kind] => (*kind).into(),
        [..] if kinds.len() <= 2 => kinds.join(" + "),
        _ => "mixed".into(),
    }
}

/// Returns the pause divided by the effective expiry, if the only fault is a pause of fixed length after a grant.
fn dose(scenario: &Scenario, expiry: Duration) -> Option<f64> {
    let [plan] = &*scenario.faults else { return None };
    match (plan.kind.stops, &plan.trigger, plan.lasts) {
        (Some(Stops::Process), Trigger::On(_), Some(Dist::Constant(pause))) => {
            Some(pause.as_secs_f64() / expiry.as_secs_f64())
        }
        _ => None,
    }
}

/// The nodes of a cell, in the order of their deployment: clients, servers, store.
pub(crate) struct Deployment {
    names: Vec<String>,
    clients: Vec<NodeId>,
    servers: Vec<NodeId>,
    store: NodeId,
}

impl Deployment {
    pub fn new(clients: u16, servers: Vec<String>, in_service: bool) -> Self {
        let mut names: Vec<String> = (1..=clients).map(|n| format!("client-{n}")).collect();
        names.extend(servers);
        let store = if in_service { clients } else { names.len() as u16 };
        if !in_service {
            names.push(STORE.into());
        }
        let servers = (clients..names.len() as u16).filter(|id| in_service || *id != store).map(NodeId).collect();
        Deployment { names, clients: (0..clients).map(NodeId).collect(), servers, store: NodeId(store) }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl Topology for Deployment {
    fn clients(&self) -> &[NodeId] {
        &self.clients
    }

    fn servers(&self) -> &[NodeId] {
        &self.servers
    }

    fn store(&self) -> NodeId {
        self.store
    }

    fn all(&self) -> Vec<NodeId> {
        (0..self.names.len() as u16).map(NodeId).collect()
    }

    fn named(&self, name: &str) -> Option<NodeId> {
        let index = self.names.iter().position(|other| other == name);
        index.map(|index| NodeId(index as u16)).or_else(|| (name == STORE).then_some(self.store))
    }
}
