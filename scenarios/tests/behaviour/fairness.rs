//! Locks are compared under equal conditions: the same demand, the same faults, comparable expiries.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_testkit::{parse, shipped};

fn cells(text: &str) -> Vec<Cell> {
    let cells = Cell::all(&Registry::standard(), &parse(text), None, &[]);
    cells.into_iter().filter(|cell| cell.header.applicable).collect()
}

#[test]
fn with_the_same_seed_all_locks_face_the_same_faults() {
    for name in ["client-pauses", "everything", "server-restarts"] {
        for seed in 0..3 {
            let mut planned: BTreeMap<Vec<u64>, Vec<String>> = BTreeMap::new();
            for cell in cells(&shipped(name)) {
                let faults = case::run(&cell, seed, None).result.faults;
                let counts = faults.iter().map(|fault| fault.planned).collect();
                planned.entry(counts).or_default().push(cell.header.lock);
            }
            assert_eq!(planned.len(), 1, "{name}, seed {seed}: {planned:?}");
        }
    }
}

#[test]
fn demand_is_fixed_in_advance_and_attempts_are_reported() {
    // Without crashes and with enough time, every order is resolved with every lock.
    for cell in cells(&shipped("quiet")) {
        let result = case::run(&cell, 1, None).result;
        let metric = |name: &str| result.metric(name).unwrap_or_else(|| panic!("{}: no {name}", cell.header.lock));
        let resolved: i64 =
            (result.metrics.iter()).filter(|(name, _)| name.ends_with("_orders")).map(|(_, orders)| *orders).sum();
        assert_eq!(resolved, 30, "{}: {:?}", cell.header.lock, result.metrics);
        if cell.lock.info.grants {
            assert!(metric("attempts") >= metric("grants"), "{}", cell.header.lock);
            assert!(metric("grants") >= 30, "{}", cell.header.lock);
        }
    }
}

#[test]
fn a_case_that_ends_before_the_stock_is_gone_is_censored() {
    let text = |run_for: &str| {
        format!("run_for = '{run_for}'\n[clients]\nthink = '500ms'\n[workload.inventory]\nstock = 30\n")
    };
    for (run_for, censored) in [("2s", true), ("300s", false)] {
        for cell in cells(&text(run_for)).iter().filter(|cell| cell.header.lock != "none") {
            assert_eq!(case::run(cell, 0, None).result.censored, censored, "{}: {run_for}", cell.header.lock);
        }
    }
}

#[test]
fn an_effective_expiry_is_close_to_the_requested_one() {
    let explicit = cells("run_for = '1s'\n[lock]\nttl = 'default'\n");
    let omitted = cells("run_for = '1s'\n");
    for (explicit, omitted) in explicit.iter().zip(&omitted) {
        assert_eq!(explicit.header.effective_expiry, omitted.header.effective_expiry, "{}", explicit.header.lock);
    }
    for requested in [10, 20, 60] {
        for cell in cells(&format!("run_for = '1s'\n[lock]\neffective = '{requested}s'\n")) {
            let Some(effective) = cell.header.effective_expiry else { continue };
            let requested = Duration::from_secs(requested);
            let about = requested.mul_f64(0.75)..=requested.mul_f64(1.25);
            assert!(about.contains(&effective), "{}: {effective:?} instead of {requested:?}", cell.header.lock);
        }
    }
}
