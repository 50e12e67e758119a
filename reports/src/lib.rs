//! Renders results: reports, plots, timelines, logs and tables. The runner does not depend on this crate.

pub mod case_json;
pub mod case_log;
pub mod case_record;
pub mod checked;
pub mod comparable;
pub mod comparison;
pub mod explain;
pub mod failures;
pub mod grid;
pub mod guards;
pub mod guide;
pub mod junit;
pub mod plot;
#[cfg(feature = "png")]
pub mod png;
pub mod pool;
pub mod summary;
pub mod tables;
pub mod terminal;
pub mod text;
pub mod timeline;
pub mod use_cases;

mod faults;
mod html;
mod packed;
mod report;

pub use self::report::{Report, ReportError, write_file};
