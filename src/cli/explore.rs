//! `fencepost explore`: tries every placement of a few faults in a small scenario.

use std::path::PathBuf;
use std::sync::Arc;

use clap::value_parser;
use fencepost_scenarios::cell::Cell;
use fencepost_scenarios::explore::{Counterexample, Exploration, Explored, Stand, explore as explore_cell};
use fencepost_scenarios::file::{Placeable, Scenario};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::shrink::{Effort, Failing, Shrunk, shrink};
use fencepost_scenarios::{file, interest};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::fail_on::FailOn;
use super::reproducers::{own_bugs, put};
use super::screen::{Format, print, print_json};
use super::selection::{Selection, check_bugs, check_locks, refuse_foreign_bugs};

/// What `explore` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The scenario: a file, or a shipped name. Two or three clients with an order or two each are enough
    #[arg(value_name = "FILE.toml")]
    file: String,
    /// Only these locks
    #[arg(long, value_name = "LOCK,..", value_delimiter = ',', env = "FENCEPOST_LOCK")]
    lock: Vec<String>,
    /// How many faults to place at most
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=4),
          env = "FENCEPOST_FAULTS")]
    faults: u32,
    /// The seed for latencies and order; by default that of `[case]`, else 0
    #[arg(long, value_name = "N", env = "FENCEPOST_SEED")]
    seed: Option<u64>,
    /// Look for a violation of one of these properties, or of `any`; by default of what the scenario says holds, else of
    /// what the workload is to keep
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
    /// Switch these bugs of the locks on
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', env = "FENCEPOST_BUG")]
    bug: Vec<String>,
    /// How many threads; by default one for each core
    #[arg(long, value_parser = value_parser!(u16).range(1..), env = "FENCEPOST_JOBS")]
    jobs: Option<u16>,
    /// Write the reproducers of counterexamples to this directory; by default they are printed
    #[arg(long, value_name = "DIR", env = "FENCEPOST_OUT")]
    out: Option<PathBuf>,
}

/// The end of a cell's exploration.
struct Ended {
    cell: Cell,
    seed: u64,
    explored: Explored,
    /// The counterexample as a reproducer, as small as it got.
    shrunk: Option<Shrunk>,
}

/// Explores it.
pub(super) fn explore(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    check_locks(registry, &arguments.lock)?;
    check_bugs(registry, &arguments.bug)?;
    let fail_on = FailOn::read(&arguments.fail_on)?;
    let selection = Selection::load(registry, std::slice::from_ref(&arguments.file))?;
    let mut cells = selection.cells(registry, &arguments.lock, &arguments.bug);
    refuse_foreign_bugs(&cells.iter().map(|cell| cell.lock.info).collect::<Vec<_>>(), &arguments.bug)?;
    cells.retain(|cell| cell.header.applicable);
    if cells.is_empty() {
        let message = "nothing is selected: the scenario is for none of these locks";
        return Err(Failure::nothing_selected(message, "`fencepost list locks` names them"));
    }
    let mut ended = Vec::new();
    for cell in cells {
        let one = explore_one(registry, arguments, &fail_on, cell)?;
        if arguments.format == Format::Human {
            print(&told(&one, arguments.faults))?;
        }
        keep(&one, arguments)?;
        ended.push(one);
    }
    let found = ended.iter().any(|one| one.explored.counterexample.is_some());
    match arguments.format {
        Format::Human => print(&not_covered(&ended[0].cell.scenario))?,
        Format::Json => print_json(&as_json(&ended, arguments.faults))?,
    }
    Ok(if found { Exit::Violated } else { Exit::Done })
}

fn explore_one(registry: &Registry, arguments: &Arguments, fail_on: &FailOn, cell: Cell) -> Result<Ended, Failure> {
    let pinned = cell.scenario.case.as_ref().map_or(0, |case| case.seed);
    let (seed, bugs) = (arguments.seed.unwrap_or(pinned), own_bugs(&cell, &arguments.bug));
    let wanted = interest::wanted(&cell, fail_on.properties());
    let threads = arguments.jobs.map_or_else(super::plan::all_cores, usize::from);
    let what = Exploration { cell: &cell, seed, bugs: &bugs, faults: arguments.faults, wanted: &wanted, threads };
    let bar = bar(&cell);
    let explored = explore_cell(registry, &what, |stand| show(&bar, &stand));
    bar.finish_and_clear();
    let explored = explored.map_err(|panic| Failure::panicked(&panic, "the same exploration"))?;
    let shrunk = explored.counterexample.as_ref().and_then(|found| shrunk(registry, &cell, seed, &bugs, found));
    Ok(Ended { cell, seed, explored, shrunk })
}

fn shrunk(registry: &Registry, cell: &Cell, seed: u64, bugs: &[String], found: &Counterexample) -> Option<Shrunk> {
    let scenario = file::scenario(registry, "counterexample.toml", &found.scenario).ok()?;
    let cell = Cell::new(&Arc::new(scenario), &cell.lock, bugs);
    shrink(registry, &Failing { cell: &cell, seed, bugs, property: found.property }, Effort::default()).ok()
}

fn bar(cell: &Cell) -> ProgressBar {
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{prefix}  {bar:24} {pos}/{len} starting points  {msg}  {eta} left")
    {
        bar.set_style(style);
    }
    bar.set_prefix(cell.header.lock.clone());
    bar
}

fn show(bar: &ProgressBar, stand: &Stand) {
    if stand.done <= 64 {
        bar.reset_eta();
    }
    bar.set_length(stand.of as u64);
    bar.set_message(format!("{} faults, {} placements run", stand.faults, stand.placements));
    bar.set_position(stand.done as u64);
}

fn told(ended: &Ended, faults: u32) -> String {
    let name = ended.cell.case_name(ended.seed);
    let placements = ended.explored.placements();
    match (&ended.explored.counterexample, &ended.shrunk) {
        (None, _) => format!(
            "{name}: none among {placements} placements of up to {faults} faults, for this seed's latencies and order\n"
        ),
        (Some(found), shrunk) => {
            let smallest = shrunk.as_ref().map_or_else(String::new, |shrunk| format!(": {}", shrunk.after));
            format!(
                "{name}: {} is violated with {} faults, found among {placements} placements{smallest}\n",
                found.property.name(),
                found.faults
            )
        }
    }
}

/// Writes the counterexample as a reproducer, or prints it.
fn keep(ended: &Ended, arguments: &Arguments) -> Result<(), Failure> {
    let Some(shrunk) = &ended.shrunk else { return Ok(()) };
    let Some(out) = &arguments.out else {
        return if arguments.format == Format::Human { print(&format!("\n{}\n", shrunk.text)) } else { Ok(()) };
    };
    super::reproducers::make(out)?;
    let path = out.join(format!("{}--{}.toml", ended.cell.header.scenario, ended.cell.header.lock));
    put(&path, &shrunk.text)?;
    eprintln!("to reproduce: fencepost replay {}", path.display());
    Ok(())
}

fn as_json(ended: &[Ended], faults: u32) -> Value {
    let one = |ended: &Ended| {
        let levels =
            ended.explored.levels.iter().map(
                |level| json!({"faults": level.faults, "placements": level.placements, "different": level.different}),
            );
        let found = ended.explored.counterexample.as_ref().map(|found| {
            let reproducer = ended.shrunk.as_ref().map_or(&found.scenario, |shrunk| &shrunk.text);
            json!({"property": found.property.name(), "faults": found.faults, "reproducer": reproducer})
        });
        json!({
            "scenario": ended.cell.header.scenario, "lock": ended.cell.header.lock, "seed": ended.seed,
            "placements": ended.explored.placements(), "levels": levels.collect::<Vec<_>>(), "counterexample": found,
        })
    };
    json!({"schema_version": 1, "faults": faults, "cells": ended.iter().map(one).collect::<Vec<_>>()})
}

/// What a clean result does not say.
fn not_covered(scenario: &Scenario) -> String {
    let menu: Vec<&str> = scenario.explore.menu.iter().map(|kind| word(*kind)).collect();
    format!(
        "\nCovered: {}, each placed where something happens to the node or link concerned, and ended right after something \
         happens elsewhere.\nNot covered: other seeds (latencies, order of what happens at once), more faults, other kinds \
         of fault, ends between two events, the middle of long stretches in which clients only ask again, and restarts \
         other than 1 s after a crash.\nPlacements whose runs differ in nothing but times were continued once.\n",
        menu.join(", ")
    )
}

fn word(kind: Placeable) -> &'static str {
    match kind {
        Placeable::Pause => "pause",
        Placeable::Crash => "crash",
        Placeable::Hold => "hold",
        Placeable::Drop => "drop",
        Placeable::Late => "late",
        Placeable::ClockStep => "clock-step",
    }
}
