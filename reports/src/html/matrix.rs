//! Lock × scenario for one property, and how to see each violation again.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::results::{CellHeader, PropertyCount};
use maud::{Markup, html};

use crate::grid::{Finding, Grid};
use crate::plot::rate_step;
use crate::report::Report;
use crate::text::{clipped, expiry, percent, percent_range, visible};

const LONGEST_HEADING: usize = 34;

/// The property with its matrix.
pub fn section(report: &Report, grid: &Grid, property: Property) -> Markup {
    html! {
        h2 { (property.name()) }
        (body(report, grid, property))
    }
}

/// The same, folded.
pub fn folded(report: &Report, grid: &Grid, property: Property) -> Markup {
    let violated = violated_cells(grid, property).len();
    html! {
        details id=(property.name()) {
            summary { (property.name()) span.aside { (violated) " cells violated" } }
            (body(report, grid, property))
        }
    }
}

fn body(report: &Report, grid: &Grid, property: Property) -> Markup {
    html! {
        p { "Requirement: " em { (property.requirement()) } ". It holds if " (property.about()) ". "
            "Cells show violated cases of those judged, and the 95 % interval of the rate." }
        (legend())
        (matrix(grid, property))
        (replays(report, grid, property))
    }
}

fn legend() -> Markup {
    html! {
        div.legend aria-hidden="true" {
            span.swatch.zero { "0" }
            @for step in 1..=10 { span class={ "swatch r" (step) } { (step * 10) } }
            span { "% of cases violated" }
            span.swatch.na {} span { "not applicable" }
        }
    }
}

fn matrix(grid: &Grid, property: Property) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label={ (property.name()) " by lock and scenario" } { table.matrix {
            thead { tr {
                th.corner scope="col" { "lock" small { "effective expiry" } }
                @for scenario in &grid.scenarios {
                    th.scenario scope="col" title=(visible(scenario)) {
                        span { bdi { (clipped(scenario, LONGEST_HEADING)) } }
                    }
                }
            } }
            tbody {
                @for lock in &grid.locks {
                    tr {
                        th scope="row" title=(visible(lock)) {
                            bdi { (clipped(lock, LONGEST_HEADING)) }
                            small { (expiries(grid, lock)) }
                        }
                        @for scenario in &grid.scenarios { (cell(grid.finding(lock, scenario, property), property)) }
                    }
                }
            }
        } }
    }
}

fn expiries(grid: &Grid, lock: &str) -> String {
    match grid.expiry_range(lock) {
        None => "no expiry".into(),
        Some((from, to)) if from == to => expiry(Some(from)),
        Some((from, to)) => format!("{} to {}", expiry(Some(from)), expiry(Some(to))),
    }
}

fn cell(finding: Finding, property: Property) -> Markup {
    match finding {
        Finding::Missing => html! { td.na title="not part of this run" { "–" } },
        Finding::NotApplicable(reason) => html! { td.na title=(visible(reason)) { "n/a" } },
        Finding::Judged((header, result), count) => {
            // A case that did not use up the stock could hardly oversell.
            let censored = if property == Property::NoOversell { result.censored() } else { 0 };
            judged(header, &count, censored)
        }
    }
}

fn judged(header: &CellHeader, count: &PropertyCount, censored: u64) -> Markup {
    let interval = count.ci95();
    let class = match count.rate() {
        Some(rate) if rate > 0.0 => format!("r{}", rate_step(rate)),
        _ => "zero".into(),
    };
    let range = match count.violated {
        0 => format!("≤ {}", percent(interval.upper)),
        _ => percent_range(interval.lower, interval.upper),
    };
    html! {
        td class=(class) title={ "effective expiry " (expiry(header.effective_expiry))
            @if let Some(seed) = count.first_seed { "; first violated by seed " (seed) } } {
            b { (count.violated) } " of " (count.judged())
            small { (range) }
            @if count.unknown > 0 { small { (count.unknown) " unknown" } }
            @if censored > 0 { small { (censored) " censored" } }
        }
    }
}

fn violated_cells<'a>(grid: &Grid<'a>, property: Property) -> Vec<(&'a str, &'a str, PropertyCount, u64)> {
    let pairs = grid.scenarios.iter().flat_map(|scenario| grid.locks.iter().map(move |lock| (*scenario, *lock)));
    let violated = pairs.filter_map(|(scenario, lock)| match grid.finding(lock, scenario, property) {
        Finding::Judged(_, count) => count.first_seed.map(|seed| (scenario, lock, count, seed)),
        _ => None,
    });
    violated.collect()
}

fn replays(report: &Report, grid: &Grid, property: Property) -> Markup {
    let violated = violated_cells(grid, property);
    html! {
        @if violated.is_empty() {
            p.aside { "No case violated it. The bounds in the cells say what that is worth." }
        } @else {
            details {
                summary { "See the first violation of each cell again" span.aside { (violated.len()) " commands" } }
                div.scroll tabindex="0" { table.plain { tbody {
                    @for (scenario, lock, count, seed) in violated {
                        tr {
                            td.number { (count.violated) " of " (count.judged()) }
                            td { code { (report.replay(scenario, lock, seed)) } }
                        }
                    }
                } } }
            }
        }
    }
}
