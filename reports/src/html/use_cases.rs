//! Renders the section on the use cases of a lock: efficiency and correctness.

use maud::{Markup, html};

use super::Page;
use crate::grid::Cell;
use crate::text::{clipped, short, visible};
use crate::use_cases::{Harm, workloads};

/// Renders a table for each workload, by use case.
pub fn section(page: &Page) -> Markup {
    html! {
        section id="use-cases" {
            h2 { "Use cases" }
            p {
                "A lock avoids duplicate work, or it protects data. In the first case a failure costs some money or a second \
                 email. In the second it destroys something: a sale, a file, a balance, a dose. Harm is given per 1,000 \
                 acknowledged orders, since a slow lock does less work and so less harm."
            }
            (use_case(page, "efficiency", "Efficiency: what a failure costs"))
            (use_case(page, "correctness", "Correctness: what a failure destroys"))
        }
    }
}

fn use_case(page: &Page, wanted: &str, heading: &str) -> Markup {
    let headers = || page.report.cells.iter().map(|(header, _)| header);
    // An unknown use case counts as correctness, since it may lose data.
    let is_wanted = |name: &&str| {
        let known = headers().find(|header| header.workload == *name).map_or("", |header| header.use_case.as_str());
        (known == "efficiency") == (wanted == "efficiency")
    };
    let mine: Vec<&str> = workloads(&page.unguarded).into_iter().filter(is_wanted).collect();
    html! {
        h3 { (heading) }
        @if mine.is_empty() { p.aside { "This run had no such workload." } }
        @for name in mine {
            h4 { bdi { (clipped(name, 40)) } }
            @if let Some(about) = page.report.workloads.get(name) { p { (visible(about)) } }
            @let unit = headers().find(|header| header.workload == name).map_or("", |header| header.harm_unit.as_str());
            (table(page, name, if unit.is_empty() { "units" } else { unit }))
        }
    }
}

fn table(page: &Page, workload: &str, unit: &str) -> Markup {
    let cells = |lock: &str, faulty: bool| -> Vec<&Cell> {
        let mine = page.unguarded.row(lock).filter(|(header, _)| header.applicable && header.workload == workload);
        mine.filter(|(header, _)| header.faults.is_empty() != faulty).collect()
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Harm by lock, " (clipped(workload, 40)) } {
            table.plain.sortable {
                thead { tr {
                    th scope="col" { "lock" }
                    th.number scope="col" { "harm without faults" small { (visible(unit)) " per 1,000 orders" } }
                    th.number scope="col" { "harm under faults" small { (visible(unit)) " per 1,000 orders" } }
                    th scope="col" { "worst scenario" }
                    th.number scope="col" { "cases" }
                } }
                tbody { @for lock in &page.unguarded.locks {
                    @let (calm, faulty) = (Harm::sum(cells(lock, false)), Harm::sum(cells(lock, true)));
                    @if calm.cases + faulty.cases > 0 {
                        tr data-lock=(visible(lock)) {
                            th scope="row" { bdi { (clipped(lock, 34)) } }
                            (amount(&calm)) (amount(&faulty))
                            td { @if let Some((header, _)) = faulty.worst.or(calm.worst) {
                                (page.link(&header.scenario, lock, &html! { bdi { (clipped(&header.scenario, 40)) } }))
                            } @else { "no harm seen" } }
                            td.number data-v=(calm.cases + faulty.cases) { (calm.cases + faulty.cases) }
                        }
                    }
                } }
            }
        }
    }
}

fn amount(harm: &Harm) -> Markup {
    let per_thousand = harm.per_thousand();
    html! {
        td.number data-v=(per_thousand.unwrap_or(-1.0)) {
            @match per_thousand { Some(amount) => (short(amount)), None => "–" }
        }
    }
}
