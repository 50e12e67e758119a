//! One case: a cell with a seed. Plans the case, builds its world, runs it, heals all faults, and
//! checks the history.

use std::cell::{Cell as Counter, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fencepost_models::guarded::{STORE_TIMEOUT, store_server};
use fencepost_models::history::Event;
use fencepost_models::{Family, Lock, Site, Wire};
use fencepost_sim::faults::{BoundAllowance, Topology};
use fencepost_sim::schedule::{Placement, Schedule};
use fencepost_sim::stream::Streams;
use fencepost_sim::{Driver, NodeId, STORE, Setup, SimTime, Stop, World};

use crate::check::{CaseSpec, Checkers, Evidence, Findings};
pub use crate::file::MOST_EVENTS;
use crate::file::{Scenario, total_orders, total_units};
use crate::property::Verdict;
use crate::run::case_result::{CaseResult, FaultTally};
use crate::run::cell::{Cell, Deployment, data_in_service};
use crate::run::recorder::{CaseState, Recorder, Watcher};
use crate::workload::Workload;
use crate::workload::client::{Client, DurableState, Shared, nested_wait};
use crate::workload::demand::ClientOrders;

/// The result of a case, and the evidence for its verdicts.
#[derive(Debug)]
pub struct CaseReport {
    /// The result.
    pub result: CaseResult,
    /// The first violation of each violated property.
    pub evidence: Vec<Evidence>,
    /// The names of the nodes, in order.
    pub nodes: Vec<String>,
    /// When the case ended.
    pub ended: SimTime,
    /// The injections that began, in the order of the schedule.
    pub injections: Vec<Injected>,
}

/// An injection of a case.
#[derive(Clone, Debug)]
pub struct Injected {
    /// The index of the fault in the scenario's faults.
    pub fault: usize,
    /// When the injection began.
    pub at: SimTime,
    /// The planned duration, if the fault has one.
    pub lasts: Option<Duration>,
    /// The value that the fault drew for the injection.
    pub drawn: i64,
    /// Where the injection acted.
    pub placement: Placement,
    /// Whether the injection changed something in the world.
    pub touched: bool,
}

/// Runs the case of `cell` with this seed; a case of a swarm draws its faults and settings first. The watcher sees
/// every event and cannot change the case.
pub fn run(cell: &Cell, seed: u64, watcher: Option<Rc<RefCell<dyn Watcher>>>) -> CaseReport {
    let Some(drawn) = cell.drawn_to_run(seed) else { return (cell.lock.run)(cell, seed, watcher) };
    let mut report = (drawn.lock.run)(&drawn, seed, watcher);
    if let Some(choice) = &drawn.choice {
        report.result.faults = choice.spread(&report.result.faults);
        for injected in &mut report.injections {
            injected.fault = choice.scenario_index(injected.fault);
        }
    }
    report
}

/// [`run`] for the cells of one lock. The lock's registry entry points here.
pub(crate) fn run_lock<L: Lock>(cell: &Cell, seed: u64, watcher: Option<Rc<RefCell<dyn Watcher>>>) -> CaseReport {
    let params = cell.params.downcast_ref::<L::Params>().expect("a cell has the parameters of its own lock");
    let plan = Plan::new::<L>(cell, seed, params);
    let state = Rc::new(RefCell::new(plan.state(cell.scenario.run_for)));
    let setup = build::<L>(cell, seed, params, &plan, &state, watcher);
    let run_for = SimTime(0) + cell.scenario.run_for;
    let phases = Phases { state: state.clone(), settle: plan.allowance.reconnect + STORE_TIMEOUT };
    let (stop, world) = setup.run(async move |driver| phases.run(&driver, run_for).await);
    finish(cell, plan, stop, world, state)
}

/// The plan of a case, made before the case runs.
struct Plan {
    nodes: Deployment,
    schedule: Schedule,
    streams: Streams,
    allowance: BoundAllowance,
    /// The total number of units of work.
    units: u32,
    spec: CaseSpec,
}

impl Plan {
    fn new<L: Lock>(cell: &Cell, seed: u64, params: &L::Params) -> Self {
        let Scenario { clients, run_for, .. } = &*cell.scenario;
        let (workload, pace) = (cell.workload(), cell.workload().work.pace);
        let streams = Streams::new(seed);
        let schedule = Schedule::draw(&cell.scenario.faults, &streams, SimTime(0) + cell.scenario.run_for);
        let allowance = schedule.allowance();
        let nodes = Deployment::new(cell.scenario.clients.count, cell.servers.clone(), in_service::<L>(cell));
        let wait_for_others = longest_unit(cell) + longest_inner_wait(cell) + late_attempts(cell);
        let spec = CaseSpec {
            grants: cell.lock.info.grants,
            validity: cell.lock.info.validity,
            tokens: cell.lock.info.tokens(),
            releases: cell.lock.info.grants,
            reentrancy: cell.lock.info.reentrancy,
            nested_wait: nested_wait(&cell.scenario.clients).min(L::own_patience(params).unwrap_or(Duration::MAX)),
            fifo: cell.lock.info.fifo,
            quorum: L::quorum(params),
            consensus: cell.lock.info.family == Family::Consensus,
            rank_by_return: nodes.servers().is_empty(),
            clients: nodes.clients().to_vec(),
            orders: total_orders(clients, pace, *run_for),
            workload: Some(workload.spec()),
            takeover_bound: L::takeover_bound(params, &allowance) + wait_for_others,
            progress_bound: L::progress_bound(params, &allowance) + wait_for_others,
            deadlock_bound: L::progress_bound(params, &allowance) + longest_unit(cell) + late_attempts(cell),
        };
        Plan { nodes, schedule, streams, allowance, units: total_units(clients, pace, *run_for), spec }
    }

    fn state(&self, run_for: Duration) -> CaseState {
        CaseState {
            checkers: Checkers::new(&self.spec).with_spans(run_for),
            open_orders: self.units,
            busy_clients: self.spec.clients.len(),
            healed: false,
        }
    }
}

/// Returns whether the lock's own service holds the guarded data. There is then no other store.
fn in_service<L: Lock>(cell: &Cell) -> bool {
    data_in_service(&L::INFO, cell.workload().guard())
}

/// Returns the longest time that a healthy holder keeps the lock while others wait.
fn longest_unit(cell: &Cell) -> Duration {
    let clients = &cell.scenario.clients;
    let [hold, prepare] = [clients.hold, clients.prepare].map(|work| work.longest().min(clients.wait_at_most));
    // Each nested acquire may wait this long, and so may its release.
    hold + prepare + 2 * u32::from(clients.nested) * nested_wait(clients)
}

/// Returns the delay that the scenario's `retry_delay` may add to an acquire. Up to four attempts may fail first, for
/// lack of a connection, a reply or a leader.
fn late_attempts(cell: &Cell) -> Duration {
    4 * cell.scenario.clients.retry_delay
}

/// Returns the longest time that a healthy holder of one lock waits for a second lock.
fn longest_inner_wait(cell: &Cell) -> Duration {
    let two = cell.workload().work.resources > 1;
    if two { cell.scenario.clients.wait_at_most } else { Duration::ZERO }
}

fn build<L: Lock>(
    cell: &Cell,
    seed: u64,
    params: &L::Params,
    plan: &Plan,
    state: &Rc<RefCell<CaseState>>,
    watcher: Option<Rc<RefCell<dyn Watcher>>>,
) -> Setup<Wire<L::Message>, Event> {
    let (clients, servers) = (plan.nodes.clients().to_vec(), plan.nodes.servers().to_vec());
    let recorder = Recorder { state: state.clone(), clients: clients.clone(), servers, watcher };
    let mut setup = Setup::new(seed, cell.network(), plan.schedule.clone(), Box::new(recorder), MOST_EVENTS);
    let shared = Rc::new(Shared {
        clients: cell.scenario.clients.clone(),
        workload: cell.workload().clone(),
        store: plan.nodes.store(),
        in_service: in_service::<L>(cell),
        probe_timeout: plan.spec.progress_bound,
        next_grant: Counter::new(0),
    });
    for (index, name) in plan.nodes.names()[..clients.len()].iter().enumerate() {
        let orders = ClientOrders::new(&plan.streams, &cell.scenario, index as u16);
        let state = Rc::new(RefCell::new(DurableState { orders, current: None, probed: false }));
        let (params, shared) = (params.clone(), shared.clone());
        setup.client(
            name.as_str(),
            Box::new(move |ctx| {
                let (params, shared, state) = (params.clone(), shared.clone(), state.clone());
                Box::pin(async move { Client::<L>::new(&params, ctx.into(), shared, state).run().await })
            }),
        );
    }
    L::deploy(params, &mut Site::new(&mut setup, cell.data()));
    if in_service::<L>(cell) {
        setup.store_is_first_server();
    } else {
        setup.store(STORE, store_server(cell.data()));
    }
    setup
}

/// The phases of a case: run, heal, settle.
struct Phases {
    state: Rc<RefCell<CaseState>>,
    /// How long after healing stalled messages may still arrive.
    settle: Duration,
}

impl Phases {
    async fn run<L: fencepost_sim::Message>(&self, driver: &Driver<Wire<L>, Event>, run_for: SimTime) -> Stop {
        if driver.run_until(run_for).await == Stop::Exhausted {
            return Stop::Exhausted;
        }
        driver.heal();
        let settled = driver.now() + self.settle;
        loop {
            // Run until stalled messages have arrived, and no obligation is pending or its deadline has passed.
            let limit = settled.max(self.state.borrow().checkers.open_until().unwrap_or_default());
            match driver.run_until(limit).await {
                Stop::Halted => {}
                Stop::Exhausted => return Stop::Exhausted,
                Stop::Reached if self.still_open(limit) => {}
                Stop::Reached => return Stop::Reached,
            }
        }
    }

    fn still_open(&self, limit: SimTime) -> bool {
        self.state.borrow().checkers.open_until().is_some_and(|until| until > limit)
    }
}

fn finish<L: fencepost_sim::Message>(
    cell: &Cell,
    plan: Plan,
    stop: Stop,
    mut world: World<Wire<L>, Event>,
    state: Rc<RefCell<CaseState>>,
) -> CaseReport {
    let ended = world.now();
    let (hash, events) = world.trace();
    let faults = tallies(cell, &plan.schedule, &world);
    let injections = injections_begun(&plan.schedule, &world);
    let (touched_holder, lock_messages) = (world.touched_holder(), world.lock_messages());
    drop(world);
    let state = Rc::try_unwrap(state).ok().expect("dropping the world drops the recorder").into_inner();
    let mut findings = state.checkers.finish(ended);
    if stop == Stop::Exhausted {
        mark_unknown(&mut findings);
    }
    findings.metrics.push(("lock_messages".into(), lock_messages as i64));
    let result = CaseResult {
        censored: is_censored(cell.workload(), &findings),
        verdicts: findings.verdicts,
        metrics: findings.metrics,
        faults,
        touched_holder,
        trace: hash.0,
        events,
        spans: findings.spans,
    };
    CaseReport { result, evidence: findings.evidence, nodes: plan.nodes.names().to_vec(), ended, injections }
}

/// Returns whether stock is left. The oversold units must then not be compared.
fn is_censored(workload: &Workload, findings: &Findings) -> bool {
    let acked = findings.metrics.iter().find(|(name, _)| name == "acked_units").map_or(0, |(_, units)| *units);
    workload.spec().stock().is_some_and(|stock| acked < stock)
}

/// Changes every verdict `Holds` to `Unknown`, because the case did not run to its end.
fn mark_unknown(findings: &mut Findings) {
    for (_, verdict) in &mut findings.verdicts {
        if *verdict == Verdict::Holds {
            *verdict = Verdict::Unknown;
        }
    }
}

fn tallies<L: fencepost_sim::Message>(
    cell: &Cell,
    schedule: &Schedule,
    world: &World<Wire<L>, Event>,
) -> Vec<FaultTally> {
    let mut tallies = vec![FaultTally::default(); cell.scenario.faults.len()];
    for (injection, state) in schedule.injections.iter().zip(world.injections()) {
        let tally = &mut tallies[injection.fault];
        tally.planned += 1;
        tally.fired += u64::from(state.fired);
        tally.touched += u64::from(state.touched);
    }
    tallies
}

fn injections_begun<L: fencepost_sim::Message>(schedule: &Schedule, world: &World<Wire<L>, Event>) -> Vec<Injected> {
    let states = schedule.injections.iter().zip(world.injections()).filter(|(_, state)| state.fired);
    let injected = states.map(|(injection, state)| Injected {
        fault: injection.fault,
        at: state.began,
        lasts: injection.lasts,
        drawn: injection.drawn,
        placement: state.placement.clone(),
        touched: state.touched,
    });
    injected.collect()
}

/// Returns the name of a node, for evidence.
pub fn node_name(nodes: &[String], node: NodeId) -> String {
    nodes.get(node.index()).cloned().unwrap_or_else(|| format!("node {}", node.0))
}
