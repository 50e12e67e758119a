//! Renders the section on the effect of the faults.

use maud::{Markup, html};

use crate::faults::{self, HEADINGS, applicable};
use crate::grid::Grid;
use crate::text::{clipped, visible};

/// Renders one row for each fault of each scenario, and a warning if most cases were not touched by any fault.
pub fn section(grid: &Grid) -> Markup {
    html! {
        section id="faults" {
            h3 { "Did the faults matter?" }
            p {
                "Planned: injections in the schedules of all locks. Fired: those that began before the end of a case. "
                "Touched: those that hit a held lock, a pending call or a message in flight. Zero violations "
                "without a touched case prove nothing. Decisive: of a sample of violated cases in which the fault began, the number "
                "in which removing this fault removes a violation."
            }
            div.scroll tabindex="0" role="region" aria-label="Faults by scenario" { table.plain {
                thead { tr { th scope="col" { "scenario" } th scope="col" { "fault" } th scope="col" { "kind" }
                    @for heading in HEADINGS {
                        th.number scope="col" { (heading) }
                    } } }
                tbody { @for scenario in &grid.scenarios { (rows(grid, scenario)) } }
            } }
        }
    }
}

fn rows(grid: &Grid, scenario: &str) -> Markup {
    let rows = faults::rows(grid, scenario);
    html! {
        @for (at, fault) in rows.iter().enumerate() {
            tr {
                th scope="row" { @if at == 0 { bdi { (clipped(scenario, 40)) } } }
                td { bdi { (clipped(fault.name, 40)) } }
                td { (visible(fault.kind)) }
                @for text in fault.texts() { td.number { (text) } }
            }
        }
        @let idle = mostly_untouched(grid, scenario);
        @if !rows.is_empty() && !idle.is_empty() {
            tr.warning { td {} td colspan="7" {
                b { "Warning: " } "in most cases no fault touched anything, with " (idle) "."
            } }
        }
    }
}

/// Lists the locks in which no fault touched most cases. Empty if there are none.
fn mostly_untouched(grid: &Grid, scenario: &str) -> String {
    let idle = applicable(grid, scenario).filter(|(_, result)| result.untouched() * 2 > result.cases());
    let names: Vec<String> = idle.map(|(header, _)| clipped(&header.lock, 34)).collect();
    match names.len() {
        all if all > 1 && all == applicable(grid, scenario).count() => "every lock".into(),
        _ => names.join(", "),
    }
}
