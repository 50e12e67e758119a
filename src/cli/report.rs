//! `fencepost report`: writes a run's report from its results.

use std::path::{Path, PathBuf};

use fencepost_reports::Report;
use fencepost_reports::grid::Cell;
use fencepost_reports::text::counted;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::results::read_cells;

use super::counterexamples::{Scenarios, counterexamples};
use super::directory::Directory;
use super::exit::{Exit, Failure};
use super::manifest::Manifest;
use super::recording::damaged;
use super::screen::print;

/// The arguments of `report`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory of a run
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The directory to write to; by default the run's directory
    #[arg(long, value_name = "DIR", env = "FENCEPOST_OUT")]
    out: Option<PathBuf>,
}

/// Runs `report`.
pub(super) fn report(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let (directory, manifest) = Directory::existing(&arguments.dir)?;
    let path = directory.results_path();
    let file = std::fs::File::open(&path).map_err(|error| Failure::path("read", &path, error))?;
    let cells = read_cells(std::io::BufReader::new(file)).map_err(|error| damaged(&error))?;
    let mut notes = Vec::new();
    if manifest.duration_s.is_none() {
        notes.push("The run was interrupted: its last cells or seeds are missing.".to_owned());
    }
    let missing = manifest.cells.map_or(0, |planned| planned.saturating_sub(cells.len()));
    if missing > 0 {
        notes.push(format!("{missing} of the run's {} cells are missing from its results.", missing + cells.len()));
    }
    let expected = manifest.expected_cases_per_cell();
    let short = cells.iter().filter(|(header, cell)| header.applicable && cell.cases() < expected).count();
    if short > 0 && manifest.until.is_none() {
        let (cells, cases) = (counted(short, "cell"), counted(expected, "case"));
        notes.push(format!("Fewer cases than planned in {cells}; the plan is {cases} for each cell."));
    }
    for note in &notes {
        eprintln!("warning: {note}");
    }
    let out = arguments.out.as_deref().unwrap_or(&arguments.dir);
    let page = write_report(registry, &manifest, &cells, notes, &ReportPaths { run: directory.path(), out })?;
    print(&format!("report: {}\n", page.display()))?;
    Ok(Exit::Done)
}

/// The directories of a run and of its report.
pub(super) struct ReportPaths<'a> {
    pub(super) run: &'a Path,
    pub(super) out: &'a Path,
}

impl<'a> ReportPaths<'a> {
    /// Puts the report into the directory of the run.
    pub(super) fn within(dir: &'a Path) -> Self {
        ReportPaths { run: dir, out: dir }
    }
}

/// Writes the report of these cells and returns its path.
pub(super) fn write_report(
    registry: &Registry,
    manifest: &Manifest,
    cells: &[Cell],
    mut notes: Vec<String>,
    dirs: &ReportPaths<'_>,
) -> Result<PathBuf, Failure> {
    if let Some(shard) = manifest.shard {
        notes.push(format!(
            "This is shard {shard}: it has only some of the seeds. `fencepost merge` merges the shards."
        ));
    }
    if let Some(rule) = &manifest.until {
        notes.push(format!("Cells stopped early because of {rule}, so their numbers of cases differ."));
    }
    let paths = manifest.scenarios.iter().filter_map(|input| Some((input.name.clone(), input.path.clone()?)));
    let scenarios = Scenarios::load(registry, manifest);
    let report = Report {
        title: format!("Distributed locks under faults: {}", manifest.suite),
        command: manifest.command.clone(),
        version: manifest.version.clone(),
        seeds: manifest.seeds.to_string(),
        notes,
        replay_flags: manifest.replay_flags(),
        scenario_paths: paths.collect(),
        workloads: registry.workloads().iter().map(|entry| (entry.info.name.into(), entry.info.about.into())).collect(),
        environment: vec![
            ("Layout of the random streams".into(), manifest.layout.to_string()),
            ("Enabled bugs".into(), if manifest.bugs.is_empty() { "none".into() } else { manifest.bugs.join(", ") }),
        ],
        counterexamples: counterexamples(registry, &scenarios, manifest, cells, dirs.run),
        expected_violations: scenarios.expected_violations(),
        locks: registry.locks().iter().chain(registry.variants()).map(|lock| lock.info).collect(),
        cells: cells.to_vec(),
    };
    report.write(dirs.out).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::internal(format!("{error}{cause}"))
    })?;
    Ok(dirs.out.join("report.html"))
}
