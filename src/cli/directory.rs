//! The directory of a run: run.json, results.jsonl and the report.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use fencepost_scenarios::run::results::ResultsReader;

use super::exit::Failure;
use super::files::create_dir;
use super::manifest::Manifest;

/// The parent directory of runs without `--out`.
const RUNS: &str = "fencepost-out";
/// The symbolic link to the latest run.
const LATEST: &str = "latest";
const RESULTS: &str = "results.jsonl";

/// The directory of one run.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Creates a directory under `fencepost-out`, and points the link `latest` to it.
    pub(super) fn for_run_id(run_id: &str) -> Result<Self, Failure> {
        let path = Path::new(RUNS).join(run_id);
        create_dir(&path)?;
        link_latest(run_id);
        Ok(Directory { path })
    }

    /// Creates a directory, or uses an existing empty one.
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        create_dir(path)?;
        if !is_empty(path)? {
            let message = format!("{} is not empty", path.display());
            return Err(Failure::usage(message, "choose another directory, or continue a run with `run --resume`"));
        }
        Ok(Directory { path: path.into() })
    }

    /// Opens the directory of an earlier run, and reads its manifest.
    pub(super) fn existing(path: &Path) -> Result<(Self, Manifest), Failure> {
        Ok((Directory { path: path.into() }, Manifest::read(path)?))
    }

    /// Opens the directory of an earlier run to resume, or creates a new one.
    pub(super) fn to_resume(path: &Path) -> Result<(Self, Option<Manifest>), Failure> {
        if !path.exists() || is_empty(path)? {
            return Ok((Directory::new(path)?, None));
        }
        let (directory, manifest) = Directory::existing(path)?;
        Ok((directory, Some(manifest)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn results_path(&self) -> PathBuf {
        self.path.join(RESULTS)
    }

    /// Reads the results.
    pub(super) fn read_results(&self) -> Result<ResultsReader<BufReader<File>>, Failure> {
        let path = self.results_path();
        let file = File::open(&path).map_err(|error| Failure::path("read", &path, error))?;
        Ok(ResultsReader::new(BufReader::new(file)))
    }

    /// Opens results.jsonl, truncated to `from` bytes, for appending.
    pub(super) fn write_results(&self, from: u64) -> Result<File, Failure> {
        let open = || {
            let path = self.results_path();
            let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
            file.set_len(from)?;
            file.seek(SeekFrom::Start(from))?;
            Ok(file)
        };
        open().map_err(|error: std::io::Error| {
            Failure::internal(format!("cannot write {}: {error}", self.results_path().display()))
        })
    }
}

/// Returns whether the directory is empty, ignoring temporary files of a killed run.
fn is_empty(path: &Path) -> Result<bool, Failure> {
    let entries = fs::read_dir(path).map_err(|error| Failure::path("list", path, error))?;
    Ok(entries.flatten().all(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")))
}

/// Replaces the link atomically. On a file system without links, this only warns.
fn link_latest(run_id: &str) {
    let (link, temporary) = (Path::new(RUNS).join(LATEST), Path::new(RUNS).join(format!(".{run_id}")));
    if std::os::unix::fs::symlink(run_id, &temporary).and_then(|()| fs::rename(&temporary, &link)).is_err() {
        eprintln!("warning: cannot link {}", link.display());
    }
}
