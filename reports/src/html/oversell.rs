//! Renders the section on oversell: units sold beyond the stock, and the guards that prevent this.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::Tally;
use maud::{Markup, html};

use super::figures::figure;
use super::matrix::pooled_cell;
use super::{Figures, Page};
use crate::grid::Grid;
use crate::guards::Guards;
use crate::plot::paired_cells;
use crate::text::{clipped, grouped, percent, short, visible};

/// Renders the section.
pub fn section(page: &Page, figures: &Figures) -> Markup {
    html! {
        section id="oversell" {
            h2 { "Oversell" }
            p {
                "Clients sell a stock. In Case 1 they read the count, compute the new one and write it. An oversell stays \
                 hidden, because a stale write restores an older count, which looks right. In Case 2 the store subtracts, so \
                 an oversell shows as a count below zero. The demand is fixed beforehand. A case that ended before the stock \
                 was gone is marked as censored (cens.) and never counts as a low oversell."
            }
            @if let Some(oversell) = &figures.oversell { (figure(oversell)) }
            @if let Some(cases) = &figures.cases { (figure(cases)) }
            (both_cases(page))
            @if let Some(dose) = &figures.dose {
                h3 { "By length of pause" }
                (figure(dose))
            }
            @if let Some(contention) = &figures.contention {
                h3 { "By number of clients" }
                (figure(contention))
            }
            (guards(page))
        }
    }
}

const METRICS: [&str; 4] = ["acked_orders", "oversold_units", "negative_stock_units", "lost_updates"];

/// Renders the numbers of Case 1 and Case 2 by lock.
fn both_cases(page: &Page) -> Markup {
    let cells = paired_cells(&page.report.cells);
    let grid = Grid::new(cells.iter().copied());
    let side = |lock: &str, update: &str| {
        let mine: Vec<_> =
            cells.iter().filter(|(h, _)| h.lock == lock && h.update.as_deref() == Some(update)).collect();
        let sum = |name: &str| mine.iter().filter_map(|(_, r)| r.metric(name)).map(Tally::total).sum::<u128>();
        let (cases, censored) =
            mine.iter().fold((0, 0), |(cases, censored), (_, r)| (cases + r.cases(), censored + r.censored()));
        (cases, censored, METRICS.map(sum))
    };
    html! {
        @if !grid.locks.is_empty() {
            details {
                summary { "Oversold units and the count, in numbers" }
                div.scroll tabindex="0" role="region" aria-label="Case 1 and Case 2 by lock" { table.plain.sortable {
                    thead { tr {
                        th scope="col" { "lock" }
                        @for case in ["Case 1", "Case 2"] {
                            @for what in ["oversold", "count below zero", "lost updates"] {
                                th.number scope="col" { (case) ": " (what) small { "per 1,000 orders" } }
                            }
                            th.number scope="col" { (case) ": censored" }
                        }
                    } }
                    tbody { @for lock in &grid.locks { tr data-lock=(visible(lock)) {
                        th scope="row" { bdi { (clipped(lock, 34)) } }
                        @for update in ["target", "decrement"] {
                            @let (cases, censored, [orders, metrics @ ..]) = side(lock, update);
                            @for metric in metrics {
                                @if orders > 0 {
                                    @let per = metric as f64 * 1_000.0 / orders as f64;
                                    td.number data-v=(per) { (short(per)) }
                                } @else { td.number data-v="-1" { "n/a" } }
                            }
                            td.number data-v=(censored) {
                                @if cases > 0 { (grouped(censored.into())) " (" (percent(censored as f64 / cases as f64)) ")" }
                                @else { "n/a" }
                            }
                        }
                    } } }
                } }
            }
        }
    }
}

/// Renders lost updates with each guard, all else being equal.
fn guards(page: &Page) -> Markup {
    let Some(guards) = Guards::of(&page.report.cells) else { return html! {} };
    html! {
        h3 #guards { "With each guard" }
        p {
            "Cases that lost an update in one scenario, " bdi { (clipped(guards.scenario, 40)) } ", with the same clients, \
             faults and seeds. Only the check at the store differs: none; the token on writes; the token on reads and \
             writes; the claim of the reader; the row’s version; or enough stock."
        }
        div.scroll tabindex="0" role="region" aria-label="Lost updates by lock and guard" { table.matrix.sortable {
            thead { tr {
                th.corner scope="col" { "lock" }
                @for guard in &guards.columns { th.flat scope="col" { bdi { (clipped(guard, 24)) } } }
            } }
            tbody { @for lock in &guards.locks { tr data-lock=(visible(lock)) {
                th scope="row" { bdi { (clipped(lock, 34)) } }
                @for guard in &guards.columns {
                    (pooled_cell(page, guards.pooled(lock, guard, Property::NoLostUpdate).as_ref()))
                }
            } } }
        } }
    }
}
