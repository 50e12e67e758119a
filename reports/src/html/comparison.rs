//! Renders the comparison: one row for each lock, one column for each requirement and family of faults.

use fencepost_scenarios::property::Property;
use maud::{Markup, html};

use super::Page;
use super::matrix::{LONGEST_HEADING, expiries, folded, legend, pooled_cell, spread_cell};
use crate::grid::Cell;
use crate::pool::{FaultGroup, Measure, Pooled};
use crate::text::{clipped, visible};

/// The measures that the columns of families can show: fragment, label, measure.
const VIEWS: [(&str, &str, Measure); 7] = [
    ("harm", "any harm", Measure::Harm),
    ("effect", "effect-exclusion", Measure::Property(Property::EffectExclusion)),
    ("lost", "no-lost-update", Measure::Property(Property::NoLostUpdate)),
    ("grant", "grant-exclusion", Measure::Property(Property::GrantExclusion)),
    ("belief", "belief-exclusion", Measure::Property(Property::BeliefExclusion)),
    ("takeover", "takeover", Measure::Property(Property::Takeover)),
    ("progress", "progress", Measure::Property(Property::Progress)),
];

/// The columns of requirements: heading and property.
const REQUIREMENTS: [(&str, Property); 8] = [
    ("exclusive: service", Property::GrantExclusion),
    ("exclusive: store", Property::EffectExclusion),
    ("own release only", Property::OwnerRelease),
    ("avoids deadlock", Property::Takeover),
    ("highly available", Property::Progress),
    ("reentrant as declared", Property::Reentrancy),
    ("fencing", Property::Fencing),
    ("order", Property::Fifo),
];

/// Renders the section.
pub fn section(page: &Page) -> Markup {
    let families = FaultGroup::among(page.unguarded.locks.iter().flat_map(|lock| page.unguarded.row(lock)));
    let checked: Vec<Property> = Property::ALL.into_iter().filter(|property| page.grid.is_checked(*property)).collect();
    html! {
        section id="comparison" {
            h2 { "Comparison" }
            p {
                "Violated cases of those decided, with the 95\u{a0}% interval of the mean rate over the pooled scenarios; a \
                 zero shows its upper bound. The line below it counts the scenarios with a violated case. Requirements \
                 pool every applicable scenario in which only the lock protects the data. Families of faults show the \
                 measure chosen here. Each cell links to its worst counterexample."
            }
            form #filters hidden {}
            div.views {
                @for (at, (id, label, _)) in VIEWS.iter().enumerate() {
                    input type="radio" name="view" id={ "view-" (id) } checked[at == 0];
                    label for={ "view-" (id) } { (label) }
                }
                (legend())
                @for (at, (id, label, measure)) in VIEWS.into_iter().enumerate() {
                    div class={ "view view-" (id) } { (table(page, &families, label, measure, at == 0)) }
                }
            }
            h3 { "By scenario" }
            p { "Every cell of the run, one matrix for each property." }
            @for property in checked { (folded(page, property)) }
        }
    }
}

fn table(page: &Page, families: &[FaultGroup], label: &str, measure: Measure, first: bool) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Locks by requirement and family of faults: " (label) } {
            table.matrix.sortable {
                thead {
                    tr {
                        td {} td {}
                        th.group scope="colgroup" colspan=(REQUIREMENTS.len()) { "requirements, in all scenarios without guard" }
                        th.group scope="colgroup" colspan=(families.len()) { (label) ", by family of faults" }
                    }
                    tr {
                        th.corner scope="col" { "lock" }
                        th.flat scope="col" { "effective expiry" }
                        @for (heading, property) in REQUIREMENTS { th.flat scope="col" title=(property.about()) { (heading) } }
                        @for family in families { th.flat scope="col" { (family.name()) } }
                    }
                }
                tbody { @for (at, lock) in page.unguarded.locks.iter().enumerate() {
                    (row(page, lock, families, measure, first.then_some(at)))
                } }
            }
        }
    }
}

fn row(page: &Page, lock: &str, families: &[FaultGroup], measure: Measure, index: Option<usize>) -> Markup {
    let mine: Vec<&Cell> = page.unguarded.row(lock).collect();
    let info = page.report.locks.iter().find(|info| info.name == lock);
    // Only the first table shows the spread, since the page has thousands of these fields.
    let field = if index.is_some() { spread_cell } else { pooled_cell };
    let seconds = page.unguarded.expiry_range(lock).map_or(f64::MAX, |(_, to)| to.as_secs_f64());
    html! {
        tr id=[index.map(|index| format!("row.{index}"))] data-lock=(visible(lock)) data-family=(info.map_or("other", |info| info.family.text()))
            data-model=(verification(page, lock)) {
            th scope="row" {
                bdi { (clipped(lock, LONGEST_HEADING)) }
                small { "model: " (verification(page, lock)) }
            }
            td.plainly data-v=(seconds) { (expiries(&page.unguarded, lock).replace(" s", "\u{a0}s")) }
            @for (_, property) in REQUIREMENTS { (field(page, Pooled::of(mine.iter().copied(), property).as_ref())) }
            @for family in families {
                @let cells = mine.iter().copied().filter(|(header, _)| FaultGroup::of_cell(header) == *family);
                (field(page, Pooled::of(cells, measure).as_ref()))
            }
        }
    }
}

/// Returns what the lock's model was checked against.
fn verification(page: &Page, lock: &str) -> &'static str {
    let info = page.report.locks.iter().find(|info| info.name == lock);
    info.map_or("unknown", |info| info.verification.name())
}
