//! Every kind of fault has the effect that its name states. Each row names a visible effect that is absent when the
//! same injections do nothing, so a broken injection fails its row.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fencepost_scenarios::property::Property::{self, BeliefExclusion, EffectExclusion, NoDuplicate, NoLostUpdate};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::cell::Cell;
use fencepost_sim::faults::{BoundAllowance, Fault, Injected, Nemesis, Topology};
use fencepost_sim::schedule::{FaultPlan, Placement};
use fencepost_sim::stream::Stream;

/// The visible effect of a fault, compared with the same case whose injections do nothing.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// A property that is violated in at least one case, and holds there when the injections do nothing.
    Violated(Property),
    /// A metric that is higher in most cases in which the fault touches something.
    More(&'static str),
}

use Effect::{More, Violated};

/// Kind, lock, settings, the fault's keys, and its effect.
type Row = (&'static str, &'static str, &'static str, &'static str, Effect);

const CHECKED: &str = "clients.check_before_write = true\n";
const ALWAYS: &str = "lock.redis-set-px = { ttl = \"5s\", persistence = \"always\" }\n";
const DATAGRAMS: &str = "network.transport = \"datagram\"\n";
const STANDBY: &str = "lock.sql-for-update = { standby = \"async-no-fencing\", failover_after = \"2s\" }\n";
/// A disk that lies has no effect until the power fails.
const LIE: &str = "what = \"lie\"\ntarget = \"server:any\"\nat = \"0s\"\nlasts = \"60s\"";
const POWER: &str = "\n[[fault.crash]]\nname = \"power\"\ntarget = \"server:any\"\nevery = \"exp(5s)\"\nwhat = \"host\"\n\
                     restart_after = \"300ms\"\ndisk = \"unsynced\"\n";

const ROWS: &[Row] = &[
    (
        "pause",
        "redis-set-px",
        "",
        "target = \"client:any\"\nevery = \"exp(8s)\"\nlasts = \"8s\"",
        Violated(EffectExclusion),
    ),
    // A check right before the write detects a process pause, but not a pause that stops the machine's clock.
    (
        "vm-pause",
        "redis-set-px:docs-deadline",
        CHECKED,
        "target = \"client:any\"\nevery = \"exp(5s)\"\nlasts = \"8s\"",
        Violated(EffectExclusion),
    ),
    (
        "crash",
        "redis-set-px",
        "",
        "target = \"server:any\"\nevery = \"exp(4s)\"\nrestart_after = \"100ms\"",
        Violated(EffectExclusion),
    ),
    (
        "crash",
        "redis-set-px",
        ALWAYS,
        "target = \"server:any\"\nevery = \"exp(4s)\"\nrestart_after = \"100ms\"\ndisk = \"wipe\"",
        Violated(EffectExclusion),
    ),
    ("crash", "etcd", "", "target = \"server:leader\"\nat = \"2s\"\npermanent = true", More("acquire_ns")),
    (
        "clock-step",
        "redis-set-px",
        "",
        "target = \"server:any\"\nevery = \"exp(4s)\"\nby = \"1m\"",
        Violated(BeliefExclusion),
    ),
    (
        "clock-rate",
        "redis-set-px",
        "",
        "target = \"server:any\"\nat = \"0s\"\nlasts = \"60s\"\nppm = 9_000_000",
        Violated(BeliefExclusion),
    ),
    (
        "clock-strobe",
        "redis-set-px",
        "",
        "target = \"server:any\"\nat = \"1s\"\nlasts = \"60s\"\nby = \"1m\"\nperiod = \"700ms\"",
        Violated(BeliefExclusion),
    ),
    (
        "partition",
        "lease-server",
        "",
        "shape = \"isolate\"\nevery = \"exp(4s)\"\nlasts = \"3s\"",
        More("acquire_ns_max"),
    ),
    ("partition", "etcd", "", "shape = \"minority\"\nevery = \"exp(4s)\"\nlasts = \"3s\"", More("acquire_ns_max")),
    ("partition", "etcd", "", "shape = \"majority\"\nat = \"2s\"\nlasts = \"30s\"", More("acquire_ns_max")),
    ("partition", "etcd", "", "shape = \"ring\"\nevery = \"exp(4s)\"\nlasts = \"10s\"", More("acquire_ns_max")),
    ("partition", "etcd", "", "shape = \"bridge\"\nevery = \"exp(4s)\"\nlasts = \"10s\"", More("acquire_ns_max")),
    (
        "partition",
        "lease-server",
        "",
        "shape = \"one-way\"\nevery = \"exp(4s)\"\nlasts = \"3s\"",
        More("acquire_ns_max"),
    ),
    (
        "partition",
        "lease-server",
        "",
        "shape = \"clients-from-lock\"\nat = \"2s\"\nlasts = \"5s\"",
        More("acquire_ns_max"),
    ),
    (
        "partition",
        "redis-set-px",
        "",
        "shape = \"clients-from-store\"\nevery = \"exp(5s)\"\nlasts = \"8s\"",
        Violated(EffectExclusion),
    ),
    (
        "partition",
        "lease-server",
        "",
        "split = [[\"client-1\", \"client-2\"], [\"lease-server\"]]\nat = \"2s\"\nlasts = \"9s\"",
        More("acquire_ns_max"),
    ),
    (
        "latency",
        "lease-server",
        "",
        "from = \"client:all\"\nto = \"server:all\"\nat = \"0s\"\nlasts = \"60s\"\nadd = \"200ms\"",
        More("acquire_ns"),
    ),
    (
        "loss",
        "lease-server",
        "",
        "from = \"client:all\"\nto = \"server:all\"\nat = \"0s\"\nlasts = \"60s\"\nrate = 0.5",
        More("acquire_ns"),
    ),
    (
        "duplicate",
        "redis-set-px-del",
        DATAGRAMS,
        "target = \"client:all\"\nat = \"0s\"\nlasts = \"60s\"\nrate = 1.0",
        Violated(NoDuplicate),
    ),
    (
        "hold",
        "redis-set-px",
        "",
        "from = \"client:any\"\nto = \"store\"\nevery = \"exp(4s)\"\nlasts = \"8s\"",
        Violated(EffectExclusion),
    ),
    (
        "slow",
        "lease-server",
        "",
        "target = \"server:all\"\nat = \"0s\"\nlasts = \"60s\"\nfactor = 100",
        More("acquire_ns"),
    ),
    (
        "slow",
        "lease-server",
        "",
        "target = \"client:all\"\nat = \"0s\"\nlasts = \"60s\"\nfactor = 100",
        More("acquire_ns"),
    ),
    (
        "disk-stall",
        "redis-set-px",
        ALWAYS,
        "target = \"server:any\"\nat = \"2s\"\nlasts = \"9s\"",
        More("acquire_ns_max"),
    ),
    (
        "disk-stall",
        "redis-set-px",
        ALWAYS,
        "what = \"slow\"\nsync = \"100ms\"\ntarget = \"server:any\"\nat = \"0s\"\nlasts = \"60s\"",
        More("acquire_ns"),
    ),
    ("disk-stall", "redis-set-px", ALWAYS, LIE, Violated(EffectExclusion)),
    ("failover", "sql-for-update", STANDBY, "every = \"exp(5s)\"\nlasts = \"5s\"", Violated(NoLostUpdate)),
];

const SEEDS: u64 = 12;

#[test]
fn every_fault_has_its_effect_only_if_its_injections_act() {
    let mut without_effect = Vec::new();
    for row in ROWS {
        let real = cell(row);
        let inert = with_first_fault_inert(&real);
        let mut effects = Vec::new();
        for seed in 0..SEEDS {
            let [real, inert] = [&real, &inert].map(|cell| case::run(cell, seed, None).result);
            assert_eq!(inert.faults[0].touched, 0, "{row:?}: an injection that does nothing touches nothing");
            if real.faults[0].touched > 0 {
                effects.push(row.4.occurs(&real, &inert));
            }
        }
        let (times, of) = (effects.iter().filter(|effects| **effects).count(), effects.len());
        if !row.4.is_frequent(times, of) {
            without_effect.push(format!("{times} of {of} cases: {row:?}"));
        }
    }
    assert!(without_effect.is_empty(), "these rows show no effect:\n{}", without_effect.join("\n"));
}

#[test]
fn every_kind_has_a_row() {
    let kinds: BTreeSet<&str> = Registry::standard().faults().iter().map(|fault| fault.info.name).collect();
    assert_eq!(ROWS.iter().map(|row| row.0).collect::<BTreeSet<_>>(), kinds);
}

impl Effect {
    fn occurs(self, real: &CaseResult, inert: &CaseResult) -> bool {
        match self {
            Violated(property) => {
                let violated = |result: &CaseResult| result.verdict(property) == Verdict::Violated;
                violated(real) && !violated(inert)
            }
            More(metric) => real.metric(metric) > inert.metric(metric),
        }
    }

    fn is_frequent(self, times: usize, of: usize) -> bool {
        match self {
            Violated(_) => times > 0,
            More(_) => times * 2 > of,
        }
    }
}

fn cell((kind, lock, settings, keys, _): &Row) -> Cell {
    let power = if keys.contains("lie") { POWER } else { "" };
    let ttl = if settings.contains("lock.") { "" } else { "lock.ttl = \"5s\"\n" };
    let text = format!(
        "run_for = \"60s\"\nclients.think = \"exp(200ms)\"\nclients.hold = \"500ms..2s\"\nclients.wait_at_most = \"60s\"\n\
         workload.inventory = {{ stock = 20 }}\n{ttl}{settings}\n[[fault.{kind}]]\nname = \"bites\"\n{keys}\n{power}"
    );
    fencepost_testkit::cell(&text, lock, &[])
}

fn with_first_fault_inert(cell: &Cell) -> Cell {
    let mut scenario = (*cell.scenario).clone();
    let mut plans: Vec<FaultPlan> = scenario.faults.to_vec();
    plans[0].fault = Arc::new(Inert(plans[0].fault.clone()));
    scenario.faults = plans.into();
    Cell { scenario: Arc::new(scenario), ..cell.clone() }
}

/// A fault that is drawn and placed like the one it wraps, but does nothing.
#[derive(Debug)]
struct Inert(Arc<dyn Fault>);

impl Fault for Inert {
    fn draw(&self, stream: &mut Stream) -> i64 {
        self.0.draw(stream)
    }

    fn begin(&self, _: &mut dyn Nemesis, _: &Injected<'_>) {}

    fn own_duration(&self) -> Option<Duration> {
        self.0.own_duration()
    }

    fn allowance(&self, drawn: i64, lasts: Duration) -> BoundAllowance {
        self.0.allowance(drawn, lasts)
    }

    fn place(&self, topology: &dyn Topology, pick: u64) -> Result<Placement, String> {
        self.0.place(topology, pick)
    }
}
