//! Renders the section on the cost of safety.

use maud::{Markup, html};

use super::figures::figure;
use super::{Figures, Page, locks};

/// Renders the section.
pub fn section(page: &Page, figures: &Figures) -> Markup {
    html! {
        section id="cost" {
            h2 { "The cost of safety" }
            p {
                "Latency, messages, throughput and takeover time. All locks in a plot face the same clients, orders and \
                 thinking times, in the scenarios named below it. Times are simulated: latencies between nodes are drawn \
                 from the scenario’s distribution, and servers answer at once. So compare locks with each other, not \
                 with your own measurements."
            }
            div.figures { @for plot in &figures.cost { (figure(plot)) } }
            @if !figures.availability.is_empty() {
                h3 { "Availability through faults" }
                @for plot in &figures.availability { (figure(plot)) }
            }
            (locks::table(page))
        }
    }
}
