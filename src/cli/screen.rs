//! What is printed: JSON and results to stdout, everything else to stderr.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use fencepost_reports::terminal::Terminal;
use serde::Serialize;

use super::exit::Failure;

/// What stdout is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people.
    #[default]
    Human,
    /// JSON for programs, and nothing else on stdout.
    Json,
}

/// The width of text where nobody says otherwise.
const USUAL_WIDTH: u16 = 120;

/// Prints to stdout. A reader that has seen enough, such as `head`, is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::internal(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line to stderr. Where nobody listens any more there is nobody to tell.
pub(super) fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a line of JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::internal(error.to_string()))?;
    print(&(text + "\n"))
}

/// What stdout can show.
pub(super) fn terminal() -> Terminal {
    Terminal { width: width(), colour: std::io::stdout().is_terminal() && colour_wanted() }
}

/// The columns of the terminal.
pub(super) fn width() -> u16 {
    comfy_table::Table::new().width().filter(|width| *width >= 40).unwrap_or(USUAL_WIDTH)
}

/// <https://no-color.org>: set and not empty means no.
pub(super) fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
