//! Whether the faults mattered.

use fencepost_scenarios::results::FaultSum;
use maud::{Markup, html};

use crate::grid::Grid;
use crate::text::{clipped, grouped, percent, visible};

/// One row for each fault of each scenario, and a warning where most cases were left untouched.
pub fn section(grid: &Grid) -> Markup {
    html! {
        section id="faults" {
            h3 { "Did the faults matter?" }
            p {
                "Planned: injections in the schedules of all locks. Fired: those that began before a case was over. "
                "Touched: those that hit something: a held lock, a pending call, a message on its way. Zero violations "
                "where nothing was touched say nothing."
            }
            div.scroll tabindex="0" role="region" aria-label="Faults by scenario" { table.plain {
                thead { tr { th scope="col" { "scenario" } th scope="col" { "fault" } th scope="col" { "kind" }
                    @for heading in ["planned", "fired", "touched", "cases it touched"] {
                        th.number scope="col" { (heading) }
                    } } }
                tbody { @for scenario in &grid.scenarios { (rows(grid, scenario)) } }
            } }
        }
    }
}

fn rows(grid: &Grid, scenario: &str) -> Markup {
    let Some((header, _)) = grid.column(scenario).next() else { return html! {} };
    let cases: u64 = applicable(grid, scenario).map(|(_, result)| result.cases()).sum();
    html! {
        @for (at, fault) in header.faults.iter().enumerate() {
            @let sum = summed(grid, scenario, at);
            tr {
                th scope="row" { @if at == 0 { bdi { (clipped(scenario, 40)) } } }
                td { bdi { (clipped(&fault.name, 40)) } }
                td { (visible(&fault.kind)) }
                td.number { (grouped(sum.planned.into())) }
                td.number { (grouped(sum.fired.into())) }
                td.number { (grouped(sum.touched.into())) }
                td.number { @if cases > 0 { (percent(sum.cases_touched as f64 / cases as f64)) } @else { "–" } }
            }
        }
        @let idle = mostly_untouched(grid, scenario);
        @if !header.faults.is_empty() && !idle.is_empty() {
            tr.warning { td {} td colspan="6" {
                b { "Warning: " } "in most cases no fault touched anything, with " (idle) "."
            } }
        }
    }
}

fn applicable<'a>(grid: &Grid<'a>, scenario: &str) -> impl Iterator<Item = &'a crate::grid::Cell> {
    grid.column(scenario).filter(|(header, _)| header.applicable)
}

fn summed(grid: &Grid, scenario: &str, fault: usize) -> FaultSum {
    let sums = applicable(grid, scenario).filter_map(|(_, result)| result.faults().get(fault));
    sums.fold(FaultSum::default(), |sum, more| FaultSum {
        planned: sum.planned + more.planned,
        fired: sum.fired + more.fired,
        touched: sum.touched + more.touched,
        cases_touched: sum.cases_touched + more.cases_touched,
    })
}

/// The locks whose cases were mostly left alone, as text; empty if there are none.
fn mostly_untouched(grid: &Grid, scenario: &str) -> String {
    let idle = applicable(grid, scenario).filter(|(_, result)| result.untouched() * 2 > result.cases());
    let names: Vec<String> = idle.map(|(header, _)| clipped(&header.lock, 34)).collect();
    match names.len() {
        all if all > 1 && all == applicable(grid, scenario).count() => "every lock".into(),
        _ => names.join(", "),
    }
}
