//! Regressions: reproducers of earlier failures, in `fencepost-regressions` in the current directory. Each run of the same
//! scenario and lock runs them first. They never affect rates, which come only from the run's seeds.

use std::fs;
use std::path::{Path, PathBuf};

use fencepost_reports::text::{replay_file_command, visible};
use fencepost_scenarios::file::{self, CasePin, Expectation, File};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case;
use fencepost_scenarios::run::cell::Cell;
use serde_json::json;

use super::exit::Failure;
use super::files::{create_dir, read_file, write_file, write_json};
use super::plan::Plan;
use super::reproducers::{Reproducer, own_bugs};

/// The directory of regressions.
const DIR: &str = "fencepost-regressions";
/// The file in the run's directory with the results of regressions.
const RESULTS: &str = "regressions.json";

/// A regression, and its result in this run.
#[derive(Debug)]
pub(super) struct Regression {
    path: PathBuf,
    /// The index of the cell in the run.
    cell: usize,
    pin: CasePin,
    /// The properties that the case violates now.
    violated: Vec<Property>,
}

impl Regression {
    /// Returns the properties that the case violated when it was recorded.
    fn pinned_violations(&self) -> impl Iterator<Item = Property> + '_ {
        self.pin.expect.iter().filter(|(_, is)| **is == Expectation::Violated).map(|(property, _)| *property)
    }

    /// Returns whether the case still violates all pinned properties.
    fn still_violates(&self) -> bool {
        self.pinned_violations().all(|property| self.violated.contains(&property))
    }
}

/// Runs the regressions of the run's cells and prints their results.
pub(super) fn run_first(registry: &Registry, plan: &Plan, directory: &Path) -> Result<Vec<Regression>, Failure> {
    let regressions: Vec<Regression> = files().iter().filter_map(|path| run_one(registry, plan, path)).collect();
    if regressions.is_empty() {
        return Ok(regressions);
    }
    let still = regressions.iter().filter(|regression| regression.still_violates()).count();
    eprintln!("regressions: {} run first, {still} still violated; they do not affect rates", regressions.len());
    for regression in regressions.iter().filter(|regression| !regression.still_violates()) {
        eprintln!("  {} is no longer violated", shown(&regression.path));
    }
    let results: Vec<_> = regressions.iter().map(|regression| result(plan, regression)).collect();
    write_json(&directory.join(RESULTS), &results)?;
    Ok(regressions)
}

/// Returns the path without control characters.
fn shown(path: &Path) -> String {
    visible(&path.display().to_string())
}

/// Returns the regression files, sorted by name.
fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(DIR).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "toml")).collect();
    files.sort();
    files
}

fn run_one(registry: &Registry, plan: &Plan, path: &Path) -> Option<Regression> {
    let scenario = match file::read(registry, path) {
        Ok(File::Scenario(scenario)) => scenario,
        Ok(File::Suite(_)) | Err(_) => {
            let (shown, replay) = (shown(path), replay_file_command(&path.display().to_string()));
            eprintln!("warning: skipped {shown}, which is not a reproducer: `{replay}` prints the reason");
            return None;
        }
    };
    let pin = scenario.case.clone()?;
    let fits = |cell: &&Cell| {
        let header = &cell.header;
        header.applicable
            && header.scenario == scenario.name
            && header.lock == pin.lock
            && own_bugs(cell, &plan.bugs) == pin.bugs
    };
    let index = plan.cells.iter().position(|cell| fits(&cell))?;
    let cell = Cell::new(&std::sync::Arc::new(*scenario), &plan.cells[index].lock, &pin.bugs);
    if !cell.header.applicable {
        return None;
    }
    let verdicts = case::run(&cell, pin.seed, None).result.verdicts;
    let violated = verdicts.into_iter().filter(|(_, verdict)| *verdict == Verdict::Violated);
    let violated = violated.map(|(property, _)| property).collect();
    Some(Regression { path: path.into(), cell: index, pin, violated })
}

fn result(plan: &Plan, regression: &Regression) -> serde_json::Value {
    let header = &plan.cells[regression.cell].header;
    let properties: Vec<&str> = regression.pinned_violations().map(Property::name).collect();
    json!({
        "scenario": header.scenario, "lock": header.lock, "seed": regression.pin.seed, "bugs": regression.pin.bugs,
        "properties": properties, "violated": regression.still_violates(),
    })
}

/// Prints the regressions that make the run fail, and returns whether there are any. Only pinned violations count: shrinking
/// changes leases and times, so the scenario's other expectations do not apply.
pub(super) fn print_failures(plan: &Plan, regressions: &[Regression]) -> bool {
    let mut any = false;
    for regression in regressions {
        let cell = &plan.cells[regression.cell];
        for property in regression.pinned_violations().filter(|property| regression.violated.contains(property)) {
            let Some(reason) = plan.fail_on.reason(cell, property) else { continue };
            let (shown, replay) =
                (shown(&regression.path), replay_file_command(&regression.path.display().to_string()));
            eprintln!("failed: regression {shown}: {} is violated ({reason})", property.name());
            eprintln!("  to reproduce: {replay}");
            any = true;
        }
    }
    any
}

/// Saves the run's reproducers as regressions, unless the cell already has one with the same violation.
pub(super) fn save_new(
    plan: &Plan,
    regressions: &[Regression],
    found: &[Reproducer],
    directory: &Path,
) -> Result<usize, Failure> {
    let known = |one: &Reproducer| {
        regressions.iter().any(|regression| {
            let header = &plan.cells[regression.cell].header;
            let same_cell = header.scenario == one.scenario && header.lock == one.lock;
            same_cell
                && regression.still_violates()
                && regression.pinned_violations().any(|property| property == one.property)
        })
    };
    let new: Vec<&Reproducer> = found.iter().filter(|one| !known(one)).collect();
    if new.is_empty() {
        return Ok(0);
    }
    create_dir(Path::new(DIR))?;
    let mut saved = 0;
    for one in new {
        saved += usize::from(save_one(plan, one, &read_file(&one.path(directory))?)?);
    }
    Ok(saved)
}

/// Saves a reproducer under the first free name. Returns whether it was new.
fn save_one(plan: &Plan, one: &Reproducer, text: &str) -> Result<bool, Failure> {
    let cell = plan.cells.iter().find(|cell| cell.header.scenario == one.scenario && cell.header.lock == one.lock);
    let bugs = cell.map(|cell| own_bugs(cell, &plan.bugs)).unwrap_or_default();
    let stem = [vec![one.scenario.clone(), one.lock.clone()], bugs].concat().join("--");
    for number in 1.. {
        let name = if number == 1 { format!("{stem}.toml") } else { format!("{stem}-{number}.toml") };
        let path = Path::new(DIR).join(name);
        match fs::read_to_string(&path) {
            Ok(existing) if existing == text => return Ok(false),
            Ok(_) => {}
            Err(_) => return write_file(&path, text).map(|()| true),
        }
    }
    Ok(false)
}
