//! Exit codes and failures.

use std::fmt::Display;
use std::io::IsTerminal;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use fencepost_scenarios::file::Problem;
use fencepost_scenarios::run::job::CasePanicked;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};

use super::screen;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Success. Violations alone do not change the exit code.
    Done = 0,
    /// A bug in fencepost, or a failure of the machine.
    Internal = 1,
    /// Invalid command line or file.
    Usage = 2,
    /// Nothing was selected.
    NothingSelected = 4,
    /// A case produced a different result than before.
    Diverged = 5,
    /// A property is violated that `--fail-on` names or `[expect]` declares to hold.
    Violated = 100,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// The reason why the program cannot continue.
#[derive(Debug)]
pub(super) enum Failure {
    /// Mistakes in files, each with its location.
    Problems(Vec<Problem>),
    /// Any other failure, with a hint on how to fix it.
    Plain { exit: Exit, message: String, help: Option<String> },
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Failure::Plain { exit: Exit::Usage, message: message.into(), help: Some(help.into()) }
    }

    pub(super) fn nothing_selected(message: impl Into<String>, help: impl Into<String>) -> Self {
        Failure::Plain { exit: Exit::NothingSelected, message: message.into(), help: Some(help.into()) }
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Failure::Plain { exit: Exit::Internal, message: message.into(), help: None }
    }

    /// Creates the failure for a path from the user that cannot be used.
    pub(super) fn path(verb: &str, path: &Path, error: impl Display) -> Self {
        Failure::usage(format!("cannot {verb} {}: {error}", path.display()), "check the path and its permissions")
    }

    pub(super) fn panicked(panic: &CasePanicked, reproduce: &str) -> Self {
        Failure::internal(format!("{panic}\nthis is a bug in fencepost or in your own lock\nto reproduce: {reproduce}"))
    }

    /// Prints the failure as a warning, with a note on its consequences.
    pub(super) fn warn(&self, note: &str) {
        match self {
            Failure::Problems(problems) => problems.iter().for_each(|problem| eprintln!("warning: {problem}")),
            Failure::Plain { message, .. } => eprintln!("warning: {message}"),
        }
        eprintln!("  {note}");
    }

    /// Prints the failure and returns its exit code.
    pub(super) fn report(&self) -> Exit {
        match self {
            Failure::Problems(problems) => {
                problems.iter().for_each(|problem| eprintln!("{}", framed(problem)));
                if problems.len() > 1 {
                    eprintln!("{} problems", problems.len());
                }
                Exit::Usage
            }
            Failure::Plain { exit, message, help } => {
                eprintln!("error: {message}");
                if let Some(help) = help {
                    eprintln!("  help: {help}");
                }
                *exit
            }
        }
    }
}

/// A problem in miette's format.
#[derive(Debug, Diagnostic, thiserror::Error)]
#[error("{message}")]
struct Framed {
    message: String,
    #[help]
    help: Option<String>,
    #[source_code]
    text: NamedSource<String>,
    #[label("here")]
    span: SourceSpan,
}

/// The maximum line length in bytes; longer lines are cut.
const LONGEST_LINE: usize = 400;

/// The number of bytes shown before the span in a cut line.
const BEFORE: usize = 60;

/// Cuts long lines around the span, and returns the cut text and the span in it. Lines keep their numbers.
fn excerpt(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    if text.lines().all(|line| line.len() <= LONGEST_LINE) {
        return (text.into(), span);
    }
    let (mut cut, mut found) = (String::new(), None);
    let mut start = 0;
    for line in text.lines() {
        let here = span.start.checked_sub(start).filter(|here| *here <= line.len());
        let long = line.len() > LONGEST_LINE;
        let from = line.floor_char_boundary(if long { here.unwrap_or(0).saturating_sub(BEFORE) } else { 0 });
        let to = line.floor_char_boundary(line.len().min(from + LONGEST_LINE));
        cut += if from > 0 { "…" } else { "" };
        if let Some(here) = here.filter(|_| found.is_none()) {
            let begin = cut.len() + here - from;
            found = Some(begin..begin + span.len().min(to - here));
        }
        cut += &line[from..to];
        cut += if to < line.len() { "…\n" } else { "\n" };
        start += line.len() + 1;
    }
    let end = cut.len();
    (cut, found.unwrap_or(end..end))
}

/// Renders a problem with the lines around it.
fn framed(problem: &Problem) -> String {
    let (line, column) = problem.line_column();
    let (text, span) = excerpt(&problem.text, problem.span.clone());
    let framed = Framed {
        message: format!("{}:{line}:{column}: {}", problem.file, problem.message),
        help: problem.help.clone(),
        text: NamedSource::new(&problem.file, text),
        span: span.into(),
    };
    let colour = std::io::stderr().is_terminal() && screen::colour_wanted();
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut shown = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(screen::width().into()).with_links(false);
    match handler.render_report(&mut shown, &framed) {
        Ok(()) => shown,
        Err(_) => problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_not_cut() {
        assert_eq!(excerpt("a\r\nb\n", 3..4), ("a\r\nb\n".into(), 3..4));
    }

    #[test]
    fn a_long_line_is_cut_around_the_span() {
        let text = format!("first\n{}HERE{}\nlast\n", "ä".repeat(100_000), "ö".repeat(100_000));
        let start = text.find("HERE").expect("HERE is in the text");
        let (cut, span) = excerpt(&text, start..start + 4);
        assert_eq!(&cut[span], "HERE");
        assert_eq!((cut.lines().count(), cut.lines().nth(2)), (3, Some("last")), "lines keep their numbers");
        assert!(cut.len() < 2 * LONGEST_LINE, "{} bytes", cut.len());
        let (cut, span) = excerpt(&text, start..text.len());
        assert!(cut[span].starts_with("HERE"), "a span beyond the cut ends at the cut");
    }

    #[test]
    fn an_empty_span_at_the_end_of_a_long_text_is_valid() {
        let text = "x".repeat(1_000);
        let (cut, span) = excerpt(&text, 1_000..1_000);
        assert!(span.is_empty() && span.end <= cut.len());
    }
}
