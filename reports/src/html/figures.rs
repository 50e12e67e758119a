//! Plots in the page.

use maud::{Markup, PreEscaped, html};

use crate::plot::{Figure, themed};

/// A plot with its caption: in parts that flow with the page's width where it has parts.
pub fn figure(figure: &Figure) -> Markup {
    html! {
        figure id={ "plot-" (figure.name) } class=(if figure.panels.is_empty() { "whole" } else { "multiple" }) {
            @if figure.panels.is_empty() {
                (PreEscaped(themed(&figure.svg, &figure.title)))
            } @else {
                h4 { (figure.title) }
                @if let Some(key) = &figure.key { div.key { (PreEscaped(themed(key, "key"))) } }
                div.panels { @for (label, svg) in &figure.panels { (PreEscaped(themed(svg, label))) } }
            }
            figcaption {
                // What is drawn as a whole has its axes and notes drawn with it.
                @if !figure.panels.is_empty() { (figure.caption) " " }
                a href={ "plots/" (figure.name) ".svg" } { "SVG" } " "
                a href={ "plots/" (figure.name) ".png" } { "PNG" }
            }
        }
    }
}
