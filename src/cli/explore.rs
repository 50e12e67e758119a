//! `fencepost explore`: tries every placement of a few faults in a small scenario.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::value_parser;
use fencepost_reports::text::replay_file_command;
use fencepost_scenarios::file::Scenario;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::search::explore::{Counterexample, Exploration, Explored, Stand, explore as explore_cell};
use fencepost_scenarios::search::shrink::{Effort, Failing, Size, shrink, unshrunk};
use fencepost_scenarios::{file, search::interest};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::clean::{counted, not_judged, nothing_applies};
use super::exit::{Exit, Failure};
use super::fail_on::FailOn;
use super::reproducers::{own_bugs, put};
use super::screen::{Format, print, print_json};
use super::seeds::seed;
use super::selection::{Selection, check_bugs, check_locks, refuse_foreign_bugs};

/// What `explore` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The scenario, or a suite of them: a file, or a shipped name. Two or three clients with an order or two each are
    /// enough
    #[arg(value_name = "SUITE|FILE.toml")]
    file: String,
    /// Only these locks
    #[arg(long, value_name = "LOCK,..", value_delimiter = ',', env = "FENCEPOST_LOCK")]
    lock: Vec<String>,
    /// How many faults to place at most
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=4),
          env = "FENCEPOST_FAULTS")]
    faults: u32,
    /// The seed for latencies and order; by default that of `[case]`, else 0
    #[arg(long, value_name = "N", value_parser = seed, env = "FENCEPOST_SEED")]
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
    reproducer: Option<Reproducer>,
}

/// A counterexample as a file.
struct Reproducer {
    text: String,
    /// How large it is, if it could be shrunk.
    shrunk: Option<Size>,
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
    match arguments.format {
        Format::Human => print(&not_covered(&ended))?,
        Format::Json => print_json(&as_json(&ended, arguments.faults))?,
    }
    if ended.iter().all(|one| one.explored.verdicts.nothing_applies()) {
        return Err(nothing_applies());
    }
    let found = ended.iter().any(|one| one.explored.counterexample.is_some());
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
    let found = explored.counterexample.as_ref();
    let reproducer = found.map(|found| reproducer(registry, &cell, seed, &bugs, found));
    Ok(Ended { cell, seed, explored, reproducer })
}

/// The counterexample as small as it gets; as it was found, where it does not shrink.
fn reproducer(registry: &Registry, cell: &Cell, seed: u64, bugs: &[String], found: &Counterexample) -> Reproducer {
    let Ok(scenario) = file::scenario(registry, "counterexample.toml", &found.scenario) else {
        eprintln!("not shrunk: as a scenario it cannot be read again");
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

/// Where no bar is drawn, it is told every so many placements.
const NEWS: u64 = 10_000;

/// How many placements there will be is not known before they are run.
fn show(bar: &ProgressBar, stand: &Stand) {
    let Stand { faults, placements, begun, of } = *stand;
    let from = if faults == 1 { "the run without faults".into() } else { format!("{begun} of {of} starting points") };
    let message = format!("fault {faults}, from {from}");
    if bar.is_hidden() {
        if placements.is_multiple_of(NEWS) {
            eprintln!("{}  {placements} placements  {message}", bar.prefix());
        }
        return;
    }
    bar.set_message(message);
    bar.set_position(placements);
}

fn told(ended: &Ended, faults: u32) -> String {
    let name = ended.cell.case_name(ended.seed);
    let Explored { counterexample, verdicts, .. } = &ended.explored;
    let placements = counted(ended.explored.placements(), "placement");
    match counterexample {
        None if verdicts.nothing_applies() => format!("{name}: nothing is judged{}\n", not_judged(verdicts, "run")),
        None => {
            let faults = counted(faults.into(), "fault");
            let besides = not_judged(verdicts, "run");
            format!("{name}: none among {placements} of up to {faults}, for this seed's latencies and order{besides}\n")
        }
        Some(found) => {
            let shrunk = ended.reproducer.as_ref().and_then(|reproducer| reproducer.shrunk.as_ref());
            let smallest = shrunk.map_or_else(String::new, |size| format!(": {size}"));
            let how = match found.faults {
                0 => "without any fault".into(),
                faults => format!("with {}, found among {placements}", counted(faults.into(), "fault")),
            };
            format!("{name}: {} is violated {how}{smallest}\n", found.property.name())
        }
    }
}

/// Writes the counterexample as a reproducer, or prints it.
fn keep(ended: &Ended, arguments: &Arguments) -> Result<(), Failure> {
    let Some(Reproducer { text, .. }) = &ended.reproducer else { return Ok(()) };
    let Some(out) = &arguments.out else {
        return if arguments.format == Format::Human { print(&format!("\n{text}\n")) } else { Ok(()) };
    };
    super::reproducers::make(out)?;
    let path = out.join(format!("{}--{}.toml", ended.cell.header.scenario, ended.cell.header.lock));
    put(&path, text)?;
    eprintln!("to reproduce: {}", replay_file_command(&path.display().to_string()));
    Ok(())
}

fn as_json(ended: &[Ended], faults: u32) -> Value {
    json!({"schema_version": 1, "faults": faults, "cells": ended.iter().map(cell_json).collect::<Vec<_>>()})
}

fn cell_json(ended: &Ended) -> Value {
    let Explored { levels, verdicts, counterexample } = &ended.explored;
    let levels = levels
        .iter()
        .map(|level| json!({"faults": level.faults, "placements": level.placements, "different": level.different}));
    let found = counterexample.as_ref().map(|found| {
        let reproducer = ended.reproducer.as_ref().map(|reproducer| &reproducer.text);
        json!({"property": found.property.name(), "faults": found.faults, "reproducer": reproducer})
    });
    let unknown: BTreeMap<_, _> = verdicts.unknown().map(|(property, runs)| (property.name(), runs)).collect();
    json!({
        "scenario": ended.cell.header.scenario, "lock": ended.cell.header.lock, "seed": ended.seed,
        "placements": ended.explored.placements(), "levels": levels.collect::<Vec<_>>(), "counterexample": found,
        "unknown": unknown, "not_applicable": verdicts.not_applicable().map(Property::name).collect::<Vec<_>>(),
    })
}

/// What a clean result does not say.
fn not_covered(ended: &[Ended]) -> String {
    let mut menus: Vec<(&str, String)> = Vec::new();
    for Scenario { name, explore, .. } in ended.iter().map(|ended| &*ended.cell.scenario) {
        if menus.iter().all(|(known, _)| known != name) {
            menus.push((name, explore.menu.iter().map(|kind| kind.placing().name).collect::<Vec<_>>().join(", ")));
        }
    }
    let menus: Vec<String> = match menus.as_slice() {
        [(_, menu)] => vec![menu.clone()],
        several => several.iter().map(|(name, menu)| format!("in {name} {menu}")).collect(),
    };
    format!(
        "\nCovered: {}, each placed where something happens to the node or link concerned, and ended right after something \
         happens elsewhere.\nNot covered: other seeds (latencies, order of what happens at once), more faults, other kinds \
         of fault, ends between two events, the middle of long stretches in which clients only ask again, and restarts \
         other than 1 s after a crash.\nPlacements whose runs differ in nothing but times were continued once.\n",
        menus.join("; ")
    )
}
