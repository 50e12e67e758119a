//! The plan of a run: the inputs that `run` checks and resolves before the first case.

use fencepost_reports::text::replay_command;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::job::Job;
use fencepost_sim::LAYOUT;

use super::bugs::flags;
use super::exit::Failure;
use super::fail_on::FailOn;
use super::manifest::{Manifest, ScenarioInput};
use super::run::Arguments;
use super::seeds::{Seeds, Shard};
use super::selection::{Selection, check_bugs, reject_inapplicable_bugs, selected_locks};
use super::stop::StopRule;

/// The checked inputs of a run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) selection: Selection,
    pub(super) cells: Vec<Cell>,
    pub(super) seeds: Seeds,
    pub(super) shard: Option<Shard>,
    pub(super) bugs: Vec<String>,
    pub(super) fail_on: FailOn,
    pub(super) stop: StopRule,
    /// The notes of locks whose name meant another lock in the last release.
    pub(super) renamed_notes: Vec<&'static str>,
    pub(super) threads: usize,
    /// The command that reproduces the results on any machine.
    command: String,
}

impl Plan {
    pub(super) fn new(registry: &Registry, arguments: &Arguments) -> Result<Self, Failure> {
        let locks = selected_locks(registry, &arguments.lock)?;
        check_bugs(registry, &arguments.bugs.list())?;
        let fail_on = FailOn::read(&arguments.fail_on)?;
        let stop = stop_rule(arguments, &fail_on);
        if arguments.shard.is_some() && stop != StopRule::Never {
            let help = "a shard has only some of the seeds, so it would stop at a different seed than the whole run";
            return Err(Failure::usage("--shard cannot be used with --until-interval or --until-violation", help));
        }
        let selection = Selection::load(registry, &arguments.what)?;
        let cells = selection.cells(registry, &locks, &arguments.bugs.list());
        let seeds = arguments.seeds.unwrap_or(Seeds::first(selection.seeds));
        reject_empty_selection(&cells, seeds)?;
        reject_inapplicable_bugs(&cells.iter().map(|cell| cell.lock.info).collect::<Vec<_>>(), &arguments.bugs.list())?;
        let command = command(arguments, seeds, &stop);
        let (shard, bugs, threads) = (arguments.shard, arguments.bugs.list(), threads(arguments.jobs));
        let renamed_notes = renamed_notes(&selection, &cells, &arguments.lock);
        Ok(Plan { renamed_notes, selection, cells, seeds, shard, bugs, fail_on, stop, threads, command })
    }

    /// Returns the command that replays a case.
    pub(super) fn reproduce(&self, scenario: &str, lock: &str, seed: u64) -> String {
        let path = self.selection.scenarios.iter().find(|selected| selected.scenario.name == scenario);
        let scenario = path.and_then(|selected| selected.path.as_deref()).unwrap_or(scenario);
        replay_command(scenario, lock, seed, &flags(&self.bugs))
    }

    /// Returns the remaining work. `done` is the number of finished cases of each cell.
    pub(super) fn job(&self, done: Vec<u64>) -> Job {
        Job {
            cells: self.cells.clone(),
            seeds: self.seeds.range(),
            threads: self.threads,
            shard: self.shard.map(|shard| (shard.number, shard.of)),
            done,
        }
    }

    /// Returns the manifest before the first case.
    pub(super) fn manifest(&self) -> Manifest {
        let mut locks: Vec<String> = Vec::new();
        for cell in &self.cells {
            if !locks.contains(&cell.header.lock) {
                locks.push(cell.header.lock.clone());
            }
        }
        let mut scenarios: Vec<ScenarioInput> = Vec::new();
        for selected in &self.selection.scenarios {
            if !scenarios.iter().any(|known| known.name == selected.scenario.name) {
                scenarios.push(ScenarioInput::new(&selected.scenario, selected.path.clone()));
            }
        }
        Manifest {
            schema_version: super::manifest::VERSION,
            command: self.command.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            layout: LAYOUT,
            suite: self.selection.name.clone(),
            seeds: self.seeds,
            shard: self.shard,
            bugs: self.bugs.clone(),
            locks,
            scenarios,
            cells: Some(self.cells.len()),
            until: self.stop.flags(),
            started: String::new(),
            duration_s: None,
        }
    }
}

/// Rebuilds the command from the parsed arguments, with values from the environment and without ineffective flags.
fn command(arguments: &Arguments, seeds: Seeds, stop: &StopRule) -> String {
    let mut parts = vec!["fencepost run".to_owned()];
    parts.extend(arguments.what.iter().cloned());
    parts.push(format!("--seeds {seeds}"));
    parts.extend(quoted_flag("--lock", &arguments.lock));
    parts.extend(Some(flags(&arguments.bugs.list())).filter(|flags| !flags.is_empty()));
    parts.extend(stop.flags());
    parts.extend(arguments.shard.map(|shard| format!("--shard {shard}")));
    parts.join(" ")
}

/// Returns the notes of the locks that the command line or a file of the user names.
fn renamed_notes(selection: &Selection, cells: &[Cell], named: &[String]) -> Vec<&'static str> {
    let files = selection.scenarios.iter().filter_map(|selected| std::fs::read_to_string(selected.path.as_ref()?).ok());
    let files: Vec<String> = files.collect();
    let is_named = |lock: &str| {
        let in_file = |text: &String| text.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == lock);
        named.iter().any(|name| name.split(':').next() == Some(lock)) || files.iter().any(in_file)
    };
    let mut notes = Vec::new();
    for cell in cells {
        if let Some(note) = cell.lock.info.renamed_note
            && is_named(cell.lock.info.name)
            && !notes.contains(&note)
        {
            notes.push(note);
        }
    }
    notes
}

/// Returns the flag with its list, or `None` if the list is empty. In interactive shells, `!` outside of quotes starts a
/// history expansion.
fn quoted_flag(flag: &str, list: &[String]) -> Option<String> {
    let list = Some(list.join(",")).filter(|list| !list.is_empty())?;
    Some(if list.contains(['!', '*']) { format!("{flag} '{list}'") } else { format!("{flag} {list}") })
}

fn stop_rule(arguments: &Arguments, fail_on: &FailOn) -> StopRule {
    match arguments.until_interval {
        Some(width) => StopRule::Interval(width),
        None if arguments.until_violation => StopRule::Violation(fail_on.clone().or_any()),
        None => StopRule::Never,
    }
}

fn reject_empty_selection(cells: &[Cell], seeds: Seeds) -> Result<(), Failure> {
    if cells.is_empty() {
        let message = "nothing is selected: no scenario lists any of these locks";
        return Err(Failure::nothing_selected(message, "check `locks` in the suite and its scenarios"));
    }
    if seeds.count() == 0 {
        let message = format!("nothing is selected: the range {seeds} is empty");
        return Err(Failure::nothing_selected(message, "write a range such as `--seeds 200`"));
    }
    Ok(())
}

fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(all_cores, usize::from)
}

/// Returns the number of cores.
pub(super) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
