//! What a run ends with on the terminal, and what it warns of.

use fencepost_reports::terminal;
use fencepost_reports::text::{grouped, visible};
use fencepost_scenarios::property::{Property, Severity};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::{CellResult, RunResult};

use super::fail_on::Broken;
use super::plan::Plan;
use super::screen;

/// More first violations than this are left to the report.
const MOST_VIOLATIONS: usize = 10;
/// So many failures are told with what happened; the others only named.
const MOST_STORIES: usize = 3;

/// Before anything runs: what the user may not have meant.
pub(super) fn tell_what_is_odd(plan: &Plan) {
    for chosen in plan.selection.scenarios.iter().filter(|chosen| chosen.scenario.case.is_some()) {
        let file = chosen.path.as_deref().unwrap_or(&chosen.scenario.name);
        eprintln!("note: {file} pins one case, and `run` takes it as a scenario: `fencepost replay {file}` replays it");
    }
    for chosen in plan.selection.scenarios.iter().filter(|chosen| chosen.scenario.swarm) {
        let name = visible(&chosen.scenario.name);
        eprintln!("note: {name} is a swarm: each case draws its faults and settings, and its rates stand apart");
    }
    if let Some(shard) = plan.shard.filter(|shard| shard.number > plan.seeds.count()) {
        eprintln!("warning: shard {shard} of the seeds {} is empty", plan.seeds);
    }
}

/// The tables.
pub(super) fn tables(result: &RunResult) -> String {
    terminal::tables(&result.cells, screen::terminal())
}

/// How hard it was looked for.
pub(super) fn effort(result: &RunResult) -> String {
    let total = |count: fn(&CellResult) -> u128| grouped(result.cells.iter().map(|(_, result)| count(result)).sum());
    format!("in all: {} cases, {} events\n", total(|result| result.cases().into()), total(CellResult::events))
}

/// Rates say little where the faults hit nothing.
pub(super) fn warn_of_idle_faults(cells: &[Cell], results: &[CellResult]) {
    let mut scenarios: Vec<(&str, u64, u64)> = Vec::new();
    for (cell, result) in cells.iter().zip(results).filter(|(cell, _)| !cell.header.faults.is_empty()) {
        let name = cell.header.scenario.as_str();
        match scenarios.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, untouched, cases)) => {
                *untouched += result.untouched();
                *cases += result.cases();
            }
            None => scenarios.push((name, result.untouched(), result.cases())),
        }
    }
    for (name, untouched, cases) in scenarios.into_iter().filter(|(_, untouched, cases)| untouched * 2 > *cases) {
        let name = visible(name);
        eprintln!("warning: {name}: no fault touched anything in {untouched} of {cases} cases: its rates say little");
    }
}

/// The first violation of each cell, for those that make nothing fail.
pub(super) fn first_violations(plan: &Plan, result: &RunResult, broken: &[Broken]) -> String {
    let mut lines = Vec::new();
    for (index, (header, cell)) in result.cells.iter().enumerate() {
        let told = |property| broken.iter().any(|broken| broken.cell == index && broken.property == property);
        let violated = cell.properties().filter_map(|(property, count)| Some((count.first_seed?, property)));
        let unexpected = |property: Property| property.severity() != Severity::Expected && !told(property);
        let first = violated.filter(|(_, property)| unexpected(*property)).min();
        if let Some((seed, property)) = first {
            let command = plan.reproduce(&header.scenario, &header.lock, seed);
            let cell = format!("{}/{}", visible(&header.scenario), visible(&header.lock));
            lines.push(format!(
                "{cell}: {} is violated first by seed {seed}\n  to reproduce: {command}\n",
                property.name()
            ));
        }
    }
    let more = lines.len().saturating_sub(MOST_VIOLATIONS);
    let mut text = lines.drain(..).take(MOST_VIOLATIONS).collect::<String>();
    if more > 0 {
        text.push_str(&format!("and {more} more cells with violations: see the report\n"));
    }
    if text.is_empty() { text } else { text + "\n" }
}

/// Everything that makes the run fail, with how to see it again.
pub(super) fn tell_broken(plan: &Plan, broken: &[Broken]) {
    for (index, failure) in broken.iter().enumerate() {
        let cell = &plan.cells[failure.cell];
        let name = visible(&cell.case_name(failure.seed));
        eprintln!("failed: {name}: {} is violated, and {}", failure.property.name(), failure.because);
        if index < MOST_STORIES {
            let report = fencepost_scenarios::run::case::run(cell, failure.seed, None);
            let names = |node| fencepost_scenarios::run::case::node_name(&report.nodes, node);
            let evidence = report.evidence.iter().filter(|evidence| evidence.property == failure.property);
            evidence.for_each(|evidence| eprintln!("  {}", evidence.told(&names)));
        }
        let command = plan.reproduce(&cell.header.scenario, &cell.header.lock, failure.seed);
        eprintln!("  to reproduce: {command}");
    }
}
