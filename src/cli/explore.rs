//! `fencepost explore`: tries every placement of a few faults in a small scenario.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::value_parser;
use fencepost_reports::text::counted;
use fencepost_scenarios::file::Scenario;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::search::explore::{
    Counterexample, Exploration, ExploreProgress, Explored, explore as explore_cell,
};
use fencepost_scenarios::search::shrink::{Effort, Failing, Size, shrink, unshrunk};
use fencepost_scenarios::{file, search::interest};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::bugs::BugArguments;
use super::exit::{Exit, Failure};
use super::fail_on::FailOn;
use super::files::{reproducer_path, write_reproducer};
use super::inconclusive::{inconclusive, nothing_applies};
use super::reproducers::own_bugs;
use super::screen::{Format, print, print_json};
use super::seeds::seed;
use super::selection::{Selection, check_bugs, reject_inapplicable_bugs, selected_locks};

/// The arguments of `explore`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The scenario or suite: a file or a shipped name. Two or three clients with one or two orders each are enough
    #[arg(value_name = "SUITE|FILE.toml")]
    file: String,
    /// Run only these locks: names, classes such as @lease, and exclusions such as '!etcd'
    #[arg(long, value_name = "LOCK,..", value_delimiter = ',', env = "FENCEPOST_LOCK")]
    lock: Vec<String>,
    /// The maximum number of faults to place
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=4),
          env = "FENCEPOST_FAULTS")]
    faults: u32,
    /// The seed of latencies and event order; by default the seed in `[case]`, or 0
    #[arg(long, value_name = "N", value_parser = seed, env = "FENCEPOST_SEED")]
    seed: Option<u64>,
    /// Search for violations of these properties, or of `any`; by default, those that [expect] declares to hold, or the
    /// workload's properties
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
    /// The format of stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
    #[command(flatten)]
    bugs: BugArguments,
    /// The number of threads; by default one for each core
    #[arg(long, value_parser = value_parser!(u16).range(1..), env = "FENCEPOST_JOBS")]
    jobs: Option<u16>,
    /// Write the reproducers of counterexamples to this directory; by default they are printed
    #[arg(long, value_name = "DIR", env = "FENCEPOST_OUT")]
    out: Option<PathBuf>,
}

/// The result of one cell.
struct ExploredCell {
    cell: Cell,
    seed: u64,
    result: Explored,
    reproducer: Option<Reproducer>,
}

/// A counterexample as a reproducer file.
struct Reproducer {
    text: String,
    /// The size after shrinking, if it was shrunk.
    shrunk: Option<Size>,
}

/// Runs `explore`.
pub(super) fn explore(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let locks = selected_locks(registry, &arguments.lock)?;
    check_bugs(registry, &arguments.bugs.list())?;
    let fail_on = FailOn::read(&arguments.fail_on)?;
    let selection = Selection::load(registry, std::slice::from_ref(&arguments.file))?;
    let mut cells = selection.cells(registry, &locks, &arguments.bugs.list());
    reject_inapplicable_bugs(&cells.iter().map(|cell| cell.lock.info).collect::<Vec<_>>(), &arguments.bugs.list())?;
    cells.retain(|cell| cell.header.applicable);
    if cells.is_empty() {
        let message = "nothing is selected: the scenario lists none of these locks";
        return Err(Failure::nothing_selected(message, "run `fencepost list locks` for the names"));
    }
    let mut explored = Vec::new();
    for cell in cells {
        let one = explore_one(registry, arguments, &fail_on, cell)?;
        if arguments.format == Format::Human {
            print(&summary_line(&one, arguments.faults))?;
        }
        output_reproducer(&one, arguments)?;
        explored.push(one);
    }
    match arguments.format {
        Format::Human => print(&not_covered(&explored))?,
        Format::Json => print_json(&as_json(&explored, arguments.faults))?,
    }
    if explored.iter().all(|one| one.result.verdicts.nothing_applies()) {
        return Err(nothing_applies());
    }
    let found = explored.iter().any(|one| one.result.counterexample.is_some());
    Ok(if found { Exit::Violated } else { Exit::Done })
}

fn explore_one(
    registry: &Registry,
    arguments: &Arguments,
    fail_on: &FailOn,
    cell: Cell,
) -> Result<ExploredCell, Failure> {
    let pinned = cell.scenario.case.as_ref().map_or(0, |case| case.seed);
    let (seed, bugs) = (arguments.seed.unwrap_or(pinned), own_bugs(&cell, &arguments.bugs.list()));
    let wanted = interest::wanted(&cell, fail_on.properties());
    let threads = arguments.jobs.map_or_else(super::plan::all_cores, usize::from);
    let what = Exploration { cell: &cell, seed, bugs: &bugs, faults: arguments.faults, wanted: &wanted, threads };
    let bar = bar(&cell);
    let explored = explore_cell(registry, &what, |progress| show_progress(&bar, &progress));
    bar.finish_and_clear();
    let explored = explored.map_err(|panic| Failure::panicked(&panic, "the same exploration"))?;
    let found = explored.counterexample.as_ref();
    let reproducer = found.map(|found| reproducer(registry, &cell, seed, &bugs, found));
    Ok(ExploredCell { cell, seed, result: explored, reproducer })
}

/// Shrinks a counterexample; returns the original if that fails.
fn reproducer(registry: &Registry, cell: &Cell, seed: u64, bugs: &[String], found: &Counterexample) -> Reproducer {
    let Ok(scenario) = file::scenario(registry, "counterexample.toml", &found.scenario) else {
        eprintln!("not shrunk: the scenario of the counterexample does not parse");
        return Reproducer { text: found.scenario.clone(), shrunk: None };
    };
    let cell = Cell::new(&Arc::new(scenario), &cell.lock, bugs);
    let failing = Failing { cell: &cell, seed, bugs, property: found.property };
    match shrink(registry, &failing, Effort::default()) {
        Ok(shrunk) => Reproducer { text: shrunk.text, shrunk: Some(shrunk.after) },
        Err(why) => {
            eprintln!("not shrunk: {why}");
            Reproducer { text: unshrunk(&failing), shrunk: None }
        }
    }
}

fn bar(cell: &Cell) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{prefix}  {pos} placements  {per_sec}  {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(format!("{}/{}", cell.header.scenario, cell.header.lock));
    bar
}

/// The number of placements between two progress lines without a terminal.
const LINE_EVERY: u64 = 10_000;

/// Shows the progress without a total, because the number of placements is known only at the end.
fn show_progress(bar: &ProgressBar, progress: &ExploreProgress) {
    let ExploreProgress { faults, placements, begun, of } = *progress;
    let from = if faults == 1 { "the run without faults".into() } else { format!("{begun} of {of} starting points") };
    let message = format!("fault {faults}, from {from}");
    if bar.is_hidden() {
        if placements.is_multiple_of(LINE_EVERY) {
            eprintln!("{}  {placements} placements  {message}", bar.prefix());
        }
        return;
    }
    bar.set_message(message);
    bar.set_position(placements);
}

fn summary_line(explored: &ExploredCell, faults: u32) -> String {
    let name = explored.cell.case_name(explored.seed);
    let Explored { counterexample, verdicts, .. } = &explored.result;
    let placements = counted(explored.result.placements(), "placement");
    match counterexample {
        None if verdicts.nothing_applies() => {
            format!("{name}: no property was checked{}\n", inconclusive(verdicts, "run"))
        }
        None => {
            let faults = counted(faults, "fault");
            let suffix = inconclusive(verdicts, "run");
            format!(
                "{name}: no violation in {placements} of up to {faults}, for the latencies and order of this seed{suffix}\n"
            )
        }
        Some(found) => {
            let shrunk = explored.reproducer.as_ref().and_then(|reproducer| reproducer.shrunk.as_ref());
            let smallest = shrunk.map_or_else(String::new, |size| format!(": {size}"));
            let how = match found.faults {
                0 => "without any fault".into(),
                faults => format!("with {}, found in {placements}", counted(faults, "fault")),
            };
            format!("{name}: {} is violated {how}{smallest}\n", found.property.name())
        }
    }
}

/// Writes the counterexample as a reproducer, or prints it.
fn output_reproducer(explored: &ExploredCell, arguments: &Arguments) -> Result<(), Failure> {
    let Some(Reproducer { text, .. }) = &explored.reproducer else { return Ok(()) };
    let Some(out) = &arguments.out else {
        return if arguments.format == Format::Human { print(&format!("\n{text}\n")) } else { Ok(()) };
    };
    write_reproducer(&reproducer_path(out, &explored.cell)?, text)
}

fn as_json(explored: &[ExploredCell], faults: u32) -> Value {
    json!({"schema_version": 1, "faults": faults, "cells": explored.iter().map(cell_json).collect::<Vec<_>>()})
}

fn cell_json(explored: &ExploredCell) -> Value {
    let Explored { levels, verdicts, counterexample } = &explored.result;
    let levels = levels
        .iter()
        .map(|level| json!({"faults": level.faults, "placements": level.placements, "different": level.different}));
    let found = counterexample.as_ref().map(|found| {
        let reproducer = explored.reproducer.as_ref().map(|reproducer| &reproducer.text);
        json!({"property": found.property.name(), "faults": found.faults, "reproducer": reproducer})
    });
    let unknown: BTreeMap<_, _> = verdicts.unknown().map(|(property, runs)| (property.name(), runs)).collect();
    json!({
        "scenario": explored.cell.header.scenario, "lock": explored.cell.header.lock, "seed": explored.seed,
        "placements": explored.result.placements(), "levels": levels.collect::<Vec<_>>(), "counterexample": found,
        "unknown": unknown, "not_applicable": verdicts.not_applicable().map(Property::name).collect::<Vec<_>>(),
    })
}

/// Describes what the exploration covered and what it did not.
fn not_covered(explored: &[ExploredCell]) -> String {
    let mut menus: Vec<(&str, String)> = Vec::new();
    for Scenario { name, explore, .. } in explored.iter().map(|one| &*one.cell.scenario) {
        if menus.iter().all(|(known, _)| known != name) {
            menus.push((name, explore.menu.iter().map(|kind| kind.placing().name).collect::<Vec<_>>().join(", ")));
        }
    }
    let menus: Vec<String> = match menus.as_slice() {
        [(_, menu)] => vec![menu.clone()],
        several => several.iter().map(|(name, menu)| format!("in {name} {menu}")).collect(),
    };
    format!(
        "\nCovered: {}. Each begins at an event of its node or link, and ends right after an event elsewhere.\n\
         Not covered: other seeds (latencies, order of simultaneous events), more faults, other kinds of fault, ends \
         between two events, the middle of long stretches in which clients only retry, and restarts other than 1 s \
         after a crash.\nOf placements whose runs differ only in timing, only one was extended.\n",
        menus.join("; ")
    )
}
