//! The input of a report, and the files written from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fencepost_models::LockInfo;
use fencepost_scenarios::property::Property;

use crate::failures::Counterexample;
use crate::grid::Cell;
use crate::html::{Figures, page};
use crate::junit::junit;
use crate::plot::{self, Figure};
use crate::tables;
use crate::text::replay_command;

/// The input of a report. The same input gives the same bytes.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The heading.
    pub title: String,
    /// The command that produced the results.
    pub command: String,
    /// The version of fencepost that produced the results.
    pub version: String,
    /// The seeds, as text such as `0..1000`.
    pub seeds: String,
    /// Warnings at the top, such as missing shards.
    pub notes: Vec<String>,
    /// The flags that a replay needs temporarys the case, such as `--bug NAME`.
    pub replay_flags: String,
    /// The path of each scenario that `replay` does not know by name.
    pub scenario_paths: BTreeMap<String, String>,
    /// The descriptions of the locks that were run.
    pub locks: Vec<LockInfo>,
    /// The descriptions of the workloads, by name.
    pub workloads: BTreeMap<String, String>,
    /// The environment of the run: name and value.
    pub environment: Vec<(String, String)>,
    /// The counterexamples, by scenario and lock.
    pub counterexamples: BTreeMap<(String, String), Counterexample>,
    /// The violations that scenarios expect: scenario, lock and property.
    pub expected_violations: BTreeSet<(String, String, Property)>,
    /// The results.
    pub cells: Vec<Cell>,
}

/// An error while writing a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or directory could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A plot could not be converted to PNG.
    #[cfg(feature = "png")]
    #[error("cannot render {}", path.display())]
    Png {
        /// The path of the PNG.
        path: PathBuf,
        /// The cause.
        source: crate::png::PngError,
    },
}

impl Report {
    /// Renders the HTML page.
    pub fn html(&self) -> String {
        page(self, &self.figures())
    }

    /// Returns the command that replays one case.
    pub fn replay(&self, scenario: &str, lock: &str, seed: u64) -> String {
        let scenario = self.scenario_paths.get(scenario).map_or(scenario, String::as_str);
        replay_command(scenario, lock, seed, &self.replay_flags)
    }

    /// Writes `report.html`, `junit.xml`, `plots/` and `tables/` into `dir`, which is created if needed.
    pub fn write(&self, dir: &Path) -> Result<(), ReportError> {
        let figures = self.figures();
        for sub in ["plots", "tables"] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).map_err(|source| ReportError::Write { path, source })?;
        }
        write(&dir.join("report.html"), page(self, &figures).as_bytes())?;
        write(&dir.join("junit.xml"), junit(self).as_bytes())?;
        let heatmaps = [plot::heatmap(&self.cells), plot::families(&self.cells), plot::guards(&self.cells)];
        let single = [&figures.oversell, &figures.cases, &figures.dose, &figures.contention];
        let many = figures.cost.iter().chain(&figures.availability);
        for figure in single.into_iter().chain(&heatmaps).flatten().chain(many) {
            write_figure(&dir.join("plots"), figure)?;
        }
        self.write_tables(&dir.join("tables"))
    }

    fn figures(&self) -> Figures {
        let cells = &self.cells;
        let cost = [plot::acquire_latency, plot::messages, plot::throughput, plot::takeover];
        Figures {
            oversell: plot::oversell(cells),
            cases: plot::shown_and_hidden(cells),
            dose: plot::dose_response(cells),
            contention: plot::contention(cells),
            cost: cost.into_iter().filter_map(|draw| draw(cells)).collect(),
            availability: plot::availability(cells),
        }
    }

    fn write_tables(&self, dir: &Path) -> Result<(), ReportError> {
        write(&dir.join("properties.csv"), tables::properties_csv(&self.cells).as_bytes())?;
        write(&dir.join("metrics.csv"), tables::metrics_csv(&self.cells).as_bytes())?;
        write(&dir.join("guide.md"), tables::guide_markdown(&self.cells).as_bytes())?;
        write(&dir.join("comparison.csv"), tables::comparison_csv(&self.cells).as_bytes())?;
        write(&dir.join("comparison.md"), tables::comparison_markdown(&self.cells).as_bytes())?;
        write(&dir.join("locks.md"), tables::locks_markdown(&self.cells).as_bytes())?;
        for property in Property::ALL {
            if let Some(matrix) = tables::matrix_markdown(&self.cells, property) {
                write(&dir.join(format!("{}.md", property.name())), matrix.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn write_figure(dir: &Path, figure: &Figure) -> Result<(), ReportError> {
    write(&dir.join(format!("{}.svg", figure.name)), figure.svg.as_bytes())?;
    #[cfg(feature = "png")]
    {
        let path = dir.join(format!("{}.png", figure.name));
        let png = crate::png::render(&figure.svg).map_err(|source| ReportError::Png { path: path.clone(), source })?;
        write(&path, &png)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    write_file(path, bytes).map_err(|source| ReportError::Write { path: path.to_owned(), source })
}

/// Writes a temporary file and renames it, so readers never see a part of the file. Links are followed, and devices are
/// not replaced.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() && !path.is_file() {
        return fs::write(path, bytes);
    }
    let mut temporary = path.clone().into_os_string();
    temporary.push(format!(".{}.tmp", std::process::id()));
    fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path))
}
