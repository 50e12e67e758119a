//! Every workload with every lock.

use std::ops::ControlFlow;

use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_testkit::{IN_STORE, parse, run, run_cells, shipped};

/// Returns a short scenario with several kinds of fault.
fn mixed(workload: &str, keys: &str) -> String {
    format!(
        "run_for = '20s'\n[clients]\ncount = 3\nthink = 'exp(100ms)'\nhold = '0ms..500ms'\n[lock]\neffective = '3s'\n\
         [workload.{workload}]\n{keys}\n[[fault.pause]]\ntarget = 'client:any'\nevery = 'exp(4s)'\nlasts = '1s..6s'\n\
         [[fault.crash]]\ntarget = 'client:any'\nevery = 'exp(9s)'\nrestart_after = '2s'\n\
         [[fault.hold]]\ntarget = 'store'\nevery = 'exp(9s)'\nlasts = '1s..4s'\n"
    )
}

const EFFECTS: [&str; 3] = ["compute", "notify", "dose"];

#[test]
fn every_workload_runs_with_every_lock_and_reports_harm_only_with_a_violation() {
    let registry = Registry::standard();
    for workload in registry.workloads() {
        let cells = Cell::all(&registry, &parse(&mixed(workload.info.name, "")), None, &[]);
        for cell in &cells {
            let needs_own_store = EFFECTS.contains(&workload.info.name) || workload.info.name == "transfer";
            let applicable = !(needs_own_store && IN_STORE.contains(&cell.header.lock.as_str()));
            let shown = format!("{} with {}", cell.header.lock, workload.info.name);
            assert_eq!(cell.header.applicable, applicable, "{shown}: {:?}", cell.header.reason);
            assert_eq!(cell.header.harm_unit, workload.info.unit);
        }
        let cells: Vec<Cell> = cells.into_iter().filter(|cell| cell.header.applicable).collect();
        let (mut acked, mut harmed) = (vec![0; cells.len()], 0);
        run_cells(cells.clone(), 0..3, |cell, seed, result| {
            let name = cells[cell].case_name(seed);
            let harm = result.metric("harm").or(result.metric("harm_cents"));
            let harm = harm.unwrap_or_else(|| panic!("{name} reports no harm"));
            let mut harmful = Property::ALL.into_iter().filter(|property| property.is_harm());
            let violated = harmful.any(|property| result.verdict(property) == Verdict::Violated);
            assert!(harm == 0 || violated, "{name}: harm of {harm} without a violation");
            harmed += u64::from(harm > 0);
            acked[cell] += result.metric("acked_orders").unwrap_or(0);
            ControlFlow::Continue(())
        });
        assert!(harmed > 0, "{}: no case is harmed, not even without a lock", workload.info.name);
        for (cell, acked) in cells.iter().zip(acked) {
            assert!(acked > 0, "{}: no order is acknowledged", cell.case_name(0));
        }
    }
}

#[test]
fn each_kind_of_harm_occurs_without_a_lock_only() {
    for (name, harm) in [
        ("compute-pauses", "harm_cents"),
        ("notify-pauses", "harm"),
        ("dose-pauses", "harm"),
        ("file-pauses", "harm"),
        ("set-pauses", "harm"),
        ("transfer-pauses", "harm"),
    ] {
        let text = shipped(name);
        assert!(run(&text, "none", 5).total(harm) > 0, "{name} without a lock");
        let kept = run(&text, "pg-advisory", 5);
        assert_eq!(kept.total(harm), 0, "{name} with a lock that outlasts every pause");
    }
}

#[test]
fn fenced_reads_lose_no_record_or_balance() {
    for workload in ["file", "set", "transfer"] {
        let open = run(&mixed(workload, ""), "lease-server", 20);
        open.violates(&[Property::NoLostUpdate]);
        run(&mixed(workload, "guard = 'fence-reads'"), "lease-server", 20).never_violates(&[Property::NoLostUpdate]);
    }
}

#[test]
fn a_refused_second_write_leaves_half_a_transfer() {
    let fenced = run(&mixed("transfer", "guard = 'fence-reads'"), "lease-server", 60);
    fenced.violates(&[Property::Consistent]);
}

#[test]
fn inapplicable_guards_have_a_reason() {
    let registry = Registry::standard();
    let reason = |workload: &str, guard: &str, lock: &str| {
        let text = format!("run_for = '1s'\n[workload.{workload}]\nguard = '{guard}'\n");
        Cell::new(&parse(&text), registry.lock(lock).expect("a known lock"), &[]).header.reason
    };
    for workload in ["file", "set", "transfer"] {
        assert_eq!(reason(workload, "fence-reads", "redis-set-px").as_deref(), Some("this lock has no fencing tokens"));
        assert_eq!(reason(workload, "claim", "redis-set-px"), None);
        assert_eq!(reason(workload, "fence-writes", "lease-server"), None);
        assert!(reason(workload, "owner-txn", "redis-set-px").is_some());
    }
    assert_eq!(reason("file", "owner-txn", "etcd"), None);
    assert_eq!(
        reason("transfer", "owner-txn", "etcd").as_deref(),
        Some("the lock service holds one row, and this workload needs two")
    );
}

#[test]
fn an_event_is_acknowledged_once_whichever_client_handles_it() {
    let text = "run_for = '10s'\n[clients]\ncount = 4\n[workload.notify]\nevery = '1s'\n";
    let seen = run(text, "zookeeper", 5);
    seen.holds_everything();
    assert_eq!(seen.total("acked_orders"), 50);
    assert_eq!(seen.total("done_already_orders"), 150);
    assert_eq!(seen.total("missed_effects"), 0);
}

#[test]
fn opposite_order_deadlocks_and_the_same_order_does_not() {
    let opposite = run(&shipped("transfer-opposite-order"), "zookeeper", 5);
    assert!(opposite.total("deadlocks") > 0);
    opposite.violates(&[Property::Progress]);
    assert_eq!(run(&shipped("transfer-ordered"), "zookeeper", 5).total("deadlocks"), 0);
}
