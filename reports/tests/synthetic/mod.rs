//! Synthetic results that resemble real ones.
#![allow(dead_code)]

use std::time::Duration;

use fencepost_reports::Report;
use fencepost_reports::grid::Cell;
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case_result::{CaseResult, FaultTally, Span};
use fencepost_scenarios::run::results::{CellHeader, CellResult, FaultLabel};

pub const LOCKS: [&str; 7] =
    ["none", "lease-server", "redis-set-px-del", "redis-set-px", "redlock", "sql-for-update", "sql-version"];

pub const ALL_LOCKS: [&str; 23] = [
    "none",
    "sql-for-update",
    "sql-lease-row",
    "sql-version",
    "pg-advisory",
    "mysql-get-lock",
    "redis-setnx",
    "redis-setnx-expire",
    "redis-set-px-del",
    "redis-set-px",
    "redisson",
    "redisson-fenced",
    "redis-sentinel",
    "redlock",
    "zookeeper",
    "etcd",
    "consul",
    "chubby",
    "dynamodb",
    "k8s-lease",
    "hazelcast",
    "hazelcast-cp",
    "lease-server",
];

struct Scenario {
    name: &'static str,
    family: &'static str,
    update: &'static str,
    guard: &'static str,
    /// The risk for a lease, from 0 to 1.
    harsh: f64,
}

const fn scenario(
    name: &'static str,
    family: &'static str,
    update: &'static str,
    guard: &'static str,
    harsh: f64,
) -> Scenario {
    Scenario { name, family, update, guard, harsh }
}

const SCENARIOS: [Scenario; 12] = [
    scenario("calm", "calm", "target", "none", 0.0),
    scenario("gc-pause", "pause", "target", "none", 0.55),
    scenario("gc-pause-decrement", "pause", "decrement", "none", 0.55),
    scenario("gc-pause-checked", "pause", "target", "none", 0.08),
    scenario("gc-pause-fenced", "pause", "target", "fence-reads", 0.02),
    scenario("vm-pause", "pause", "decrement", "none", 0.4),
    scenario("redis-clock-step", "clock", "target", "none", 0.25),
    scenario("lock-server-failover", "crash", "decrement", "none", 0.3),
    scenario("partition-minority", "network", "target", "none", 0.12),
    scenario("late-release-after-unknown-write", "network", "decrement", "none", 0.7),
    scenario("disk-lies-on-restart", "disk", "target", "none", 0.2),
    scenario("store-slow", "network", "decrement", "conditional", 0.05),
];

const DOSES: [f64; 6] = [0.25, 0.5, 0.9, 1.1, 2.0, 4.0];

/// Returns a report on these locks.
pub fn report(locks: &[&str], cases: u64) -> Report {
    let mut cells: Vec<Cell> = Vec::new();
    for scenario in &SCENARIOS {
        cells.extend(locks.iter().map(|lock| cell(scenario, lock, None, cases)));
    }
    for dose in DOSES {
        let pauses = scenario("dose", "pause", "target", "none", 0.0);
        cells.extend(locks.iter().map(|lock| cell(&pauses, lock, Some(dose), cases)));
    }
    Report {
        title: "Distributed locks under faults: the standard suite".into(),
        command: "fencepost run standard --seeds 200 --out fencepost-out/standard".into(),
        version: "fencepost 0.1.0".into(),
        seeds: format!("0..{cases}"),
        locks: Registry::standard().locks().iter().map(|lock| lock.info).collect(),
        cells,
        ..Report::default()
    }
}

fn cell(scenario: &Scenario, lock: &str, dose: Option<f64>, cases: u64) -> Cell {
    let fits = !(lock == "sql-version" && scenario.update == "decrement")
        && (scenario.guard != "fence-reads"
            || ["lease-server", "redisson-fenced", "zookeeper", "etcd"].contains(&lock));
    let header = CellHeader {
        scenario: dose.map_or(scenario.name.into(), |dose| format!("pause-dose-{dose}")),
        about: "Buyers hit by stop-the-world pauses that are longer than the lease they hold.".into(),
        family: scenario.family.into(),
        lock: lock.into(),
        applicable: fits,
        reason: (!fits).then(|| "the lock hands out no tokens that this guard could compare".into()),
        effective_expiry: (!["none", "sql-for-update", "sql-version"].contains(&lock))
            .then_some(Duration::from_secs(10)),
        faults: vec![
            FaultLabel { name: "gc".into(), kind: if scenario.family == "crash" { "crash" } else { "pause" }.into() },
            FaultLabel {
                name: "cut".into(),
                kind: if scenario.family == "crash" { "crash" } else { "partition" }.into(),
            },
        ],
        workload: "inventory".into(),
        use_case: "efficiency".into(),
        harm_unit: "units".into(),
        update: Some(scenario.update.into()),
        guard: Some(scenario.guard.into()),
        clients: 4,
        takeover_bound: Some(Duration::from_secs(12)),
        setting: format!("{}{dose:?}", scenario.name.split_inclusive("pause").next().unwrap_or_default()),
        load: String::new(),
        swarm: false,
        dose,
    };
    let mut result = CellResult::default();
    let risk = risk(scenario, lock, dose);
    let key = header.scenario.bytes().chain(lock.bytes()).fold(7_u64, |key, byte| mixed(key ^ u64::from(byte)));
    for seed in 0..if fits { cases } else { 0 } {
        result.add(seed, &case_result(lock, risk, key, seed, scenario.harsh > 0.0 || dose.is_some()));
    }
    (header, result)
}

fn risk(scenario: &Scenario, lock: &str, dose: Option<f64>) -> f64 {
    let weakness = match lock {
        "none" => return 0.97,
        "sql-for-update" | "sql-version" => return 0.0,
        "pg-advisory" | "mysql-get-lock" => 0.5,
        "redis-set-px-del" | "redis-setnx" => 1.25,
        "redlock" | "redis-sentinel" => 0.8,
        _ => 1.0,
    };
    match dose {
        Some(dose) => (dose * dose / (1.0 + dose * dose) * weakness * if dose < 1.0 { 0.1 } else { 0.9 }).min(1.0),
        None => (scenario.harsh * weakness).min(1.0),
    }
}

fn case_result(lock: &str, risk: f64, key: u64, seed: u64, faulty: bool) -> CaseResult {
    let draw = |what: u64| (mixed(key ^ mixed(seed ^ mixed(what))) >> 11) as f64 / (1_u64 << 53) as f64;
    let broken = draw(1) < risk;
    let lost = if broken { 1 + (draw(2) * 6.0 * risk) as i64 } else { 0 };
    let oversold = if broken && draw(3) < 0.8 { 1 + (draw(4) * draw(5) * 40.0 * risk) as i64 } else { 0 };
    let verdict = |property| match property {
        Property::GrantExclusion if ["redlock", "redis-sentinel"].contains(&lock) && draw(6) < risk / 5.0 => {
            Verdict::Violated
        }
        Property::BeliefExclusion if draw(7) < risk * 1.1 => Verdict::Violated,
        Property::EffectExclusion | Property::NoLostUpdate if broken => Verdict::Violated,
        Property::EffectExclusion if draw(8) < 0.01 => Verdict::Unknown,
        Property::NoOversell if oversold > 0 => Verdict::Violated,
        Property::Fencing | Property::ValidityExclusion if !lock.contains("lease") => Verdict::NotApplicable,
        Property::Takeover if lock == "redis-setnx" => Verdict::Violated,
        _ => Verdict::Holds,
    };
    let touched = u64::from(faulty && draw(9) < 0.35 + risk * 0.6);
    CaseResult {
        verdicts: Property::ALL.into_iter().map(|property| (property, verdict(property))).collect(),
        metrics: vec![
            ("oversold_units".into(), oversold),
            ("acked_orders".into(), 120 + (draw(10) * 30.0) as i64),
            ("lost_updates".into(), lost),
            ("harm".into(), lost + oversold),
            ("negative_stock_units".into(), 0),
            ("acquires".into(), 130),
            ("lock_messages".into(), 400 + (draw(14) * 900.0) as i64),
            ("run_ns".into(), 60_000_000_000),
            ("acquire_ns".into(), (1_500_000.0 / (0.02 + draw(11))) as i64),
            ("takeover_ns".into(), 2_000_000_000 + (draw(12) * 2e10) as i64),
        ],
        faults: vec![
            FaultTally { planned: 9, fired: 8, touched: touched * 2 },
            FaultTally { planned: 1, fired: 1, touched: u64::from(faulty && draw(13) < 0.1) },
        ],
        censored: lock == "redlock" && draw(14) < 0.12,
        touched_holder: touched > 0,
        trace: 0,
        events: 4_000,
        spans: spans(risk, seed),
    }
}

/// Returns forty spans of 4.5 s, some with a fault. A higher risk blocks more of these.
fn spans(risk: f64, seed: u64) -> Vec<Span> {
    let span = |at: u64| {
        let faulty = if mixed(seed ^ at).is_multiple_of(3) { 30 } else { 0 };
        Span { slices: 45, wanted: 40, served: 40 - (faulty as f64 * risk.min(1.0)) as u64, faulty }
    };
    (0..40).map(span).collect()
}

/// Returns a result without events.
pub fn empty_result() -> CaseResult {
    CaseResult {
        verdicts: Vec::new(),
        metrics: Vec::new(),
        faults: Vec::new(),
        censored: false,
        touched_holder: false,
        trace: 0,
        events: 0,
        spans: Vec::new(),
    }
}

fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
