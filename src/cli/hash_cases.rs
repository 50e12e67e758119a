//! `fencepost hash-cases`: the child process of `verify`. Prints the address and the trace hash of each case.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use fencepost_sim::TraceHash;

use super::bugs::BugArguments;
use super::exit::{Exit, Failure};
use super::seeds::Seeds;
use super::selection::{Selection, cell_of};
use super::traced::run_traced;

/// The arguments of `hash-cases`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A suite, a scenario or a case
    #[arg(long)]
    what: String,
    #[arg(long)]
    seeds: Option<Seeds>,
    #[command(flatten)]
    bugs: BugArguments,
    /// Run in reverse order
    #[arg(long)]
    reverse: bool,
    /// Write the trace of this case to the file `--to`
    #[arg(long, requires = "to")]
    trace: Option<String>,
    #[arg(long)]
    to: Option<PathBuf>,
}

/// Runs `hash-cases`, one case at a time.
pub(super) fn hash_cases(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let (mut cells, seeds) = cells_and_seeds(registry, &arguments.what, arguments.seeds, &arguments.bugs.list())?;
    if arguments.reverse {
        cells.reverse();
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for cell in &cells {
        let ordered: Box<dyn Iterator<Item = u64>> =
            if arguments.reverse { Box::new(seeds.range().rev()) } else { Box::new(seeds.range()) };
        for seed in ordered {
            let (name, hash) = (cell.case_name(seed), TraceHash(hash(cell, seed, arguments)?));
            let written = writeln!(out, "{name} {hash}");
            written.map_err(|error| Failure::internal(format!("cannot write to stdout: {error}")))?;
        }
    }
    out.flush().map_err(|error| Failure::internal(format!("cannot write to stdout: {error}")))?;
    Ok(Exit::Done)
}

fn hash(cell: &Cell, seed: u64, arguments: &Arguments) -> Result<u128, Failure> {
    match (&arguments.trace, &arguments.to) {
        (Some(traced), Some(path)) if *traced == cell.case_name(seed) => Ok(run_traced(cell, seed, path)?.result.trace),
        _ => Ok(case::run(cell, seed, None).result.trace),
    }
}

/// Returns the applicable cells, and the seeds of each.
pub(super) fn cells_and_seeds(
    registry: &Registry,
    what: &str,
    seeds: Option<Seeds>,
    bugs: &[String],
) -> Result<(Vec<Cell>, Seeds), Failure> {
    if let (false, Ok(address)) = (what.ends_with(".toml"), what.parse::<super::address::Address>()) {
        let cell = cell_of(registry, &address, bugs)?;
        return Ok((vec![cell], Seeds { start: address.seed, end: address.seed + 1 }));
    }
    super::selection::check_bugs(registry, bugs)?;
    let selection = Selection::load(registry, &[what.to_owned()])?;
    let mut cells = selection.cells(registry, &[], bugs);
    cells.retain(|cell| cell.header.applicable);
    Ok((cells, seeds.unwrap_or(Seeds::first(selection.seeds))))
}
