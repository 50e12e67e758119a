//! `fencepost check`: checks the history of any system against a specification.

use std::fs;
use std::path::PathBuf;

use fencepost_reports::checked as report;
use fencepost_scenarios::file::history_file::{self, CheckOptions, Format as HistoryFormat};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::spec::Kind;

use super::exit::{Exit, Failure};
use super::screen::{Format, print, print_json};

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The history: JSON Lines, or Jepsen's format if the name ends in .edn
    #[arg(value_name = "HISTORY.jsonl")]
    history: PathBuf,
    /// The specification: mutex, owner, reentrant, fenced, reentrant-fenced or semaphore
    #[arg(long, value_name = "SPEC", env = "FENCEPOST_SPEC")]
    spec: Kind,
    /// The number of permits of the semaphore
    #[arg(long, value_name = "N", default_value_t = 1, env = "FENCEPOST_PERMITS")]
    permits: u32,
    /// Report a lock as unknown after this many search steps
    #[arg(long, value_name = "STEPS", default_value_t = 10_000_000, env = "FENCEPOST_BUDGET")]
    budget: u64,
    /// The format of stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
}

/// Runs `check`.
pub(super) fn check(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { history: path, spec, permits, budget, .. } = arguments;
    let bytes = fs::read(path).map_err(|error| Failure::path("read", path, error))?;
    let name = path.display().to_string();
    let read = history_file::text(&name, &bytes)
        .and_then(|text| history_file::read(&name, text, HistoryFormat::from_path(path), *spec));
    let history = read.map_err(Failure::Problems)?;
    let options = CheckOptions { spec: *spec, permits: *permits, budget: *budget };
    let checked = history.check(options);
    match arguments.format {
        Format::Human => print(&report::text(&history, options, &checked))?,
        Format::Json => print_json(&report::json(&history, options, &checked))?,
    }
    if checked.verdict() == Verdict::Unknown {
        eprintln!(
            "warning: the check ran out of its budget: raise --budget from {budget}, or check a part of the history"
        );
    }
    Ok(if checked.verdict() == Verdict::Violated { Exit::Violated } else { Exit::Done })
}
