//! The HTML report: one file that loads no external resources and is complete without scripts.

mod comparison;
mod cost;
mod failures;
mod faults;
mod figures;
mod guide;
mod locks;
mod matrix;
mod measured;
mod oversell;
mod policy;
mod promises;
mod use_cases;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::failures::Failures;
use crate::grid::Grid;
use crate::plot::{Figure, theme_css};
use crate::pool::{Measure, NO_LOCK, Pooled, unguarded_cells};
use crate::report::Report;
use crate::text::{grouped, visible};
use crate::timeline::page_css;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// The plots of a page.
#[derive(Debug, Default)]
pub struct Figures {
    /// Oversold units, Case 1 beside Case 2.
    pub oversell: Option<Figure>,
    /// The count in the store and the units oversold.
    pub cases: Option<Figure>,
    /// The rate of violations against the length of pauses.
    pub dose: Option<Figure>,
    /// The rate of lost updates against the number of clients.
    pub contention: Option<Figure>,
    /// Acquire latency, messages, throughput, takeover time.
    pub cost: Vec<Figure>,
    /// Availability through faults.
    pub availability: Vec<Figure>,
}

/// The input of all sections.
struct Page<'a> {
    report: &'a Report,
    /// All cells.
    grid: Grid<'a>,
    /// The cells in which only the lock protects the data.
    unguarded: Grid<'a>,
    failures: &'a Failures<'a>,
}

impl Page<'_> {
    /// Links to the counterexample of a cell, or returns plain text if the cell did not fail.
    fn link(&self, scenario: &str, lock: &str, words: &Markup) -> Markup {
        match self.failures.anchor(scenario, lock) {
            Some(anchor) => html! { a href={ "#" (anchor) } { (words) } },
            None => words.clone(),
        }
    }
}

/// The maximum size of a page, in bytes: small enough for mail and browsers.
const LARGEST: usize = 4_980_000;

/// The table of contents, in order: fragment and heading.
const OUTLINE: [(&str, &str); 8] = [
    ("guide", "Which lock to choose"),
    ("use-cases", "Use cases"),
    ("requirements", "Requirements"),
    ("comparison", "Comparison"),
    ("oversell", "Oversell"),
    ("cost", "The cost of safety"),
    ("failures", "Failures"),
    ("measured", "How it was measured"),
];

/// Renders the whole page.
pub fn page(report: &Report, figures: &Figures) -> String {
    let mut failures = Failures::of(&report.cells, &report.counterexamples);
    // Render once without diagrams to find how many bytes are left for them.
    let plain = render(report, figures, &failures).len();
    failures.allot(LARGEST.saturating_sub(plain));
    render(report, figures, &failures)
}

fn render(report: &Report, figures: &Figures, failures: &Failures) -> String {
    let page =
        Page { report, grid: Grid::new(&report.cells), unguarded: Grid::new(unguarded_cells(&report.cells)), failures };
    let style = format!("{}{STYLE}{}", theme_css(), page_css());
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy::policy(&style, SCRIPT));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "fencepost " (visible(&report.version)) };
                title { (visible(&report.title)) }
                style { (PreEscaped(&style)) }
            }
            body {
                a.skip href="#comparison" { "Skip to the comparison" }
                (top(&page))
                main {
                    (guide::section(&page))
                    (use_cases::section(&page))
                    (promises::section(&page))
                    (comparison::section(&page))
                    (oversell::section(&page, figures))
                    (cost::section(&page, figures))
                    (failures::section(&page))
                    (measured::section(&page))
                }
                @if !failures.packed().is_empty() {
                    // Data, which needs no permission from the policy.
                    script #diagrams type="text/plain" { (failures.packed()) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

fn top(page: &Page) -> Markup {
    let report = page.report;
    let cases: u64 = report.cells.iter().map(|(_, result)| result.cases()).sum();
    let run = report.cells.iter().filter(|(header, _)| header.applicable).count();
    html! {
        header {
            h1 dir="auto" { (visible(&report.title)) }
            p.lead {
                (page.grid.locks.len()) " distributed locks in " (grouped(cases.into()))
                " simulated cases with paused processes, clock steps, crashes and partitions. All locks face the same \
                 faults, and every run gives the same results."
            }
            p.verdict { (verdict(page)) }
            dl.facts {
                div.wide { dt { "Command" } dd { code { (visible(&report.command)) } } }
                div { dt { "Version" } dd { (visible(&report.version)) } }
                div { dt { "Seeds" } dd { (visible(&report.seeds)) } }
                div { dt { "Cells" } dd { (run) " run, " (report.cells.len() - run) " not applicable" } }
            }
            @for note in &report.notes { p.warning { (visible(note)) } }
            nav aria-label="Contents" { ul {
                @for (id, heading) in OUTLINE { li { a href={ "#" (id) } { (heading) } } }
            } }
        }
    }
}

/// Renders the main result in numbers.
fn verdict(page: &Page) -> Markup {
    let harmed = |lock: &&str| {
        let mine = page.unguarded.row(lock).filter(|(header, _)| header.applicable);
        Pooled::of(mine, Measure::Harm).filter(|pooled| pooled.count.decided() > 0)
    };
    let pooled: Vec<Pooled> = page.unguarded.locks.iter().filter(|lock| **lock != NO_LOCK).filter_map(harmed).collect();
    let violating = pooled.iter().filter(|pooled| pooled.count.violated > 0).count();
    html! {
        @if pooled.is_empty() {
            "No case of this run relied on a lock alone to protect the data. See "
            a href="#comparison" { "Comparison" } " for the results by scenario."
        } @else {
            b { (violating) " of " (pooled.len()) " locks" }
            " lost or duplicated work in at least one case in which only the lock protected it. Many of these faults \
             exceed what the locks promise to survive. 0 of n never means safe: each zero comes with its upper bound."
        }
    }
}
