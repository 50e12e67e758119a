//! Regressions: reproducers of earlier failures, in `fencepost-regressions` of the current directory. Every run of the
//! same scenario and lock tries them first. They are counted apart: rates come from the seeds of the run alone.

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
use super::plan::Plan;
use super::reproducers::{Reproducer, make, own_bugs, put};

/// Where they are.
const DIR: &str = "fencepost-regressions";
/// What came of them, in the run's directory.
const RESULTS: &str = "regressions.json";

/// A regression that was tried.
#[derive(Debug)]
pub(super) struct Regression {
    path: PathBuf,
    /// The cell of the run that it belongs to.
    cell: usize,
    pin: CasePin,
    /// What it violated now, of all properties.
    violated: Vec<Property>,
}

impl Regression {
    /// What it once violated.
    fn about(&self) -> impl Iterator<Item = Property> + '_ {
        self.pin.expect.iter().filter(|(_, is)| **is == Expectation::Violated).map(|(property, _)| *property)
    }

    /// Whether it still violates what it once did.
    fn still(&self) -> bool {
        self.about().all(|property| self.violated.contains(&property))
    }
}

/// Tries the regressions of the run's cells, and tells what came of them.
pub(super) fn try_first(registry: &Registry, plan: &Plan, directory: &Path) -> Result<Vec<Regression>, Failure> {
    let tried: Vec<Regression> = files().iter().filter_map(|path| try_one(registry, plan, path)).collect();
    if tried.is_empty() {
        return Ok(tried);
    }
    let still = tried.iter().filter(|regression| regression.still()).count();
    eprintln!("regressions: {} tried first, {still} still show their violation; they are in no rate", tried.len());
    for regression in tried.iter().filter(|regression| !regression.still()) {
        eprintln!("  {} does not show its violation any more", shown(&regression.path));
    }
    let results: Vec<_> = tried.iter().map(|regression| result(plan, regression)).collect();
    let text = serde_json::to_string_pretty(&results).map_err(|error| Failure::internal(error.to_string()))?;
    put(&directory.join(RESULTS), &(text + "\n"))?;
    Ok(tried)
}

/// A path on one line, whatever is in its name.
fn shown(path: &Path) -> String {
    visible(&path.display().to_string())
}

/// In the order of their names.
fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(DIR).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "toml")).collect();
    files.sort();
    files
}

fn try_one(registry: &Registry, plan: &Plan, path: &Path) -> Option<Regression> {
    let scenario = match file::read(registry, path) {
        Ok(File::Scenario(scenario)) => scenario,
        Ok(File::Suite(_)) | Err(_) => {
            let (shown, replay) = (shown(path), replay_file_command(&path.display().to_string()));
            eprintln!("warning: {shown} is left out, it is no reproducer: `{replay}` says why");
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
    let verdicts = case::run(&cell, pin.seed, None).outcome.verdicts;
    let violated = verdicts.into_iter().filter(|(_, verdict)| *verdict == Verdict::Violated);
    let violated = violated.map(|(property, _)| property).collect();
    Some(Regression { path: path.into(), cell: index, pin, violated })
}

fn result(plan: &Plan, regression: &Regression) -> serde_json::Value {
    let header = &plan.cells[regression.cell].header;
    let about: Vec<&str> = regression.about().map(Property::name).collect();
    json!({
        "scenario": header.scenario, "lock": header.lock, "seed": regression.pin.seed, "bugs": regression.pin.bugs,
        "properties": about, "violated": regression.still(),
    })
}

/// Tells which of them make the run fail, and says whether any does. What else they violate is not judged: shrinking
/// changed leases and times, of which the scenario's expectations do not speak.
pub(super) fn tell_broken(plan: &Plan, tried: &[Regression]) -> bool {
    let mut any = false;
    for regression in tried {
        let cell = &plan.cells[regression.cell];
        for property in regression.about().filter(|property| regression.violated.contains(property)) {
            let Some(because) = plan.fail_on.reason(cell, property) else { continue };
            let (shown, replay) =
                (shown(&regression.path), replay_file_command(&regression.path.display().to_string()));
            eprintln!("failed: regression {shown}: {} is violated, and {because}", property.name());
            eprintln!("  to reproduce: {replay}");
            any = true;
        }
    }
    any
}

/// Keeps the run's reproducers as regressions, where none of the same cell shows the same already.
pub(super) fn keep(
    plan: &Plan,
    tried: &[Regression],
    found: &[Reproducer],
    directory: &Path,
) -> Result<usize, Failure> {
    let known = |one: &Reproducer| {
        tried.iter().any(|regression| {
            let header = &plan.cells[regression.cell].header;
            let same_cell = header.scenario == one.scenario && header.lock == one.lock;
            same_cell && regression.still() && regression.about().any(|property| property == one.property)
        })
    };
    let new: Vec<&Reproducer> = found.iter().filter(|one| !known(one)).collect();
    if new.is_empty() {
        return Ok(0);
    }
    make(Path::new(DIR))?;
    let mut kept = 0;
    for one in new {
        let path = one.path(directory);
        let text = fs::read_to_string(&path).map_err(|error| Failure::path("read", &path, error))?;
        kept += usize::from(keep_one(plan, one, &text)?);
    }
    Ok(kept)
}

/// Under the first name that is free; says whether it was new.
fn keep_one(plan: &Plan, one: &Reproducer, text: &str) -> Result<bool, Failure> {
    let cell = plan.cells.iter().find(|cell| cell.header.scenario == one.scenario && cell.header.lock == one.lock);
    let bugs = cell.map(|cell| own_bugs(cell, &plan.bugs)).unwrap_or_default();
    let stem = [vec![one.scenario.clone(), one.lock.clone()], bugs].concat().join("--");
    for number in 1.. {
        let name = if number == 1 { format!("{stem}.toml") } else { format!("{stem}-{number}.toml") };
        let path = Path::new(DIR).join(name);
        match fs::read_to_string(&path) {
            Ok(there) if there == text => return Ok(false),
            Ok(_) => {}
            Err(_) => return put(&path, text).map(|()| true),
        }
    }
    Ok(false)
}
