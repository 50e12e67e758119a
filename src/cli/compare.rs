//! `fencepost compare`: compares two runs, such as two versions of a lock.

use std::io::BufReader;
use std::path::PathBuf;

use fencepost_reports::comparison::{Side, comparison_json, comparison_text};
use fencepost_reports::text::visible;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::compare::{Change, Comparison, Run, compare as compared};

use super::counterexamples::Scenarios;
use super::directory::Directory;
use super::exit::{Exit, Failure};
use super::fail_on::{EXPECTED, FailOn, NAMED};
use super::manifest::Manifest;
use super::recording::damaged;
use super::screen::{Format, print, print_json, terminal};

/// The arguments of `compare`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory of the first run (before)
    #[arg(value_name = "DIR")]
    before: PathBuf,
    /// The directory of the second run (after)
    #[arg(value_name = "DIR")]
    after: PathBuf,
    /// The format of stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
    /// Exit with 100 if one of these properties, or `any`, is newly violated; properties that [expect] declares to hold always count
    #[arg(long, value_name = "PROPERTY,..|any", value_delimiter = ',', env = "FENCEPOST_FAIL_ON")]
    fail_on: Vec<String>,
}

/// Runs `compare`.
pub(super) fn compare(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let fail_on = FailOn::read(&arguments.fail_on)?;
    let (before, first) = load(&arguments.before)?;
    let (after, second) = load(&arguments.after)?;
    let comparison = compared(&before, &after);
    if comparison.pairs == 0 {
        let message = "the runs have no case in common: no scenario, lock and seed is in both";
        return Err(Failure::nothing_selected(message, "compare runs of the same scenarios over the same seeds"));
    }
    let notes = notes(&comparison, &first, &second);
    let sides = [side(&first), side(&second)];
    match arguments.format {
        Format::Human => print(&comparison_text(&comparison, &sides, &notes, terminal()))?,
        Format::Json => print_json(&comparison_json(&comparison, &sides, &notes))?,
    }
    Ok(check_new_violations(registry, &comparison, &second, &fail_on))
}

fn load(dir: &std::path::Path) -> Result<(Run, Manifest), Failure> {
    let (directory, manifest) = Directory::existing(dir)?;
    let path = directory.results_path();
    let file = std::fs::File::open(&path).map_err(|error| Failure::path("read", &path, error))?;
    Ok((Run::read(BufReader::new(file)).map_err(|error| damaged(&error))?, manifest))
}

fn side(manifest: &Manifest) -> Side {
    Side {
        suite: manifest.suite.clone(),
        version: manifest.version.clone(),
        seeds: manifest.seeds.to_string(),
        layout: manifest.layout,
    }
}

/// Returns the caveats of the comparison.
fn notes(comparison: &Comparison, before: &Manifest, after: &Manifest) -> Vec<String> {
    let mut notes = Vec::new();
    if before.layout != after.layout {
        notes.push("the layouts differ: the same seed is not the same case, so the cases are not paired".into());
    }
    let changed = before
        .scenarios
        .iter()
        .filter(|input| after.scenarios.iter().any(|other| other.name == input.name && other.source != input.source));
    let changed: Vec<String> = changed.map(|input| visible(&input.name)).collect();
    if !changed.is_empty() {
        notes.push(format!("these scenarios changed between the runs: {}", changed.join(", ")));
    }
    for (cells, run) in [(&comparison.only_before, "A"), (&comparison.only_after, "B")] {
        if !cells.is_empty() {
            notes.push(format!("{} cells are only in {run}", cells.len()));
        }
    }
    if before.until.is_some() || after.until.is_some() {
        notes.push("cells stopped early in one of the runs: only seeds of both runs are paired".into());
    }
    notes
}

/// Prints the newly violated properties that make the comparison fail.
fn check_new_violations(registry: &Registry, comparison: &Comparison, after: &Manifest, fail_on: &FailOn) -> Exit {
    let scenarios = Scenarios::load(registry, after);
    let mut exit = Exit::Done;
    for new in comparison.properties.iter().filter(|difference| difference.change == Change::NewlyViolated) {
        let reason = if fail_on.names(new.what) {
            NAMED
        } else if scenarios.expects_to_hold(&new.scenario, &new.lock, new.what) {
            EXPECTED
        } else {
            continue;
        };
        let cell = format!("{}/{}", visible(&new.scenario), visible(&new.lock));
        eprintln!("failed: {cell}: {} is newly violated ({reason})", new.what.name());
        if let Some(seed) = new.first_seed {
            eprintln!("  to reproduce: {}", after.replay(&new.scenario, &new.lock, seed));
        }
        exit = Exit::Violated;
    }
    exit
}
