//! Counterfactuals: what becomes of a violated case when one of its faults is taken out. The others stay as they were:
//! each draws from a stream that its own name keys.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::property::Verdict;
use crate::run::case;
use crate::run::cell::Cell;
use crate::run::results::Sample;

/// For each fault of the cell, whether something that the case violated is so no longer without it; nothing for a fault
/// that never began in the case, and for a case that cannot be run without it.
pub fn without_each(cell: &Cell, sample: &Sample) -> Vec<Option<bool>> {
    let began = |fault: usize| sample.fired.get(fault).copied().unwrap_or(false);
    // In a swarm the case has only some of the faults; the counterfactual is of that case, not of another draw.
    let drawn = cell.drawn_to_run(sample.seed);
    let case = drawn.as_ref().unwrap_or(cell);
    let own = |fault: usize| match &case.choice {
        Some(choice) => choice.faults[fault].then(|| choice.faults[..fault].iter().filter(|has| **has).count()),
        None => Some(fault),
    };
    let changed = |fault: usize| began(fault).then(|| own(fault)).flatten().and_then(|own| changes(case, own, sample));
    (0..cell.scenario.faults.len()).map(changed).collect()
}

fn changes(cell: &Cell, fault: usize, sample: &Sample) -> Option<bool> {
    let cell = without(cell, fault);
    let result = catch_unwind(AssertUnwindSafe(|| case::run(&cell, sample.seed, None).result)).ok()?;
    Some(sample.violated.iter().any(|property| result.verdict(*property) != Verdict::Violated))
}

/// The cell of the same scenario without this fault.
pub fn without(cell: &Cell, fault: usize) -> Cell {
    let mut scenario = (*cell.scenario).clone();
    let others = scenario.faults.iter().enumerate().filter(|(index, _)| *index != fault);
    scenario.faults = others.map(|(_, plan)| plan.clone()).collect();
    Cell { scenario: Arc::new(scenario), ..cell.clone() }
}
