//! The page: one file, no script, nothing fetched.

mod faults;
mod locks;
mod matrix;
mod promises;

use fencepost_scenarios::property::Property;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::grid::Grid;
use crate::plot::{Figure, theme_css, themed};
use crate::report::Report;
use crate::text::{grouped, visible};

/// Nothing may be fetched or run, so that a hostile name that got past escaping could still do nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const STYLE: &str = include_str!("html/style.css");

/// Shown at once; the others are folded.
const OPEN: [Property; 3] = [Property::EffectExclusion, Property::NoLostUpdate, Property::NoOversell];
const FOLDED: [Property; 11] = [
    Property::GrantExclusion,
    Property::BeliefExclusion,
    Property::ValidityExclusion,
    Property::Takeover,
    Property::Progress,
    Property::Fencing,
    Property::OwnerRelease,
    Property::Reentrancy,
    Property::Fifo,
    Property::NoDuplicate,
    Property::Consistent,
];

/// The plots of a page.
pub struct Figures {
    /// Oversold units, Case 1 and Case 2 in turn.
    pub oversell: Vec<Figure>,
    /// Violations against the length of pauses.
    pub dose: Vec<Figure>,
}

/// The whole page.
pub fn page(report: &Report, figures: &Figures) -> String {
    let grid = Grid::new(report.cells.iter().filter(|(header, _)| header.dose.is_none()));
    let judged: Vec<Property> = FOLDED.into_iter().filter(|property| grid.is_judged(*property)).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (visible(&report.title)) }
                style { (PreEscaped(theme_css())) (PreEscaped(STYLE)) }
            }
            body {
                (top(report))
                main {
                    @for property in OPEN.into_iter().filter(|property| grid.is_judged(*property)) {
                        section id=(property.name()) { (matrix::section(report, &grid, property)) }
                    }
                    (oversell_section(&figures.oversell))
                    (dose_section(&figures.dose))
                    (locks::section(&Grid::new(&report.cells)))
                    (promises::section(&Grid::new(&report.cells), &report.locks))
                    @if !judged.is_empty() {
                        section id="more" {
                            h2 { "The other properties" }
                            @for property in judged { (matrix::folded(report, &grid, property)) }
                        }
                    }
                    (faults::section(&Grid::new(&report.cells)))
                    (scenarios_section(&Grid::new(&report.cells)))
                    (limits())
                }
            }
        }
    };
    page.into_string()
}

fn top(report: &Report) -> Markup {
    let cases: u64 = report.cells.iter().map(|(_, result)| result.cases()).sum();
    let run = report.cells.iter().filter(|(header, _)| header.applicable).count();
    html! {
        header {
            h1 dir="auto" { (visible(&report.title)) }
            p.lead {
                "What distributed locks really did when processes paused, clocks jumped and networks cut. Each cell is "
                "one lock in one scenario, run over the same seeds in a simulator that gives the same result every "
                "time. A cell tells how many of its cases broke a promise, and how often that could still be, for all "
                "that was seen: 0 of 200 is not never."
            }
            dl.facts {
                div { dt { "Command" } dd { code { (visible(&report.command)) } } }
                div { dt { "Version" } dd { (visible(&report.version)) } }
                div { dt { "Seeds" } dd { (visible(&report.seeds)) } }
                div { dt { "Cases" } dd { (grouped(cases.into())) " in " (run) " cells; "
                    (report.cells.len() - run) " more not applicable" } }
            }
            @for note in &report.notes { p.warning { (visible(note)) } }
        }
    }
}

fn figures_side_by_side(figures: &[Figure]) -> Markup {
    html! {
        div.figures { @for figure in figures { figure { (PreEscaped(themed(figure))) } } }
    }
}

fn oversell_section(figures: &[Figure]) -> Markup {
    html! {
        @if !figures.is_empty() {
            section id="oversell" {
                h2 { "Units sold that were not there" }
                p {
                    "How many units too many were sold in a case, over all scenarios of its kind. In Case 1 clients "
                    "write the new count, and an oversell hides behind a count that looks right. In Case 2 they lower "
                    "the count, and it shows. A curve further to the right and below is worse. Demand is fixed "
                    "beforehand: a case that ended before the stock was gone (censored) says nothing about overselling "
                    "and is left out."
                }
                (figures_side_by_side(figures))
            }
        }
    }
}

fn dose_section(figures: &[Figure]) -> Markup {
    html! {
        @if !figures.is_empty() {
            section id="dose" {
                h2 { "How long a pause has to be" }
                p {
                    "Share of cases in which the store accepted a write of a lock holder that had been replaced, "
                    "against the length of the pauses over the lock’s own effective expiry. At 1 a pause lasts as long "
                    "as the lease. Bands are Wilson intervals at 95 %."
                }
                (figures_side_by_side(figures))
            }
        }
    }
}

fn scenarios_section(grid: &Grid) -> Markup {
    html! {
        section id="scenarios" {
            h2 { "The scenarios" }
            div.scroll tabindex="0" { table.plain {
                thead { tr { th scope="col" { "scenario" } th scope="col" { "about" } th scope="col" { "work" }
                    th scope="col" { "guard" } th scope="col" { "pause / expiry" } } }
                tbody {
                    @for scenario in &grid.scenarios {
                        @if let Some((header, _)) = grid.column(scenario).next() {
                            tr {
                                th scope="row" { bdi { (visible(scenario)) } }
                                td.about { bdi { (visible(&header.about)) } }
                                td {
                                    (visible(&header.workload))
                                    @if let Some(update) = &header.update { ", " (visible(update)) }
                                }
                                td { (visible(header.guard.as_deref().unwrap_or("–"))) }
                                td { @if let Some(dose) = header.dose { (crate::text::short(dose)) } @else { "–" } }
                            }
                        }
                    }
                }
            } }
        }
    }
}

fn limits() -> Markup {
    html! {
        section id="limits" {
            h2 { "What these numbers are not" }
            p {
                "Faults here come far more often than in production, on purpose. Rates under exaggerated faults are "
                "not production risks: they compare locks, and show what can happen. The share to multiply by a rate "
                "of incidents of one’s own is that of violations when a fault hit the holder."
            }
            p {
                "Each lock is a model, written from its documentation and source, not the product itself. A model leaves "
                "things out. Seeds were drawn from a range that was fixed beforehand; intervals are Clopper–Pearson at 95 %, "
                "their upper end with every case that could not be judged counted against the lock. Many cells are "
                "looked at here: one interval in twenty may miss."
            }
            p {
                "Locks are compared on the same seeds. A slow lock does less work in the same time, and has less to "
                "lose: compare lost updates and harm per 1,000 orders, not totals."
            }
        }
    }
}
