//! `fencepost check`: holds a history from any system against a specification.

use std::fs;
use std::path::PathBuf;

use fencepost_reports::checked;
use fencepost_scenarios::file::history_file::{self, Format as HistoryFormat, Terms};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::spec::Kind;

use super::exit::{Exit, Failure};
use super::screen::{Format, print, print_json};

/// What `check` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The history: JSON Lines, or what Jepsen writes if it ends in .edn
    #[arg(value_name = "HISTORY.jsonl")]
    history: PathBuf,
    /// What the lock is to be: mutex, owner, reentrant, fenced, reentrant-fenced or semaphore
    #[arg(long, value_name = "SPEC", env = "FENCEPOST_SPEC")]
    spec: Kind,
    /// How many permits the semaphore has
    #[arg(long, value_name = "N", default_value_t = 1, env = "FENCEPOST_PERMITS")]
    permits: u32,
    /// Give a lock up as unknown after so many steps
    #[arg(long, value_name = "STEPS", default_value_t = 10_000_000, env = "FENCEPOST_BUDGET")]
    budget: u64,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
}

/// Checks it.
pub(super) fn check(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { history: path, spec, permits, budget, .. } = arguments;
    let bytes = fs::read(path).map_err(|error| Failure::path("read", path, error))?;
    let name = path.display().to_string();
    let read = history_file::text(&name, &bytes)
        .and_then(|text| history_file::read(&name, text, HistoryFormat::of(path), *spec));
    let history = read.map_err(Failure::Problems)?;
    let terms = Terms { spec: *spec, permits: *permits, budget: *budget };
    let judged = history.judge(terms);
    match arguments.format {
        Format::Human => print(&checked::text(&history, terms, &judged))?,
        Format::Json => print_json(&checked::json(&history, terms, &judged))?,
    }
    if judged.verdict() == Verdict::Unknown {
        eprintln!("warning: the history was not judged: raise --budget from {budget}, or check a part of it");
    }
    Ok(if judged.verdict() == Verdict::Violated { Exit::Violated } else { Exit::Done })
}
