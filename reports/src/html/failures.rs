//! The failures: for each failing cell its smallest known counterexample.

use maud::{Markup, PreEscaped, html};

use super::Page;
use crate::failures::{Failure, Story};
use crate::text::{clipped, grouped, percent, visible};

/// The section, lock by lock.
pub fn section(page: &Page) -> Markup {
    let all = page.failures.all();
    let of = |lock: &str| all.iter().filter(|failure| failure.cell.0.lock == lock).collect::<Vec<_>>();
    html! {
        section id="failures" {
            h2 { "Failures" }
            p {
                "For each failing cell the smallest counterexample that is known: what was violated, why, and the command \
                 that shows it again, event by event. All times are true time, which no node of the case could see. The page \
                 has room for some diagrams of each lock; `replay … --timeline FILE.svg` draws any other."
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
    let command = failure.story.and_then(|story| story.command.clone()).unwrap_or_else(replay);
    html! {
        article.failure id=(failure.anchor) tabindex="-1" {
            h3 { bdi { (clipped(&header.scenario, 60)) } span.aside { " · " bdi { (clipped(&header.lock, 34)) } } }
            ul.violated { @for (property, count) in &failure.violated {
                li { b { (property.name()) } " violated in " (grouped(count.violated.into())) " of "
                    (grouped(count.judged().into())) " cases (≤ " (percent(count.ci95().upper)) ")" }
            } }
            p.aside { bdi { (visible(&header.about)) } }
            @if let Some(story) = failure.story { (told(story, failure)) }
            div.command { code { (visible(&command)) } }
        }
    }
}

fn told(story: &Story, failure: &Failure) -> Markup {
    html! {
        @if let Some(headline) = &story.headline { p.headline { (visible(headline)) "." } }
        @if let Some(smallest) = &story.smallest { p { b { "Smallest counterexample: " } (visible(smallest)) } }
        @if !story.causes.is_empty() {
            ol.causes { @for cause in &story.causes { li { (visible(cause)) } } }
        }
        @if failure.drawn {
            @if let Some(diagram) = &story.diagram {
                div.scroll.diagram tabindex="0" role="region" aria-label="Space-time diagram" {
                    (PreEscaped(diagram))
                }
            }
        }
    }
}
