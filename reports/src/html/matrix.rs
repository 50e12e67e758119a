//! Renders fields with counts, and the matrices by lock and scenario.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::{CellHeader, PropertyCount};
use maud::{Markup, html};

use super::Page;
use crate::grid::{Finding, Grid};
use crate::plot::rate_step;
use crate::pool::Pooled;
use crate::text::{clipped, expiry, grouped, percent, percent_range, visible};

/// Longer names are clipped in headings.
pub const LONGEST_HEADING: usize = 44;

/// Renders the key to the colours. Hidden from screen readers, since the fields show the numbers.
pub fn legend() -> Markup {
    html! {
        div.legend aria-hidden="true" {
            span.swatch.zero { "0" }
            @for step in 1..=10 { span class={ "swatch r" (step) } { (step * 10) } }
            span { "% of cases violated" }
            span.swatch.na {} span { "n/a: not applicable" }
        }
    }
}

/// Returns the range of effective expiries of a lock over its cells.
pub fn expiries(grid: &Grid, lock: &str) -> String {
    match grid.expiry_range(lock) {
        None => "no expiry".into(),
        Some((from, to)) if from == to => expiry(Some(from)),
        Some((from, to)) => format!("{} to {}", expiry(Some(from)), expiry(Some(to))),
    }
}

/// Renders a field for pooled cells, with a link to the worst cell.
pub fn pooled_cell(page: &Page, pooled: Option<&Pooled>) -> Markup {
    pooled_field(page, pooled, false)
}

/// Renders a field for pooled cells, with the number of scenarios with a violation.
pub fn spread_cell(page: &Page, pooled: Option<&Pooled>) -> Markup {
    pooled_field(page, pooled, true)
}

fn pooled_field(page: &Page, pooled: Option<&Pooled>, spread: bool) -> Markup {
    let Some(pooled) = pooled.filter(|pooled| pooled.count.decided() + pooled.count.unknown > 0) else {
        return html! { td.na { "n/a" } };
    };
    let interval = pooled.count.ci95();
    let counts = html! {
        b { (grouped(pooled.count.violated.into())) } " of " (grouped(pooled.count.decided().into()))
        small { (range(pooled.count.violated, interval.lower, interval.upper)) }
        @if spread && pooled.scenarios > 1 { small { "in " (pooled.broken) " of " (pooled.scenarios) " scenarios" } }
        @if pooled.count.unknown > 0 { small { (pooled.count.unknown) " unknown" } }
    };
    html! {
        td class=[shade(pooled.count.violated, pooled.rate())]
            title={ (pooled.measure.name()) @if let Some((worst, _)) = pooled.worst {
                ", worst in " (clipped(&worst.scenario, 40)) } } {
            @match pooled.worst {
                Some((worst, _)) => (page.link(&worst.scenario, &worst.lock, &counts)),
                None => (counts),
            }
        }
    }
}

/// Returns the class of a field. Most fields are zeros, so these have none.
fn shade(violated: u64, rate: f64) -> Option<String> {
    (violated > 0).then(|| format!("r{}", rate_step(rate)))
}

fn range(violated: u64, lower: f64, upper: f64) -> String {
    if violated == 0 { format!("≤ {}", percent(upper)) } else { percent_range(lower, upper) }
}

/// Renders a folded section with a property and its matrix by scenario.
pub fn folded(page: &Page, property: Property) -> Markup {
    let grid = &page.grid;
    let pairs = || grid.scenarios.iter().flat_map(|scenario| grid.locks.iter().map(move |lock| (*scenario, *lock)));
    let is_violated = |(scenario, lock): &(&str, &str)| matches!(grid.finding(lock, scenario, property), Finding::Checked(_, count) if count.violated > 0);
    html! {
        details id=(property.name()) {
            summary { (property.name()) span.aside { (pairs().filter(is_violated).count()) " cells violated" } }
            p { "Requirement: " em { (property.requirement()) } ". It holds if " (property.about()) ". "
                "Cells show violated cases of those decided, and the 95\u{a0}% interval of the rate." }
            (legend())
            (matrix(page, property))
        }
    }
}

fn matrix(page: &Page, property: Property) -> Markup {
    let grid = &page.grid;
    let is_checked =
        |lock: &str, scenario: &str| matches!(grid.finding(lock, scenario, property), Finding::Checked(..));
    let scenarios: Vec<&str> =
        grid.scenarios.iter().copied().filter(|s| grid.locks.iter().any(|lock| is_checked(lock, s))).collect();
    let locks: Vec<&str> = grid.locks.iter().copied().filter(|l| scenarios.iter().any(|s| is_checked(l, s))).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label={ (property.name()) " by lock and scenario" } {
            table.matrix.cells.sortable {
                thead { tr {
                    th.corner scope="col" { "lock" small { "effective expiry" } }
                    @for scenario in &scenarios {
                        th.scenario scope="col" { span { bdi { (clipped(scenario, LONGEST_HEADING)) } } }
                    }
                } }
                tbody {
                    @for lock in &locks {
                        tr data-lock=(visible(lock)) {
                            th scope="row" {
                                bdi { (clipped(lock, LONGEST_HEADING)) }
                                small { (expiries(grid, lock)) }
                            }
                            @for scenario in &scenarios {
                                (cell(page, grid.finding(lock, scenario, property), property))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(page: &Page, finding: Finding, property: Property) -> Markup {
    match finding {
        Finding::Missing => html! { td.na { "–" } },
        Finding::NotApplicable(reason) => html! { td.na title=(visible(reason)) { "n/a" } },
        Finding::Checked((header, result), count) => {
            // A case that did not sell the whole stock could hardly oversell.
            let censored = if property == Property::NoOversell { result.censored() } else { 0 };
            checked_field(page, header, &count, censored)
        }
    }
}

fn checked_field(page: &Page, header: &CellHeader, count: &PropertyCount, censored: u64) -> Markup {
    let interval = count.ci95();
    // There are thousands of fields, so the style enlarges the first line instead of marking up the others as small.
    let counts = html! {
        @if count.violated > 0 { b { (count.violated) } } @else { "0" }
        " of " (count.decided())
        br; (range(count.violated, interval.lower, interval.upper))
        @if count.unknown > 0 { br; (count.unknown) " unknown" }
        @if censored > 0 { br; (censored) " cens." }
    };
    let rate = count.rate().unwrap_or(0.0);
    html! {
        td class=[shade(count.violated, rate)] {
            @if count.violated > 0 { (page.link(&header.scenario, &header.lock, &counts)) } @else { (counts) }
        }
    }
}
