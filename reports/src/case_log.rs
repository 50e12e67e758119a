//! The log of a case, as `replay` prints it: one line per event that matters. Other events are counted.

mod builder;
mod elided;
mod events;
mod focus;
mod page;

use crate::case_record::CaseRecord;

/// How a log is rendered.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOptions {
    /// Shows every event, with messages and timers. The record needs [`Detail::Full`](crate::case_record::Detail::Full).
    pub full: bool,
    /// Shows the whole case, not only the time around violations.
    pub whole: bool,
    /// Uses the terminal's colours. Words and marks say the same.
    pub colour: bool,
    /// Wraps lines that are longer than this many characters.
    pub width: Option<usize>,
}

/// Renders the log of a case.
pub fn render_log(record: &CaseRecord, options: LogOptions) -> String {
    let items = builder::build(record, options);
    page::render(record, &items, options)
}
