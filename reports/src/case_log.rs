//! The log of a case, as `replay` prints it: one line per relevant event. Other events are only counted.

mod builder;
mod elided;
mod events;
mod focus;
mod page;

use crate::case_record::CaseRecord;

/// Options for rendering a log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOptions {
    /// Shows every event, with messages and timers. Needs [`Detail::Full`](crate::case_record::Detail::Full).
    pub full: bool,
    /// Shows the whole case, not only the time around violations.
    pub whole: bool,
    /// Uses terminal colours. Words and marks carry the same information.
    pub colour: bool,
    /// Wraps lines longer than this many characters.
    pub width: Option<usize>,
}

/// Renders the log of a case.
pub fn render_log(record: &CaseRecord, options: LogOptions) -> String {
    let items = builder::build(record, options);
    page::render(record, &items, options)
}
