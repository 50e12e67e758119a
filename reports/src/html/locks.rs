//! Renders the table of harm and cost by lock.

use maud::{Markup, html};

use super::Page;
use crate::summary::{HEADINGS, Summary};
use crate::text::{clipped, visible};

/// Renders one row for each lock, summed over the cells that it was run in.
pub fn table(page: &Page) -> Markup {
    let grid = &page.grid;
    html! {
        details id="locks" {
            summary { "Harm and cost by lock, over all cells" }
            p {
                "Summed over all cells that a lock was run in. Locks that were run in different cells faced different "
                "faults, so compare rows with the same first number. Oversold units count only cases that sold the "
                "whole stock; cens. gives the share of the others. The last column is the "
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
