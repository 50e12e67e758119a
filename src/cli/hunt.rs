//! `fencepost hunt`: looks for one violation as fast as it can. Its rates are never reported.

use std::path::PathBuf;
use std::time::Instant;

use clap::{ValueEnum, value_parser};
use fencepost_reports::text::replay_file_command;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::search::hunt::{Aim, Hunt, hunt as hunt_cell};
use fencepost_scenarios::search::interest;
use fencepost_scenarios::search::shrink::{Effort, Failing, shrink, unshrunk};

use super::clean::{counted, not_judged, nothing_applies};
use super::exit::{Exit, Failure};
use super::fail_on::FailOn;
use super::interrupt::LastWords;
use super::reproducers::{make, own_bugs, put};
use super::screen::print;
use super::selection::{Selection, check_bugs, check_locks, refuse_foreign_bugs};

/// What `hunt` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Suites and scenarios: shipped names, or files; the scenario `hunt` if left out
    #[arg(value_name = "SUITE|FILE.toml")]
    what: Vec<String>,
    /// Only these locks
    #[arg(long, value_name = "LOCK,..", value_delimiter = ',', env = "FENCEPOST_LOCK")]
    lock: Vec<String>,
    /// How many cases to try of each cell at most
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u64).range(1..),
          env = "FENCEPOST_CASES")]
    cases: u64,
    /// How to choose them
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_AIM")]
    aim: AimArgument,
    /// Switch these bugs of the locks on
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', env = "FENCEPOST_BUG")]
    bug: Vec<String>,
    /// Look for a violation of one of these properties, or of `any`; by default of what the scenario says holds, else of
    /// what the workload is to keep
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
    /// How many threads; by default one for each core
    #[arg(long, value_parser = value_parser!(u16).range(1..), env = "FENCEPOST_JOBS")]
    jobs: Option<u16>,
    /// Write the reproducers to this directory; by default they are printed
    #[arg(long, value_name = "DIR", env = "FENCEPOST_OUT")]
    out: Option<PathBuf>,
    /// Hunt in the other cells too where one has a violation
    #[arg(long, value_parser = clap::builder::FalseyValueParser::new(), env = "FENCEPOST_KEEP_GOING")]
    keep_going: bool,
}

/// How cases are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum AimArgument {
    /// The scenario's own cases, seed by seed.
    Uniform,
    /// Faults at events of the clients, about as long as the lock's expiry.
    #[default]
    Aimed,
    /// A part of the scenario's faults and settings, drawn anew for each case.
    Swarm,
}

impl From<AimArgument> for Aim {
    fn from(aim: AimArgument) -> Aim {
        match aim {
            AimArgument::Uniform => Aim::Uniform,
            AimArgument::Aimed => Aim::Aimed,
            AimArgument::Swarm => Aim::Swarm,
        }
    }
}

/// What is hunted in when nothing is named.
const DEFAULT_SCENARIO: &str = "hunt";

/// Hunts.
pub(super) fn hunt(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    check_locks(registry, &arguments.lock)?;
    check_bugs(registry, &arguments.bug)?;
    let fail_on = FailOn::read(&arguments.fail_on)?;
    let default = [DEFAULT_SCENARIO.to_owned()];
    let what = if arguments.what.is_empty() { &default[..] } else { &arguments.what };
    let mut cells = Selection::load(registry, what)?.cells(registry, &arguments.lock, &arguments.bug);
    refuse_foreign_bugs(&cells.iter().map(|cell| cell.lock.info).collect::<Vec<_>>(), &arguments.bug)?;
    cells.retain(|cell| cell.header.applicable);
    if cells.is_empty() {
        let message = "nothing is selected: none of these scenarios is for any of these locks";
        return Err(Failure::nothing_selected(message, "`fencepost list locks` names them"));
    }
    let last_words = LastWords::none();
    let mut ends = Vec::new();
    for cell in &cells {
        ends.push(hunt_in(registry, arguments, &fail_on, cell, &last_words)?);
        if ends.contains(&End::Found) && !arguments.keep_going {
            break;
        }
    }
    match ends {
        _ if ends.contains(&End::Found) => Ok(Exit::Violated),
        _ if ends.contains(&End::Clean) => Ok(Exit::Done),
        _ => Err(nothing_applies()),
    }
}

/// How the hunt in a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Found,
    Clean,
    /// What was looked for applied in no case.
    NothingApplies,
}

/// Hunts in one cell.
fn hunt_in(
    registry: &Registry,
    arguments: &Arguments,
    fail_on: &FailOn,
    cell: &Cell,
    last_words: &LastWords,
) -> Result<End, Failure> {
    let bugs = own_bugs(cell, &arguments.bug);
    let wanted = interest::wanted(cell, fail_on.properties());
    let threads = arguments.jobs.map_or_else(super::plan::all_cores, usize::from);
    let aim = arguments.aim.into();
    let name = format!("{}/{}", cell.header.scenario, cell.header.lock);
    if aim == Aim::Aimed && cell.scenario.faults.is_empty() {
        eprintln!("note: {name} has no faults to aim: its cases are those of `--aim uniform`");
    }
    let began = Clock::start();
    let hunted =
        hunt_cell(registry, &Hunt { cell, bugs: &bugs, wanted: &wanted, aim, cases: arguments.cases, threads });
    let hunted = hunted.map_err(|panic| Failure::panicked(&panic, "the same hunt"))?;
    let (seconds, cases) = (began.seconds(), counted(hunted.cases, "case"));
    let Some(found) = hunted.found else {
        let besides = not_judged(&hunted.verdicts, "case");
        if hunted.verdicts.nothing_applies() {
            eprintln!("{name}: nothing is judged in {cases}{besides}");
            return Ok(End::NothingApplies);
        }
        eprintln!("{name}: nothing in {cases} ({seconds:.1} s){besides}; that is no rate");
        return Ok(End::Clean);
    };
    let failing = Failing { cell: &found.cell, seed: found.seed, bugs: &bugs, property: found.property };
    let place = Place::of(arguments, cell)?;
    let as_found = unshrunk(&failing);
    // Before anything is told: shrinking takes its time, and whoever interrupts it is to have this.
    match &place {
        Place::Stdout => {
            last_words.are(as_found.clone(), "  interrupted: this is the case as it was found, not shrunk")
        }
        Place::File(path) => put(path, &as_found)?,
    }
    let property = found.property.name();
    eprintln!("{name}: {property} is violated in case {} ({seconds:.1} s)", hunted.cases);
    if !found.choice.is_empty() {
        eprintln!("  chosen for it: {}", found.choice);
    }
    place.take(&shrunk_text(registry, &failing, as_found))?;
    last_words.are("", "");
    Ok(End::Found)
}

/// Where the reproducer goes.
enum Place {
    Stdout,
    File(PathBuf),
}

impl Place {
    fn of(arguments: &Arguments, cell: &Cell) -> Result<Self, Failure> {
        let Some(out) = &arguments.out else { return Ok(Place::Stdout) };
        make(out)?;
        Ok(Place::File(out.join(format!("{}--{}.toml", cell.header.scenario, cell.header.lock))))
    }

    fn take(&self, text: &str) -> Result<(), Failure> {
        let Place::File(path) = self else { return print(text) };
        put(path, text)?;
        eprintln!("  to reproduce: {}", replay_file_command(&path.display().to_string()));
        Ok(())
    }
}

/// The reproducer as small as it gets.
fn shrunk_text(registry: &Registry, failing: &Failing<'_>, as_found: String) -> String {
    match shrink(registry, failing, Effort::default()) {
        Ok(shrunk) => {
            eprintln!("  shrunk from {}\n    to {}, in {} runs", shrunk.before, shrunk.after, shrunk.runs);
            shrunk.text
        }
        Err(why) => {
            eprintln!("  not shrunk: {why}");
            as_found
        }
    }
}

/// The machine's clock, for what is told and nothing else.
struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "how long a hunt took is told, and decides nothing")]
    fn start() -> Self {
        Clock(Instant::now())
    }

    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
