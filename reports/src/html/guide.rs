//! Renders the decision guide.

use maud::{Markup, html};

use super::Page;
use crate::guide::{Part, guide};
use crate::text::{unbroken, visible};

/// Links text to the counterexample of a cell, or else to the row of its lock.
fn linked_text(page: &Page, scenario: &str, lock: &str, words: &str) -> Markup {
    let words = html! { bdi { (unbroken(&visible(words))) } };
    let row = page.unguarded.locks.iter().position(|known| *known == lock);
    match (page.failures.anchor(scenario, lock), row) {
        (None, Some(row)) => html! { a href={ "#row." (row) } { (words) } },
        _ => page.link(scenario, lock, &words),
    }
}

/// Renders the advice that the results support.
pub fn section(page: &Page) -> Markup {
    let advice = guide(&page.report.cells);
    html! {
        section id="guide" {
            h2 { "Which lock to choose" }
            p {
                "Computed from the tables below; every name with a number links to its cell. The faults are exaggerated: \
                 the counts compare locks and show what can happen, not how often it happens in production."
            }
            @for advice in &advice {
                h3 { (advice.question) }
                ul.advice {
                    @for sentence in &advice.sentences {
                        li { @for part in sentence { @match part {
                            Part::Text(words) => (unbroken(&visible(words))),
                            Part::Table { words, fragment } => a href={ "#" (fragment) } { (visible(words)) },
                            Part::Cell { words, scenario, lock } => (linked_text(page, scenario, lock, words)),
                        } } }
                    }
                }
            }
            @if advice.is_empty() { p.aside { "These results support no advice." } }
        }
    }
}
