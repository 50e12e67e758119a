//! The reproducers of a run: the shrunk first failure of each failing cell.

use std::path::{Path, PathBuf};

use fencepost_models::guarded::STORE_BUGS;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::CellResult;
use fencepost_scenarios::search::interest;
use fencepost_scenarios::search::shrink::{Effort, Failing, shrink_all, unshrunk};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::exit::Failure;
use super::files::{create_dir, read_file, read_json, reproducer_name, write_file, write_json};
use super::plan::Plan;

/// The subdirectory of the run for reproducers.
pub(super) const DIR: &str = "reproducers";
/// The file that lists the reproducers.
const INDEX: &str = "reproducers.json";

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reproducer {
    pub(super) scenario: String,
    pub(super) lock: String,
    pub(super) property: Property,
    /// The priority of the property in its cell; `merge` keeps the lowest.
    rank: u8,
    pub(super) seed: u64,
    /// The file name.
    pub(super) file: String,
}

/// The sort key of the failures of a cell; the first one is shrunk.
type SortKey = (u8, u64, Property);

impl Reproducer {
    fn sort_key(&self) -> SortKey {
        (self.rank, self.seed, self.property)
    }

    pub(super) fn path(&self, directory: &Path) -> PathBuf {
        directory.join(DIR).join(&self.file)
    }
}

/// Returns the subset of `bugs` that the lock or the store of this cell has.
pub(super) fn own_bugs(cell: &Cell, bugs: &[String]) -> Vec<String> {
    let has =
        |bug: &&String| cell.lock.info.bugs.iter().chain(STORE_BUGS).any(|known| known.name == super::bugs::name(bug));
    let mut own: Vec<String> = bugs.iter().filter(has).cloned().collect();
    own.sort();
    own
}

/// Shrinks the first failure of each failing cell. Existing files are kept.
pub(super) fn write(
    registry: &Registry,
    plan: &Plan,
    results: &[CellResult],
    directory: &Path,
) -> Result<Vec<Reproducer>, Failure> {
    let found: Vec<(usize, Reproducer)> = (plan.cells.iter().zip(results).enumerate())
        .filter_map(|(index, (cell, result))| Some((index, first_failure(plan, cell, result)?)))
        .collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    create_dir(&directory.join(DIR))?;
    let missing: Vec<&(usize, Reproducer)> = found.iter().filter(|(_, one)| !one.path(directory).exists()).collect();
    let bugs: Vec<Vec<String>> = missing.iter().map(|(cell, _)| own_bugs(&plan.cells[*cell], &plan.bugs)).collect();
    let failing: Vec<Failing<'_>> = (missing.iter().zip(&bugs))
        .map(|((cell, one), bugs)| Failing { cell: &plan.cells[*cell], seed: one.seed, bugs, property: one.property })
        .collect();
    let bar = bar(failing.len());
    let mut written = Ok(());
    shrink_all(registry, &failing, Effort::OF_A_RUN, plan.threads, |index, result| {
        bar.inc(1);
        let text = result.map_or_else(|_| unshrunk(&failing[index]), |shrunk| shrunk.text);
        if written.is_ok() {
            written = write_file(&missing[index].1.path(directory), &text);
        }
    });
    bar.finish_and_clear();
    written?;
    let reproducers: Vec<Reproducer> = found.into_iter().map(|(_, reproducer)| reproducer).collect();
    write_index(&reproducers, directory)?;
    Ok(reproducers)
}

fn first_failure(plan: &Plan, cell: &Cell, result: &CellResult) -> Option<Reproducer> {
    let (property, seed) = interest::of_cell(cell, plan.fail_on.properties(), result)?;
    let (scenario, lock) = (cell.header.scenario.clone(), cell.header.lock.clone());
    let file = reproducer_name(&scenario, &lock);
    Some(Reproducer { scenario, lock, property, rank: interest::rank(cell, property), seed, file })
}

fn bar(length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} failing cells shrunk  {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// Copies the reproducers of all shards: for each cell, the one of the first failure over all shards.
pub(super) fn merge(shards: &[&Path], out: &Path) -> Result<(), Failure> {
    let mut merged: Vec<(Reproducer, &Path)> = Vec::new();
    for shard in shards {
        let index = shard.join(INDEX);
        let found: Vec<Reproducer> = if index.exists() { read_json(&index)? } else { Vec::new() };
        for one in found {
            let same = |(other, _): &(Reproducer, &Path)| other.file == one.file;
            match merged.iter_mut().find(|other| same(other)) {
                Some(other) if one.sort_key() < other.0.sort_key() => *other = (one, shard),
                Some(_) => {}
                None => merged.push((one, shard)),
            }
        }
    }
    if merged.is_empty() {
        return Ok(());
    }
    create_dir(&out.join(DIR))?;
    for (one, shard) in &merged {
        write_file(&one.path(out), &read_file(&one.path(shard))?)?;
    }
    let mut reproducers: Vec<Reproducer> = merged.into_iter().map(|(one, _)| one).collect();
    reproducers.sort_by(|a, b| a.file.cmp(&b.file));
    write_index(&reproducers, out)
}

fn write_index(reproducers: &[Reproducer], directory: &Path) -> Result<(), Failure> {
    let mut sorted: Vec<&Reproducer> = reproducers.iter().collect();
    sorted.sort_by(|a, b| a.file.cmp(&b.file));
    write_json(&directory.join(INDEX), &sorted)
}
