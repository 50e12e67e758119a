//! Ablation: reruns a violated case without each of its faults. The other faults do not change, because each fault
//! draws from a stream selected by its name.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::property::Verdict;
use crate::run::case;
use crate::run::cell::Cell;
use crate::run::results::Sample;

/// Returns for each fault of the cell whether removing it removes a violation. The value is `None` if the fault never
/// began in the case, or if the case panics without the fault.
pub fn without_each(cell: &Cell, sample: &Sample) -> Vec<Option<bool>> {
    let began = |fault: usize| sample.fired.get(fault).copied().unwrap_or(false);
    // A case of a swarm has only some of the faults. Draw them before one is removed, or the draw would change.
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

/// Returns the cell without this fault.
pub fn without(cell: &Cell, fault: usize) -> Cell {
    let mut scenario = (*cell.scenario).clone();
    let others = scenario.faults.iter().enumerate().filter(|(index, _)| *index != fault);
    scenario.faults = others.map(|(_, plan)| plan.clone()).collect();
    Cell { scenario: Arc::new(scenario), ..cell.clone() }
}
