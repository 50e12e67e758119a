//! The directory of a run: run.json, results.jsonl and the report.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use fencepost_scenarios::run::results::ResultsReader;

use super::exit::{Exit, Failure};
use super::manifest::Manifest;

/// Where runs go that are not told where.
const RUNS: &str = "fencepost-out";
/// The link to the last of them.
const LATEST: &str = "latest";
const RESULTS: &str = "results.jsonl";

/// A run's own directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes a directory under `fencepost-out`, with the link `latest` to it.
    pub(super) fn for_run_id(run_id: &str) -> Result<Self, Failure> {
        let path = Path::new(RUNS).join(run_id);
        fs::create_dir_all(&path).map_err(|error| Failure::path("make", &path, error))?;
        link_latest(run_id);
        Ok(Directory { path })
    }

    /// Makes a directory, or takes an empty one.
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(path).map_err(|error| Failure::path("make", path, error))?;
        if !is_empty(path)? {
            let message = format!("{} is not empty", path.display());
            return Err(Failure::usage(message, "choose another directory; `run --resume` goes on with a run"));
        }
        Ok(Directory { path: path.into() })
    }

    /// The directory of an earlier run, and what that run was.
    pub(super) fn existing(path: &Path) -> Result<(Self, Manifest), Failure> {
        Ok((Directory { path: path.into() }, Manifest::read(path)?))
    }

    /// A new directory or an earlier run's, to go on with.
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

    /// The rows that are there.
    pub(super) fn read_results(&self) -> Result<ResultsReader<BufReader<File>>, Failure> {
        let path = self.results_path();
        let file = File::open(&path).map_err(|error| Failure::path("read", &path, error))?;
        Ok(ResultsReader::new(BufReader::new(file)))
    }

    /// results.jsonl cut off after so many bytes, to write on from there.
    pub(super) fn write_results(&self, from: u64) -> Result<File, Failure> {
        let open = || {
            let path = self.results_path();
            let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
            file.set_len(from)?;
            file.seek(SeekFrom::Start(from))?;
            Ok(file)
        };
        open().map_err(|error: std::io::Error| Failure::Plain {
            exit: Exit::Internal,
            message: format!("cannot write {}: {error}", self.results_path().display()),
            help: None,
        })
    }
}

/// A file that a killed run was just about to move into place does not count.
fn is_empty(path: &Path) -> Result<bool, Failure> {
    let entries = fs::read_dir(path).map_err(|error| Failure::path("look into", path, error))?;
    Ok(entries.flatten().all(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")))
}

/// Moved into place, so that there is always one. A file system without links goes without.
fn link_latest(run_id: &str) {
    let (link, beside) = (Path::new(RUNS).join(LATEST), Path::new(RUNS).join(format!(".{run_id}")));
    if std::os::unix::fs::symlink(run_id, &beside).and_then(|()| fs::rename(&beside, &link)).is_err() {
        eprintln!("warning: cannot link {}", link.display());
    }
}
