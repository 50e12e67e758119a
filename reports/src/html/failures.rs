//! The failures: for each failing cell its smallest known counterexample.

use maud::{Markup, PreEscaped, html};

use super::Page;
use crate::failures::{Counterexample, Drawing, Failure};
use crate::text::{clipped, grouped, percent, unbroken, visible};

/// The section, lock by lock.
pub fn section(page: &Page) -> Markup {
    let all = page.failures.all();
    let of = |lock: &str| all.iter().filter(|failure| failure.cell.0.lock == lock).collect::<Vec<_>>();
    html! {
        section id="failures" {
            h2 { "Failures" }
            p {
                "For each failing cell the smallest counterexample that is known: what was violated, why, drawn, and the \
                 command that shows it again, event by event. All times are true time, which no node of the case could see. \
                 A command that names a file of " code { "reproducers/" } " is to be run in the directory of this report. \
                 One diagram of each lock can be seen without scripts; the others are packed, and drawn when they come into \
                 view."
            }
            @if all.is_empty() { p { "No cell failed. The bounds in the cells say what that is worth." } }
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
            @if let Some(counterexample) = failure.counterexample { (told(counterexample, failure)) }
            div.command { code { (visible(&command)) } }
        }
    }
}

fn told(counterexample: &Counterexample, failure: &Failure) -> Markup {
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
        // The script puts the diagram in its place.
        Drawing::Packed => html! { p.undrawn { "To draw it, add --timeline FILE.svg to the command." } },
        Drawing::LeftOut => {
            html! { p.aside { "The page had no room for the diagram: to draw it, add --timeline FILE.svg to the command." } }
        }
    }
}
