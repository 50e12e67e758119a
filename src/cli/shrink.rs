//! `fencepost shrink`: makes a case that violates a property as small as it gets.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use clap::value_parser;
use fencepost_reports::text::replay_file_command;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::search::shrink::{BUDGET, Effort, Failing, NotShrunk, Shrunk};
use fencepost_scenarios::{run::case, search::interest, search::shrink as shrinking};

use super::exit::{Exit, Failure};
use super::fail_on::FailOn;
use super::pinned::{Pinned, command};
use super::screen::print;

/// What `shrink` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The case, or the file of a reproducer; SCENARIO is a shipped name or a path that ends in .toml
    #[arg(value_name = "SCENARIO/LOCK/SEED|FILE")]
    case: String,
    /// Write the reproducer to this file; to stdout if left out
    #[arg(long, value_name = "FILE", env = "FENCEPOST_OUT")]
    out: Option<PathBuf>,
    /// Switch these bugs of the lock on
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', env = "FENCEPOST_BUG")]
    bug: Vec<String>,
    /// Keep a violation of one of these properties, or of `any`; by default of what the scenario says holds, else of what
    /// the workload is to keep
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
    /// How many candidates to run at most
    #[arg(long, value_name = "N", default_value_t = BUDGET, value_parser = value_parser!(u64).range(1..),
          env = "FENCEPOST_BUDGET")]
    budget: u64,
}

/// Shrinks it.
pub(super) fn shrink(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let fail_on = FailOn::read(&arguments.fail_on)?;
    arguments.out.as_deref().map_or(Ok(()), may_be_written)?;
    let Pinned { cell, seed, bugs } = Pinned::load(registry, &arguments.case, &arguments.bug)?;
    let report = case::run(&cell, seed, None);
    let name = cell.case_name(seed);
    let Some(property) = interest::of_case(&cell, fail_on.properties(), &report.outcome) else {
        let message = format!("nothing to shrink: {name} violates nothing that is looked for");
        let help = format!("`{}` says what it does", command("replay", &arguments.case, &arguments.bug));
        return Err(Failure::nothing_selected(message, help));
    };
    eprintln!("shrinking {name}, which violates {}", property.name());
    let failing = Failing { cell: &cell, seed, bugs: &bugs, property };
    let effort = Effort { budget: arguments.budget, ..Effort::default() };
    let shrunk = shrinking::shrink(registry, &failing, effort).map_err(|why| not_shrunk(&why))?;
    tell(&shrunk);
    let Some(out) = &arguments.out else {
        print(&shrunk.text)?;
        return Ok(Exit::Done);
    };
    if let Err(error) = std::fs::write(out, &shrunk.text) {
        // What took so long is not thrown away for a directory that is gone or a disk that is full.
        print(&shrunk.text)?;
        return Err(Failure::path("write", out, error));
    }
    eprintln!("to reproduce: {}", replay_file_command(&out.display().to_string()));
    Ok(Exit::Done)
}

/// Refuses, before anything runs, a path to which nothing can be written. What is there already stays as it is.
fn may_be_written(path: &Path) -> Result<(), Failure> {
    let there = path.exists();
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| Failure::path("write", path, error))?;
    if !there {
        // It is made again when there is something to write; a file that is left behind would do no harm.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn tell(shrunk: &Shrunk) {
    let Shrunk { before, after, runs, tried, held, .. } = shrunk;
    eprintln!("from {before}\n  to {after}, in {runs} runs");
    eprintln!("of {tried} other seeds for order and latencies, {held} show it too");
}

fn not_shrunk(why: &NotShrunk) -> Failure {
    Failure::nothing_selected(format!("nothing to shrink: {why}"), "choose another seed, or property: --fail-on")
}
