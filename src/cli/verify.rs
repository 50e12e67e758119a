//! `fencepost verify`: runs all cases in two fresh processes, the second in reverse order, and compares the hashes. A
//! difference means that a case depends on the process or on earlier cases.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fencepost_reports::text::counted;
use fencepost_scenarios::registry::Registry;

use super::bugs::BugArguments;
use super::exit::{Exit, Failure};
use super::hash_cases::cells_and_seeds;
use super::screen::print;
use super::seeds::Seeds;

/// The arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A suite, a scenario or a case; by default the suite `standard`
    #[arg(value_name = "SUITE|CASE", default_value = "standard")]
    what: String,
    /// The seeds of each cell, where N means 0..N; by default the suite's, or 200
    #[arg(long, value_name = "N|A..B", env = "FENCEPOST_SEEDS")]
    seeds: Option<Seeds>,
    #[command(flatten)]
    bugs: BugArguments,
}

/// The maximum number of differing cases to print.
const MOST_NAMED: usize = 10;

/// Runs `verify`.
pub(super) fn verify(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let (cells, seeds) = cells_and_seeds(registry, &arguments.what, arguments.seeds, &arguments.bugs.list())?;
    if cells.is_empty() || seeds.count() == 0 {
        return Err(Failure::nothing_selected("nothing is selected: no case is applicable", "name a suite or a case"));
    }
    let cases = cells.len() as u64 * seeds.count();
    eprintln!("running {} in two processes, in opposite orders", counted(cases, "case"));
    let (forward, mut back) = both(arguments, None)?;
    back.reverse();
    let differing = differences(&forward, &back);
    if differing.is_empty() {
        print(&format!("same hashes in both processes: {}\n", counted(cases, "case")))?;
        return Ok(Exit::Done);
    }
    for case in differing.iter().take(MOST_NAMED) {
        eprintln!("diverged: {case}");
    }
    eprintln!("{} of {cases} cases differ", differing.len());
    explain(arguments, &differing[0])?;
    Ok(Exit::Diverged)
}

/// Returns the cases whose lines differ or that only one process ran.
fn differences(forward: &[String], back: &[String]) -> Vec<String> {
    let name = |line: &String| line.rsplit_once(' ').map_or(line.clone(), |(name, _)| name.to_owned());
    let longest = forward.len().max(back.len());
    let pairs = (0..longest).map(|at| (forward.get(at), back.get(at)));
    pairs.filter(|(one, other)| one != other).filter_map(|(one, other)| one.or(other).map(name)).collect()
}

/// Runs both processes and returns their output lines.
fn both(arguments: &Arguments, trace: Option<(&str, &[PathBuf; 2])>) -> Result<(Vec<String>, Vec<String>), Failure> {
    let start = |reverse: bool| {
        let mut command = child(arguments)?;
        if reverse {
            command.arg("--reverse");
        }
        if let Some((case, files)) = trace {
            command.arg("--trace").arg(case).arg("--to").arg(&files[usize::from(reverse)]);
        }
        command.spawn().map_err(|error| Failure::internal(format!("cannot start a process: {error}")))
    };
    let (first, second) = (start(false)?, start(true)?);
    // Read in parallel, because a process blocks while its pipe is full.
    let second = std::thread::spawn(move || second.wait_with_output());
    let first = first.wait_with_output();
    let second = second.join().map_err(|_| Failure::internal("the thread that reads a process panicked"))?;
    Ok((lines(first)?, lines(second)?))
}

fn child(arguments: &Arguments) -> Result<Command, Failure> {
    let executable = std::env::current_exe();
    let executable = executable.map_err(|error| Failure::internal(format!("cannot find this program: {error}")))?;
    let mut command = Command::new(executable);
    command.arg("hash-cases").stdout(Stdio::piped()).stdin(Stdio::null());
    if let Some(seeds) = arguments.seeds {
        command.arg("--seeds").arg(seeds.to_string());
    }
    command.args(super::bugs::flags(&arguments.bugs.list()).split_whitespace());
    command.arg(format!("--what={}", arguments.what));
    Ok(command)
}

fn lines(output: std::io::Result<std::process::Output>) -> Result<Vec<String>, Failure> {
    let output = output.map_err(|error| Failure::internal(format!("cannot read from a process: {error}")))?;
    if !output.status.success() {
        return Err(Failure::internal(format!("a child process ended with {}; its output is above", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// Runs all cases again, because earlier ones may cause the difference, and writes the traces of one case.
fn explain(arguments: &Arguments, case: &str) -> Result<(), Failure> {
    let dir = std::env::temp_dir();
    let files = ["forward", "reverse"].map(|way| dir.join(format!("fencepost-{}-{way}.jsonl", std::process::id())));
    both(arguments, Some((case, &files)))?;
    match first_difference(&files)? {
        Some((number, [one, other])) => {
            eprintln!("the traces of {case} first differ in line {number}:\n  {one}\n  {other}");
            eprintln!("traces: {} and {}", files[0].display(), files[1].display());
        }
        None => eprintln!("the traces of {case} do not differ this time: the difference is not reproducible"),
    }
    let bugs = super::bugs::flags(&arguments.bugs.list());
    eprintln!("to reproduce: fencepost verify {} {bugs}", arguments.what);
    Ok(())
}

fn first_difference(files: &[PathBuf; 2]) -> Result<Option<(u64, [String; 2])>, Failure> {
    let (mut forward, mut back) = (open(&files[0])?, open(&files[1])?);
    let next = |lines: &mut Lines<BufReader<File>>| lines.next().and_then(Result::ok);
    for number in 1.. {
        match (next(&mut forward), next(&mut back)) {
            (None, None) => break,
            (one, other) if one == other => {}
            (one, other) => {
                return Ok(Some((number, [one, other].map(|line| line.unwrap_or("(no more events)".into())))));
            }
        }
    }
    Ok(None)
}

fn open(path: &Path) -> Result<Lines<BufReader<File>>, Failure> {
    let file = File::open(path).map_err(|error| Failure::path("read", path, error))?;
    Ok(BufReader::new(file).lines())
}
