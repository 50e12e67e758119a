//! JUnit XML: one test case for each cell, so CI shows the results of a run as tests.
//!
//! A test case fails if its cell violated a property that `[expect]` of the scenario does not list. Belief exclusion is
//! exempt, since every lease violates it under long pauses. The exit code of a run does not depend on this: it depends
//! only on the properties that `--fail-on` names or that are expected to hold.

use fencepost_scenarios::property::{Property, Severity};
use maud::{Markup, PreEscaped, html};

use crate::grid::{Cell, Grid};
use crate::report::Report;
use crate::text::{violations, visible};

/// Renders the whole file.
pub fn junit(report: &Report) -> String {
    let grid = Grid::new(&report.cells);
    let count = |pick: &dyn Fn(&Cell) -> bool| report.cells.iter().filter(|cell| pick(cell)).count();
    let failed = count(&|cell| !unexpected(report, cell).is_empty());
    let markup = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        testsuites name=(visible(&report.title)) tests=(report.cells.len()) failures=(failed) errors="0" {
            @for scenario in &grid.scenarios { (suite(report, &grid, scenario)) }
        }
        "\n"
    };
    markup.into_string()
}

fn suite(report: &Report, grid: &Grid, scenario: &str) -> Markup {
    let cells: Vec<&Cell> = grid.column(scenario).collect();
    let failed = cells.iter().filter(|cell| !unexpected(report, cell).is_empty()).count();
    let skipped = cells.iter().filter(|(header, _)| !header.applicable).count();
    html! {
        "\n"
        testsuite name=(visible(scenario)) tests=(cells.len()) failures=(failed) skipped=(skipped) errors="0" {
            @for cell in cells { "\n" (case(report, cell)) }
        }
    }
}

fn case(report: &Report, cell: &Cell) -> Markup {
    let (header, result) = cell;
    let unexpected = unexpected(report, cell);
    html! {
        testcase classname=(visible(&header.scenario)) name=(visible(&header.lock)) {
            @if !header.applicable {
                skipped message=(visible(header.reason.as_deref().unwrap_or("not applicable"))) {}
            } @else {
                @if let Some((first, seed)) = unexpected.first() {
                    failure type=(first.name()) message={ (first.name()) " is violated" } {
                        @for (property, _) in &unexpected {
                            (property.name()) ": " (violations(&result.property(*property))) "\n"
                        }
                        "to reproduce: " (report.replay(&header.scenario, &header.lock, *seed)) "\n"
                    }
                }
                system-out {
                    @for (property, count) in result.properties().filter(|(_, count)| count.is_applicable()) {
                        (property.name()) ": " (violations(count)) "\n"
                    }
                }
            }
        }
    }
}

/// Returns the properties that a cell violated unexpectedly, each with its first seed.
fn unexpected(report: &Report, (header, result): &Cell) -> Vec<(Property, u64)> {
    let expected = |property| {
        let key = (header.scenario.clone(), header.lock.clone(), property);
        report.expected_violations.contains(&key)
    };
    let violated = result.properties().filter(|_| header.applicable);
    let violated = violated.filter_map(|(property, count)| Some((property, count.first_seed?)));
    violated.filter(|(property, _)| property.severity() != Severity::Expected && !expected(*property)).collect()
}
