//! Renders plots in the page.

use maud::{Markup, PreEscaped, html};

use crate::plot::{Figure, themed};

/// Renders a plot with its caption. Panels, if any, flow with the width of the page.
pub fn figure(figure: &Figure) -> Markup {
    html! {
        figure id={ "plot-" (figure.name) } class=(if figure.panels.is_empty() { "whole" } else { "multiple" }) {
            @if figure.panels.is_empty() {
                // On a phone, the plot scrolls at a readable size.
                div.scroll tabindex="0" role="region" aria-label=(figure.title) {
                    (drawing(&figure.svg, &figure.title))
                }
            } @else {
                h4 { (figure.title) }
                @if let Some(key) = &figure.key { div.key { (drawing(key, "key")) } }
                div.panels { @for (label, svg) in &figure.panels { (drawing(svg, label)) } }
            }
            figcaption {
                // A plot without panels already contains its axes and notes.
                @if !figure.panels.is_empty() { (figure.caption) " " }
                a href={ "plots/" (figure.name) ".svg" } { "SVG" } " "
                a href={ "plots/" (figure.name) ".png" } { "PNG" }
            }
        }
    }
}

/// Attributes that the page's style sets or that are defaults. Removing them from thousands of shapes saves space.
const REDUNDANT: [&str; 3] = [" font-family=\"DejaVu Sans, Verdana, sans-serif\"", " opacity=\"1\"", " fill=\"none\""];

/// Renders a plot in the page's colours. Only attributes are removed, since quotation marks in text are always escaped.
fn drawing(svg: &str, label: &str) -> Markup {
    PreEscaped(REDUNDANT.iter().fold(themed(svg, label), |svg, attribute| svg.replace(attribute, "")))
}
