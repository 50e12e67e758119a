//! Writes SVG. All text from outside is escaped here, and only here.

use std::fmt::Write;

use super::metrics::width;
use super::style::{CLIENTS, Theme, css};

/// An SVG element under construction.
pub(super) struct Paper {
    svg: String,
    id: String,
}

/// The alignment of a text at its point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Paper {
    pub fn new(width: f64, height: f64, id: &str, theme: Theme) -> Paper {
        let (w, h) = (number(width), number(height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fptl\" role=\"img\" viewBox=\"0 0 {w} {h}\" \
             width=\"{w}\" height=\"{h}\" aria-labelledby=\"{id}-t {id}-d\"><style>{}</style>",
            css(theme)
        );
        write!(
            svg,
            "<defs><pattern id=\"{id}-h\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><path class=\"hl\" d=\"M0 0V7\"/></pattern>\
             <pattern id=\"{id}-x\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><path class=\"hl\" d=\"M0 0V8M0 0H8\"/></pattern>\
             {}</defs><rect class=\"bg\" width=\"{w}\" height=\"{h}\"/>",
            heads(id)
        )
        .expect("writing to a string cannot fail");
        Paper { svg, id: id.to_owned() }
    }

    pub fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }

    /// Adds title and description for screen readers.
    pub fn describe(&mut self, title: &str, description: &str) {
        let (title, description, id) = (escaped(title), escaped(description), &self.id);
        write!(self.svg, "<title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>")
            .expect("writing to a string cannot fail");
    }

    pub fn text(&mut self, x: f64, y: f64, class: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = attribute(class);
        write!(self.svg, "<text x=\"{}\" y=\"{}\"{class}{anchor}>{}</text>", number(x), number(y), escaped(text))
            .expect("writing to a string cannot fail");
    }

    /// Draws small text on a plain background, so no line crosses it.
    pub fn label(&mut self, x: f64, y: f64, text: &str) {
        self.rectangle("nw", (x - 1.0, y - 9.0), (width(text, 11.0) + 2.0, 12.0), 2.0);
        self.text(x, y, "sm", Anchor::Start, text);
    }

    pub fn path(&mut self, class: &str, path: &str) {
        write!(self.svg, "<path{} d=\"{path}\"/>", attribute(class)).expect("writing to a string cannot fail");
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.path(class, &segment(from, to));
    }

    /// Draws a line with an arrowhead in the colour of a client.
    pub fn arrow(&mut self, class: &str, colour: usize, from: (f64, f64), to: (f64, f64)) {
        let (class, path, id) = (attribute(class), segment(from, to), &self.id);
        write!(self.svg, "<path{class} marker-end=\"url(#{id}-{colour})\" d=\"{path}\"/>")
            .expect("writing to a string cannot fail");
    }

    pub fn rectangle(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), round: f64) {
        let [x, y, w, h] = [x, y, width.max(0.0), height].map(number);
        let round = if round > 0.0 { format!(" rx=\"{}\"", number(round)) } else { String::new() };
        let class = attribute(class);
        write!(self.svg, "<rect{class} x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{round}/>")
            .expect("writing to a string cannot fail");
    }

    /// Draws a rectangle filled with one of the hatches: `h` or `x`.
    pub fn hatched(&mut self, hatch: char, at: (f64, f64), size: (f64, f64)) {
        let [x, y, w, h] = [at.0, at.1, size.0.max(0.0), size.1].map(number);
        write!(
            self.svg,
            "<rect class=\"ps\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"url(#{}-{hatch})\"/>",
            self.id
        )
        .expect("writing to a string cannot fail");
    }

    pub fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        let [x, y, r] = [x, y, radius].map(number);
        write!(self.svg, "<circle{} cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>", attribute(class))
            .expect("writing to a string cannot fail");
    }
}

/// Returns the arrowheads, one for each client colour.
fn heads(id: &str) -> String {
    let head = |colour| {
        format!(
            "<marker id=\"{id}-{colour}\" markerUnits=\"userSpaceOnUse\" markerWidth=\"9\" markerHeight=\"8\" refX=\"9\" \
             refY=\"4\" orient=\"auto\"><path class=\"f{colour}\" d=\"M9 4L0 8V0z\"/></marker>"
        )
    };
    (0..CLIENTS).map(head).collect()
}

fn segment(from: (f64, f64), to: (f64, f64)) -> String {
    let [a, b, c, d] = [from.0, from.1, to.0, to.1].map(number);
    match (a == c, b == d) {
        (_, true) => format!("M{a} {b}H{c}"),
        (true, _) => format!("M{a} {b}V{d}"),
        _ => format!("M{a} {b}L{c} {d}"),
    }
}

fn attribute(class: &str) -> String {
    if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") }
}

/// Formats a length in whole units. Drawings are so wide that fractions are not visible, and omitting them makes
/// room for more drawings in a page.
pub(super) fn number(length: f64) -> String {
    let text = format!("{length:.0}");
    if text == "-0" { "0".to_owned() } else { text }
}

/// Escapes text for elements and attributes of XML and HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in crate::text::visible(text).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_whole_numbers() {
        assert_eq!([1.0, 1.25, -0.01, 9.96].map(number), ["1", "1", "0", "10"]);
    }

    #[test]
    fn text_cannot_close_an_element() {
        assert_eq!(escaped("</text>\"'&\u{202e}"), "&lt;/text&gt;&quot;&#39;&amp;\u{fffd}");
    }
}
