//! Plots in the page.

use maud::{Markup, PreEscaped, html};

use crate::plot::{Figure, themed};

/// A plot with its caption: in parts that flow with the page's width where it has parts.
pub fn figure(figure: &Figure) -> Markup {
    html! {
        figure id={ "plot-" (figure.name) } class=(if figure.panels.is_empty() { "whole" } else { "multiple" }) {
            @if figure.panels.is_empty() {
                // A phone shows it at a size that can be read, and scrolls.
                div.scroll tabindex="0" role="region" aria-label=(figure.title) {
                    (drawing(&figure.svg, &figure.title))
                }
            } @else {
                h4 { (figure.title) }
                @if let Some(key) = &figure.key { div.key { (drawing(key, "key")) } }
                div.panels { @for (label, svg) in &figure.panels { (drawing(svg, label)) } }
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

/// What the page's style says of every plot, or what goes without saying, need not be said by each of a thousand shapes.
const SAID: [&str; 3] = [" font-family=\"DejaVu Sans, Verdana, sans-serif\"", " opacity=\"1\"", " fill=\"none\""];

/// A plot in the page's colours. Only attributes are lost: in text a quotation mark is always escaped.
fn drawing(svg: &str, label: &str) -> Markup {
    PreEscaped(SAID.iter().fold(themed(svg, label), |svg, said| svg.replace(said, "")))
}
