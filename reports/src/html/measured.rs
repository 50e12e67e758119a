//! Renders the section on the measurements and the limits of the numbers.

use fencepost_models::Offers;
use maud::{Markup, html};

use super::{Page, faults};
use crate::grid::Grid;
use crate::text::{clipped, grouped, visible};

/// Renders the section.
pub fn section(page: &Page) -> Markup {
    let report = page.report;
    html! {
        section id="measured" {
            h2 { "How it was measured" }
            (limits())
            dl.facts {
                div.wide { dt { "Command" } dd { code { (visible(&report.command)) } } }
                div { dt { "Version" } dd { (visible(&report.version)) } }
                @for (name, value) in &report.environment { div { dt { (visible(name)) } dd { (visible(value)) } } }
                div { dt { "Seeds" } dd { (visible(&report.seeds)) } }
                div { dt { "Events" } dd { (grouped(report.cells.iter().map(|(_, result)| result.events()).sum())) } }
                div { dt { "Intervals" } dd { "Clopper–Pearson, 95\u{a0}%; Wilson for bands in plots" } }
            }
            (effort(page))
            (models(page))
            (faults::section(&page.grid))
            (scenarios(&page.grid))
        }
    }
}

fn limits() -> Markup {
    html! {
        section id="limits" {
            h3 { "Limits of these numbers" }
            p {
                "Faults are far more frequent here than in production, on purpose. " b { "Rates under exaggerated faults are \
                not production risks: " } "they compare locks and show what can happen. Multiply your own rate of incidents \
                by the share of violations when a fault hit the holder."
            }
            p {
                "Each lock is a model, written from its documentation and source, not the product. A model leaves \
                 things out. The range of seeds was fixed beforehand. The upper end of an interval counts unknown cases as \
                 violated. The report has many cells: one interval in twenty may miss the true rate."
            }
            p {
                "Locks are compared on the same seeds. A slow lock does less work in the same time, so compare lost updates \
                 and harm per 1,000 orders, not totals."
            }
        }
    }
}

/// Renders the search effort, whose cases never enter rates.
fn effort(page: &Page) -> Markup {
    let with_counterexample = page.failures.all().iter().filter(|failure| failure.counterexample.is_some()).count();
    let shrunk = page
        .failures
        .all()
        .iter()
        .filter(|f| f.counterexample.is_some_and(|counterexample| counterexample.smallest.is_some()))
        .count();
    html! {
        h3 { "Search effort" }
        p {
            "All rates come from uniformly drawn seeds; cases of search, hunt and shrink never enter rates. "
            (page.failures.all().len()) " cells failed; " (with_counterexample) " have a counterexample here, and " (shrunk)
            " a shrunk one. Shrinking starts only from seeds that failed."
        }
    }
}

/// Renders how each lock's model can be checked.
fn models(page: &Page) -> Markup {
    let run: Vec<_> = page.report.locks.iter().filter(|info| page.grid.locks.contains(&info.name)).collect();
    html! {
        @if !run.is_empty() {
            h3 { "Verification of the models" }
            div.scroll tabindex="0" role="region" aria-label="Verification of the models" { table.plain {
                thead { tr { th scope="col" { "lock" } th scope="col" { "model" } th scope="col" { "expiry decided by" }
                    @for heading in ["token", "check", "loss notice", "timeout", "sources"] { th scope="col" { (heading) } } } }
                tbody { @for info in run { tr {
                    th scope="row" { bdi { (clipped(info.name, 34)) } }
                    td { (info.verification.text()) }
                    td { (info.expiry.text()) }
                    @let Offers { token, check, loss_notice, timeout } = info.offers;
                    @for offer in [token, check, loss_notice, timeout] {
                        td { (offer.map_or_else(|| "none".to_owned(), visible)) }
                    }
                    td.about { @for (at, source) in info.sources.iter().enumerate() {
                        @if at > 0 { "; " } (visible(source))
                    } }
                } } }
            } }
        }
    }
}

fn scenarios(grid: &Grid) -> Markup {
    html! {
        section id="scenarios" {
            h3 { "Scenarios" }
            div.scroll tabindex="0" role="region" aria-label="The scenarios" { table.plain {
                thead { tr { th scope="col" { "scenario" } th scope="col" { "about" } th scope="col" { "work" }
                    th scope="col" { "guard" } th.number scope="col" { "clients" }
                    th.number scope="col" { "pause / expiry" } } }
                tbody {
                    @for scenario in &grid.scenarios {
                        @if let Some((header, _)) = grid.column(scenario).next() {
                            tr {
                                th scope="row" { bdi { (clipped(scenario, 60)) } }
                                td.about { bdi { (visible(&header.about)) } }
                                td {
                                    (visible(&header.workload))
                                    @if let Some(update) = &header.update { ", " (visible(update)) }
                                }
                                td { (visible(header.guard.as_deref().unwrap_or("–"))) }
                                td.number { (header.clients) }
                                td.number { @if let Some(dose) = header.dose { (crate::text::short(dose)) } @else { "–" } }
                            }
                        }
                    }
                }
            } }
        }
    }
}
