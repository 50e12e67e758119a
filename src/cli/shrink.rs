//! `fencepost shrink`: reduces a case that violates a property to a minimal reproducer.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use clap::value_parser;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::search::shrink::{BUDGET, Effort, Failing, NotShrunk, Shrunk};
use fencepost_scenarios::{run::case, search::interest, search::shrink as shrinking};

use super::bugs::BugArguments;
use super::exit::{Exit, Failure};
use super::fail_on::FailOn;
use super::files::write_reproducer;
use super::pinned::{Pinned, command};
use super::screen::print;

/// The arguments of `shrink`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The case, or a reproducer file; SCENARIO is a shipped name or a path that ends in .toml
    #[arg(value_name = "SCENARIO/LOCK/SEED|FILE")]
    case: String,
    /// Write the reproducer to this file; by default to stdout
    #[arg(long, value_name = "FILE", env = "FENCEPOST_OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    bugs: BugArguments,
    /// Preserve a violation of one of these properties, or of `any`; by default, those that [expect] declares to hold, or the
    /// workload's properties
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
    /// The maximum number of candidates to run
    #[arg(long, value_name = "N", default_value_t = BUDGET, value_parser = value_parser!(u64).range(1..),
          env = "FENCEPOST_BUDGET")]
    budget: u64,
}

/// Runs `shrink`.
pub(super) fn shrink(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let fail_on = FailOn::read(&arguments.fail_on)?;
    arguments.out.as_deref().map_or(Ok(()), check_writable)?;
    let Pinned { cell, seed, bugs } = Pinned::load(registry, &arguments.case, &arguments.bugs.list())?;
    let report = case::run(&cell, seed, None);
    let name = cell.case_name(seed);
    let Some(property) = interest::of_case(&cell, fail_on.properties(), &report.result) else {
        let message = format!("nothing to shrink: {name} violates none of the properties");
        let help =
            format!("`{}` prints the log of this case", command("replay", &arguments.case, &arguments.bugs.list()));
        return Err(Failure::nothing_selected(message, help));
    };
    eprintln!("shrinking {name}, which violates {}", property.name());
    let failing = Failing { cell: &cell, seed, bugs: &bugs, property };
    let effort = Effort { budget: arguments.budget, ..Effort::default() };
    let shrunk = shrinking::shrink(registry, &failing, effort).map_err(|why| not_shrunk(&why))?;
    print_sizes(&shrunk);
    let Some(out) = &arguments.out else {
        print(&shrunk.text)?;
        return Ok(Exit::Done);
    };
    if let Err(failure) = write_reproducer(out, &shrunk.text) {
        // Shrinking took a long time, so the result is printed if it cannot be written.
        print(&shrunk.text)?;
        return Err(failure);
    }
    Ok(Exit::Done)
}

/// Fails early if the path cannot be written. An existing file stays unchanged.
fn check_writable(path: &Path) -> Result<(), Failure> {
    let exists = path.exists();
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| Failure::path("write", path, error))?;
    if !exists {
        // A remaining empty file is harmless.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn print_sizes(shrunk: &Shrunk) {
    let Shrunk { before, after, runs, tried, held, .. } = shrunk;
    eprintln!("from {before}\n  to {after}, in {runs} runs");
    eprintln!("{held} of {tried} other seeds (event order and latencies) also violate the property");
}

fn not_shrunk(why: &NotShrunk) -> Failure {
    Failure::nothing_selected(
        format!("nothing to shrink: {why}"),
        "choose another seed, or another property with --fail-on",
    )
}
