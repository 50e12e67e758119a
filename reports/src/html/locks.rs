//! What each lock did and cost.

use maud::{Markup, html};

use super::Page;
use crate::summary::{HEADINGS, Summary};
use crate::text::{clipped, visible};

/// One row for each lock, summed over the cells it was run in.
pub fn table(page: &Page) -> Markup {
    let grid = &page.grid;
    html! {
        details id="locks" {
            summary { "Harm and cost by lock, over everything" }
            p {
                "Summed over all cells that a lock was run in. Locks that were run in other cells than their "
                "neighbours have met other faults, so compare rows with the same first number. Oversold units count "
                "only cases whose stock was used up; cens. says how many others there were. The last column is the "
                "share of cases violating effect-exclusion among those in which a fault hit a held lock, with its "
                "upper 95\u{a0}% bound."
            }
            div.scroll tabindex="0" role="region" aria-label="Harm and cost by lock" { table.plain {
                thead { tr {
                    th scope="col" { "lock" }
                    @for heading in HEADINGS { th.number scope="col" { (heading) } }
                } }
                tbody {
                    @for lock in &grid.locks {
                        tr {
                            th scope="row" title=(visible(lock)) { bdi { (clipped(lock, 34)) } }
                            @for text in Summary::of(grid, lock).texts() { td.number { (text) } }
                        }
                    }
                }
            } }
        }
    }
}
