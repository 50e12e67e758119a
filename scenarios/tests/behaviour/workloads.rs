//! Every use of a lock, with every lock.

use std::ops::ControlFlow;

use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;

use crate::lab::{IN_STORE, parsed, run, shipped};

/// Something of everything, for a short time.
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
fn every_workload_runs_with_every_lock() {
    let registry = Registry::standard();
    for workload in registry.workloads() {
        let cells = Cell::all(&registry, &parsed(&mixed(workload.info.name, "")), None, &[]);
        for cell in &cells {
            let apart = EFFECTS.contains(&workload.info.name) || workload.info.name == "transfer";
            let fits = !(apart && IN_STORE.contains(&cell.header.lock.as_str()));
            let shown = format!("{} with {}", cell.header.lock, workload.info.name);
            assert_eq!(cell.header.applicable, fits, "{shown}: {:?}", cell.header.reason);
            assert_eq!(cell.header.harm_unit, workload.info.unit);
        }
        let cells: Vec<Cell> = cells.into_iter().filter(|cell| cell.header.applicable).collect();
        let names: Vec<String> = cells.iter().map(|cell| cell.case_name(0)).collect();
        let mut acked = vec![0; cells.len()];
        let job = Job { cells, seeds: 0..3, threads: 1, ..Job::default() };
        job.run(|cell, _, result| {
            let metric = |name: &str| result.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
            let harm = metric("harm").or(metric("harm_cents")).unwrap_or_else(|| panic!("{}: no harm", names[cell]));
            assert!(harm >= 0, "{}: harm is {harm}", names[cell]);
            acked[cell] += metric("acked_orders").unwrap_or(0);
            ControlFlow::Continue(())
        })
        .unwrap_or_else(|panicked| panic!("{}: {panicked}", workload.info.name));
        for (name, acked) in names.iter().zip(acked) {
            assert!(acked > 0, "{name}: no order of {} was acknowledged", workload.info.name);
        }
    }
}

#[test]
fn harm_of_each_kind_needs_a_lock_that_fails() {
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
fn fenced_reads_save_records_and_balances() {
    for workload in ["file", "set", "transfer"] {
        let open = run(&mixed(workload, ""), "lease-server", 20);
        open.breaks(&[Property::NoLostUpdate]);
        run(&mixed(workload, "guard = 'fence-reads'"), "lease-server", 20).keeps(&[Property::NoLostUpdate]);
    }
}

#[test]
fn a_refused_second_write_leaves_half_a_transfer() {
    let fenced = run(&mixed("transfer", "guard = 'fence-reads'"), "lease-server", 60);
    fenced.breaks(&[Property::Consistent]);
}

#[test]
fn guards_that_do_not_fit_are_shown_as_such() {
    let registry = Registry::standard();
    let reason = |workload: &str, guard: &str, lock: &str| {
        let text = format!("run_for = '1s'\n[workload.{workload}]\nguard = '{guard}'\n");
        Cell::new(&parsed(&text), registry.lock(lock).expect("a known lock"), &[]).header.reason
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
fn an_event_is_acknowledged_once_whoever_dealt_with_it() {
    let text = "run_for = '10s'\n[clients]\ncount = 4\n[workload.notify]\nevery = '1s'\n";
    let seen = run(text, "zookeeper", 5);
    seen.keeps_everything();
    assert_eq!(seen.total("acked_orders"), 50);
    assert_eq!(seen.total("done_already_orders"), 150);
    assert_eq!(seen.total("missed_effects"), 0);
}

#[test]
fn opposite_order_deadlocks_and_the_same_order_does_not() {
    let opposite = run(&shipped("transfer-opposite-order"), "zookeeper", 5);
    assert!(opposite.total("deadlocks") > 0);
    opposite.breaks(&[Property::Progress]);
    let stuck = opposite.cases.iter().filter(|result| {
        result
            .verdicts
            .iter()
            .any(|(property, verdict)| (*property, *verdict) == (Property::Progress, Verdict::Violated))
    });
    assert!(stuck.count() > 0);
    assert_eq!(run(&shipped("transfer-ordered"), "zookeeper", 5).total("deadlocks"), 0);
}
