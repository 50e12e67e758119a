//! What the locks' documentation says, beside what was measured.

use fencepost_models::{LockInfo, Promise, Requirement, Verification};
use fencepost_scenarios::property::Property;
use maud::{Markup, html};

use crate::grid::Grid;
use crate::text::{clipped, grouped, visible};

/// A table for each lock that was run and has documentation.
pub fn section(grid: &Grid, locks: &[LockInfo]) -> Markup {
    let run: Vec<&LockInfo> = locks.iter().filter(|info| grid.locks.contains(&info.name)).collect();
    html! {
        @if run.iter().any(|info| !info.promises.is_empty()) {
            section id="promises" {
                h2 { "What documentation says, and what was measured" }
                p {
                    "What each lock’s own documentation says about what is asked of a lock, in our words, beside the "
                    "properties that measure it, over all cases of this run. A promise holds under its own conditions, "
                    "and most faults here are meant to break these: compare the words before the numbers."
                }
                @for info in run.into_iter().filter(|info| !info.promises.is_empty()) { (of_lock(grid, info)) }
            }
        }
    }
}

fn of_lock(grid: &Grid, info: &LockInfo) -> Markup {
    html! {
        details {
            summary {
                bdi { (clipped(info.name, 34)) }
                @if info.verification == Verification::Documentation {
                    span.aside { (info.verification.words()) }
                }
            }
            p { (visible(info.about)) ". Acquired again: " (info.reentrancy.words()) "." }
            @for flaw in info.flawed_defaults { p.warning { "By default: " (visible(flaw)) "." } }
            div.scroll tabindex="0" { table.plain {
                thead { tr {
                    th scope="col" { "requirement" }
                    th scope="col" { "documentation says" }
                    th scope="col" { "measured" }
                } }
                tbody { @for promise in info.promises { (row(grid, info.name, promise)) } }
            } }
        }
    }
}

fn row(grid: &Grid, lock: &str, promise: &Promise) -> Markup {
    html! {
        tr {
            th scope="row" { (promise.requirement.name()) }
            td.about {
                b { (promise.answer.name()) } ": " (visible(promise.says))
                small { (visible(promise.source)) }
            }
            td { (measured(grid, lock, promise.requirement)) }
        }
    }
}

/// One property, summed over the cells of a lock.
struct Measured {
    property: Property,
    violated: u64,
    judged: u64,
}

/// The properties that measure a requirement, worst first.
fn measured(grid: &Grid, lock: &str, requirement: Requirement) -> String {
    let mut all: Vec<Measured> = (Property::ALL.into_iter())
        .filter(|property| measures(*property) == Some(requirement))
        .map(|property| sum(grid, lock, property))
        .filter(|measured| measured.judged > 0)
        .collect();
    all.sort_by_key(|m| std::cmp::Reverse(u128::from(m.violated) * 1_000_000_000 / u128::from(m.judged)));
    let broken: Vec<String> = all.iter().filter(|m| m.violated > 0).map(Measured::words).collect();
    match (all.iter().map(|m| m.judged).max(), broken.is_empty()) {
        (None, _) => "not measured in this run".into(),
        (Some(judged), true) if requirement == Requirement::Reentrant => {
            format!("as described above in all {} cases", grouped(judged.into()))
        }
        (Some(judged), true) => format!("held in all {} cases", grouped(judged.into())),
        (Some(_), false) => format!("violated in {}", broken.join("; ")),
    }
}

impl Measured {
    fn words(&self) -> String {
        let (violated, judged) = (grouped(self.violated.into()), grouped(self.judged.into()));
        format!("{violated} of {judged} ({})", self.property.name())
    }
}

fn sum(grid: &Grid, lock: &str, property: Property) -> Measured {
    let run = grid.row(lock).filter(|(header, _)| header.applicable);
    let counts = run.map(|(_, result)| result.property(property));
    counts.fold(Measured { property, violated: 0, judged: 0 }, |sum, count| Measured {
        violated: sum.violated + count.violated,
        judged: sum.judged + count.judged(),
        ..sum
    })
}

/// The requirement that a property measures. Tokens are a requirement of their own here.
fn measures(property: Property) -> Option<Requirement> {
    match property {
        Property::Fencing => Some(Requirement::Fencing),
        _ => Requirement::ALL.into_iter().find(|requirement| requirement.name() == property.requirement()),
    }
}
