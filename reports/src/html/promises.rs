//! Renders the requirements: the answers of the documentation beside the measurements.

use fencepost_models::{Answer, LockInfo, Promise, Requirement};
use fencepost_scenarios::property::{Property, Severity};
use maud::{Markup, html};

use super::Page;
use crate::grid::Cell;
use crate::pool::Pooled;
use crate::text::{clipped, grouped, of, unbroken, visible};

/// Renders one row for each lock and one column for each requirement, with the sources below.
pub fn section(page: &Page) -> Markup {
    let run: Vec<&LockInfo> = page.report.locks.iter().filter(|info| page.grid.locks.contains(&info.name)).collect();
    html! {
        section id="requirements" {
            h2 { "Requirements" }
            p {
                "A lock should be exclusive, avoid deadlock, be highly available and, for some uses, be reentrant. Each field \
                 shows the answer of the lock’s own documentation, and below it the worst measurement in scenarios in which \
                 only the lock protects the data. A promise holds under its own conditions, and most faults here violate \
                 these. So read the promise before the number."
            }
            @if run.is_empty() { p.aside { "There are no promises on record for these locks." } } @else {
                (overview(page, &run))
                div #promises {
                    h3 { "Promises of the documentation, with sources" }
                    @for info in run.iter().filter(|info| !info.promises.is_empty()) { (of_lock(page, info)) }
                }
            }
        }
    }
}

fn overview(page: &Page, run: &[&LockInfo]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Promises and measurements by lock" {
            table.plain.promised {
                thead { tr {
                    th scope="col" { "lock" }
                    @for requirement in Requirement::ALL { th scope="col" { (requirement.name()) } }
                } }
                tbody { @for info in run { tr data-lock=(info.name) {
                    th scope="row" { bdi { (clipped(info.name, 34)) } }
                    @for requirement in Requirement::ALL { td {
                        (promised(info, requirement))
                        small { (measured(page, info.name, requirement)) }
                    } }
                } } }
            }
        }
    }
}

fn promised(info: &LockInfo, requirement: Requirement) -> Markup {
    let promise = info.promises.iter().find(|promise| promise.requirement == requirement);
    let (mark, words) = match promise.map(|promise| promise.answer) {
        Some(Answer::Yes) => ("✓", "promised"),
        Some(Answer::No) => ("✗", "denied"),
        Some(Answer::Conditional) => ("(✓)", "conditional"),
        Some(Answer::Silent) | None => ("–", "not said"),
    };
    html! { span.mark aria-hidden="true" { (mark) } " " (words) }
}

fn of_lock(page: &Page, info: &LockInfo) -> Markup {
    html! {
        details {
            summary {
                bdi { (clipped(info.name, 34)) }
                span.aside { (info.verification.text()) }
            }
            p { (visible(info.about)) ". Acquired again by its holder: " (info.reentrancy.text()) "." }
            @for flaw in info.flawed_defaults { p.warning { "By default: " (visible(flaw)) "." } }
            div.scroll tabindex="0" role="region" aria-label={ "Promises of " (clipped(info.name, 34)) } { table.plain {
                thead { tr {
                    th scope="col" { "requirement" }
                    th scope="col" { "documentation says" }
                    th scope="col" { "measured" }
                } }
                tbody { @for promise in info.promises { (row(page, info.name, promise)) } }
            } }
        }
    }
}

fn row(page: &Page, lock: &str, promise: &Promise) -> Markup {
    html! {
        tr {
            th scope="row" { (promise.requirement.name()) }
            td.about {
                b { (promise.answer.name()) } ": " (visible(promise.says))
                small { (visible(promise.source)) }
            }
            td { (measured(page, lock, promise.requirement)) }
        }
    }
}

/// Renders the properties that measure a requirement, worst first, each with a link to its worst cell.
fn measured(page: &Page, lock: &str, requirement: Requirement) -> Markup {
    let mine: Vec<&Cell> = page.unguarded.row(lock).collect();
    let mut all: Vec<Pooled> = (Property::ALL.into_iter())
        .filter(|property| measures(*property) == Some(requirement) && property.severity() != Severity::Expected)
        .filter_map(|property| Pooled::of(mine.iter().copied(), property))
        .filter(|pooled| pooled.count.decided() > 0)
        .collect();
    all.sort_by(|a, b| b.rate().total_cmp(&a.rate()));
    let broken: Vec<&Pooled> = all.iter().filter(|pooled| pooled.count.violated > 0).collect();
    let most = all.iter().max_by_key(|pooled| pooled.count.decided());
    match (most, broken.first()) {
        (None, _) if mine.iter().any(|(header, _)| header.applicable) => html! { "n/a: no property applies" },
        (None, _) => html! { "not measured in this run" },
        (Some(most), None) => {
            let held = unbroken(&of(0, most.count.decided(), most.count.ci95().upper));
            html! { @if requirement == Requirement::Reentrant { "other than declared: " } @else { "violated: " } (held) }
        }
        (Some(_), Some(worst)) => html! {
            "violated in "
            @for (at, pooled) in broken.iter().take(2).enumerate() {
                @if at > 0 { "; " }
                (words(page, pooled))
            }
            @if broken.len() > 2 { "; and " (broken.len() - 2) " more" }
            @if worst.count.unknown > 0 { " +" (worst.count.unknown) "?" }
        },
    }
}

fn words(page: &Page, pooled: &Pooled) -> Markup {
    let words = html! {
        (grouped(pooled.count.violated.into())) " of " (grouped(pooled.count.decided().into())) " (" (pooled.measure.name()) ")"
    };
    match pooled.worst {
        Some((worst, _)) => page.link(&worst.scenario, &worst.lock, &words),
        None => words,
    }
}

/// Returns the requirement that a property measures. Fencing is a separate requirement here.
fn measures(property: Property) -> Option<Requirement> {
    match property {
        Property::Fencing => Some(Requirement::Fencing),
        _ => Requirement::ALL.into_iter().find(|requirement| requirement.name() == property.requirement()),
    }
}
