//! Output: JSON and results go to stdout, everything else to stderr.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use fencepost_reports::terminal::Terminal;
use serde::Serialize;

use super::exit::Failure;

/// The format of stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people.
    #[default]
    Human,
    /// JSON for programs. Stdout contains only JSON.
    Json,
}

/// The text width in columns if the terminal reports none.
const DEFAULT_WIDTH: u16 = 120;

/// Prints to stdout. A closed pipe, as with `head`, is not a failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::internal(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line to stderr, and ignores a closed pipe.
pub(super) fn print_stderr(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a line of JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::internal(error.to_string()))?;
    print(&(text + "\n"))
}

/// Returns the width and colour support of stdout.
pub(super) fn terminal() -> Terminal {
    Terminal { width: width(), colour: std::io::stdout().is_terminal() && colour_wanted() }
}

/// Returns the width of the terminal in columns.
pub(super) fn width() -> u16 {
    comfy_table::Table::new().width().filter(|width| *width >= 40).unwrap_or(DEFAULT_WIDTH)
}

/// Returns false if `NO_COLOR` is set and not empty, see <https://no-color.org>.
pub(super) fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
