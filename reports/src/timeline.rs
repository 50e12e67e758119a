//! The timeline of a case: a space-time diagram with a lane for each node. What clients believe is a bar on their own
//! lanes, what servers have on record a thin bar on theirs; messages are arrows, and the chain of causes is numbered.
//!
//! The drawing is about the violation that matters most. Idle time is compressed: the axis says so, and gives the true
//! time of everything that is numbered. Ids and classes begin with `fptl`, so that several drawings can share a page.

mod arrows;
mod axis;
mod bars;
mod labels;
mod legend;
mod marks;
mod metrics;
mod operations;
mod paper;
mod strip;
mod style;
mod tracks;
mod view;

use std::path::Path;

use fencepost_scenarios::property::Property;

use self::legend::Legend;
use self::operations::Operations;
use self::paper::{Paper, escaped};
use self::tracks::Tracks;
use self::view::DiagramView;
use crate::case_record::CaseRecord;
use crate::explain::{Chain, chains, most_severe};
use crate::text::visible;

pub use self::style::Theme;

/// The width of a drawing. Its height follows from what is in it.
const WIDTH: f64 = 1200.0;

/// Why a timeline could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    /// The file's name does not say what it is to be.
    #[error("the name of a timeline ends in .svg, .html or .png, and this one is `{0}`")]
    Format(String),
    /// This build makes no PNGs.
    #[error("this build has no `png`: take .svg or .html")]
    NoPng,
    /// It could not be made into a PNG.
    #[cfg(feature = "png")]
    #[error(transparent)]
    Png(#[from] crate::png::PngError),
}

/// The timeline of the violation that matters most in a case, as an SVG element that follows the reader's light or dark
/// theme. Of a case that violates nothing, it shows the first grants.
pub fn svg(record: &CaseRecord) -> String {
    themed(record, None, Theme::Auto)
}

/// The same for one property, if it was violated; with none, for the one that matters most.
pub fn themed(record: &CaseRecord, property: Option<Property>, theme: Theme) -> String {
    let chains = chains(record);
    let chosen = property.and_then(|property| chains.iter().find(|chain| chain.property == property));
    draw(record, chosen.or_else(|| most_severe(&chains)), &chains, theme)
}

/// The style of timelines in a page that holds several, and lets its reader choose the theme by `data-theme` on its root.
pub fn page_css() -> String {
    style::page_css()
}

/// A timeline without the style that it brings along.
pub fn without_style(svg: &str) -> String {
    match (svg.find("<style>"), svg.find("</style>")) {
        (Some(from), Some(to)) if from < to => svg[..from].to_owned() + &svg[to + "</style>".len()..],
        _ => svg.to_owned(),
    }
}

/// A page that holds the timeline and nothing else.
pub fn html(record: &CaseRecord) -> String {
    let title = escaped(&record.title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
         <style>body{{margin:0;background:#fefefe}}@media screen and (prefers-color-scheme:dark)\
         {{body{{background:#14181d}}}}svg{{display:block;width:100%;max-width:1400px;height:auto;margin:0 auto}}</style>\
         </head><body>\n{}\n</body></html>\n",
        svg(record)
    )
}

/// The timeline as the content of a file whose name says the format: `.svg`, `.html` or `.png`. A PNG is light, or dark
/// if the theme says so.
///
/// # Errors
/// The name says no format, or a PNG could not be made.
pub fn file(record: &CaseRecord, path: &Path, theme: Theme) -> Result<Vec<u8>, TimelineError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "svg" => Ok(themed(record, None, theme).into_bytes()),
        "html" | "htm" => Ok(html(record).into_bytes()),
        "png" => png(record, theme),
        _ => Err(TimelineError::Format(visible(&path.display().to_string()))),
    }
}

#[cfg(feature = "png")]
fn png(record: &CaseRecord, theme: Theme) -> Result<Vec<u8>, TimelineError> {
    let theme = if theme == Theme::Dark { Theme::Dark } else { Theme::Light };
    // Twice the size, for screens and slides.
    Ok(crate::png::render_scaled(&themed(record, None, theme), 2.0)?)
}

#[cfg(not(feature = "png"))]
fn png(_run: &CaseRecord, _theme: Theme) -> Result<Vec<u8>, TimelineError> {
    Err(TimelineError::NoPng)
}

fn draw(record: &CaseRecord, chain: Option<&Chain>, all: &[Chain], theme: Theme) -> String {
    let view = DiagramView::new(record, chain, all);
    let legend = Legend::new(&view, chain, all);
    let top = legend.head_height();
    let tracks = Tracks::new(&view, top);
    let operations = Operations::new(&view, &tracks);
    let mut paper = Paper::new(WIDTH, tracks.bottom + legend.foot_height(), &id(record), theme);
    legend.describe(&mut paper);
    legend.head(&mut paper);
    strip::shades(&mut paper, &view, &tracks);
    tracks.draw(&mut paper, &view);
    strip::draw(&mut paper, &view, &tracks);
    arrows::draw(&mut paper, &view, &tracks, &operations);
    bars::draw(&mut paper, &view, &tracks);
    strip::steps(&mut paper, &view, &tracks);
    arrows::labels(&mut paper, &view, &tracks, &operations);
    operations.draw(&mut paper, &view, &tracks);
    marks::draw(&mut paper, &view, &tracks, &operations);
    legend.foot(&mut paper, tracks.bottom);
    paper.finish()
}

/// Unlike that of any other case.
fn id(record: &CaseRecord) -> String {
    format!("fptl{:08x}", (record.report.result.trace >> 96) as u32)
}
