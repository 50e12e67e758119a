//! Plots as SVG text. Every plot uses literal colours of the light theme; [`themed`] adapts it to the theme of a page.

mod availability;
mod canvas;
mod cases;
mod cost;
mod frame;
mod heatmap;
mod oversell;
mod palette;
mod panels;
mod response;
mod rows;

use self::canvas::text_width;

pub use self::availability::availability;
pub use self::cases::shown_and_hidden;
pub use self::cost::{acquire_latency, messages, takeover, throughput};
pub use self::heatmap::{families, guards, heatmap};
pub use self::oversell::{oversell, paired_cells};
pub use self::palette::{rate_step, theme_css};
pub use self::response::{contention, dose_response};

/// A plot.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The file name, without extension. Never taken from user input.
    pub name: String,
    /// The title, in one line.
    pub title: String,
    /// The axes with units, and the notes.
    pub caption: String,
    /// The plot as an SVG document of its own.
    pub svg: String,
    /// The label and SVG of each panel, if a page can lay out the panels by its own width.
    pub panels: Vec<(String, String)>,
    /// The key to the marks.
    pub key: Option<String>,
}

/// Adapts a plot to a page: uses the colours of the page and no fixed size.
pub fn themed(svg: &str, label: &str) -> String {
    let body = svg.find("viewBox").map_or(svg, |at| &svg[at..]);
    let label: String = crate::text::visible(label).chars().filter(|c| !"<>&\"".contains(*c)).collect();
    palette::with_variables(&format!("<svg role=\"img\" aria-label=\"{label}\" {body}"))
}

/// Wraps text into lines of at most this width.
fn wrapped(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("`lines` is never empty");
        if !line.is_empty() && text_width(line, size) + text_width(word, size) > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
