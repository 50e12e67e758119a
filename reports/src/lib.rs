//! What is shown: everything here renders results, and the runner needs none of it.

pub mod case_json;
pub mod checked;
pub mod grid;
pub mod narrative;
pub mod plot;
#[cfg(feature = "png")]
pub mod png;
pub mod summary;
pub mod tables;
pub mod terminal;
pub mod text;

mod html;
mod report;

pub use self::report::{Report, ReportError};
