//! Plots, as SVG text. Every plot is drawn in literal colours of the light theme; [`themed`] makes it follow a page.

mod canvas;
mod dose;
mod frame;
mod heatmap;
mod oversell;
mod palette;

use crate::grid::Cell;

pub use self::palette::{rate_step, theme_css};

/// A plot.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The name of its file, without extension. Never taken from a user's file.
    pub name: String,
    /// What it shows, in one line.
    pub title: String,
    /// The plot as an SVG document of its own.
    pub svg: String,
}

/// At most so many locks share a plot: more could not be told apart.
const LOCKS_PER_PLOT: usize = 8;

/// Lock × scenario for effect exclusion.
pub fn heatmap(cells: &[Cell]) -> Option<Figure> {
    heatmap::draw(cells)
}

/// The distribution of oversold units per lock, for workloads of one way to update.
pub fn oversell(cells: &[Cell], update: &str) -> Vec<Figure> {
    oversell::draw(cells, update)
}

/// How the rate of violations grows with the length of pauses.
pub fn dose_response(cells: &[Cell]) -> Vec<Figure> {
    dose::draw(cells)
}

/// An SVG to be set into a page: its colours are the page's, and its size is that of the place it is put.
pub fn themed(figure: &Figure) -> String {
    let body = figure.svg.find("viewBox").map_or(figure.svg.as_str(), |at| &figure.svg[at..]);
    let label: String = figure.title.chars().filter(|c| !"<>&\"".contains(*c)).collect();
    palette::with_variables(&format!("<svg role=\"img\" aria-label=\"{label}\" {body}"))
}

/// Locks dealt out evenly over as few plots as can be read.
fn dealt<T: Clone>(locks: &[T]) -> Vec<Vec<T>> {
    let plots = locks.len().div_ceil(LOCKS_PER_PLOT).max(1);
    locks.chunks(locks.len().div_ceil(plots).max(1)).map(<[T]>::to_vec).collect()
}

/// The number of a plot in its title and file name, where there are several.
fn part(at: usize, of: usize) -> (String, String) {
    match of {
        1 => (String::new(), String::new()),
        _ => (format!("-{}", at + 1), format!(" ({} of {of})", at + 1)),
    }
}
