//! Problems in a file, each with its location and a fix.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One problem in a scenario or suite file. Displayed as `file:line:column: message`, with the help on a second line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the user named it.
    pub file: String,
    /// The text of the file, with invalid UTF-8 replaced.
    pub text: Arc<str>,
    /// The location in the text, in bytes.
    pub span: Range<usize>,
    /// The problem.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

impl Problem {
    /// Returns the line and column of the start, both from 1. Columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = &self.text.as_bytes()[..self.span.start.min(self.text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        (line, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}: {}", self.file, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The maximum number of reported problems.
const MOST_PROBLEMS: usize = 50;

/// The maximum number of characters in a message.
const LONGEST_MESSAGE: usize = 1_000;

/// Escapes control characters, which quotes from the file may contain.
fn one_line(message: &str) -> String {
    let escaped = message.chars().take(LONGEST_MESSAGE);
    escaped.map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Collects the problems of one file.
pub(crate) struct Report {
    file: String,
    text: Arc<str>,
    problems: Vec<Problem>,
}

impl Report {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Report { file: file.into(), text: text.into(), problems: Vec::new() }
    }

    pub(crate) fn add(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.push(span, message.into(), Some(help.into()));
    }

    pub(crate) fn push(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let (message, help) = (one_line(&message), help.map(|help| one_line(&help)));
        self.problems.push(Problem { file: self.file.clone(), text: self.text.clone(), span, message, help });
    }

    /// Adds a problem of another file.
    pub(crate) fn adopt(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// Returns the value if there is no problem, otherwise the problems in the order of the file.
    pub(crate) fn conclude<T>(mut self, value: Option<T>) -> Result<T, Vec<Problem>> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => {
                self.problems.sort_by_key(|problem| problem.span.start);
                self.problems.dedup();
                self.problems.truncate(MOST_PROBLEMS);
                Err(self.problems)
            }
        }
    }
}
