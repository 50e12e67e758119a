//! How the program ends: exit codes, and failures told to the user.

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use fencepost_scenarios::file::Problem;
use fencepost_scenarios::run::CasePanicked;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};

use super::screen;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done; violations alone do not change that.
    Done = 0,
    /// A bug of fencepost, or the machine failed it.
    Internal = 1,
    /// The command line or a file is wrong.
    Usage = 2,
    /// Nothing was selected.
    NothingSelected = 4,
    /// A case did not come out the same again.
    Diverged = 5,
    /// A property was violated that had to hold.
    Violated = 100,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why the program cannot go on.
#[derive(Debug)]
pub(super) enum Failure {
    /// Files are wrong, at these places.
    Problems(Vec<Problem>),
    /// Anything else, with what to do about it.
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

    /// Something on the disk that the user named cannot be used.
    pub(super) fn path(verb: &str, path: &Path, error: impl Display) -> Self {
        Failure::usage(format!("cannot {verb} {}: {error}", path.display()), "check the path, and who may use it")
    }

    pub(super) fn panicked(panic: &CasePanicked, reproduce: &str) -> Self {
        Failure::internal(format!(
            "{panic}\nthis is a bug of fencepost, or of a lock from outside\nto reproduce: {reproduce}"
        ))
    }

    /// Tells the user, and says how to exit.
    pub(super) fn tell(&self) -> Exit {
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

/// A problem as miette shows it.
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

/// A problem with the lines around it.
fn framed(problem: &Problem) -> String {
    let (line, column) = problem.line_column();
    let framed = Framed {
        message: format!("{}:{line}:{column}: {}", problem.file, problem.message),
        help: problem.help.clone(),
        text: NamedSource::new(&problem.file, problem.text.to_string()),
        span: problem.span.clone().into(),
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
