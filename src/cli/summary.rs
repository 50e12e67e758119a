//! The summary of a run on the terminal, and its warnings.

use fencepost_reports::terminal;
use fencepost_reports::text::{grouped, visible};
use fencepost_scenarios::property::{Property, Severity};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::{CellResult, RunResult};

use super::fail_on::FailingViolation;
use super::plan::Plan;
use super::screen;

/// The maximum number of first violations to list.
const MOST_VIOLATIONS: usize = 10;
/// The maximum number of failures to print with their evidence.
const MOST_EVIDENCE: usize = 3;

/// Prints notes on possibly unintended inputs before the run.
pub(super) fn print_notes(plan: &Plan) {
    for selected in plan.selection.scenarios.iter().filter(|selected| selected.scenario.case.is_some()) {
        let file = selected.path.as_deref().unwrap_or(&selected.scenario.name);
        eprintln!("note: {file} is a reproducer, but `run` ignores its case: `fencepost replay {file}` replays it");
    }
    for selected in plan.selection.scenarios.iter().filter(|selected| selected.scenario.swarm) {
        let name = visible(&selected.scenario.name);
        eprintln!(
            "note: {name} is a swarm: each case draws its faults and settings, so its rates are listed separately"
        );
    }
    for note in &plan.renamed_notes {
        eprintln!("note: {note}");
    }
    if let Some(shard) = plan.shard.filter(|shard| shard.number > plan.seeds.count()) {
        eprintln!("warning: shard {shard} of the seeds {} is empty", plan.seeds);
    }
}

/// Returns the result tables.
pub(super) fn tables(result: &RunResult) -> String {
    terminal::tables(&result.cells, screen::terminal())
}

/// Returns a line with the numbers of cases and events.
pub(super) fn effort(result: &RunResult) -> String {
    let total = |count: fn(&CellResult) -> u128| grouped(result.cells.iter().map(|(_, result)| count(result)).sum());
    format!("total: {} cases, {} events\n", total(|result| result.cases().into()), total(CellResult::events))
}

/// Warns about scenarios whose faults touched nothing in most cases.
pub(super) fn warn_about_idle_faults(cells: &[Cell], results: &[CellResult]) {
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
        eprintln!(
            "warning: {name}: no fault touched anything in {untouched} of {cases} cases, so its rates mean little"
        );
    }
}

/// Lists the first violation of each cell, except violations that make the run fail.
pub(super) fn first_violations(plan: &Plan, result: &RunResult, failing: &[FailingViolation]) -> String {
    let mut lines = Vec::new();
    for (index, (header, cell)) in result.cells.iter().enumerate() {
        let fails = |property| failing.iter().any(|one| one.cell == index && one.property == property);
        let violated = cell.properties().filter_map(|(property, count)| Some((count.first_seed?, property)));
        let unexpected = |property: Property| property.severity() != Severity::Expected && !fails(property);
        let first = violated.filter(|(_, property)| unexpected(*property)).min();
        if let Some((seed, property)) = first {
            let command = plan.reproduce(&header.scenario, &header.lock, seed);
            let cell = format!("{}/{}", visible(&header.scenario), visible(&header.lock));
            lines.push(format!(
                "{cell}: {} is first violated by seed {seed}\n  to reproduce: {command}\n",
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

/// Prints the violations that make the run fail, with the command that replays each.
pub(super) fn print_failures(plan: &Plan, failing: &[FailingViolation]) {
    for (index, failure) in failing.iter().enumerate() {
        let cell = &plan.cells[failure.cell];
        let name = visible(&cell.case_name(failure.seed));
        eprintln!("failed: {name}: {} is violated ({})", failure.property.name(), failure.reason);
        if index < MOST_EVIDENCE {
            let report = fencepost_scenarios::run::case::run(cell, failure.seed, None);
            let names = |node| fencepost_scenarios::run::case::node_name(&report.nodes, node);
            let evidence = report.evidence.iter().filter(|evidence| evidence.property == failure.property);
            evidence.for_each(|evidence| eprintln!("  {}", evidence.render(&names)));
        }
        let command = plan.reproduce(&cell.header.scenario, &cell.header.lock, failure.seed);
        eprintln!("  to reproduce: {command}");
    }
}
