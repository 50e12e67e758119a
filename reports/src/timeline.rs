//! The timeline of a case: a space-time diagram with a lane for each node. A bar on a client's lane shows that it
//! believes that it holds the lock. A thin bar on a server's lane is a grant on record. Messages are arrows.
//!
//! The drawing shows the most severe violation, with numbered causes. Idle time is compressed: the axis marks the gaps
//! and shows the true time of each cause. Ids and classes begin with `fptl`, so several drawings can share a page.

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

/// The width of a drawing. The height depends on the content.
const WIDTH: f64 = 1200.0;

/// An error while rendering a timeline.
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    /// The file extension is not a supported format.
    #[error("unsupported timeline format `{0}`: use a name that ends in .svg, .html or .png")]
    Format(String),
    /// This build cannot render PNGs.
    #[error("this build has no `png` feature: use .svg or .html")]
    NoPng,
    /// The timeline could not be rendered as PNG.
    #[cfg(feature = "png")]
    #[error(transparent)]
    Png(#[from] crate::png::PngError),
}

/// Renders the timeline of the most severe violation in a case, as an SVG that follows the reader's colour theme.
/// If no property was violated, the timeline shows the first grants.
pub fn svg(record: &CaseRecord) -> String {
    themed(record, None, Theme::Auto)
}

/// Renders the timeline of a violation of `property`. Shows the most severe violation if that property is not violated.
pub fn themed(record: &CaseRecord, property: Option<Property>, theme: Theme) -> String {
    let chains = chains(record);
    let chosen = property.and_then(|property| chains.iter().find(|chain| chain.property == property));
    draw(record, chosen.or_else(|| most_severe(&chains)), &chains, theme)
}

/// Returns the style sheet for a page with several timelines whose theme `data-theme` on the root element can override.
pub fn page_css() -> String {
    style::page_css()
}

/// Removes the style sheet from a timeline.
pub fn without_style(svg: &str) -> String {
    match (svg.find("<style>"), svg.find("</style>")) {
        (Some(from), Some(to)) if from < to => svg[..from].to_owned() + &svg[to + "</style>".len()..],
        _ => svg.to_owned(),
    }
}

/// Renders a page with only the timeline.
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

/// Renders the timeline in the format of the file extension: `.svg`, `.html` or `.png`. A PNG is light unless the theme
/// is dark.
///
/// # Errors
/// Returns an error if the format is not supported or the PNG cannot be rendered.
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
    // Twice the size for screens and slides.
    Ok(crate::png::render_scaled(&themed(record, None, theme), 2.0)?)
}

#[cfg(not(feature = "png"))]
fn png(_record: &CaseRecord, _theme: Theme) -> Result<Vec<u8>, TimelineError> {
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

/// Returns an id that is unique to the case.
fn id(record: &CaseRecord) -> String {
    format!("fptl{:08x}", (record.report.result.trace >> 96) as u32)
}
