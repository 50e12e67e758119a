//! How it was measured, and what the numbers are not.

use fencepost_models::Verification;
use maud::{Markup, html};

use super::{Page, faults};
use crate::grid::Grid;
use crate::text::{clipped, grouped, visible};

/// The section.
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
            h3 { "What these numbers are not" }
            p {
                "Faults here come far more often than in production, on purpose. " b { "Rates under exaggerated faults are \
                not production risks: " } "they compare locks, and show what can happen. The share to multiply by a rate \
                of incidents of one’s own is that of violations when a fault hit the holder."
            }
            p {
                "Each lock is a model, written from its documentation and source, not the product itself. A model leaves \
                 things out. Seeds were drawn from a range that was fixed beforehand; the upper end of an interval counts \
                 every case that could not be judged against the lock. Many cells are looked at here: one interval in \
                 twenty may miss."
            }
            p {
                "Locks are compared on the same seeds. A slow lock does less work in the same time, and has less to lose: \
                 compare lost updates and harm per 1,000 orders, not totals."
            }
        }
    }
}

/// What was done beyond the cases that rates come from.
fn effort(page: &Page) -> Markup {
    let told = page.failures.all().iter().filter(|failure| failure.counterexample.is_some()).count();
    let shrunk = page
        .failures
        .all()
        .iter()
        .filter(|f| f.counterexample.is_some_and(|counterexample| counterexample.smallest.is_some()))
        .count();
    html! {
        h3 { "Search effort" }
        p {
            "All rates come from uniformly drawn seeds; no search, hunt or shrunk case enters one. "
            (page.failures.all().len()) " cells failed; " (told) " of them are told, and " (shrunk)
            " with a smallest counterexample. Shrinking looks only at seeds that failed already."
        }
    }
}

/// What each lock's model can be held against.
fn models(page: &Page) -> Markup {
    let run: Vec<_> = page.report.locks.iter().filter(|info| page.grid.locks.contains(&info.name)).collect();
    html! {
        @if !run.is_empty() {
            h3 { "What the models can be held against" }
            div.scroll tabindex="0" role="region" aria-label="Verification of the models" { table.plain {
                thead { tr { th scope="col" { "lock" } th scope="col" { "model" } th scope="col" { "expiry decided by" }
                    th scope="col" { "token" } th scope="col" { "sources" } } }
                tbody { @for info in run { tr {
                    th scope="row" { bdi { (clipped(info.name, 34)) } }
                    td { @if info.verification == Verification::Documentation { b { "unverified: " } }
                        (info.verification.text()) }
                    td { (info.expiry.text()) }
                    td { (info.token.map_or_else(|| "none".to_owned(), visible)) }
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
            h3 { "The scenarios" }
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
