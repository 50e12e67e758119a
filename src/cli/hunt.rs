//! `fencepost hunt`: searches for a violation as fast as possible. It reports no rates.

use std::path::PathBuf;
use std::time::Instant;

use clap::{ValueEnum, value_parser};
use fencepost_reports::text::counted;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::search::hunt::{Aim, Hunt, hunt as hunt_cell};
use fencepost_scenarios::search::interest;
use fencepost_scenarios::search::shrink::{Effort, Failing, shrink, unshrunk};

use super::bugs::BugArguments;
use super::exit::{Exit, Failure};
use super::fail_on::FailOn;
use super::files::{reproducer_path, write_file, write_reproducer};
use super::inconclusive::{inconclusive, nothing_applies};
use super::interrupt::InterruptMessage;
use super::reproducers::own_bugs;
use super::screen::print;
use super::selection::{Selection, check_bugs, reject_inapplicable_bugs, selected_locks};

/// The arguments of `hunt`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Suites and scenarios: shipped names or files; by default the scenario `hunt`
    #[arg(value_name = "SUITE|FILE.toml")]
    what: Vec<String>,
    /// Run only these locks: names, classes such as @lease, and exclusions such as '!etcd'
    #[arg(long, value_name = "LOCK,..", value_delimiter = ',', env = "FENCEPOST_LOCK")]
    lock: Vec<String>,
    /// The maximum number of cases per cell
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u64).range(1..),
          env = "FENCEPOST_CASES")]
    cases: u64,
    /// How to choose the cases
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_AIM")]
    aim: AimArgument,
    #[command(flatten)]
    bugs: BugArguments,
    /// Search for violations of these properties, or of `any`; by default, those that [expect] declares to hold, or the
    /// workload's properties
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
    /// The number of threads; by default one for each core
    #[arg(long, value_parser = value_parser!(u16).range(1..), env = "FENCEPOST_JOBS")]
    jobs: Option<u16>,
    /// Write the reproducers to this directory; by default they are printed
    #[arg(long, value_name = "DIR", env = "FENCEPOST_OUT")]
    out: Option<PathBuf>,
    /// Continue with the other cells after a violation
    #[arg(long, value_parser = clap::builder::FalseyValueParser::new(), env = "FENCEPOST_KEEP_GOING")]
    keep_going: bool,
}

/// How cases are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum AimArgument {
    /// The cases of the scenario, seed by seed.
    Uniform,
    /// Faults at client steps, about as long as the lock's expiry.
    #[default]
    Aimed,
    /// A random subset of the scenario's faults and settings for each case.
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

/// The default scenario.
const DEFAULT_SCENARIO: &str = "hunt";

/// Runs `hunt`.
pub(super) fn hunt(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let locks = selected_locks(registry, &arguments.lock)?;
    check_bugs(registry, &arguments.bugs.list())?;
    let fail_on = FailOn::read(&arguments.fail_on)?;
    let default = [DEFAULT_SCENARIO.to_owned()];
    let what = if arguments.what.is_empty() { &default[..] } else { &arguments.what };
    let mut cells = Selection::load(registry, what)?.cells(registry, &locks, &arguments.bugs.list());
    reject_inapplicable_bugs(&cells.iter().map(|cell| cell.lock.info).collect::<Vec<_>>(), &arguments.bugs.list())?;
    cells.retain(|cell| cell.header.applicable);
    if cells.is_empty() {
        let message = "nothing is selected: no scenario lists any of these locks";
        return Err(Failure::nothing_selected(message, "run `fencepost list locks` for the names"));
    }
    let on_interrupt = InterruptMessage::install();
    let mut ends = Vec::new();
    for cell in &cells {
        ends.push(hunt_in(registry, arguments, &fail_on, cell, &on_interrupt)?);
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

/// The result of the hunt in one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Found,
    Clean,
    /// None of the properties was applicable in any case.
    NothingApplies,
}

/// Hunts in one cell, shrinks the first violation and writes the reproducer.
fn hunt_in(
    registry: &Registry,
    arguments: &Arguments,
    fail_on: &FailOn,
    cell: &Cell,
    on_interrupt: &InterruptMessage,
) -> Result<End, Failure> {
    let bugs = own_bugs(cell, &arguments.bugs.list());
    let wanted = interest::wanted(cell, fail_on.properties());
    let threads = arguments.jobs.map_or_else(super::plan::all_cores, usize::from);
    let aim = arguments.aim.into();
    let name = format!("{}/{}", cell.header.scenario, cell.header.lock);
    if aim == Aim::Aimed && cell.scenario.faults.is_empty() {
        eprintln!("note: {name} has no faults to aim: running the cases of `--aim uniform`");
    }
    let started = Clock::start();
    let hunted =
        hunt_cell(registry, &Hunt { cell, bugs: &bugs, wanted: &wanted, aim, cases: arguments.cases, threads });
    let hunted = hunted.map_err(|panic| Failure::panicked(&panic, "the same hunt"))?;
    let (seconds, cases) = (started.seconds(), counted(hunted.cases, "case"));
    let Some(found) = hunted.found else {
        let suffix = inconclusive(&hunted.verdicts, "case");
        if hunted.verdicts.nothing_applies() {
            eprintln!("{name}: no property was checked in {cases}{suffix}");
            return Ok(End::NothingApplies);
        }
        eprintln!("{name}: no violation in {cases} ({seconds:.1} s){suffix}; this is not a rate");
        return Ok(End::Clean);
    };
    let failing = Failing { cell: &found.cell, seed: found.seed, bugs: &bugs, property: found.property };
    let destination = Destination::new(arguments, cell)?;
    let original = unshrunk(&failing);
    // Saved before shrinking, which may take a long time and be interrupted.
    match &destination {
        Destination::Stdout => {
            on_interrupt.set(original.clone(), "  interrupted: printed the case as found, not shrunk")
        }
        Destination::File(path) => write_file(path, &original)?,
    }
    let property = found.property.name();
    eprintln!("{name}: {property} is violated in case {} ({seconds:.1} s)", hunted.cases);
    if !found.choice.is_empty() {
        eprintln!("  settings of this case: {}", found.choice);
    }
    destination.write(&shrunk_text(registry, &failing, original))?;
    on_interrupt.set("", "");
    Ok(End::Found)
}

/// Where to write the reproducer.
enum Destination {
    Stdout,
    File(PathBuf),
}

impl Destination {
    fn new(arguments: &Arguments, cell: &Cell) -> Result<Self, Failure> {
        let Some(out) = &arguments.out else { return Ok(Destination::Stdout) };
        reproducer_path(out, cell).map(Destination::File)
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        match self {
            Destination::Stdout => print(text),
            Destination::File(path) => write_reproducer(path, text),
        }
    }
}

/// Shrinks the case and returns its reproducer, or `original` if shrinking fails.
fn shrunk_text(registry: &Registry, failing: &Failing<'_>, original: String) -> String {
    match shrink(registry, failing, Effort::default()) {
        Ok(shrunk) => {
            eprintln!("  shrunk from {}\n    to {}, in {} runs", shrunk.before, shrunk.after, shrunk.runs);
            shrunk.text
        }
        Err(why) => {
            eprintln!("  not shrunk: {why}");
            original
        }
    }
}

/// The machine's clock, used only in messages.
struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the duration is printed and decides nothing")]
    fn start() -> Self {
        Clock(Instant::now())
    }

    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
