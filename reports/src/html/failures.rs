//! Renders the failures: for each failing cell, the smallest known counterexample.

use maud::{Markup, PreEscaped, html};

use super::Page;
use crate::failures::{Counterexample, Drawing, Failure};
use crate::text::{clipped, grouped, percent, unbroken, visible};

/// Renders the section, lock by lock.
pub fn section(page: &Page) -> Markup {
    let all = page.failures.all();
    let of = |lock: &str| all.iter().filter(|failure| failure.cell.0.lock == lock).collect::<Vec<_>>();
    html! {
        section id="failures" {
            h2 { "Failures" }
            p {
                "For each failing cell, the smallest known counterexample: the violation, its causes, a diagram, and the \
                 command that replays it event by event. All times are true time, which no node can see. Run commands \
                 that name a file in " code { "reproducers/" } " in the directory of this report. One diagram of each lock \
                 is visible without scripts; the others are compressed, and drawn when they scroll into view."
            }
            @if all.is_empty() { p { "No cell failed. The cells show the upper bounds." } }
            @for lock in &page.grid.locks {
                @let mine = of(lock);
                @if !mine.is_empty() {
                    details.lock {
                        summary { bdi { (clipped(lock, 34)) } span.aside { (mine.len()) " failing cells" } }
                        @for failure in mine { (article(page, failure)) }
                    }
                }
            }
        }
    }
}

fn article(page: &Page, failure: &Failure) -> Markup {
    let (header, _) = failure.cell;
    let replay = || page.report.replay(&header.scenario, &header.lock, failure.seed);
    let command =
        failure.counterexample.and_then(|counterexample| counterexample.command.clone()).unwrap_or_else(replay);
    html! {
        article.failure id=(failure.anchor) {
            h3 { bdi { (clipped(&header.scenario, 60)) } span.aside { " · " bdi { (clipped(&header.lock, 34)) } } }
            ul.violated { @for (property, count) in &failure.violated {
                li { b { (property.name()) } " violated in " (grouped(count.violated.into())) " of "
                    (grouped(count.decided().into())) " cases (≤\u{a0}" (unbroken(&percent(count.ci95().upper))) ")" }
            } }
            p.aside { bdi { (visible(&header.about)) } }
            @if let Some(counterexample) = failure.counterexample { (details(counterexample, failure)) }
            div.command { code { (visible(&command)) } }
        }
    }
}

fn details(counterexample: &Counterexample, failure: &Failure) -> Markup {
    html! {
        @if let Some(headline) = &counterexample.headline { p.headline { (unbroken(&visible(headline))) "." } }
        @if let Some(smallest) = &counterexample.smallest { p { b { "Smallest counterexample: " } (unbroken(&visible(smallest))) } }
        @if !counterexample.causes.is_empty() {
            ol.causes { @for cause in &counterexample.causes { li { (unbroken(&visible(cause))) } } }
        }
        (drawn(failure))
    }
}

fn drawn(failure: &Failure) -> Markup {
    match failure.drawing {
        Drawing::None => html! {},
        Drawing::Inline => html! {
            div.scroll.diagram tabindex="0" role="region" aria-label="Space-time diagram" {
                (PreEscaped(failure.diagram().unwrap_or_default()))
            }
        },
        // The script replaces this paragraph with the diagram.
        Drawing::Packed => html! { p.undrawn { "To draw it, add --timeline FILE.svg to the command." } },
        Drawing::LeftOut => {
            html! { p.aside { "The diagram did not fit into the page. To draw it, add --timeline FILE.svg to the command." } }
        }
    }
}
